"""Messages and small actors that the tests of the kernel share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import trio
from attrs import define, field, frozen

import actors
from actors import Ask, Refusal, Reply, Tell


@frozen
class Add(Ask[int]):
    amount: int


@frozen
class Note(Tell):
    text: str


@frozen
class Seen(Ask[tuple[str, ...]]):
    pass


@frozen
class Urgent(Tell):
    text: str
    control = True


@frozen
class Crash(Ask[None]):
    error: BaseException


@frozen
class Drop(Tell):
    """A tell that crashes."""

    error: BaseException


@frozen
class Refuse(Ask[None]):
    why: str


@frozen
class Wait(Ask[str]):
    """Answered when the gate opens, by an async handler."""

    gate: trio.Event


@frozen
class WaitCancellably(Ask[str]):
    gate: trio.Event
    cancellable = True


@frozen
class Later(Ask[str]):
    """Deferred: the reply slot lands in the actor's list."""


@frozen
class Forward(Ask[object]):
    to: actors.Ref
    message: Ask[Any]


@define
class Everything:
    """An actor with a handler for each message above; ``log`` tells what it did, over all incarnations."""

    log: list[str] = field(factory=list)
    slots: list[Reply[str]] = field(factory=list)
    total: int = 0

    def receive(self, message: Any) -> Any:
        match message:
            case Add(amount):
                self.total += amount
                return message.answer(self.total)
            case Note(text) | Urgent(text):
                self.log.append(text)
                return None
            case Seen():
                return tuple(self.log)
            case Crash(error) | Drop(error):
                raise error
            case Refuse(why):
                raise Refusal(why)
            case Wait(gate) | WaitCancellably(gate):
                return self._wait(gate)
            case Later():
                self.slots.append(actors.context().defer(lambda: self.log.append("asker gone")))
                return None
            case Forward(to, inner):
                return to.ask(inner)
        raise actors.UnhandledMessage(message)

    async def _wait(self, gate: trio.Event) -> str:
        self.log.append("waiting")
        try:
            await gate.wait()
        except trio.Cancelled:
            self.log.append("cancelled")
            raise
        self.log.append("done")
        return "done"


def managed(log: list[str], name: str = "actor", actor: Callable[[], Any] = Everything) -> Any:
    """Return a start whose actor writes its init and its clean-up to ``log``."""

    @asynccontextmanager
    async def start() -> AsyncIterator[Any]:
        log.append(f"{name} up")
        try:
            yield actor()
        finally:
            log.append(f"{name} down")

    def begin() -> AbstractAsyncContextManager[Any]:
        return start()

    return begin
