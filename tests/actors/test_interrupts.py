"""An interrupt can come at any line. Wherever it comes, the tree stops and leaves nothing, and it comes out bare."""

from __future__ import annotations

import gc
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import FrameType, ModuleType
from typing import Any

import pytest
import trio
from attrs import define, field
from trio.testing import wait_all_tasks_blocked

import actors
import actors.actor
import actors.supervision.child
import actors.supervision.supervisor
import actors.system
from actors import (
    ChildExited,
    ChildSpec,
    ChildStarted,
    ChildStopped,
    RestartWindow,
    Strategy,
    SupervisorSpec,
    TreeEvent,
)
from actors.testing import run

from .support import Add, Drop, Everything, Note

Line = tuple[str, int]


class Slow:
    async def receive(self, message: Any) -> None:
        await trio.lowlevel.checkpoint()
        if isinstance(message, Drop):
            raise message.error


async def live_and_die(log: list[str], events: list[TreeEvent]) -> None:
    """Let actors of each kind be started, asked, crashed, restarted with their group, stopped and started by hand.

    One tells all of them something when it ends, at rest or not.
    """
    window = RestartWindow(20, 5.0)
    told: list[actors.Ref] = []

    @asynccontextmanager
    async def start() -> AsyncIterator[Everything]:
        log.append("up")
        told.append(actors.context().ref)
        try:
            yield Everything()
        finally:
            log.append("down")
            for ref in told:
                ref.tell(Note("the end is near"))

    specs = ChildSpec("plain", Everything), ChildSpec("slow", Slow), ChildSpec("managed", start)
    supervised = SupervisorSpec("s", specs, window=window, strategy=Strategy.REST_FOR_ONE)
    async with actors.open_system(supervised, window=window, observe=events.append) as system:
        for name in ("managed", "slow", "plain"):
            ref = system[f"s/{name}"]
            told.append(ref)
            await ref.ask(Add(1))
            ref.tell(Drop(OSError("boom")))
            await wait_all_tasks_blocked()
            await ref.ask(Add(1))
        await system.supervisor("s").terminate_child("plain")
        await system.supervisor("s").restart_child("plain")
        await wait_all_tasks_blocked()
    await trio.lowlevel.checkpoint()  # where one that came under protection comes out at last


@define
class Lines:
    """Counts how often each line of some files is come to, and interrupts the process at one of those times."""

    files: frozenset[str]
    at: tuple[Line, int] | None = None
    seen: Counter[Line] = field(factory=Counter)

    def trace(self, frame: FrameType, event: str, _: object) -> Any:
        return self.step if frame.f_code.co_filename in self.files else None

    def step(self, frame: FrameType, event: str, _: object) -> Any:
        if event == "line":
            line = frame.f_code.co_qualname, frame.f_lineno
            self.seen[line] += 1
            if self.at == (line, self.seen[line]):
                sys.settrace(None)
                signal.raise_signal(signal.SIGINT)
        return self.step


def live_watched(lines: Lines) -> None:
    log: list[str] = []
    events: list[TreeEvent] = []
    before = sys.gettrace()
    sys.settrace(lines.trace)
    try:
        run(live_and_die, log, events, real_limit=10.0)
    finally:
        sys.settrace(before)
        assert log == ["up", "down"] * (len(log) // 2)
        started = [(event.path, event.incarnation) for event in events if isinstance(event, ChildStarted)]
        ended = [(event.path, event.incarnation) for event in events if isinstance(event, ChildExited | ChildStopped)]
        assert sorted(started) == sorted(ended)


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")  # one that a handler had just returned
@pytest.mark.parametrize(
    ("module", "often"),
    [(actors.actor, 12), (actors.supervision.child, 1), (actors.supervision.supervisor, 1), (actors.system, 1)],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_an_interrupt_at_any_line_of_the_kernel_stops_the_tree_and_comes_out_bare(
    module: ModuleType, often: int
) -> None:  # T12
    """At each line, the first time, so many times ``often``, and the last."""
    file = str(module.__file__)
    undisturbed = Lines(frozenset({file}))
    live_watched(undisturbed)
    assert len(undisturbed.seen) > 40
    for line, times in undisturbed.seen.items():
        for time in {*range(1, min(times, often) + 1), times}:
            with pytest.raises(KeyboardInterrupt):
                live_watched(Lines(frozenset({file}), (line, time)))
    gc.collect()
