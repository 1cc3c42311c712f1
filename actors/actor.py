"""The loop of an actor: take, handle, answer. And what an actor finds around it: :func:`context`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import ContextVar
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, final

import trio
from attrs import define, field
from outcome import Value
from trio.lowlevel import TrioToken, current_task, reschedule, wait_task_rescheduled

from actors.errors import Refusal, ReplyDropped
from actors.exits import ExitReason, Shutdown
from actors.mailbox import Envelope, Item, Mailbox, Stop
from actors.watch import Watch, link, unlink, watch

if TYPE_CHECKING:
    from actors.ref import Ref
    from actors.supervision.child import Child

BATCH = 64  # messages handled between two checkpoints: fairness counts messages, never time (K13)

DISMISSED = Shutdown("dismissed")
"""What a parked task is woken with when its incarnation has been ended without it: it is to leave without a word."""

R = TypeVar("R")


class Actor(Protocol):
    """An actor is any object with ``receive``, plain or ``async``; a plain one may return a coroutine (K1, K2)."""

    def receive(self, message: Any, /) -> Any:
        """Handle one message. What it returns answers an ask; a `Refusal` it raises does too; all else crashes it."""


async def serve(
    mailbox: Mailbox, receive: Callable[[Any], Any], *, scoped: bool
) -> ExitReason | Coroutine[Any, Any, object]:
    """Handle messages until told to stop; return why. Whatever the handler raises, except a `Refusal`, comes out.

    ``scoped`` says that a cancel scope is open around the loop, by which the actor can be killed. Without one, the
    first handler that turns out to be ``async`` is returned, not begun: open a scope, :func:`finish` it there, and
    serve on, scoped. So an actor that never waits never pays for a scope.
    """
    queue = mailbox.queue
    while True:
        if (depth := len(queue)) > mailbox.high_water:
            mailbox.high_water = depth
        for _ in range(BATCH):
            if mailbox.attention:
                taken = mailbox.take()
                if taken is None:
                    break
                if type(taken) is Stop:
                    return taken.reason
                item = taken
            elif queue:
                item = queue.popleft()
            else:
                break
            mailbox.handled += 1
            if type(item) is not Envelope:
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
                task = item.task  # read again: the handler may have cancelled its own asker
                if task is not None:
                    item.task = None
                    reschedule(task, Value(value))
        else:
            await trio.lowlevel.checkpoint()
            continue
        mailbox.current = None
        if mailbox.credits < 1:
            mailbox.resting = True
        else:
            mailbox.idle = True
        if await wait_task_rescheduled(mailbox.park_abort) is not None:  # nothing else wakes it with a value
            return DISMISSED


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


@final
class Reply(Generic[R]):
    """An answer deferred: settle it later, once, from any task of this Trio run. Later settlings are ignored (K9).

    Losing it unsettled answers the asker with `ReplyDropped`.
    """

    __slots__ = ("_envelope", "_token")

    def __init__(self, envelope: Envelope, token: TrioToken) -> None:
        self._envelope = envelope
        self._token = token

    @property
    def wanted(self) -> bool:
        """Whether somebody still waits for it."""
        return self._envelope.task is not None

    def settle(self, value: R) -> None:
        """Answer the asker with ``value``."""
        self._pay()
        self._envelope.settle(value)

    def fail(self, error: BaseException) -> None:
        """Answer the asker with ``error``: `Reply.fail` is to a deferred answer what `Refusal` is to a direct one."""
        self._pay()
        self._envelope.fail(error)

    def _pay(self) -> None:
        if owed := self._envelope.mailbox.owed:
            owed.pop(self._envelope, None)

    def __del__(self) -> None:
        # The collector may come at any point, inside Trio's scheduler too, so this may only post. Who was answered
        # meanwhile, by the fall of the actor for one, is not answered again.
        if self._envelope.task is not None:
            with suppress(trio.RunFinishedError):  # then the asker is gone, too
                self._token.run_sync_soon(_dropped, self._envelope)


def _dropped(envelope: Envelope) -> None:
    owed = envelope.mailbox.owed
    if owed and envelope in owed:
        del owed[envelope]
        envelope.fail(ReplyDropped(envelope.mailbox.path))


@final
@define(eq=False)
class Context:
    """What surrounds an actor: its address, its nursery, its mailbox's switches."""

    _child: Child = field(alias="child")
    helpers: trio.Nursery | None = field(default=None, init=False)  # the nursery, while there is one

    @property
    def ref(self) -> Ref:
        """Its own address."""
        return self._child.ref

    @property
    def _mailbox(self) -> Mailbox:
        return self._child.mailbox

    @property
    def nursery(self) -> trio.Nursery:
        """For helper tasks: cancelled when the incarnation ends; what one of them raises crashes the actor.

        Raises `RuntimeError` unless the spec says ``nursery=True``.
        """
        if self.helpers is None:
            raise RuntimeError(f"actor {self.ref.path!r} has no nursery: write nursery=True in its ChildSpec")
        return self.helpers

    def defer(self, on_cancel: Callable[[], object] | None = None) -> Reply[Any]:
        """Keep the answer to the ask in hand for later; what the handler then returns is ignored.

        ``on_cancel`` is called, synchronously, if the asker goes away first. Raises `RuntimeError` outside a handler,
        and where the message in hand is a tell.
        """
        item = self._mailbox.current
        if not isinstance(item, Envelope) or current_task() is not self._mailbox.task:
            raise RuntimeError("defer() needs an ask in hand: call it in the handler of one")
        self._mailbox.current = None
        if self._mailbox.owed is None:
            self._mailbox.owed = {}
        if item.task is not None:
            self._mailbox.owed[item] = on_cancel
        elif on_cancel is not None:
            on_cancel()  # the asker went while its handler ran
        return Reply(item, trio.lowlevel.current_trio_token())

    def watch(self, ref: Ref, *, once: bool = False) -> Watch:
        """Be told by a `Down` of each end of an incarnation of ``ref``, or ``once`` of the current one's (K10)."""
        return watch(self._child, ref._child, once=once)

    def link(self, ref: Ref) -> None:
        """Share ends with ``ref``: when one incarnation ends, the other does, or hears an `Exit` if it traps (K10)."""
        link(self._child, ref._child)

    def unlink(self, ref: Ref) -> None:
        """Undo a link; no `Exit` of it is heard any more."""
        unlink(self._child, ref._child)

    def register(self, name: str) -> None:
        """Give this actor's address a name in the system. Raises `NameTaken`."""
        self._child.names.register(name, self.ref)

    def hold(self) -> None:
        """Take no further work message until :meth:`release`; control messages still come."""
        self._mailbox.hold()

    def release(self, messages: float = float("inf")) -> None:
        """Take work again: all that comes, or as many messages as credited here."""
        self._mailbox.release(messages)


_context: ContextVar[Context] = ContextVar("actors.context")


def context() -> Context:
    """Return the surroundings of the actor in whose start, handler or helper task this is called.

    Raises `RuntimeError` anywhere else.
    """
    try:
        return _context.get()
    except LookupError:
        raise RuntimeError("actors.context() is for code that runs inside an actor") from None


def set_context(value: Context) -> Callable[[], None]:
    """Make ``value`` what :func:`context` returns, for tasks started from here too; return what undoes it."""
    token = _context.set(value)
    return lambda: _context.reset(token)


__all__ = ["Actor", "Context", "Reply", "context", "finish", "serve", "set_context"]
