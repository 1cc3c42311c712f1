"""Values as a person reads them: trees, tables, answers. Imports rich, so it is imported when something is shown."""

import io
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import attrs
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.pretty import Pretty
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from actors import Node
from runtime.console.answers import block_words, resource_words, words
from runtime.console.listings import Listing, Statuses
from runtime.console.remembered import Remembered
from runtime.console.words import Verbatim, Word
from runtime.host.applying import Applied
from runtime.host.plan import Plan
from runtime.journal import Event
from runtime.journal.records import Entry
from runtime.protocol import CallToolResult, GetPromptResult, ReadResourceResult, Tool
from runtime.registry import PromptEntry, ResourceEntry, ResourceTemplateEntry, ToolEntry
from runtime.servers import ServerStatus, State
from runtime.value import Value

_STYLES = {
    "ready": "green",
    "running": "green",
    "stopped": "dim",
    "ejected": "bold red",
}
_RESOURCES = (ResourceEntry, ResourceTemplateEntry)
_ENOUGH = 1 << 16  # columns, so that nothing wraps where no screen ends the line


def show(value: object, console: Console) -> None:
    """Print a value. Where the console is no terminal the text is complete: no colour, no wrapping, no ellipsis."""
    if console.is_terminal:
        console.print(renderable(value), highlight=False)
    else:
        console.file.write(plain(value) + "\n")


def plain(value: object) -> str:
    """Give the same as text, one record in a line."""
    shown = renderable(value)
    if isinstance(shown, Pretty):
        return repr(value)
    console = Console(file=io.StringIO(), width=_ENOUGH, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(shown, highlight=False)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def renderable(value: object) -> RenderableType:
    """Choose how a value looks; what has no form of its own is a Python value and looks like one."""
    match value:
        case Node():
            return _tree(value)
        case Statuses():
            return _status_table(value.values())
        case Remembered():
            return _remembered_table(value)
        case ServerStatus():
            return _status_table([value])
        case Listing() if not value:
            return Text(value.none, style="dim")
        case CallToolResult():
            return _answer(value)
        case Verbatim() | Word() | Event() | Plan() | Applied():
            return Text(str(value))
        case tuple() | list() if value and all(isinstance(item, ToolEntry) for item in value):
            return _tool_table(value)
        case ReadResourceResult():
            return Text("\n".join(map(resource_words, value.contents)))
        case GetPromptResult():
            return Text("\n".join(f"{message.role}: {block_words(message.content)}" for message in value.messages))
        case tuple() | list() if value and all(isinstance(item, _RESOURCES) for item in value):
            return _resource_table(value)
        case tuple() | list() if value and all(isinstance(item, PromptEntry) for item in value):
            return _prompt_table(value)
        case tuple() | list() if value and all(isinstance(item, Event | Entry) for item in value):
            return Text("\n".join(map(str, value)))
        case Value() | dict() | list() | tuple() | set() | frozenset():
            return Pretty(value)
        case _:  # not drawn by its attributes: those of a living thing lead to all that lives
            return Text(repr(value))


def _styled(state: str) -> Text:
    return Text(state, style=_STYLES.get(state, "yellow"))


def _tree(node: Node) -> Tree:
    tree = Tree(_node(node), guide_style="dim")
    pending = [(node, tree)]
    while pending:
        parent, branch = pending.pop()
        pending.extend((child, branch.add(_node(child))) for child in parent.children)
    return tree


def _node(node: Node) -> Text:
    # The same words as the node's own drawing, in colours.
    name, _, notes = str(attrs.evolve(node, children=())).partition("  ")
    status, comma, rest = notes.partition(", ")
    words = Text(name, style="bold" if node.kind == "worker" else "")
    return words.append("  ").append_text(_styled(status)).append(comma + rest, style="dim")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _tool_table(entries: Iterable[ToolEntry]) -> Table:
    table = _table("server", "tool", "what it does")
    for entry in entries:
        about = (entry.tool.description or entry.tool.title or "").strip().partition("\n")[0]
        table.add_row(Text(entry.server), Text(signature(entry.tool)), Text(about, style="dim"))
    return table


def _resource_table(entries: Iterable[ResourceEntry | ResourceTemplateEntry]) -> Table:
    table = _table("server", "resource", "what it is")
    for entry in entries:
        found: Any = entry.resource if isinstance(entry, ResourceEntry) else entry.template
        where = entry.uri if isinstance(entry, ResourceEntry) else entry.uri_template
        about = (found.description or found.title or found.name).strip().partition("\n")[0]
        table.add_row(Text(entry.server), Text(where), Text(about, style="dim"))
    return table


def _prompt_table(entries: Iterable[PromptEntry]) -> Table:
    table = _table("server", "prompt", "what it says")
    for entry in entries:
        prompt = entry.prompt
        names = ", ".join(each.name if each.required else f"{each.name}?" for each in prompt.arguments or ())
        about = (prompt.description or prompt.title or "").strip().partition("\n")[0]
        table.add_row(Text(entry.server), Text(f"{prompt.name}({names})"), Text(about, style="dim"))
    return table


def signature(tool: Tool) -> str:
    """Write a tool as a call: its arguments by name, with a question mark where one may be left out."""
    schema: Any = tool.input_schema
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    required = schema.get("required") if isinstance(schema, Mapping) else None
    names = properties if isinstance(properties, Mapping) else ()
    needed = required if isinstance(required, list) else ()
    return f"{tool.name}({', '.join(name if name in needed else f'{name}?' for name in names)})"


def _status_table(statuses: Iterable[ServerStatus]) -> RenderableType:
    table = _table("server", "state", "pid", "MCP", "up", "restarts", "tools", "in flight", "queued")
    troubles = []
    for status in statuses:
        table.add_row(
            Text(status.server),
            _styled(status.state.value),
            str(status.pid or ""),
            status.version or "",
            span(status.uptime) if status.uptime is not None else "",
            *map(str, (status.restarts, status.tools, status.in_flight, status.queued)),
        )
        if status.last_error is not None and status.state is not State.READY:
            troubles.append(Text(str(status.last_error), style="red"))
    return Group(table, *(Padding(trouble, (1, 0, 0, 0)) for trouble in troubles))


def _remembered_table(known: Remembered) -> RenderableType:
    table = _table("server", "state", "pid", "restarts", "started in", "seen")
    troubles = []
    for name, seen in known.items():
        if seen is None:
            table.add_row(Text(name), Text("never seen", style="dim"))
            continue
        service = seen.service
        table.add_row(
            Text(name),
            _styled(service.state),
            str(service.pid or ""),
            str(service.restarts),
            "" if service.start_up_ms is None else f"{service.start_up_ms:.0f} ms",
            datetime.fromtimestamp(service.updated).isoformat(" ", "seconds"),
        )
        if seen.trouble is not None and service.state != State.READY.value:
            troubles.append(Text(f"{name} {seen.trouble}", style="red"))
    return Group(table, *(Padding(trouble, (1, 0, 0, 0)) for trouble in troubles))


def span(seconds: float) -> str:
    """Write a length of time in its two largest units."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _answer(result: CallToolResult) -> Text:
    return Text(f"the tool failed: {words(result)}", style="red") if result.is_error else Text(words(result))
