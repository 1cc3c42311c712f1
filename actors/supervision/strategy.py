"""What a supervisor does about an exit: decided here, from values alone."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import TypeVar

from actors.exits import ExitReason, is_orderly

T = TypeVar("T")


class Restart(Enum):
    """When a child that ended by itself is started again (R21-R23)."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    TEMPORARY = "temporary"


class Strategy(Enum):
    """Who is restarted with a child that is restarted (R30-R32)."""

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"


class AutoShutdown(Enum):
    """When the end of significant children ends their supervisor (R61, R62)."""

    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    ALL_SIGNIFICANT = "all_significant"


class Verdict(Enum):
    """What becomes of a child that has ended by itself."""

    RESTART = "restart"
    KEEP = "keep"  # down, its spec kept: restart_child brings it back (R24)
    DELETE = "delete"  # down, its spec deleted (R24)


def verdict(restart: Restart, reason: ExitReason) -> Verdict:
    """Decide by restart type and exit reason alone; whether the window allows it is asked afterwards."""
    match restart:
        case Restart.TEMPORARY:
            return Verdict.DELETE
        case Restart.TRANSIENT if is_orderly(reason):
            return Verdict.KEEP
        case _:
            return Verdict.RESTART


def group(strategy: Strategy, children: Sequence[T], failed: T) -> Sequence[T]:
    """Return the children that are restarted because ``failed`` is, itself among them, in start order."""
    if strategy is Strategy.ONE_FOR_ONE:
        return [failed]
    first = 0 if strategy is Strategy.ONE_FOR_ALL else children.index(failed)
    return list(children[first:])
