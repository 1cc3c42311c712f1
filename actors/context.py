"""What an actor finds around it: its address, its nursery, its timers, the switches of its mailbox."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, final

import trio
from attrs import define, field
from trio.lowlevel import current_task

from actors.mailbox import Envelope, Mailbox
from actors.message import Route, Tell
from actors.reply import Reply
from actors.watch import Watch, link, unlink, watch

if TYPE_CHECKING:
    from actors.ref import Ref
    from actors.supervision.child import Child


@final
@define(eq=False, repr=False)
class Timer:
    """A message to come."""

    scope: trio.CancelScope = field(factory=trio.CancelScope, init=False)

    def cancel(self) -> None:
        """Let it not come. One that is in the mailbox already is not taken back."""
        self.scope.cancel()


async def _after(ref: Ref, seconds: float, message: Tell) -> None:
    await trio.sleep(seconds)
    await ref.send(message)


async def _every(ref: Ref, seconds: float, message: Tell) -> None:
    due = trio.current_time() + seconds
    while True:
        await trio.sleep_until(due)
        await ref.send(message)
        due += seconds * (1 + (trio.current_time() - due) // seconds)  # those that were missed do not come later


async def _after_silence(ref: Ref, seconds: float, message: Tell) -> None:
    handled = ref.statistics().handled
    await trio.sleep(seconds)
    now = ref.statistics()
    if now.handled == handled and not now.queued:
        await ref.send(message)


@final
@define(eq=False, repr=False)
class Context:
    """What surrounds an actor: its address, its nursery, its mailbox's switches."""

    _child: Child = field(alias="child")
    helpers: trio.Nursery | None = field(default=None, init=False)  # its own, while there is one
    timers: list[Timer] | None = field(default=None, init=False)

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
        mailbox = self._child.mailbox
        item = mailbox.current
        if not isinstance(item, Envelope) or current_task() is not mailbox.task:
            raise RuntimeError("defer() needs an ask in hand: call it in the handler of one")
        mailbox.current = None
        if mailbox.owed is None:
            mailbox.owed = {}
        if item.task is not None:
            mailbox.owed[item] = on_cancel
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
        self._child.keeper.surroundings.names.register(name, self.ref)

    def after(self, seconds: float, message: Tell) -> Timer:
        """Send ``message`` to this actor once, ``seconds`` from now, unless its incarnation ends before."""
        return self._timed(_after, seconds, message)

    def every(self, seconds: float, message: Tell) -> Timer:
        """Send ``message`` to this actor every ``seconds``, until its incarnation ends.

        One that finds no room waits for it, so that they never pile up.
        """
        return self._timed(_every, seconds, message)

    def after_silence(self, seconds: float, message: Tell) -> Timer:
        """Send ``message`` to this actor unless it handles another within ``seconds`` of this handler's end (R133)."""
        return self._timed(_after_silence, seconds, message)

    def _timed(self, run: Callable[[Ref, float, Tell], Awaitable[None]], seconds: float, message: Tell) -> Timer:
        if not 0 <= seconds < math.inf or (run is _every and seconds == 0):
            raise ValueError(f"a timer takes a number of seconds{' above 0' if run is _every else ''}, not {seconds!r}")
        if message.route not in (Route.TELL, Route.CONTROL_TELL):
            raise TypeError(f"a timer sends Tells, and {type(message).__name__} is none")
        timer = Timer()
        self.timers = [*(self.timers or ()), timer]
        self._child.keeper.nursery.start_soon(self._run_timer, timer, run, seconds, message)
        return timer

    async def _run_timer(
        self, timer: Timer, run: Callable[[Ref, float, Tell], Awaitable[None]], seconds: float, message: Tell
    ) -> None:
        with timer.scope:
            await run(self.ref, seconds, message)
        if self.timers is not None and timer in self.timers:
            self.timers.remove(timer)

    def end(self) -> None:
        """Forget what belonged to the incarnation that has ended."""
        self.helpers = None
        timers, self.timers = self.timers, None
        for timer in timers or ():
            timer.cancel()

    def resize(self, capacity: float) -> None:
        """Let so many work messages queue from now on. What has queued beyond it stays."""
        self._mailbox.resize(capacity)

    def hold(self) -> None:
        """Take no further work message until :meth:`release`; control messages still come."""
        self._mailbox.hold()

    def release(self, messages: float = float("inf")) -> None:
        """Take work again: all that comes, or as many messages as credited here."""
        self._mailbox.release(messages)


current_child: ContextVar[Child] = ContextVar("actors.child")


def context() -> Context:
    """Return the surroundings of the actor in whose start, handler or helper task this is called.

    Raises `RuntimeError` anywhere else.
    """
    try:
        return current_child.get().context
    except LookupError:
        raise RuntimeError("actors.context() is for code that runs inside an actor") from None
