"""What a runtime's journal holds in memory, and how it gets from there into its store. It outlives the actor."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import islice
from typing import final

import trio
from attrs import define, evolve, field

from runtime.journal.backlog import Backlog
from runtime.journal.events import ServerReady
from runtime.journal.feed import Feed
from runtime.journal.own_events import EventsUnwritten, HostsLost, JournalFailed, JournalRestored
from runtime.journal.records import Entry, Service
from runtime.journal.store import Batch, Noted, Store, StoreFailed

MEMORY = 10_000  # events that are kept while they cannot be written
_BATCH = 1000  # events of one commit
_FIRST_PAUSE = 1.0  # seconds before the next attempt after one that failed; doubling
_LAST_PAUSE = 60.0

Look = Callable[[Iterable[str]], Iterable[Service]]
"""Says of servers, by their names, how they are; those that it does not know are left out."""


def _look_at_none(_: Iterable[str]) -> Iterable[Service]:
    return ()


@final
@define(eq=False, repr=False)
class Chronicle:
    """Takes every event of a feed from the moment it is made, and writes them when it is told to.

    ``store`` None: there is nowhere to write, and the last events are kept in memory. Nothing here fails for the sake
    of a store: that it does is told once, as `JournalFailed`.
    """

    feed: Feed
    store: Store | None = None
    look: Look = _look_at_none
    size: int = MEMORY
    backlog: Backlog = field(init=False)
    failing: bool = field(default=False, init=False)  # the last attempt to write failed
    _is_open: bool = field(default=False, init=False)
    _written: int = field(default=0, init=False)  # the number of the last event in the store
    _pause: float = field(default=0.0, init=False)  # before the next attempt
    _writing: trio.Lock = field(factory=trio.Lock, init=False)

    def __attrs_post_init__(self) -> None:
        self.backlog = Backlog(self.size)
        self.feed.taps.append(self.backlog.put)

    @property
    def pause(self) -> float:
        """Seconds to wait before the next attempt to write: 0 unless the last has failed."""
        return self._pause

    async def open(self) -> None:
        """Open the store, unless it is open, and put to rights what dead hosts have left there."""
        if self.store is not None:
            async with self._writing:
                await self._attempt(self.store, self._open)

    async def write(self) -> None:
        """Write all that has come so far. It is in the store when this returns, or still in memory.

        Cancelled, it has written what it was about to write, or nothing.
        """
        if self.store is None:
            await trio.lowlevel.checkpoint()
            return
        async with self._writing:
            last = self.backlog.count
            while self._written < last and await self._attempt(self.store, self._write_some):
                pass

    async def close(self) -> None:
        """Write what is left and have the store closed."""
        if self.store is not None:
            await self.write()
            async with self._writing:
                await self._attempt(self.store, self._close)

    async def history(self, server: str | None, limit: int, since: float) -> Sequence[Entry]:
        """Return events, newest first, whether written yet or not."""
        host = "" if self.store is None else self.store.host.id
        fitting = (
            _entry(noted, host)
            for noted in self.backlog.newest_first()
            if noted.at >= since and server in (None, noted.event.server)
        )
        memory = list(islice(fitting, limit))  # looked at first: what is written meanwhile is then in both, not in none
        if self.store is None:
            await trio.lowlevel.checkpoint()
            return memory
        try:
            written = await trio.to_thread.run_sync(self.store.history, server, limit, since)
        except StoreFailed:  # then there is no more than this; who writes tells why
            return memory
        known = {entry.number for entry in memory}
        found = [*memory, *(entry for entry in written if entry.host != host or entry.number not in known)]
        return sorted(found, key=lambda entry: (entry.at, entry.number), reverse=True)[:limit]

    # -- in steps, each of which may raise `StoreFailed`

    async def _attempt(self, store: Store, step: Callable[[Store], Awaitable[None]]) -> bool:
        """Take a step; say whether it was taken, and tell of it where that is news."""
        try:
            await step(store)
        except StoreFailed as error:
            self._is_open = False
            self._pause = min(max(2 * self._pause, _FIRST_PAUSE), _LAST_PAUSE)
            if not self.failing:
                self.failing = True
                self.feed.publish(JournalFailed(self.feed.now(), "", str(error)))
            return False
        self._pause = 0.0
        if self.failing:
            self.failing = False
            self.feed.publish(JournalRestored(self.feed.now(), ""))
        return True

    async def _open(self, store: Store) -> None:
        if self._is_open:
            return
        lost = await trio.to_thread.run_sync(store.open)
        self._is_open = True
        if lost:
            self.feed.publish(HostsLost(self.feed.now(), "", lost))

    async def _write_some(self, store: Store) -> None:
        await self._open(store)
        events = self.backlog.first(_BATCH)
        number = events[-1].number
        dropped = events[0].number - self._written - 1
        if dropped:
            gap = Noted(self._written + 1, events[0].at, EventsUnwritten(self.feed.now(), "", dropped))
            events = (gap, *events)
        await trio.to_thread.run_sync(store.write, Batch(events, tuple(self._seen(events))))
        self._written = number
        self.backlog.drop_to(number)

    def _seen(self, events: Iterable[Noted]) -> Iterable[Service]:
        took = {noted.event.server: math.nan for noted in events if noted.event.server}
        for _, _, event in events:
            if isinstance(event, ServerReady):
                took[event.server] = event.seconds * 1000
        for service in self.look(took):
            taken = took.get(service.server, math.nan)
            yield service if math.isnan(taken) else evolve(service, start_up_ms=taken)

    async def _close(self, store: Store) -> None:
        self._is_open = False
        await trio.to_thread.run_sync(store.close)


def _entry(noted: Noted, host: str) -> Entry:
    number, at, event = noted
    return Entry(at, host, number, event.server, event.name, event.told(), event)
