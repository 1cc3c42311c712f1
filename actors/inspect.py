"""A tree seen from outside: nodes, and the events of its life. Frozen values, drawn by ``str``."""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import frozen

from actors.exits import ExitReason
from actors.mailbox import MailboxStatistics
from actors.message import Tell
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
        if self.mailbox.dropped:
            notes.append(f"{self.mailbox.dropped} dropped")
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


@frozen
class TellsDropped:
    """An actor has ended for good, and so ``count`` tells, the ``first`` ten of them here, will never be handled (K4).

    ``reason`` is what its mailbox was closed with. Asks are not among them: each of those got `ActorStopped`.
    """

    path: str
    reason: ExitReason
    count: int
    first: tuple[Tell, ...]


@frozen
class ChildStuck:
    """An incarnation was killed and does not end: it shields itself, or blocks. Its supervisor waits for it.

    ``where`` draws its tasks, each with the line where it waits. Told after 10, 70 and 670 seconds, and each time as a
    warning of the logger ``actors``, too.
    """

    path: str
    incarnation: int
    where: str

    def __str__(self) -> str:
        return f"actor {self.path!r} was killed and does not end; its tasks, each with where it waits:\n{self.where}"


TreeEvent: TypeAlias = ChildStarted | ChildExited | ChildStopped | ChildStuck | TellsDropped
