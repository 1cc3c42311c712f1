"""Events that are not written yet. All that an event costs the event loop is one append here."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import final

import trio
from attrs import define, field

from runtime.journal.events import Event, ServerLogged
from runtime.journal.store import Noted


@final
@define(eq=False, repr=False)
class Backlog:
    """Numbers events and keeps the last ``size`` of them until they are written. It outlives the journal's crashes.

    What servers log is not taken: a talkative one would drive out the rest.
    """

    size: int
    clock: Callable[[], float] = time.time
    count: int = field(default=0, init=False)  # of all that ever came: the number of the last
    _kept: deque[Noted] = field(init=False)
    _came: trio.Event | None = field(default=None, init=False)  # while somebody waits for something to come

    def __attrs_post_init__(self) -> None:
        self._kept = deque(maxlen=self.size)

    def put(self, event: Event) -> None:
        """Take an event; of a full backlog the oldest one goes."""
        if event.__class__ is ServerLogged:
            return
        self.count = number = self.count + 1
        self._kept.append(Noted(number, self.clock(), event))
        if self._came is not None:
            self._came.set()
            self._came = None

    def first(self, most: int) -> Sequence[Noted]:
        """Return the oldest ones."""
        return tuple(islice(self._kept, most))

    def newest_first(self) -> Sequence[Noted]:
        """Return all."""
        return tuple(reversed(self._kept))

    def drop_to(self, number: int) -> None:
        """Forget all up to this one, as they are written."""
        kept = self._kept
        while kept and kept[0].number <= number:
            kept.popleft()

    def __len__(self) -> int:
        return len(self._kept)

    async def wait(self) -> None:
        """Wait until there is something."""
        while not self._kept:
            if self._came is None:
                self._came = trio.Event()
            await self._came.wait()
