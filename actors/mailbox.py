"""An actor's mailbox: a work lane with a bound, a control lane that overtakes it, and who is owed an answer.

Theory of operation. One task serves a mailbox (:func:`actors.actor.serve`), for all incarnations of its actor. The hot
path is four fields: ``queue``, ``limit``, ``idle`` and ``attention``. A sender appends to ``queue`` and, if the serving
task is ``idle``, wakes it by ``reschedule``; no Event, no channel, no lock. Everything unusual (a control message, a
held lane, credits, a queued stop, a sender that waits for room) sets ``attention``, and then the loop takes its next
item by :meth:`Mailbox.take` instead of popping the queue itself.

An ask travels as an :class:`Envelope`, a tell bare. An envelope has no state field: it is settled, or its asker gone,
when ``task`` is None; else in hand when ``mailbox.current`` is it, deferred when it is in ``mailbox.owed``, queued
otherwise. One whose asker went away while it was queued stays behind as a tombstone, swept when they outnumber the
living, so that asks with timeouts at a stuck actor do not grow the queue without end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum
from itertools import islice
from typing import Any, TypeAlias, final

import trio
from attrs import define, field, frozen
from outcome import Error, Value
from trio.lowlevel import Abort, RaiseCancelT, Task, reschedule, wait_task_rescheduled

from actors.errors import ActorStopped, MailboxFull
from actors.exits import ExitReason, crash
from actors.message import Ask, Route, Tell

INFINITE = float("inf")
REPORTED = 10  # queued messages that a report names
_SWEEP_FROM = 32  # tombstones, before they are worth a pass over the queue

AnyAsk: TypeAlias = Ask[Any]


class Overflow(Enum):
    """What a full work lane does with one message more."""

    REFUSE = "refuse"
    SHED_OLDEST = "shed_oldest"


class Personal(Tell):
    """A control message for one incarnation alone: the next one does not get it."""

    __slots__ = ()


@final
class Stop(Personal):
    """Ends the actor with ``reason``: by the control lane at once, by the work lane after what is queued before it."""

    __slots__ = ("reason",)

    def __init__(self, reason: ExitReason) -> None:
        self.reason = reason


@final
class Envelope:
    """An ask on its way: the message, the task that waits for the reply, the mailbox that owes it."""

    __slots__ = ("mailbox", "message", "task")

    def __init__(self, message: AnyAsk, task: Task, mailbox: Mailbox) -> None:
        self.message = message
        self.task: Task | None = task
        self.mailbox = mailbox

    def settle(self, value: object) -> None:
        """Answer the asker, if it still waits."""
        if (task := self.task) is not None:
            self.task = None
            reschedule(task, Value(value))

    def fail(self, error: BaseException) -> None:
        """Answer the asker with an error, if it still waits."""
        if (task := self.task) is not None:
            self.task = None
            reschedule(task, Error(error))

    def abort(self, _: RaiseCancelT) -> Abort:
        """Take the asker out (K6). It does not wait for what that causes."""
        self.task = None
        self.mailbox.forsake(self)
        return Abort.SUCCEEDED


@final
class Receive(Personal):
    """Has the loop hand its messages to another function from now on, by the control lane."""

    __slots__ = ("receive",)

    def __init__(self, receive: Callable[[Any], Any]) -> None:
        self.receive = receive


Item: TypeAlias = Envelope | Tell


@frozen
class MailboxStatistics:
    """A snapshot of a mailbox (K14). Counts are of its whole life, over all incarnations.

    ``dropped`` are the tells that were queued when it was closed. ``oldest`` is for how many seconds, at most, the
    oldest queued message has waited; None where none waits.
    """

    queued: int
    oldest: float | None
    capacity: float
    high_water: int
    handled: int
    refused: int
    shed: int
    dropped: int
    owed: int
    held: bool


@final
@define(eq=False, repr=False, weakref_slot=False)
class Mailbox:
    """The two lanes of one actor, and the answers that it owes."""

    path: str
    capacity: float = 256
    overflow: Overflow = Overflow.REFUSE

    queue: deque[Item] = field(factory=deque, init=False)
    limit: float = field(init=False)  # the capacity; 0 once closed, so that one test finds full and closed
    task: Task | None = field(default=None, init=False)  # who serves it
    idle: bool = field(default=False, init=False)  # the task is parked, and any message wakes it
    resting: bool = field(default=False, init=False)  # the task is parked, and only the control lane wakes it
    attention: bool = field(default=False, init=False)  # the next item must be taken by take()
    current: Item | None = field(default=None, init=False)  # in hand
    owed: dict[Envelope, Callable[[], object] | None] | None = field(default=None, init=False)  # deferred
    control: deque[Item] | None = field(default=None, init=False)
    senders: deque[tuple[Task, Tell]] | None = field(default=None, init=False)  # they wait for room
    credits: float = field(default=INFINITE, init=False)  # work messages it may still take
    override: Callable[[Any], Any] | None = field(default=None, init=False)  # what handles instead of the actor
    suspended: bool = field(default=False, init=False)  # nothing is taken but what ends it (R137)
    stops: int = field(default=0, init=False)  # Stop messages in the work lane
    tombstones: int = field(default=0, init=False)
    scope: trio.CancelScope | None = field(default=None, init=False)  # of the incarnation: cancelled to kill it
    handler: trio.CancelScope | None = field(default=None, init=False)  # of the handler in hand, if cancellable
    closed_by: ExitReason | None = field(default=None, init=False)
    waiting_since: float = field(default=0.0, init=False)  # when the lane was last empty while its actor was busy
    high_water: int = field(default=0, init=False)
    handled: int = field(default=0, init=False)
    refused: int = field(default=0, init=False)
    shed: int = field(default=0, init=False)
    dropped: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self.limit = self.capacity

    # -- for senders

    def wake(self) -> None:
        """Let the serving task look at its lanes, whatever it is parked for."""
        if self.idle or self.resting:
            self.idle = self.resting = False
            assert self.task is not None
            reschedule(self.task)

    def post(self, item: Item, route: Route) -> None:
        """Append to the lane that the message's class names. Raises as `put`, or `TypeError` for the wrong verb."""
        if (type(item) is Envelope) != (route is Route.ASK or route is Route.CONTROL_ASK):
            right, wrong = ("tell", "ask") if type(item) is Envelope else ("ask", "tell")
            name = type(item.message if isinstance(item, Envelope) else item).__name__
            raise TypeError(f"{wrong}() takes {wrong.title()}s, and {name} is none; send it by {right}()")
        if route is Route.ASK or route is Route.TELL:
            self.put(item)
        else:
            self.put_control(item)

    def put(self, item: Item) -> None:
        """Append to the work lane, as the overflow policy says.

        Raises `MailboxFull`, or `ActorStopped` where the actor is gone.
        """
        if len(self.queue) >= self.limit:
            self._make_room()
        if self.idle:
            self.wake()
        elif not self.queue:
            self.waiting_since = trio.current_time()
        self.queue.append(item)

    def put_control(self, item: Item) -> None:
        """Append to the control lane, which has no bound. Raises `ActorStopped` where the actor is gone."""
        if self.closed_by is not None:
            raise ActorStopped(self.path, self.closed_by)
        if self.control is None:
            self.control = deque()
        self.control.append(item)
        self.attention = True
        self.wake()

    async def put_when_room(self, message: Tell) -> None:
        """Append to the work lane once there is room, in the order of coming."""
        if self.closed_by is not None:
            await trio.lowlevel.checkpoint()
        elif len(self.queue) < self.limit and not self.senders:
            self.put(message)
            await trio.lowlevel.cancel_shielded_checkpoint()
        else:
            entry = trio.lowlevel.current_task(), message
            self.senders = self.senders or deque()
            self.senders.append(entry)
            self.attention = True
            senders = self.senders

            def abort(_: RaiseCancelT) -> Abort:
                senders.remove(entry)
                return Abort.SUCCEEDED

            await wait_task_rescheduled(abort)

    def _make_room(self) -> None:
        if self.closed_by is not None:
            raise ActorStopped(self.path, self.closed_by)
        if self.tombstones:
            self._sweep()
            if len(self.queue) < self.limit:
                return
        oldest = next((item for item in self.queue if type(item) is not Stop), None)
        if self.overflow is Overflow.REFUSE or oldest is None:
            self.refused += 1
            raise MailboxFull(self.path, int(self.capacity))
        self.shed += 1
        self.queue.remove(oldest)
        if isinstance(oldest, Envelope):
            oldest.fail(MailboxFull(self.path, int(self.capacity)))

    def forsake(self, envelope: Envelope) -> None:
        """An asker has gone: drop its queued message, tell who deferred it, or cancel the handler that allows it."""
        if envelope is self.current:
            if self.handler is not None:
                cancel_one_by_one(self.handler)
        elif self.owed and envelope in self.owed:
            if (on_cancel := self.owed.pop(envelope)) is not None:
                try:
                    on_cancel()
                except Exception as error:  # noqa: BLE001  # called from Trio's scheduler: the actor must bear it
                    self.put_control(Stop(crash(error)))
        elif self.control and envelope in self.control:
            self.control.remove(envelope)
        else:
            self.tombstones += 1
            if self.tombstones > _SWEEP_FROM and self.tombstones * 2 > len(self.queue):
                self._sweep()

    def _sweep(self) -> None:
        living = [item for item in self.queue if not (isinstance(item, Envelope) and item.task is None)]
        self.queue.clear()
        self.queue.extend(living)
        self.tombstones = 0
        self._admit_senders()

    # -- for the serving task

    def __call__(self, _: RaiseCancelT) -> Abort:
        """Undo a park, as its abort function: nobody may wake the task a second time.

        The mailbox itself is that, since a bound method would cost each idle actor 64 bytes.
        """
        self.idle = self.resting = False
        return Abort.SUCCEEDED

    def take(self) -> Item | None:
        """Return what comes next while ``attention`` is set: control first, then work as far as it may be taken.

        None: nothing; the task is to park, ``idle`` or, where only the control lane may wake it, ``resting``.
        """
        if self.suspended:
            return self._take_system()
        if self.control:
            return self.control.popleft()
        self.attention = bool(self.stops or self.senders) or self.credits != INFINITE
        if self.credits < 1:
            return None
        while self.queue:
            item = self.queue.popleft()
            self._admit_senders()
            if isinstance(item, Envelope) and item.task is None:  # its asker is gone: it costs no credit
                self.tombstones -= 1
                continue
            self.credits -= 1
            if type(item) is Stop:
                self.stops -= 1
            return item
        return None

    def _take_system(self) -> Item | None:
        for item in self.control or ():
            if isinstance(item, Stop | Receive):
                assert self.control is not None
                self.control.remove(item)
                return item
        return None

    def _admit_senders(self) -> None:
        while self.senders and len(self.queue) < self.limit:
            task, message = self.senders.popleft()
            self.queue.append(message)
            reschedule(task)

    @property
    def held(self) -> bool:
        """Whether the work lane waits for a release."""
        return self.credits < 1

    def hold(self) -> None:
        """Take no further work message until :meth:`release`; control still flows."""
        self.credits = 0
        self.attention = True

    def release(self, messages: float = INFINITE) -> None:
        """Let so many further work messages be taken; by default all."""
        self.credits = messages
        self.attention = True
        self.wake()

    def resize(self, capacity: float) -> None:
        """Let so many work messages queue from now on; what has queued beyond it stays."""
        self.capacity = capacity
        if self.closed_by is None:
            self.limit = capacity
            self._admit_senders()

    def suspend(self) -> None:
        """Handle nothing until :meth:`resume`; a stop still ends it."""
        self.suspended = self.attention = True

    def resume(self) -> None:
        """Go on after :meth:`suspend`."""
        self.suspended = False
        self.attention = True
        self.wake()

    # -- for who ends incarnations

    def kill(self, reason: ExitReason) -> None:
        """End the incarnation without asking it: cancel it where it can be waiting for something of its own.

        One that shrugs that off in its handler, or is not in a scope, ends after the message in hand.
        """
        parked = self.idle or self.resting
        if self.scope is not None:
            self.scope.cancel()
            if parked:
                return
        if not any(type(item) is Stop for item in self.control or ()):  # else the first signal's reason counts (R42)
            self.put_control(Stop(reason))

    def at_death(self) -> tuple[object, tuple[object, ...]]:
        """Return the message in hand and the first of those queued, for a report."""
        in_hand = self.current.message if isinstance(self.current, Envelope) else self.current
        queued = islice(self.queue, REPORTED) if self.queue else ()
        return in_hand, tuple(item.message if isinstance(item, Envelope) else item for item in queued)

    def answer_owed(self, error: Callable[[], Exception]) -> None:
        """Answer what the ended incarnation still owed: the message in hand and every deferred one (K5)."""
        in_hand, owed = self.current, self.owed
        self.current = self.owed = None
        for envelope in (in_hand, *(owed or ())):
            if isinstance(envelope, Envelope):
                envelope.fail(error())

    def renew(self) -> None:
        """Make it ready for the next incarnation: what is queued stays, what concerned the last one goes.

        After :meth:`close` it takes messages again: a child that `restart_child` brings back keeps its address.
        """
        self.closed_by = None
        self.limit = self.capacity
        self.credits = INFINITE
        self.suspended = False
        self.override = None
        self.scope = self.handler = None
        if self.control:
            self.control = deque(item for item in self.control if not isinstance(item, Personal))

    def close(self, reason: ExitReason) -> list[Tell]:
        """End it for good: asks get `ActorStopped`, waiting senders go on. Return the tells that this drops (K4)."""
        self.closed_by = reason
        self.limit = 0
        items = [*(self.control or ()), *self.queue]
        self.queue.clear()
        self.tombstones = self.stops = 0
        self.control = None
        while self.senders:
            task, message = self.senders.popleft()
            items.append(message)
            reschedule(task)
        dropped = []
        for item in items:
            if isinstance(item, Envelope):
                item.fail(ActorStopped(self.path, reason))
            elif not isinstance(item, Personal):
                dropped.append(item)
        self.dropped += len(dropped)
        return dropped

    def statistics(self) -> MailboxStatistics:
        """Return a snapshot."""
        queued = len(self.queue) - self.tombstones
        return MailboxStatistics(
            queued=queued,
            oldest=trio.current_time() - self.waiting_since if queued else None,
            capacity=self.capacity,
            high_water=max(self.high_water, queued),
            handled=self.handled,
            refused=self.refused,
            shed=self.shed,
            dropped=self.dropped,
            owed=len(self.owed or ()),
            held=self.held,
        )


_cancelling: trio.lowlevel.RunVar[deque[trio.CancelScope] | None] = trio.lowlevel.RunVar("cancelling", None)


def cancel_one_by_one(scope: trio.CancelScope) -> None:
    """Cancel a handler's scope from an abort function.

    That handler may itself wait for a reply, whose abort comes here again, and so on down a chain of asks. Recursion
    would run out of stack inside Trio's scheduler; so the outermost call drains a list that the inner ones fill.
    """
    waiting = _cancelling.get()
    if waiting is not None:
        waiting.append(scope)
        return
    waiting = deque([scope])
    _cancelling.set(waiting)
    try:
        while waiting:
            waiting.popleft().cancel()
    finally:
        _cancelling.set(None)
