"""Notes that live as long as this process: an MCP server made of functions."""

from dataclasses import dataclass
from typing import Annotated

from runtime.inprocess import Context, NotFound, ToolError, ToolServer

__all__ = ["server"]

server = ToolServer("notes", "1.0", "Keeps short notes by title, in memory.")

_notes: dict[str, str] = {}


@dataclass
class Consent:
    sure: Annotated[bool, "they cannot be had back"]


@server.tool(blocking=False)
def write_note(title: str, text: str) -> str:
    """Keep a note under a title; a note of the same title is replaced."""
    replaced = title in _notes
    _notes[title] = text
    server.resource_updated("notes://all")
    return f"{'replaced' if replaced else 'kept'} {title!r}"


@server.tool(blocking=False, annotations={"readOnlyHint": True, "openWorldHint": False})
def read_note(title: str) -> str:
    """The text of a note."""
    if title not in _notes:
        raise ToolError(f"there is no note {title!r}")
    return _notes[title]


@server.tool(blocking=False, annotations={"readOnlyHint": True, "openWorldHint": False})
def search_notes(query: str = "") -> dict[str, str]:
    """The notes whose title or text contains the query, whatever the case; all of them without one."""
    wanted = query.casefold()
    return {title: text for title, text in _notes.items() if wanted in title.casefold() or wanted in text.casefold()}


@server.tool(blocking=False, annotations={"destructiveHint": True, "openWorldHint": False})
def delete_note(title: str) -> str:
    """Forget a note."""
    if _notes.pop(title, None) is None:
        raise ToolError(f"there is no note {title!r}")
    server.resource_updated("notes://all")
    return f"deleted {title!r}"


@server.tool(annotations={"destructiveHint": True, "openWorldHint": False})
async def forget_all(ctx: Context) -> str:
    """Forget all notes, once the person at the client has said that they are sure."""
    consent = await ctx.elicit(f"Forget {len(_notes)} notes?", Consent)
    if consent.value is None or not consent.value.sure:
        return "nothing was forgotten"
    _notes.clear()
    server.resource_updated("notes://all")
    return "all is forgotten"


@server.resource("notes://all", mime_type="text/markdown", blocking=False)
def all_notes() -> str:
    """All notes, a heading each."""
    return "\n".join(f"# {title}\n\n{text}\n" for title, text in _notes.items())


@server.resource("notes://note/{title}", name="note", blocking=False)
def one_note(title: str) -> str:
    """A note by its title."""
    if title not in _notes:
        raise NotFound(f"there is no note {title!r}")
    return _notes[title]


@server.completion("notes://note/{title}", "title", blocking=False)
def titles(begun: str) -> list[str]:
    return [title for title in _notes if title.startswith(begun)]


@server.prompt(blocking=False)
def summarise(topic: Annotated[str, "only notes that mention it"] = "") -> str:
    """Ask for a summary of the notes."""
    return f"Summarise these notes in three sentences:\n\n{search_notes(topic)}"
