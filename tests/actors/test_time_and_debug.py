"""Timers of an actor, and looking into a running one: R133, R137."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from attrs import define, field, frozen
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import ActorStopped, Ask, ChildSpec, RestartWindow, Tell, debug

from .support import Add, Crash, Everything, Note, Seen, Urgent, Wait

BOOM = OSError("boom")


@frozen
class Tick(Tell):
    name: str


@frozen
class Do(Ask[Any]):
    """Call a function inside the actor."""

    what: Any


@define
class Clocked:
    ticks: list[tuple[str, float]] = field(factory=list)

    def receive(self, message: Do | Tick) -> Any:
        match message:
            case Do(what):
                return what(actors.context())
            case Tick(name):
                self.ticks.append((name, trio.current_time()))
                return None


async def test_a_message_comes_after_its_time_once(autojump_clock: MockClock) -> None:
    actor = Clocked()
    async with actors.open_system(ChildSpec("a", lambda: actor)) as system:
        await system["a"].ask(Do(lambda context: context.after(5, Tick("once"))))
        await trio.sleep(100)
        assert actor.ticks == [("once", 5.0)]


async def test_a_periodic_message_comes_each_period_without_drift_until_it_is_cancelled(
    autojump_clock: MockClock,
) -> None:
    actor = Clocked()
    async with actors.open_system(ChildSpec("a", lambda: actor)) as system:
        timer = await system["a"].ask(Do(lambda context: context.every(2, Tick("tick"))))
        await trio.sleep(7)
        timer.cancel()
        await trio.sleep(100)
        assert actor.ticks == [("tick", 2.0), ("tick", 4.0), ("tick", 6.0)]


async def test_timers_end_with_the_incarnation_that_set_them(autojump_clock: MockClock) -> None:
    actor = Clocked()
    async with actors.open_system(ChildSpec("a", lambda: actor)) as system:
        await system["a"].ask(Do(lambda context: (context.every(2, Tick("tick")), context.after(5, Tick("once")))))
        system["a"].kill()
        await trio.sleep(100)
        assert actor.ticks == []


async def test_a_periodic_message_that_finds_no_room_waits_and_does_not_pile_up(autojump_clock: MockClock) -> None:
    actor = Clocked()
    async with actors.open_system(ChildSpec("a", lambda: actor, capacity=1)) as system:
        context = await system["a"].ask(
            Do(lambda context: (context.hold(), context.every(1, Tick("tick")), context)[-1])
        )
        await trio.sleep(10.5)
        assert system["a"].statistics().queued == 1
        context.release()
        await wait_all_tasks_blocked()
        assert len(actor.ticks) == 2, "the one that was queued and the one that waited"


async def test_silence_is_told_unless_another_message_is_handled_first(autojump_clock: MockClock) -> None:  # R133
    actor = Clocked()
    async with actors.open_system(ChildSpec("a", lambda: actor)) as system:
        await system["a"].ask(Do(lambda context: context.after_silence(5, Tick("silence"))))
        await trio.sleep(4)
        system["a"].tell(Tick("noise"))
        await trio.sleep(100)
        assert actor.ticks == [("noise", 4.0)]
        await system["a"].ask(Do(lambda context: context.after_silence(5, Tick("silence"))))
        await trio.sleep(100)
        assert [name for name, _ in actor.ticks] == ["noise", "silence"]


async def test_a_suspended_actor_handles_nothing_and_goes_on_when_resumed() -> None:  # R137
    async with actors.open_system(ChildSpec("a", Everything)) as system:
        debug.suspend(system["a"])
        system["a"].tell(Note("work"))
        system["a"].tell(Urgent("control"))
        await wait_all_tasks_blocked()
        assert system["a"].statistics().queued == 1
        debug.resume(system["a"])
        assert await system["a"].ask(Seen()) == ("control", "work")


async def test_a_suspended_actor_can_be_stopped_and_killed() -> None:  # R137
    async with actors.open_system(ChildSpec("a", Everything), ChildSpec("b", Everything)) as system:
        for name in "ab":
            debug.suspend(system[name])
        system["a"].kill()
        await wait_all_tasks_blocked()
        assert await system["a"].ask(Add(1)) == 1, "the next incarnation is not suspended"


async def test_state_can_be_read_and_replaced_and_a_change_that_fails_leaves_it() -> None:  # R137
    async with actors.open_system(ChildSpec("a", Everything)) as system:
        ref = system["a"]
        await ref.ask(Add(3))
        state = debug.get_state(ref)
        assert isinstance(state, Everything)
        assert state.total == 3
        debug.replace_state(ref, lambda old: Everything(total=old.total * 10))
        assert await ref.ask(Add(1)) == 31

        def failing(_: Everything) -> Everything:
            raise BOOM

        with pytest.raises(OSError, match="boom"):
            debug.replace_state(ref, failing)
        assert await ref.ask(Add(1)) == 32
        await system.root.terminate_child("a")
        with pytest.raises(ActorStopped):
            debug.get_state(ref)


async def test_a_trace_follows_messages_and_answers_until_it_is_closed() -> None:  # R137
    async with actors.open_system(ChildSpec("a", Everything), window=RestartWindow(3, 5.0)) as system:
        ref = system["a"]
        gate = trio.Event()
        gate.set()
        async with debug.trace(ref) as steps:
            await ref.ask(Add(1))
            await ref.ask(Wait(gate))
            with pytest.raises(actors.ActorCrashed):
                await ref.ask(Crash(BOOM))
            seen = [await steps.receive() for _ in range(6)]
        assert [(step.direction, step.value) for step in seen] == [
            ("in", Add(1)),
            ("out", 1),
            ("in", Wait(gate)),
            ("out", "done"),
            ("in", Crash(BOOM)),
            ("out", BOOM),
        ]
        with pytest.raises(trio.ClosedResourceError):
            await steps.receive()
        async with debug.trace(ref) as steps:
            pass
        await ref.ask(Add(1))
        with pytest.raises(trio.ClosedResourceError):
            await steps.receive()


async def test_a_trace_that_nobody_reads_drops_the_oldest_and_says_how_many() -> None:
    async with actors.open_system(ChildSpec("a", Everything)) as system:
        async with debug.trace(system["a"]) as steps:
            for _ in range(600):
                await system["a"].ask(Add(1))
            assert steps.lost == 200
            assert (await steps.receive()).value == Add(1)
