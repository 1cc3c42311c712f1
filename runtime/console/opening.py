"""The screen that a console opens with."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from runtime.console.render import renderable
from runtime.host import Runtime
from runtime.protocol import Tool
from runtime.servers import State


def opening(host: Runtime, found: Path | None) -> RenderableType:
    """Draw what this is, the tree, three things to try; and how to run the configuration that was found, if any."""
    title = Text("Greenroom", style="bold green")
    title.append(": MCP servers as supervised actors. This is Python, with await.", style="default not bold")
    tries = Table(box=None, pad_edge=False, show_header=False, padding=(0, 3, 0, 0))
    for statement, effect in things_to_try(host):
        tries.add_row(Text(statement, style="bold"), Text(effect, style="dim"))
    tree = Padding(renderable(host.tree()), (1, 0))
    parts: list[RenderableType] = [title, tree, Text("Try"), Padding(tries, (0, 0, 1, 2))]
    if found is not None:
        command = shlex.join(("python", "-m", "runtime", str(found)))
        parts.append(Text.assemble((f"{found} is here too, and was not run. To run it: ", "dim"), command))
    parts.append(Text("help() tells the rest. Ctrl-D stops the servers and leaves.", style="dim"))
    return Group(*parts)


def things_to_try(host: Runtime) -> list[tuple[str, str]]:
    """Choose statements that work on this very fleet: a call without arguments where a tool takes none, and a kill of
    a server that has a process."""
    ready = [name for name, status in host.status().items() if status.state is State.READY]
    easy = next((entry for name in ready for entry in host.tools(server=name) if _takes_nothing(entry.tool)), None)
    process = next((name for name in ready if host.status()[name].pid is not None), None)
    tries = []
    if easy is not None:
        tries.append((f'call("{easy.server}", "{easy.tool.name}")', "calls a tool and shows its answer"))
    if process is not None:
        tries.append((f'kill("{process}")', "kills its process; its supervisor starts another"))
    tries.append(("tools()", "lists what can be called"))
    if len(tries) < 3:
        tries.append(("status()", "tells how each server is"))
    if len(tries) < 3:
        tries.append(("events()", "tells what happened so far"))
    return tries


def _takes_nothing(tool: Tool) -> bool:
    schema: Any = tool.input_schema
    return not (isinstance(schema, Mapping) and schema.get("required"))
