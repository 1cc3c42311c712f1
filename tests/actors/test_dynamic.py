"""Dynamic supervisors: OTP's simple_one_for_one, R100-R107."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import IGNORE, ChildCount, ChildRefused, ChildSpec, Restart, RestartWindow, SpecError, SupervisorSpec

from .support import Add, Crash, Everything

BOOM = OSError("boom")


def greeting(word: str, total: int = 0) -> Everything:
    return Everything(log=[word], total=total)


def pool(template: ChildSpec | None = None, **flags: object) -> SupervisorSpec:
    return SupervisorSpec("pool", template=template or ChildSpec("worker", greeting), **flags)  # type: ignore[arg-type]


async def test_each_child_has_arguments_of_its_own_and_keeps_them_over_restarts() -> None:  # R100, R103
    async with actors.open_system(pool(window=RestartWindow(3, 5.0))) as system:
        workers = system.supervisor("pool")
        first = await workers.start_from_template("a", 10)
        second = await workers.start_from_template("b", 20, name="second")
        assert first is not None
        assert second is not None
        with pytest.raises(actors.ActorCrashed):
            await first.ask(Crash(BOOM))
        assert await first.ask(Add(1)) == 11
        assert await second.ask(Add(1)) == 21
        assert (first.path, second.path) == ("pool/worker-1", "pool/second")


async def test_a_child_that_stays_down_is_forgotten() -> None:
    template = ChildSpec("worker", greeting, restart=Restart.TRANSIENT)
    async with actors.open_system(pool(template)) as system:
        workers = system.supervisor("pool")
        ref = await workers.start_from_template("a", name="a")
        assert ref is not None
        ref.stop()
        await wait_all_tasks_blocked()
        assert await workers.count_children() == ChildCount(1, 0, 0, 0)
        await workers.start_from_template("a", name="a")
        await workers.terminate_child("a")
        assert await workers.which_children() == ()


async def test_the_number_of_children_is_bounded() -> None:
    async with actors.open_system(pool(max_children=2)) as system:
        workers = system.supervisor("pool")
        for _ in range(2):
            await workers.start_from_template("a")
        with pytest.raises(ChildRefused, match="max children"):
            await workers.start_from_template("a")
        await workers.terminate_child("worker-1")
        await workers.start_from_template("a")
        assert await workers.count_children() == ChildCount(1, 2, 0, 2)


async def test_requests_that_make_no_sense_here_are_refused() -> None:  # R101
    async with actors.open_system(pool(), ChildSpec("x", Everything)) as system:
        workers = system.supervisor("pool")
        await workers.start_from_template("a", name="a")
        for request in (
            workers.restart_child("a"),
            workers.delete_child("a"),
            workers.start_child(ChildSpec("b", str)),
        ):
            with pytest.raises(ChildRefused, match="dynamic"):
                await request
        with pytest.raises(ChildRefused, match="already started"):
            await workers.start_from_template("a", name="a")
        with pytest.raises(ChildRefused, match="not dynamic"):
            await system.root.start_from_template("a")


async def test_a_start_that_fails_or_ignores_keeps_nothing() -> None:  # R100
    def start(how: str) -> object:
        if how == "fail":
            raise BOOM
        return IGNORE

    async with actors.open_system(pool(ChildSpec("worker", start))) as system:  # type: ignore[arg-type]
        workers = system.supervisor("pool")
        with pytest.raises(ChildRefused, match="boom"):
            await workers.start_from_template("fail")
        assert await workers.start_from_template("ignore") is None
        assert await workers.count_children() == ChildCount(1, 0, 0, 0)


async def test_a_stop_signals_all_at_once_and_waits_one_time_for_all(autojump_clock: MockClock) -> None:  # R105
    ended: list[tuple[str, float]] = []

    @asynccontextmanager
    async def slow(name: str, seconds: float) -> AsyncIterator[Everything]:
        try:
            yield Everything()
        finally:
            try:
                await trio.sleep(seconds)
            finally:
                ended.append((name, trio.current_time() - begun))

    async with actors.open_system(pool(ChildSpec("worker", slow, shutdown=3.0))) as system:
        for name, seconds in (("quick", 1.0), ("slow", 2.0), ("late", 60.0)):
            await system.supervisor("pool").start_from_template(name, seconds)
        begun = trio.current_time()
    assert sorted(ended, key=lambda item: item[1]) == [("quick", 1.0), ("slow", 2.0), ("late", 3.0)]


def test_a_template_goes_with_no_children_and_no_other_strategy() -> None:  # R5, R6, R107
    with pytest.raises(SpecError, match="children come from that alone"):
        pool(children=(ChildSpec("a", Everything),))
    with pytest.raises(SpecError, match="one_for_one"):
        pool(strategy=actors.Strategy.ONE_FOR_ALL)
