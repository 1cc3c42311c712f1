"""Deadlines of asks do what cancel scopes would do, by one timer."""

from math import nan
from typing import Any

import pytest
import trio
from attrs import define, field, frozen
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

import actors
from actors import ChildSpec
from runtime.deadlines import DeadlinePassed, Deadlines
from runtime.tasks import beside


@frozen
class Wait(actors.Ask[float]):
    seconds: float


@define(eq=False)
class Waiter:
    """Answers each ask after so many seconds, all at a time; ``forsaken`` are those whose asker went."""

    nursery: trio.Nursery
    forsaken: list[float] = field(factory=list)

    def receive(self, message: Wait) -> None:
        gone: Any = lambda: self.forsaken.append(message.seconds)  # noqa: E731
        self.nursery.start_soon(self.answer, actors.context().defer(gone), message.seconds)

    async def answer(self, reply: actors.Reply[float], seconds: float) -> None:
        await trio.sleep(seconds)
        reply.settle(seconds)


async def within(deadlines: Deadlines, ref: actors.Ref, seconds: float, patience: float) -> str:
    """Ask for an answer after ``seconds``, with a limit; tell what came of it and when."""
    began = trio.current_time()
    limit = deadlines.limit(began + patience)
    try:
        outcome = f"answered {await ref.ask(Wait(seconds)):g}"
    except DeadlinePassed:
        outcome = "late"
    finally:
        deadlines.lift(limit)
    return f"{outcome} at {trio.current_time() - began:g}"


async def asked_together(cases: list[tuple[float, float]]) -> tuple[list[str], list[float]]:
    told = [""] * len(cases)
    deadlines = Deadlines()
    async with trio.open_nursery() as helpers:
        waiter = Waiter(helpers)
        async with beside(deadlines.run), actors.open_system(ChildSpec("waiter", lambda: waiter)) as system:
            ref = system["waiter"]

            async def ask(index: int, seconds: float, patience: float) -> None:
                told[index] = await within(deadlines, ref, seconds, patience)

            async with trio.open_nursery() as nursery:
                for index, case in enumerate(cases):
                    nursery.start_soon(ask, index, *case)
        helpers.cancel_scope.cancel()
    return told, waiter.forsaken


async def test_an_ask_ends_at_its_deadline_to_the_moment_and_its_actor_is_told(autojump_clock):
    told, forsaken = await asked_together([(5.0, 2.5), (1.0, 2.5)])
    assert told == ["late at 2.5", "answered 1 at 1"]
    assert forsaken == [5.0]


async def test_an_earlier_deadline_that_comes_later_is_kept_as_well(autojump_clock):
    told, _ = await asked_together([(90.0, 60.0), (90.0, 30.0), (90.0, 1.0)])
    assert told == ["late at 60", "late at 30", "late at 1"]


times = st.integers(1, 12).map(float)


@given(st.lists(st.tuples(times, times.map(lambda each: each + 0.5)), max_size=12))
def test_each_ask_has_its_own_deadline(cases):
    told, forsaken = trio.run(asked_together, cases, clock=MockClock(autojump_threshold=0))
    late = [seconds > patience for seconds, patience in cases]
    assert told == [
        f"late at {patience:g}" if too_late else f"answered {seconds:g} at {seconds:g}"
        for (seconds, patience), too_late in zip(cases, late, strict=True)
    ]
    assert sorted(forsaken) == sorted(seconds for (seconds, _), too in zip(cases, late, strict=True) if too)


async def test_limits_that_are_lifted_take_no_room(autojump_clock):
    deadlines = Deadlines()
    for _ in range(10_000):
        deadlines.lift(deadlines.limit(trio.current_time() + 3600))
    assert len(deadlines._heap) < 200


async def test_a_task_that_waits_for_no_answer_is_left_alone(autojump_clock):
    deadlines = Deadlines()
    async with beside(deadlines.run):
        limit = deadlines.limit(trio.current_time() + 1)
        await trio.sleep(2)
        deadlines.lift(limit)


async def test_the_askers_own_cancellation_is_its_own(autojump_clock):
    deadlines = Deadlines()
    async with trio.open_nursery() as helpers:
        waiter = Waiter(helpers)
        async with beside(deadlines.run), actors.open_system(ChildSpec("waiter", lambda: waiter)) as system:
            with trio.move_on_after(1) as patience:
                await within(deadlines, system["waiter"], 5.0, 2.0)
            assert patience.cancelled_caught
            await trio.sleep(9)  # past the limit, which is lifted
        helpers.cancel_scope.cancel()
    assert waiter.forsaken == [5.0]


async def test_a_deadline_that_is_no_time_is_refused():
    with pytest.raises(ValueError, match="NaN"):
        Deadlines().limit(nan)
