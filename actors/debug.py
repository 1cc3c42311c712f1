"""Looking into a running actor: suspend it, read or replace its state, follow its messages (OTP's ``sys``, R137).

Everything here works from outside, on any actor of the same Trio run, and costs an actor that is left alone nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine
from types import CoroutineType
from typing import Any, Literal, TypeVar, final

import trio
from attrs import define, field, frozen

from actors.actor import Actor
from actors.errors import ActorStopped
from actors.mailbox import Receive
from actors.ref import Ref

A = TypeVar("A")

TRACE_BUFFER = 1000


def suspend(ref: Ref) -> None:
    """Have an actor handle nothing, control messages included, until `resume`. Its supervisor can still stop it."""
    ref._mailbox.suspend()


def resume(ref: Ref) -> None:
    """Have a suspended actor go on; it handles what has queued."""
    ref._mailbox.resume()


def get_state(ref: Ref) -> Actor:
    """Return the actor itself: the object that handles the messages. Raises `ActorStopped` where none is running."""
    actor = ref._child.actor
    if actor is None:
        raise ActorStopped(ref.path, ref._child.last_exit)
    return actor


def replace_state(ref: Ref, change: Callable[[Any], Actor]) -> Actor:
    """Put ``change(actor)`` in the actor's place, before its next message, and return it.

    What ``change`` raises comes out here and changes nothing. Raises `ActorStopped` where none is running.
    """
    changed = change(get_state(ref))
    ref._child.actor = changed
    ref._mailbox.put_control(Receive(changed.receive))
    return changed


@final
@frozen
class Traced:
    """One step of an actor, ``at`` Trio's time: a message taken ``in``, or what came ``out`` of handling it.

    ``out`` is the answer, or the exception; None also where the answer was deferred.
    """

    at: float
    path: str
    direction: Literal["in", "out"]
    value: object


@final
@define(eq=False, repr=False)
class Trace(trio.abc.ReceiveChannel[Traced]):
    """The messages of one incarnation, from :func:`trace` on until it is closed; of unread ones the last 1,000."""

    _ref: Ref
    _actor: Actor
    _receive: Callable[[Any], Any]
    lost: int = field(default=0, init=False)
    _steps: deque[Traced] = field(factory=deque, init=False)
    _arrived: trio.Event = field(factory=trio.Event, init=False)
    _closed: bool = field(default=False, init=False)

    async def receive(self) -> Traced:
        """Return the next step. Raises `trio.ClosedResourceError` after a close."""
        await trio.lowlevel.checkpoint()
        while not self._steps:
            if self._closed:
                raise trio.ClosedResourceError("this trace is closed")
            self._arrived = trio.Event()
            await self._arrived.wait()
        return self._steps.popleft()

    async def aclose(self) -> None:
        """Trace no further; what has been traced can still be received."""
        self._closed = True
        self._arrived.set()
        if self._ref._child.actor is self._actor:
            self._ref._mailbox.put_control(Receive(self._receive))
        await trio.lowlevel.checkpoint()

    def _handle(self, message: object) -> object:
        self._add("in", message)
        try:
            value = self._receive(message)
        except BaseException as error:
            self._add("out", error)
            raise
        if isinstance(value, CoroutineType):
            return self._handle_async(value)
        self._add("out", value)
        return value

    async def _handle_async(self, handler: Coroutine[Any, Any, A]) -> A:
        try:
            value = await handler
        except BaseException as error:
            self._add("out", error)
            raise
        self._add("out", value)
        return value

    def _add(self, direction: Literal["in", "out"], value: object) -> None:
        if len(self._steps) >= TRACE_BUFFER:
            self._steps.popleft()
            self.lost += 1
        self._steps.append(Traced(trio.current_time(), self._ref.path, direction, value))
        self._arrived.set()


def trace(ref: Ref) -> Trace:
    """Follow the messages of an actor's running incarnation: an async context manager, and a channel of `Traced`.

    Raises `ActorStopped` where none is running.
    """
    actor = get_state(ref)
    traced = Trace(ref, actor, actor.receive)
    ref._mailbox.put_control(Receive(traced._handle))
    return traced
