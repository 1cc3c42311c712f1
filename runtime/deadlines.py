"""Deadlines of asks, kept by one timer for all of them.

A cancel scope round each ask does the same, and is what one would write. But it takes Trio 6 µs to open and close one
with a deadline, a quarter of all that a tool call costs us, while nearly no deadline ever passes. Here an ask costs an
entry in a heap; the one scope that there is naps until the earliest of them.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from itertools import count
from math import inf, isnan
from typing import final

import trio
from attrs import define, field
from trio.lowlevel import Task, current_task

from actors import withdraw

_SWEEP_FROM = 64  # lifted limits, before they are worth a pass over the heap


class DeadlinePassed(Exception):
    """The ask was taken back, because its time was up."""


@final
class Limit:
    """A deadline of the task that has set it, until it is lifted."""

    __slots__ = ("task",)

    def __init__(self, task: Task) -> None:
        self.task: Task | None = task


@final
@define(eq=False, repr=False)
class Deadlines:
    """Takes back asks whose time is up, as cancelling the asker would (K6); they raise `DeadlinePassed`.

    Exact: it happens in the scheduler pass in which the deadline comes, unless the answer has come before. A task that
    waits then for anything else than an answer is left alone. Needs :meth:`run` to be running.
    """

    _heap: list[tuple[float, int, Limit]] = field(factory=list, init=False)
    _numbers: count[int] = field(factory=count, init=False)  # of limits, so that equal deadlines go in their order
    _lifted: int = field(default=0, init=False)  # limits in the heap that no longer hold
    _nap: trio.CancelScope = field(factory=trio.CancelScope, init=False)

    def limit(self, deadline: float) -> Limit:
        """Give what the current task asks from now on until ``deadline``; to be lifted when it has its answer.

        Raises `ValueError` for a deadline that is no time.
        """
        if isnan(deadline):
            raise ValueError("a deadline must not be NaN")
        limit = Limit(current_task())
        heappush(self._heap, (deadline, next(self._numbers), limit))
        if deadline < self._nap.deadline:
            self._nap.deadline = deadline
        return limit

    def lift(self, limit: Limit) -> None:
        """Forget a limit, passed or not."""
        if limit.task is None:
            return
        limit.task = None
        self._lifted += 1
        if self._lifted > _SWEEP_FROM and 2 * self._lifted > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].task is not None]
            heapify(self._heap)
            self._lifted = 0

    async def run(self) -> None:
        """Keep the deadlines, until cancelled."""
        while True:
            with self._nap:
                await trio.sleep_forever()
            self._pass(trio.current_time())
            self._nap = trio.CancelScope(deadline=self._heap[0][0] if self._heap else inf)

    def _pass(self, now: float) -> None:
        while self._heap and self._heap[0][0] <= now:
            _, _, limit = heappop(self._heap)
            if limit.task is None:
                self._lifted -= 1
            else:
                withdraw(limit.task, DeadlinePassed())
                limit.task = None
