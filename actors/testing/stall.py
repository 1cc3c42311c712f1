"""Ending a run that has stalled, and saying where.

Theory of operation. A run stalls when every task waits and nothing is left that could wake one, or when it spins. Under
a clock that jumps the first case is certain the moment it happens: passes of Trio's loop without a task's step, without
a deadline, without I/O. The second takes a limit of real time. Either way the run's tasks are drawn first, while they
still stand where they stood.

Then the run is cancelled, and most end. A shielded task does not, and a tree of actors is shielded: Trio has no way to
end it. So a signal's handler raises inside Trio's loop, which ends the loop; the tasks are abandoned, and what they say
while they are collected is not worth reading. The signal is a timer's, which the system has one of per process: it is
given back with what was left of it. Where there is no such signal the process ends instead, after a dump.
"""

from __future__ import annotations

import faulthandler
import gc
import math
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import AsyncGeneratorType, FrameType
from typing import Any, final

import trio
from attrs import define, field
from trio.lowlevel import Task
from trio.testing import MockClock

from actors.stack import draw, is_below, line

_IDLE_PASSES = 3  # one may wake who waits for idleness, and one may jump to a deadline
_CLOSINGS = 100  # a coroutine that awaits in its clean-up has to be closed again
_GRACE = 1.0  # seconds of real time for a cancelled run to end


@final
@define(eq=False)
class Stalled(AssertionError):
    """The run came to no end: ``why``, and the ``tasks`` it had, each with the place where it waited."""

    seed: int
    why: str
    tasks: str

    def __str__(self) -> str:
        return f"{self.why} (seed {self.seed}); its tasks, each with where it waits:\n{self.tasks}"


_undead: list[AsyncGeneratorType[Any, Any]] = []
"""Generators of runs that were ended from inside. Nothing can close them, and their end would be loud: none comes."""


class _PulledOut(BaseException):
    """Ends Trio's loop from inside."""


@final
@define(eq=False)
class StallWatch(trio.abc.Instrument):
    """Watches one run."""

    _limit: float
    found: tuple[str, str] | None = field(default=None, init=False)  # why, and the tasks
    _scope: trio.CancelScope = field(factory=trio.CancelScope, init=False)
    _main: Task | None = field(default=None, init=False)
    _token: trio.lowlevel.TrioToken | None = field(default=None, init=False)
    _pull_out: Callable[[], object] = field(default=lambda: None, init=False)  # raises in Trio's loop, if anything can
    _idle: int = field(default=0, init=False)  # passes since a task's last step

    def run(self, main: Callable[..., Awaitable[object]], args: tuple[Any, ...], clock: trio.abc.Clock) -> object:
        """Run ``main``; where it stalls, fill ``found``."""
        jumps = isinstance(clock, MockClock) and clock.autojump_threshold < math.inf

        async def watched() -> object:
            self._main, self._token = trio.lowlevel.current_task(), trio.lowlevel.current_trio_token()
            with self._scope:
                return await main(*args)
            return None

        value: object = None
        try:
            with self._real_limit():
                value = trio.run(watched, clock=clock, instruments=[self] if jumps else [])
        except BaseException as error:
            if self.found is None:
                raise
            abandoned, self._main, self._token = self._main, None, None  # the error to come holds this object
            self._scope = trio.CancelScope()
            _abandon(error, abandoned)
        return value

    # -- by virtual time

    def before_task_step(self, task: Task) -> None:
        self._idle = 0

    def before_io_wait(self, timeout: float) -> None:
        self._idle += 1
        if self._idle < _IDLE_PASSES:
            return
        now = trio.lowlevel.current_statistics()
        counts = ("tasks_waiting_read", "tasks_waiting_write", "tasks_waiting")  # differ by system
        if (
            now.seconds_to_next_deadline == math.inf
            and not now.run_sync_soon_queue_size
            and sum(getattr(now.io_statistics, count, 0) for count in counts) <= 1  # Trio's own, for calls from outside
            and not trio.to_thread.current_default_thread_limiter().borrowed_tokens
        ):
            self._idle = 0
            self._stalled("deadlock: every task waits, and nothing can wake one")

    # -- by real time

    @contextmanager
    def _real_limit(self) -> Iterator[None]:
        if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
            over = threading.Event()
            threading.Thread(target=self._limit_from_outside, args=(over,), daemon=True).start()
            try:
                yield
            finally:
                over.set()
            return
        handler = signal.signal(signal.SIGALRM, self._on_alarm)
        self._pull_out = partial(signal.setitimer, signal.ITIMER_REAL, 0.001, _GRACE)
        left, interval = signal.setitimer(signal.ITIMER_REAL, self._limit, _GRACE)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, left, interval)
            signal.signal(signal.SIGALRM, handler)

    def _on_alarm(self, signum: int, frame: FrameType | None) -> None:
        if self.found is not None:
            raise _PulledOut
        self._end(_running_at(frame))

    def _limit_from_outside(self, over: threading.Event) -> None:
        if not over.wait(self._limit):
            self._end("")
            if not over.wait(_GRACE):  # pragma: no cover  # ends the process: its tests run it in another
                faulthandler.dump_traceback()  # of all threads; under the interpreter's lock, as its timer is not
                os._exit(1)

    def _end(self, where: str) -> None:
        self.found = self.found or (f"no end after {self._limit:g} s of real time{where}", self._drawn())
        with suppress(trio.RunFinishedError):
            if self._token is not None:
                self._token.run_sync_soon(self._scope.cancel)

    def _drawn(self) -> str:
        return draw(self._main, "main") if self._main is not None else ""

    def _stalled(self, why: str) -> None:
        if self.found is None:
            self.found = why, self._drawn()
            self._scope.cancel()
        else:
            trio.lowlevel.remove_instrument(self)  # it would catch what is raised
            self._pull_out()


def _running_at(frame: FrameType | None) -> str:
    """Say where a task was interrupted, if one was."""
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return ""
    while frame is not None and is_below(frame):
        frame = frame.f_back
    return f", last seen at {line(frame, frame.f_lineno)}" if frame is not None else ""


def _abandon(error: BaseException, main: Task | None) -> None:
    """Close Trio's loop and then the coroutines of a run that was ended from inside, so that none is collected later,
    in the midst of something else. What they do and say meanwhile is of no use: there is no Trio around them any more.
    """
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        seen: BaseException | None = error
        while seen is not None:
            seen.__traceback__ = None  # it holds the loop
            seen = seen.__cause__ or seen.__context__
        tasks = list(_leaves_first(_root(main)))
        nurseries = [nursery for task in tasks for nursery in task.child_nurseries]
        for task in tasks:
            any(_is_closed(task) for _ in range(_CLOSINGS))
        for nursery in nurseries:
            nursery._children.clear()  # it would complain of them, whenever it is collected
        gc.collect()
        _undead.extend(it for it in gc.get_objects() if isinstance(it, AsyncGeneratorType) and it.ag_frame is not None)
    finally:
        sys.unraisablehook = hook


def _is_closed(task: Task) -> bool:
    try:
        task.coro.close()
    except BaseException:  # noqa: BLE001  # its last word
        return False
    return True


def _root(task: Task | None) -> Task | None:
    while task is not None and task.parent_nursery is not None:
        task = task.parent_nursery.parent_task
    return task


def _leaves_first(task: Task | None) -> Iterator[Task]:
    if task is not None:
        for nursery in task.child_nurseries:
            for child in nursery.child_tasks:
                yield from _leaves_first(child)
        yield task
