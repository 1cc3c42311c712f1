"""A tree seen from outside: nodes, and the events of its life. Frozen values, drawn by ``str``."""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import frozen

from actors.exits import ExitReason
from actors.mailbox import MailboxStatistics
from actors.supervision.strategy import Verdict


@frozen
class Node:
    """A child and what is below it, at one moment. ``status`` is a word, ``uptime`` seconds or None while down."""

    name: str
    kind: Literal["supervisor", "worker"]
    status: str
    incarnation: int
    restarts: int
    last_exit: ExitReason | None
    mailbox: MailboxStatistics
    uptime: float | None
    children: tuple[Node, ...] = ()
    detail: str = ""

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> list[str]:
        notes = [self.status]
        if self.restarts:
            notes.append(f"{self.restarts} restart{'s' if self.restarts > 1 else ''}")
        if self.detail:
            notes.append(self.detail)
        if self.mailbox.queued:
            notes.append(f"{self.mailbox.queued} queued")
        if self.status != "running" and self.last_exit is not None:
            notes.append(str(self.last_exit))
        lines = [f"{self.name}  {', '.join(notes)}"]
        for child in self.children:
            last = child is self.children[-1]
            first, *rest = child._lines()
            lines.append(f"{'└─ ' if last else '├─ '}{first}")
            lines.extend(f"{'   ' if last else '│  '}{line}" for line in rest)
        return lines


@frozen
class ChildStarted:
    """An incarnation is up."""

    path: str
    incarnation: int


@frozen
class ChildExited:
    """An incarnation ended by itself, or did not start.

    ``verdict`` says what becomes of it: None where its supervisor gives up, or where a start failed. ``restarts`` are
    those in the supervisor's window, this one included; ``delay`` is the backoff in seconds.
    """

    path: str
    incarnation: int
    reason: ExitReason
    verdict: Verdict | None
    restarts: int
    delay: float


@frozen
class ChildStopped:
    """An incarnation ended because its supervisor stopped it, or while that was about to.

    ``reason`` is its own: not always shutdown (R43, R46). Each incarnation that started ends in exactly one
    `ChildExited` or `ChildStopped`.
    """

    path: str
    incarnation: int
    reason: ExitReason


TreeEvent: TypeAlias = ChildStarted | ChildExited | ChildStopped
