"""What somebody wants to do, and what is said to it."""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias, final

from attrs import frozen

from runtime.value import Value


@final
class Act(Enum):
    """What can be wished for."""

    SPAWN = "spawn"
    CALL = "call"
    DISCOVER = "discover"
    """To see it in a list or a search; what may not be seen is left out without a word."""


@final
@frozen(repr=False)
class Wish(Value):
    """One act on a server, or, ``tool`` being named, on a tool of its.

    Both are as the server calls them, never an alias: an alias opens nothing. ``caller`` None: the program itself.
    """

    act: Act
    server: str
    tool: str | None = None
    caller: str | None = None

    @property
    def what(self) -> str:
        """What it is about."""
        return self.server if self.tool is None else f"{self.server}/{self.tool}"


@final
@frozen
class Allowed:
    """Nothing is said against it."""

    def __bool__(self) -> bool:
        return True


@final
@frozen
class Denied:
    """It must not be: ``reason`` says why, for whoever wished for it."""

    reason: str

    def __bool__(self) -> bool:
        return False

    def __str__(self) -> str:
        return self.reason


Decision: TypeAlias = Allowed | Denied

ALLOWED = Allowed()
