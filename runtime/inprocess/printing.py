"""What the functions of a server print, kept apart from what their host prints.

A server in a process of its own has a stdout of its own. One that lives in its host's process does not, so while it is
served ``sys.stdout`` is a stand-in that asks who prints: a function at work (a context variable says so, which goes
along into the tasks and threads that it starts) or anybody else. Only what goes by ``sys.stdout`` is seen: a child
process that a function starts, or a write to descriptor 1, is not.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO, TypeAlias, cast, final

__all__ = ["TakeLine", "printing_to"]

TakeLine: TypeAlias = Callable[[str], object]
"""Is given each line that is printed, without its end; may be called from any thread."""


@final
class _Lines:
    """Text in, lines out."""

    def __init__(self, take: TakeLine) -> None:
        self._take = take
        self._begun = ""

    def write(self, text: str) -> None:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._take(line)

    def finish(self) -> None:
        if self._begun:
            self._take(self._begun)
            self._begun = ""


_printer: ContextVar[_Lines | None] = ContextVar("printer", default=None)


@final
class _StandIn:
    """`sys.stdout` for all but those who print elsewhere; anything but writing is the real one's."""

    def __init__(self, real: TextIO) -> None:
        self.real = real
        self.users = 0

    def write(self, text: str) -> int:
        if (lines := _printer.get()) is None:
            return self.real.write(text)
        lines.write(text)
        return len(text)

    def writelines(self, texts: Iterable[str]) -> None:
        for text in texts:
            self.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


@contextmanager
def printing_to(take: TakeLine) -> Iterator[None]:
    """While the block runs, what it and the tasks and threads that begin in it print goes to ``take``.

    Blocks may overlap in any order. Whoever replaces ``sys.stdout`` meanwhile gets their own way.
    """
    now: Any = sys.stdout
    stand_in = now if isinstance(now, _StandIn) else _StandIn(now)
    stand_in.users += 1
    sys.stdout = cast("TextIO", stand_in)
    lines = _Lines(take)
    token = _printer.set(lines)
    try:
        yield
    finally:
        _printer.reset(token)
        lines.finish()
        stand_in.users -= 1
        now = sys.stdout
        if not stand_in.users and now is stand_in:
            sys.stdout = stand_in.real
