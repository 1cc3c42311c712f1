"""Notes that live as long as this process: an MCP server made of functions."""

from runtime.inprocess import ToolError, ToolServer

__all__ = ["server"]

server = ToolServer("notes", "1.0", "Keeps short notes by title, in memory.")

_notes: dict[str, str] = {}


@server.tool(blocking=False)
def write_note(title: str, text: str) -> str:
    """Keep a note under a title; a note of the same title is replaced."""
    replaced = title in _notes
    _notes[title] = text
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
    return f"deleted {title!r}"
