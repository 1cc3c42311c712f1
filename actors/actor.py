"""The loop of an actor: take, handle, answer."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from types import CoroutineType
from typing import Any, Literal, Protocol, TypeVar, overload

import trio
from outcome import Value
from trio.lowlevel import reschedule, wait_task_rescheduled

from actors.errors import Refusal
from actors.exits import ExitReason, Shutdown
from actors.mailbox import Envelope, Item, Mailbox, Receive, Stop

BATCH = 64  # messages handled between two checkpoints: fairness counts messages, never time (K13)

DISMISSED = Shutdown("dismissed")
"""What a parked task is woken with when its incarnation has been ended without it: it is to leave without a word."""

R = TypeVar("R")


class Actor(Protocol):
    """An actor is any object with ``receive``, plain or ``async``; a plain one may return a coroutine (K1, K2)."""

    def receive(self, message: Any, /) -> Any:
        """Handle one message. What it returns answers an ask; a `Refusal` it raises does too; all else crashes it."""


@overload
async def serve(mailbox: Mailbox, receive: Callable[[Any], Any], *, scoped: Literal[True]) -> ExitReason: ...
@overload
async def serve(
    mailbox: Mailbox, receive: Callable[[Any], Any], *, scoped: Literal[False]
) -> ExitReason | Coroutine[Any, Any, object]: ...
@trio.lowlevel.disable_ki_protection
async def serve(
    mailbox: Mailbox, receive: Callable[[Any], Any], *, scoped: bool
) -> ExitReason | Coroutine[Any, Any, object]:
    """Handle messages until told to stop; return why. Whatever the handler raises, except a `Refusal`, comes out.

    ``scoped`` says that a cancel scope is open around the loop, by which the actor can be killed. Without one, the
    first handler that turns out to be ``async`` is returned, not begun: open a scope, :func:`finish` it there, and
    serve on, scoped. So an actor that never waits never pays for a scope.
    """
    queue = mailbox.queue
    task = mailbox.task
    item: Any
    value: Any
    asker: trio.lowlevel.Task | None
    if mailbox.override is not None:
        receive = mailbox.override
    try:
        while True:
            if (depth := len(queue)) > mailbox.high_water:
                mailbox.high_water = depth
            for _ in range(BATCH):
                if mailbox.attention:
                    item = mailbox.take()
                    if item is None:
                        break
                    if type(item) is Stop:
                        return item.reason
                    if type(item) is Receive:
                        receive = mailbox.override = item.receive
                        continue
                elif queue:
                    item = queue.popleft()
                else:
                    break
                if type(item) is not Envelope:
                    mailbox.handled += 1
                    mailbox.current = item
                    try:
                        value = receive(item)
                    except Refusal:
                        continue  # nobody asked
                    if type(value) is CoroutineType:
                        if not scoped:
                            return value
                        await finish(mailbox, item, value)
                    continue
                if item.task is None:
                    mailbox.tombstones -= 1
                    continue
                mailbox.handled += 1
                mailbox.current = item
                try:
                    value = receive(item.message)
                except Refusal as refusal:
                    if mailbox.current is item:
                        item.fail(refusal)
                    continue
                if type(value) is CoroutineType:
                    if not scoped:
                        return value
                    await finish(mailbox, item, value)
                elif mailbox.current is item:  # else deferred
                    asker = item.task  # read again: the handler may have cancelled its own asker
                    if asker is not None:
                        item.task = None
                        reschedule(asker, Value(value))
            else:
                await trio.lowlevel.checkpoint()
                continue
            item = value = asker = mailbox.current = (
                None  # while it is parked, it keeps nothing of the last message alive
            )
            if mailbox.credits < 1 or mailbox.suspended:
                mailbox.resting = True
            else:
                mailbox.idle = True
            if await wait_task_rescheduled(mailbox) is not None:  # nothing else wakes it with a value
                return DISMISSED
    except BaseException:
        if mailbox.task is task:  # pragma: no branch  # else dismissed: tested, but by a tracer in coverage's place
            mailbox.idle = mailbox.resting = False  # an interrupt may have come where it parks
        raise


@trio.lowlevel.disable_ki_protection
async def finish(mailbox: Mailbox, item: Item, handler: Coroutine[Any, Any, object]) -> None:
    """Run an ``async`` handler to its end and answer with what comes of it."""
    try:
        if isinstance(item, Envelope) and item.message.cancellable:
            value = await _cancellably(mailbox, handler)
        else:
            value = await handler
    except Refusal as refusal:
        if mailbox.current is item and isinstance(item, Envelope):
            item.fail(refusal)
        return
    if mailbox.current is item and isinstance(item, Envelope):
        item.settle(value)


async def _cancellably(mailbox: Mailbox, handler: Coroutine[Any, Any, R]) -> R | None:
    with trio.CancelScope() as mailbox.handler:
        try:
            return await handler
        finally:
            mailbox.handler = None
    return None
