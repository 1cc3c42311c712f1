"""What somebody wants to do, and what is said to it."""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias, final

from msgspec import Struct


@final
class Act(Enum):
    """What can be wished for."""

    SPAWN = "spawn"
    CALL = "call"
    DISCOVER = "discover"
    """To see it in a list or a search; what may not be seen is left out without a word."""


@final
class Wish(Struct, frozen=True, repr_omit_defaults=True):
    """One act on a server's tool, or, ``tool`` being None, on the server: to spawn it, or on what else it offers.

    Its resources and prompts, completions and log are one thing to the rules: who may have the server may have them.
    names are as the server calls them, never an alias: an alias opens nothing. ``caller`` None: the program itself.
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
class Allowed(Struct, frozen=True):
    """Nothing is said against it."""

    def __bool__(self) -> bool:
        return True


@final
class Denied(Struct, frozen=True):
    """It must not be: ``reason`` says why, for whoever wished for it."""

    reason: str

    def __bool__(self) -> bool:
        return False


Decision: TypeAlias = Allowed | Denied

ALLOWED = Allowed()
