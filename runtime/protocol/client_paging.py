"""Following a list through its pages, and no further than is reasonable."""

from __future__ import annotations

from attrs import define, field

from .errors import WireError

__all__ = ["Paging"]


@define
class Paging:
    """Which page of one list to ask for next: ask while not `done`, with `cursor`, and tell what the page says.

    Cursors are opaque; a missing one ends the list (MCP 2026-07-28, server/utilities/pagination).
    """

    limit: int = 1000
    """Pages of one list. A server that has more is not listing but looping."""
    cursor: str | None = field(default=None, init=False)
    done: bool = field(default=False, init=False)
    _seen: set[str] = field(factory=set, init=False, repr=False)

    def turn(self, next_cursor: str | None) -> None:
        """A page has come, with this ``nextCursor``.

        Raises:
            WireError: it leads back to a page that has been, or there are more than `limit`.
        """
        if next_cursor is None:
            self.cursor, self.done = None, True
            return
        if next_cursor in self._seen:
            raise WireError("PaginatedResult", "nextCursor", f"leads in a circle: {next_cursor!r} has been before")
        self._seen.add(next_cursor)
        if len(self._seen) >= self.limit:
            raise WireError("PaginatedResult", "nextCursor", f"leads on after {self.limit} pages")
        self.cursor = next_cursor
