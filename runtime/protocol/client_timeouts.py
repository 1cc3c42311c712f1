"""Until when a client waits for each of its requests: data, and whoever has a clock brings the time."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from math import inf

import msgspec
from attrs import define, field

from .jsonrpc import RequestId

__all__ = ["Timeouts"]

_SWEEP_FROM = 64  # outdated entries, before they are worth a pass over the heap


class _Wait(msgspec.Struct, gc=False):
    patience: float
    at_most: float
    """The time at which no progress helps any more."""
    until: float


@define(eq=False, repr=False)
class Timeouts:
    """The deadlines of requests, each moved on by progress, up to its maximum.

    An entry of the heap is a time at which to look at a request, not its deadline: that can have moved on since.
    Every wait has one entry; finished ones leave theirs behind, until it comes up or half of the heap is like that.
    """

    _waits: dict[RequestId, _Wait] = field(factory=dict, init=False)
    _heap: list[tuple[float, int, RequestId, _Wait]] = field(factory=list, init=False)
    _entries: int = field(default=0, init=False)  # ever made: breaks ties, for ids do not compare

    def __len__(self) -> int:
        return len(self._waits)

    def start(self, id: RequestId, now: float, timeout: float, max_timeout: float | None) -> None:
        """Wait ``timeout`` from now on and from each progress on, ``max_timeout`` from now on in all."""
        at_most = inf if max_timeout is None else now + max_timeout
        wait = self._waits[id] = _Wait(timeout, at_most, min(now + timeout, at_most))
        self._push(id, wait)
        if len(self._heap) > max(_SWEEP_FROM, 2 * len(self._waits)):
            self._heap = [entry for entry in self._heap if self._waits.get(entry[2]) is entry[3]]
            heapify(self._heap)

    def progressed(self, id: RequestId, now: float) -> None:
        if (wait := self._waits.get(id)) is not None:
            wait.until = max(wait.until, min(now + wait.patience, wait.at_most))

    def stop(self, id: RequestId) -> None:
        self._waits.pop(id, None)

    @property
    def next(self) -> float:
        """When to call `expired`: not later than any deadline. `math.inf`: not at all, as things are."""
        while self._heap:
            looked_at, _, id, wait = self._heap[0]
            if self._waits.get(id) is wait and wait.until == looked_at:
                return looked_at
            heappop(self._heap)
            if self._waits.get(id) is wait:
                self._push(id, wait)
        return inf

    def expired(self, now: float) -> list[RequestId]:
        """The requests whose time is up, in the order of their deadlines; they are forgotten."""
        gone: list[RequestId] = []
        while self._waits and self.next <= now:
            _, _, id, _ = heappop(self._heap)
            del self._waits[id]
            gone.append(id)
        return gone

    def _push(self, id: RequestId, wait: _Wait) -> None:
        self._entries += 1
        heappush(self._heap, (wait.until, self._entries, id, wait))
