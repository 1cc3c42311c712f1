"""Events to their subscribers: publishing never waits, a slow subscriber loses its oldest and is told how many."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import final

import trio
from attrs import define, field
from trio.lowlevel import Abort, RaiseCancelT, Task, current_task, reschedule, wait_task_rescheduled

from runtime.journal.events import Event, EventsLost, ServerLogged

RECENT = 200
SUBSCRIBER_BUFFER = 1000


@final
@define(eq=False, repr=False)
class Feed:
    """What the rooms publish to and users subscribe at.

    ``recent`` are the last events, oldest first, without what servers log: a talkative one would drive out the rest.
    ``taps`` are called with each event, and neither wait nor fail.
    """

    opened_at: float = field(factory=trio.current_time)
    recent: deque[Event] = field(factory=lambda: deque(maxlen=RECENT), init=False)
    taps: list[Callable[[Event], object]] = field(factory=list, init=False)
    _subscribers: set[Subscription] = field(factory=set, init=False)

    def now(self) -> float:
        """Return the ``at`` of an event of this moment."""
        return trio.current_time() - self.opened_at

    def publish(self, event: Event) -> None:
        """Hand an event to every subscriber."""
        if not isinstance(event, ServerLogged):
            self.recent.append(event)
        for tap in self.taps:
            tap(event)
        for subscriber in tuple(self._subscribers):
            subscriber._put(event)

    def subscribe(self, buffer: int = SUBSCRIBER_BUFFER) -> Subscription:
        """Return a channel of the events from now on; close it when done."""
        subscription = Subscription(self, buffer)
        self._subscribers.add(subscription)
        return subscription

    def close(self) -> None:
        """End all subscriptions: what they hold is still received, then their channels end."""
        for subscriber in tuple(self._subscribers):
            subscriber._end()


@final
@define(eq=False, repr=False)
class Subscription(trio.abc.ReceiveChannel[Event]):
    """A channel of events, for one receiver. Ends when the runtime does."""

    _feed: Feed
    _size: int
    _buffer: deque[Event] = field(factory=deque, init=False)
    _lost: int = field(default=0, init=False)
    _ended: bool = field(default=False, init=False)
    _closed: bool = field(default=False, init=False)
    _receiver: Task | None = field(default=None, init=False)

    async def receive(self) -> Event:
        """Return the next event. Raises `trio.EndOfChannel`, `trio.ClosedResourceError`, `trio.BusyResourceError`."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._receiver is not None:
            raise trio.BusyResourceError("another task receives these events")
        while not (self._buffer or self._closed or self._ended):
            self._receiver = current_task()
            await wait_task_rescheduled(self._abort)
        if self._closed:
            raise trio.ClosedResourceError("this subscription is closed")
        await trio.lowlevel.cancel_shielded_checkpoint()
        if self._lost:
            lost, self._lost = self._lost, 0
            return EventsLost(self._feed.now(), "", lost)
        if self._buffer:
            return self._buffer.popleft()
        if self._ended:
            raise trio.EndOfChannel
        return await self.receive()  # another task was quicker

    def close(self) -> None:
        """Stop receiving; idempotent."""
        self._closed = True
        self._buffer.clear()
        self._end()

    async def aclose(self) -> None:
        """Close, as a channel does."""
        self.close()
        await trio.lowlevel.checkpoint()

    def _put(self, event: Event) -> None:
        if len(self._buffer) >= self._size:
            self._buffer.popleft()
            self._lost += 1
        self._buffer.append(event)
        self._wake()

    def _end(self) -> None:
        self._ended = True
        self._feed._subscribers.discard(self)
        self._wake()

    def _wake(self) -> None:
        if (receiver := self._receiver) is not None:
            self._receiver = None
            reschedule(receiver)

    def _abort(self, _: RaiseCancelT) -> Abort:
        self._receiver = None
        return Abort.SUCCEEDED
