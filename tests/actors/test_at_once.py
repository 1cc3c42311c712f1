"""A child alone is started again in its own task, without its supervisor's, where that has nothing else to do.

It keeps what a restart in the supervisor's turn keeps: who waits, what overtakes, and that nobody starves.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import ActorCrashed, AskCycle, ChildExited, ChildSpec, RestartWindow, StartFailed, SupervisorSpec, TreeEvent
from actors.exits import cause_of

from .support import Add, Crash, Drop, Everything

BOOM = OSError("boom")
ENDLESS = RestartWindow(10**9, 5.0)


async def crash(ref: actors.Ref) -> None:
    with pytest.raises(ActorCrashed):
        await ref.ask(Crash(BOOM))


async def test_who_crashed_is_up_again_before_its_asker_hears_of_it() -> None:
    async with actors.open_system(ChildSpec("a", Everything), window=ENDLESS) as system:
        await crash(system["a"])
        assert system["a"].incarnation == 2
        assert system.tree().children[0].status == "running"
        assert await system["a"].ask(Add(1)) == 1


def crashes_by_message() -> Everything:
    actors.context().ref.tell(Drop(BOOM))
    return Everything()


def stops_itself() -> Everything:
    actors.context().ref.stop(now=True)
    return Everything()


@asynccontextmanager
async def stops_itself_managed() -> AsyncIterator[Everything]:
    actors.context().ref.stop(now=True)
    yield Everything()


@pytest.mark.parametrize("start", [crashes_by_message, stops_itself, stops_itself_managed])
async def test_one_that_never_comes_to_rest_leaves_others_their_turns_and_can_be_stopped(
    start: Callable[[], Any],
) -> None:
    async with actors.open_system(ChildSpec("a", start), ChildSpec("b", Everything), window=ENDLESS) as system:
        for _ in range(20):
            await trio.lowlevel.checkpoint()
        assert await system["b"].ask(Add(1)) == 1
        assert system["a"].incarnation > 5
        await system.root.terminate_child("a")
        assert await system["b"].ask(Add(1)) == 2


async def test_an_init_at_a_restart_that_asks_its_own_supervisor_is_refused_not_hung(autojump_clock: MockClock) -> None:
    exits: list[ChildExited] = []

    def observe(event: TreeEvent) -> None:
        if isinstance(event, ChildExited):
            exits.append(event)

    @asynccontextmanager
    async def start() -> AsyncIterator[Everything]:
        if actors.context().ref.incarnation == 2:
            await supervisor.count_children()
        yield Everything()

    spec = SupervisorSpec("s", (ChildSpec("a", start),), window=ENDLESS)
    async with actors.open_system(spec, observe=observe) as system:
        supervisor = system.supervisor("s")
        await crash(system["s/a"])
        with trio.fail_after(1):
            assert await system["s/a"].ask(Add(1)) == 1
        assert system["s/a"].incarnation == 3
    failed = exits[1].reason
    assert isinstance(failed, StartFailed)
    assert isinstance(cause_of(failed), AskCycle)


async def test_requests_and_a_stop_that_come_while_it_starts_wait_until_it_is_up(autojump_clock: MockClock) -> None:
    log: list[str] = []

    @asynccontextmanager
    async def start() -> AsyncIterator[Everything]:
        if actors.context().ref.incarnation == 2:
            await trio.sleep(10)
        log.append("up")
        try:
            yield Everything()
        finally:
            log.append("down")

    spec = ChildSpec("a", start, shutdown=1.0)
    async with actors.open_system(spec, window=ENDLESS) as system:
        await crash(system["a"])
        began = trio.current_time()
        assert (await system.root.count_children()).active == 1
        assert trio.current_time() == began + 10
        system["a"].tell(Drop(BOOM))
        await wait_all_tasks_blocked()
    assert log == ["up", "down"] * 3


async def test_a_stop_that_comes_while_it_starts_leaves_it_the_time_for_its_init(autojump_clock: MockClock) -> None:
    log: list[str] = []

    @asynccontextmanager
    async def start() -> AsyncIterator[Everything]:
        if actors.context().ref.incarnation == 2:
            await trio.sleep(10)
        log.append("up")
        yield Everything()

    async with actors.open_system(ChildSpec("a", start, shutdown=1.0), window=ENDLESS) as system:
        await crash(system["a"])  # and the tree is told to stop while the supervisor has not had its turn
        assert log == ["up"]
    assert log == ["up", "up"]


async def test_a_suspended_supervisor_decides_nothing() -> None:
    async with actors.open_system(SupervisorSpec("s", (ChildSpec("a", Everything),), window=ENDLESS)) as system:
        await wait_all_tasks_blocked()
        actors.suspend(system["s"])
        await wait_all_tasks_blocked()
        await crash(system["s/a"])
        assert system["s/a"].incarnation == 1
        actors.resume(system["s"])
        await wait_all_tasks_blocked()
        assert system["s/a"].incarnation == 2


async def test_a_traced_supervisor_shows_the_exits_that_it_decides() -> None:
    async with actors.open_system(SupervisorSpec("s", (ChildSpec("a", Everything),), window=ENDLESS)) as system:
        async with actors.trace(system["s"]) as steps:
            await wait_all_tasks_blocked()
            await crash(system["s/a"])
            await wait_all_tasks_blocked()
            assert type((await steps.receive()).value).__name__ == "Exited"
        assert system["s/a"].incarnation == 2
