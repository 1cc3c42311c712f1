"""Where promises meet: what an actor, its asker and its neighbours do at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import trio
from attrs import define, evolve, frozen
from trio.testing import wait_all_tasks_blocked

import actors
from actors import (
    ActorCrashed,
    ActorStopped,
    Ask,
    ChildSpec,
    Down,
    Exit,
    Gone,
    MailboxFull,
    Normal,
    Refusal,
    ReplyDropped,
    RestartWindow,
    Tell,
    trace,
)
from actors.testing import Answer, Crash, Knock, Probe, Script, Swallow, assert_settled, no_task_left

from .support import Add, Everything, Forward, Later, Note, Seen, Urgent

WINDOW = RestartWindow(100, 5.0)
BOOM = OSError("boom")


@frozen
class Do(Ask[Any]):
    """Call a function in a handler; what it returns may wait."""

    what: Callable[[], Any]


@frozen
class DoCancellably(Ask[Any]):
    what: Callable[[], Any]
    cancellable = True


@frozen
class DoUnasked(Tell):
    what: Callable[[], Any]


@frozen
class UrgentSeen(Ask[int]):
    control = True


@define
class Doing:
    heard: int = 0

    def receive(self, message: Do | DoCancellably | DoUnasked | UrgentSeen | Down | Exit) -> Any:
        match message:
            case Do(what) | DoCancellably(what) | DoUnasked(what):
                return what()
            case UrgentSeen():
                return self.heard
            case _:
                self.heard += 1
                return None


def doing(*names: str, **spec: Any) -> list[ChildSpec]:
    return [ChildSpec(name, Doing, **spec) for name in names or ("a",)]


# -- an answer, and the other end of it


async def test_a_refusal_after_the_answer_was_put_off_is_no_answer() -> None:
    slots: list[actors.Reply[Any]] = []

    def defer_and_refuse() -> None:
        slots.append(actors.context().defer())
        raise Refusal("too late")

    async with actors.open_system(*doing()) as system, trio.open_nursery() as nursery:
        answers: list[object] = []

        async def ask() -> None:
            answers.append(await system["a"].ask(Do(defer_and_refuse)))

        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        assert answers == []
        slots[0].settle("settled")
        await wait_all_tasks_blocked()
        assert answers == ["settled"]


async def test_a_handler_may_cancel_its_own_asker() -> None:
    async with actors.open_system(*doing()) as system:
        for plain in (True, False):
            with trio.CancelScope() as scope:

                async def cancel(scope: trio.CancelScope = scope) -> None:
                    await trio.lowlevel.checkpoint()
                    scope.cancel()

                await system["a"].ask(Do(scope.cancel if plain else cancel))
            assert scope.cancelled_caught
        assert await system["a"].ask(Do(lambda: "well")) == "well"
        assert system["a"].incarnation == 1


async def test_an_answer_that_is_put_off_when_its_asker_has_gone_already_is_taken_back_at_once() -> None:
    gone = list[str]()

    async def wait_and_defer(gate: trio.Event, on_cancel: Callable[[], object] | None) -> None:
        await gate.wait()
        actors.context().defer(on_cancel)

    async with actors.open_system(*doing()) as system:
        for on_cancel in (lambda: gone.append("gone"), None):
            gate = trio.Event()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(system["a"].ask, Do(partial(wait_and_defer, gate, on_cancel)))
                await wait_all_tasks_blocked()
                nursery.cancel_scope.cancel()
            gate.set()
            await assert_settled(system)
            assert gone == ["gone"]
            assert system["a"].statistics().owed == 0


async def test_what_cannot_be_put_off_and_what_has_no_nursery_is_an_error_that_says_so() -> None:
    async with actors.open_system(*doing(), window=WINDOW) as system:
        for what, says in (
            (lambda: actors.context().nursery, "nursery=True in its ChildSpec"),
            (lambda: (actors.context().defer(), actors.context().defer()), "needs an ask in hand"),
        ):
            with pytest.raises(ActorCrashed, match=says):
                await system["a"].ask(Do(what))
        system["a"].tell(DoUnasked(lambda: actors.context().defer()))
        await wait_all_tasks_blocked()
        assert "needs an ask in hand" in str(system.tree().children[0].last_exit)


async def test_errors_and_reasons_say_what_happened_to_whom() -> None:
    async with actors.open_system(*doing(capacity=1)) as system, trio.open_nursery() as nursery:
        gate = trio.Event()
        nursery.start_soon(system["a"].ask, Do(gate.wait))
        await wait_all_tasks_blocked()
        system["a"].tell(DoUnasked(lambda: None))
        with pytest.raises(MailboxFull, match=r"actor 'a' is full \(1 messages\); use send\(\)"):
            system["a"].tell(DoUnasked(lambda: None))
        assert str(system.tree()).splitlines()[1] == "└─ a  running, 1 queued"
        gate.set()
        await wait_all_tasks_blocked()
        with pytest.raises(ReplyDropped, match="actor 'a' deferred its answer and dropped it"):
            await system["a"].ask(Do(lambda: (actors.context().defer(), None)[1]))
        assert repr(system["a"]) == "<Ref 'a' incarnation 1>"
        assert str(evolve(system.tree().children[0], detail="3 tools")) == "a  running, 3 tools"
    assert (str(Normal()), str(Gone())) == ("normal", "gone before")


# -- lanes


async def test_a_control_message_to_what_is_gone_ends_like_any_other() -> None:
    async with actors.open_system(*doing()) as system:
        ref = system["a"]
        assert await ref.ask(UrgentSeen()) == 0
        await system.root.terminate_child("a")
        with pytest.raises(ActorStopped):
            await ref.ask(UrgentSeen())
        ref.tell(Urgent("silently lost"))
        await ref.send(Urgent("silently lost"))
        await ref.send(Note("silently lost"))
        for end in (ref.stop, partial(ref.stop, now=True), ref.kill):
            end()
        assert system.tree().children[0].status == "stopped"


async def test_a_control_message_can_be_sent() -> None:
    async with actors.open_system(ChildSpec("a", Everything)) as system:
        await system["a"].send(Urgent("control"))
        assert await system["a"].ask(Seen()) == ("control",)


async def test_a_lane_that_is_full_of_what_is_no_work_is_full() -> None:
    async with actors.open_system(*doing(capacity=1)) as system, trio.open_nursery() as nursery:
        gate = trio.Event()
        nursery.start_soon(system["a"].ask, Do(gate.wait))
        await wait_all_tasks_blocked()
        async with trio.open_nursery() as asks:
            asks.start_soon(system["a"].ask, Do(lambda: "given up in the queue"))
            await wait_all_tasks_blocked()
            asks.cancel_scope.cancel()
        system["a"].stop()
        with pytest.raises(MailboxFull):
            system["a"].tell(DoUnasked(lambda: None))
        gate.set()


# -- chains and rings of asks


@pytest.mark.parametrize("links", [10, 1000])
async def test_a_chain_of_asks_is_cancelled_at_once_however_long_it_is(links: int) -> None:  # K6
    names = [f"a{number}" for number in range(links)]
    async with no_task_left(), actors.open_system(*doing(*names)) as system:
        message: Ask[Any] = DoCancellably(trio.sleep_forever)
        for name in reversed(names[1:]):
            message = DoCancellably(lambda to=system[name], message=message: to.ask(message))  # type: ignore[misc]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(system[names[0]].ask, message)
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        await assert_settled(system)
        assert await system[names[-1]].ask(Do(lambda: "free again")) == "free again"
        assert {system[name].incarnation for name in names} == {1}


async def test_a_ring_that_a_deferred_answer_opens_is_no_ring() -> None:
    later = Everything()
    async with (
        actors.open_system(*doing(), ChildSpec("b", lambda: later)) as system,
        trio.open_nursery() as nursery,
    ):
        answers: list[object] = []

        async def ask(ref: actors.Ref, message: Ask[Any]) -> None:
            answers.append(await ref.ask(message))

        a, b = system["a"], system["b"]
        nursery.start_soon(ask, a, Do(lambda: b.ask(Later())))
        await wait_all_tasks_blocked()
        nursery.start_soon(ask, b, Forward(a, Do(lambda: "from a")))
        await wait_all_tasks_blocked()
        assert answers == []
        later.slots[0].settle("from outside")
        await wait_all_tasks_blocked()
        assert sorted(map(str, answers)) == ["from a", "from outside"]


# -- watches and links


async def test_a_watch_is_cancelled_once_and_one_of_the_dead_hears_nothing() -> None:
    async with actors.open_system(*doing("a", "b", "gone"), window=WINDOW) as system:
        watch = await system["a"].ask(Do(lambda: actors.context().watch(system["b"])))
        contexts = await system["a"].ask(Do(actors.context))
        gone = system["gone"]
        await system.root.terminate_child("gone")
        watch.cancel()
        watch.cancel()
        system["b"].kill()
        await wait_all_tasks_blocked()
        assert await system["a"].ask(UrgentSeen()) == 0
        await system.root.terminate_child("a")
        contexts.watch(gone)
        await assert_settled(system)


async def test_what_is_unlinked_takes_back_the_exit_that_is_queued() -> None:  # R113
    gate = trio.Event()
    specs = ChildSpec("a", Doing, trap_exits=True), ChildSpec("b", Doing)
    async with actors.open_system(*specs, window=WINDOW) as system, trio.open_nursery() as nursery:
        b = system["b"]

        async def link_and_unlink() -> None:
            actors.context().link(b)
            await gate.wait()
            actors.context().unlink(b)
            actors.context().unlink(b)

        nursery.start_soon(system["a"].ask, Do(link_and_unlink))
        await wait_all_tasks_blocked()
        b.kill()
        await wait_all_tasks_blocked()
        gate.set()
        assert await system["a"].ask(Do(lambda: 0)) == 0
        assert await system["a"].ask(UrgentSeen()) == 0


async def test_the_names_of_an_address_are_told() -> None:
    async with actors.open_system(*doing("a", "b")) as system:
        for name in ("one", "two", "one"):
            system.names.register(name, system["a"])
        assert system.names.of(system["a"]) == ("one", "two")
        assert system.names.of(system["b"]) == ()


# -- traces


async def test_a_trace_waits_for_what_is_to_come_and_outlives_its_actor() -> None:
    async def fail() -> None:
        await trio.lowlevel.checkpoint()
        raise BOOM

    async with actors.open_system(*doing(), window=WINDOW) as system, trio.open_nursery() as nursery:
        seen: list[Any] = []

        async def follow() -> None:
            with pytest.raises(trio.ClosedResourceError):
                while True:
                    seen.append((await steps.receive()).value)

        steps = trace(system["a"])
        nursery.start_soon(follow)
        await wait_all_tasks_blocked()
        with pytest.raises(ActorCrashed):
            await system["a"].ask(Do(fail))
        await system.root.terminate_child("a")
        await steps.aclose()
        await wait_all_tasks_blocked()
        assert seen == [Do(fail), BOOM]


# -- what R and K say of faults that come together


async def test_a_handler_that_swallows_its_kill_is_the_last_that_its_incarnation_runs() -> None:  # R40
    script = Script([Swallow("late")])
    answers: list[object] = []
    async with actors.open_system(ChildSpec("a", script.start), window=WINDOW) as system:

        async def ask(number: int) -> None:
            answers.append(await system["a"].ask(Knock(number)))

        async with trio.open_nursery() as nursery:
            for number in range(3):
                nursery.start_soon(ask, number)
                await wait_all_tasks_blocked()
            system["a"].kill()
    assert answers[0] == "late"
    assert script.handled == [(1, Knock(0)), (2, Knock(1)), (2, Knock(2))]


async def test_two_that_crash_in_one_moment_come_back_as_one_group(autojump_clock: trio.testing.MockClock) -> None:
    scripts = [Script(then=Answer("well")) for _ in range(2)]
    specs = [ChildSpec(f"a{number}", script.start) for number, script in enumerate(scripts)]
    group = actors.SupervisorSpec("group", tuple(specs), strategy=actors.Strategy.ONE_FOR_ALL)
    async with no_task_left(), actors.open_system(group) as system:
        for number in range(2):
            system[f"group/a{number}"].kill()
        await assert_settled(system)
        for number in range(2):
            assert await system[f"group/a{number}"].ask(Knock(0)) == "well"
            assert system[f"group/a{number}"].incarnation == 2


async def test_a_probe_that_crashes_answers_all_that_it_owed() -> None:
    probe, crash = Probe(), Script([Crash()])
    async with actors.open_system(ChildSpec("a", probe.start), ChildSpec("b", crash.start)) as system:
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                with pytest.raises(ActorCrashed):
                    await system["a"].ask(Add(1))

            nursery.start_soon(ask)
            await wait_all_tasks_blocked()
            probe.will_answer(BOOM)
            nursery.start_soon(ask)
        await assert_settled(system)
