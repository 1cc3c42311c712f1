"""Corners of the kernel that once broke it: interrupts between two steps, starts that leave things behind, messages
meant for the dead, and ends that nobody was told of.
"""

from __future__ import annotations

import gc
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import FrameType
from typing import Any

import pytest
import trio
from attrs import define, field, frozen
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import (
    IGNORE,
    ActorCrashed,
    AskCycle,
    ChildRefused,
    ChildSpec,
    ChildStopped,
    Overflow,
    Restart,
    RestartWindow,
    StartFailed,
    SupervisorExit,
    SupervisorSpec,
    TreeEvent,
)
from actors.debug import replace_state, trace
from actors.testing import no_task_left, run

from .support import Add, Crash, Drop, Everything, Note, Seen, Urgent, Wait

BOOM = OSError("boom")
LONG = 10_000.0
GENEROUS = RestartWindow(20, 5.0)


def worker(name: str, start: Callable[[], Any] = Everything, **spec: Any) -> ChildSpec:
    return ChildSpec(name, start, **spec)


@asynccontextmanager
async def endless_init() -> AsyncIterator[Everything]:
    await trio.sleep(LONG)
    yield Everything()


@frozen
class Do(actors.Ask[object]):
    """Has an actor of these tests do something in its handler."""

    what: Callable[[], object]


@frozen
class UrgentSeen(actors.Ask[object]):
    control = True


@define
class Doer:
    """Does what it is asked to, and writes down every other message."""

    log: list[Any] = field(factory=list)

    def receive(self, message: Any) -> object:
        if isinstance(message, Do):
            return message.what()
        if isinstance(message, Drop):
            raise message.error
        self.log.append(message)
        return None


# -- interrupts

PROTECTED = {
    "Ref.ask",
    "Ref.tell",
    "Ref.send",
    "Ref.stop",
    "Ref.kill",
    "withdraw",
    "Child.begin",
    "Child.take_down",
    "Child.dismiss",
    "Child._live",
    "Child._up",
    "Child._fall",
    "Supervisor.receive",
    "supervise",
    "_Tree.run",
    "open_system",
}
OPEN = {"serve", "finish", "Plain.receive", "Async.receive"}


class Plain:
    def receive(self, message: Any) -> None:
        if isinstance(message, Drop):
            raise message.error


class Async:
    async def receive(self, message: Any) -> None:
        await trio.lowlevel.checkpoint()


@contextmanager
def protection() -> Iterator[Counter[tuple[str, bool]]]:
    """Count, for each function that is entered, whether an interrupt could have come in there."""
    seen: Counter[tuple[str, bool]] = Counter()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and (name := frame.f_code.co_qualname) in PROTECTED | OPEN:
            seen[name, trio.lowlevel.currently_ki_protected()] += 1

    sys.setprofile(note)
    try:
        yield seen
    finally:
        sys.setprofile(None)


async def test_an_interrupt_cannot_come_between_a_message_and_its_wake_up_but_comes_into_handlers() -> None:
    plain, slow = worker("plain", Plain), worker("slow", Async)
    with protection() as seen:
        async with actors.open_system(
            SupervisorSpec("s", (plain, slow), window=GENEROUS, concurrent_stop=True)
        ) as system:
            for ref in (system["s/plain"], system["s/slow"]):
                await ref.ask(Add(1))
                ref.tell(Note("a"))
                await ref.send(Note("b"))
                ref.stop()
                await wait_all_tasks_blocked()
                ref.kill()
                await wait_all_tasks_blocked()
            assert not actors.withdraw(trio.lowlevel.current_task(), TimeoutError())
            system["s/plain"].tell(Drop(BOOM))
            await wait_all_tasks_blocked()
            await system.supervisor("s").terminate_child("plain")
    assert set(seen) == {(name, True) for name in PROTECTED} | {(name, False) for name in OPEN}


def interrupted(main: Callable[[], Any]) -> float:
    """Run ``main``; it must end in a bare interrupt. Return after how many seconds it did."""
    left: list[float] = []

    async def timed() -> None:
        began = trio.current_time()
        try:
            await main()
        finally:
            left.append(trio.current_time() - began)

    with pytest.raises(KeyboardInterrupt):
        trio.run(timed, clock=MockClock(autojump_threshold=0))
    return left[0]


def test_an_interrupt_does_not_wait_for_an_init_that_never_ends() -> None:
    @asynccontextmanager
    async def start() -> AsyncIterator[Everything]:
        signal.raise_signal(signal.SIGINT)
        await trio.sleep(LONG)
        yield Everything()

    async def main() -> None:
        async with actors.open_system(worker("a", start)):
            raise AssertionError("entered")

    assert interrupted(main) == 0


def test_an_interrupt_in_an_actor_does_not_wait_for_the_init_of_the_next() -> None:
    def start() -> Everything:
        actors.context().after(1, Drop(KeyboardInterrupt()))
        return Everything()

    async def main() -> None:
        async with actors.open_system(worker("a", start), worker("b", endless_init)):
            raise AssertionError("entered")

    assert interrupted(main) == 1


def test_an_interrupt_while_the_tree_stops_comes_out_bare() -> None:
    @asynccontextmanager
    async def start() -> AsyncIterator[Everything]:
        yield Everything()
        signal.raise_signal(signal.SIGINT)
        with trio.CancelScope(shield=True):
            await trio.sleep(1)

    async def main() -> None:
        async with actors.open_system(worker("a", start)):
            pass

    assert interrupted(main) == 1


def test_a_system_that_is_cancelled_before_it_begins_is_left_whichever_of_its_tasks_comes_first() -> None:
    async def main() -> int:
        starts: list[Everything] = []

        def start() -> Everything:
            starts.append(Everything())
            return starts[0]

        with trio.CancelScope() as scope:
            scope.cancel()
            async with no_task_left(), actors.open_system(worker("a", start)):
                raise AssertionError("entered")
        return len(starts)

    assert {run(main, seed=seed) for seed in range(8)} == {0, 1}


@pytest.mark.parametrize("passes", range(6))
async def test_a_system_cancelled_in_its_first_steps_is_left_at_once(autojump_clock: MockClock, passes: int) -> None:
    began = trio.current_time()
    async with trio.open_nursery() as nursery:

        async def cancel() -> None:
            for _ in range(passes - 1):
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()

        if passes:
            nursery.start_soon(cancel)
        else:
            nursery.cancel_scope.cancel()
        async with actors.open_system(worker("a", endless_init)):
            raise AssertionError("entered")
    assert trio.current_time() == began


# -- starts that come to nothing


@pytest.mark.parametrize("raises", [True, False])
async def test_a_start_that_comes_to_nothing_leaves_no_timer(autojump_clock: MockClock, raises: bool) -> None:
    def start() -> object:
        actors.context().after(LONG, Note("late"))
        if raises:
            raise BOOM
        return IGNORE

    began = trio.current_time()
    async with actors.open_system(SupervisorSpec("s")) as system:
        if raises:
            with pytest.raises(ChildRefused):
                await system.supervisor("s").start_child(worker("a", start))
        else:
            assert await system.supervisor("s").start_child(worker("a", start)) is None
    assert trio.current_time() == began


@pytest.mark.parametrize("raises", [True, False])
async def test_a_start_that_comes_to_nothing_leaves_no_watch(raises: bool) -> None:
    def start() -> object:
        actors.context().watch(target)
        if fails:
            if raises:
                raise BOOM
            return IGNORE
        return watcher

    fails, watcher = True, Doer()
    async with actors.open_system(worker("target"), SupervisorSpec("s"), window=GENEROUS) as system:
        target, supervisor = system["target"], system.supervisor("s")
        if raises:
            with pytest.raises(ChildRefused):
                await supervisor.start_child(worker("a", start))
        else:
            assert await supervisor.start_child(worker("a", start)) is None
            fails = False
            assert await supervisor.restart_child("a") is not None
            target.kill()
            await wait_all_tasks_blocked()
            assert len(watcher.log) == 1
            await supervisor.terminate_child("a")
        assert target._child.bonds is not None
        assert target._child.bonds.watched_by == []


async def test_a_failed_start_is_told_in_one_layer_for_each_supervisor() -> None:
    def start() -> object:
        raise BOOM

    with pytest.raises(SupervisorExit) as failed:
        async with actors.open_system(SupervisorSpec("s", (worker("a", start),))):
            raise AssertionError("entered")
    layers, reason = [], failed.value.reason
    while isinstance(reason, StartFailed):
        layers.append(reason.child)
        reason = reason.reason
    assert layers == ["s", "a", None]


async def test_an_init_that_asks_its_own_supervisor_is_refused_not_hung() -> None:
    @asynccontextmanager
    async def start() -> AsyncIterator[Everything]:
        await supervisor.count_children()
        yield Everything()

    async with actors.open_system(SupervisorSpec("s")) as system:
        supervisor = system.supervisor("s")
        with trio.fail_after(1), pytest.raises(ChildRefused) as refused:
            await supervisor.start_child(worker("a", start))
        reason = refused.value.reason
        assert isinstance(reason, StartFailed)
        assert isinstance(actors.exits.cause_of(reason), AskCycle)


# -- what an actor does to itself


async def test_an_actor_that_watches_itself_can_be_stopped() -> None:
    def start() -> Everything:
        actors.context().watch(actors.context().ref)
        return Everything()

    async with actors.open_system(worker("a", start), worker("b")) as system:
        await wait_all_tasks_blocked()
        await system.root.terminate_child("a")
        assert await system["b"].ask(Add(1)) == 1


async def test_an_observer_may_tell_the_actor_that_is_being_stopped() -> None:
    refs: list[actors.Ref] = []

    def observe(event: TreeEvent) -> None:
        if isinstance(event, ChildStopped) and refs:
            refs[0].tell(Note("it was you"))

    async with actors.open_system(worker("a"), worker("b"), observe=observe) as system:
        refs.append(system["a"])
        await wait_all_tasks_blocked()
        await system.root.terminate_child("a")
        assert await system["b"].ask(Add(1)) == 1


async def test_an_on_cancel_that_raises_crashes_its_actor_alone(autojump_clock: MockClock) -> None:
    kept: list[object] = []

    def wrong() -> None:
        raise BOOM

    def defer() -> None:
        kept.append(actors.context().defer(wrong))

    async with actors.open_system(worker("a", Doer), worker("b")) as system:
        with trio.move_on_after(1):
            await system["a"].ask(Do(defer))
        await wait_all_tasks_blocked()
        assert (system["a"].incarnation, system["b"].incarnation) == (2, 1)
        assert actors.exits.cause_of(system.tree().children[0].last_exit or actors.Normal()) is BOOM


@pytest.mark.parametrize(
    ("timer", "seconds", "message", "error"),
    [
        ("after", -0.5, Note("x"), ValueError),
        ("after", float("nan"), Note("x"), ValueError),
        ("after_silence", float("inf"), Note("x"), ValueError),
        ("every", 0, Note("x"), ValueError),
        ("every", 1, Add(1), TypeError),
        ("after", 1, UrgentSeen(), TypeError),
    ],
)
async def test_a_wrong_timer_is_the_error_of_who_sets_it(timer: str, seconds: float, message: Any, error: Any) -> None:
    def set_it() -> None:
        getattr(actors.context(), timer)(seconds, message)

    async with actors.open_system(worker("a", Doer), worker("b")) as system:
        with pytest.raises(ActorCrashed) as crashed:
            await system["a"].ask(Do(set_it))
        assert type(crashed.value.__cause__) is error
        assert system["b"].incarnation == 1


async def test_a_context_kept_past_its_actors_end_does_nothing() -> None:
    async with actors.open_system(worker("a"), worker("b")) as system:
        context, other = system["a"]._child.context, system["b"]
        await system.root.terminate_child("a")
        context.resize(3)
        assert not system["a"].alive
        await system.root.terminate_child("b")
        context.link(other)  # to what is gone, by what is gone
        await system.root.restart_child("a")
        assert await system["a"].ask(Add(1)) == 1
        assert system["a"].statistics().capacity == 3


@pytest.mark.parametrize("trap", [False, True])
async def test_a_link_from_a_start_to_what_is_gone_is_an_exit_to_share(trap: bool) -> None:  # R113
    log: list[Any] = []

    def start() -> Doer:
        if gone:
            actors.context().link(gone.pop())
        return Doer(log)

    async with actors.open_system(worker("b"), SupervisorSpec("s"), window=GENEROUS) as system:
        gone = [system["b"]]
        await system.root.terminate_child("b")
        await system.supervisor("s").start_child(worker("a", start, trap_exits=trap))
        await wait_all_tasks_blocked()
        assert system["s/a"].incarnation == (1 if trap else 2)
        assert [message.reason for message in log] == ([actors.Gone()] if trap else [])


async def test_a_control_tell_by_timer_comes_while_the_lane_is_held(autojump_clock: MockClock) -> None:
    actor = Doer()

    def start() -> Doer:
        actors.context().hold()
        actors.context().after(1, Urgent("now"))
        return actor

    async with actors.open_system(worker("a", start)):
        await trio.sleep(2)
        assert actor.log == [Urgent("now")]


async def test_a_resized_lane_takes_so_much_and_admits_who_waits(autojump_clock: MockClock) -> None:
    gate = trio.Event()
    async with actors.open_system(worker("a", capacity=1)) as system, trio.open_nursery() as nursery:
        ref, context = system["a"], system["a"]._child.context
        nursery.start_soon(ref.ask, Wait(gate))
        await wait_all_tasks_blocked()
        ref.tell(Note("1"))
        nursery.start_soon(ref.send, Note("2"))
        await wait_all_tasks_blocked()
        assert ref.statistics().queued == 1
        context.resize(3)
        assert (ref.statistics().queued, ref.statistics().capacity) == (2, 3)
        ref.tell(Note("3"))
        context.resize(1)
        with pytest.raises(actors.MailboxFull):
            ref.tell(Note("4"))
        gate.set()
        await wait_all_tasks_blocked()
        assert await ref.ask(Seen()) == ("waiting", "done", "1", "2", "3")


# -- what was meant for the dead


@frozen
class Tag(actors.Ask[str]):
    pass


@define
class Tagged:
    tag: str
    gate: trio.Event

    async def receive(self, message: Any) -> str:
        if isinstance(message, Drop):
            await self.gate.wait()
            raise message.error
        return self.tag


async def test_a_trace_closed_after_a_crash_does_not_bring_the_dead_back() -> None:
    gate, tags = trio.Event(), iter(("first", "second"))
    gate.set()
    async with actors.open_system(worker("a", lambda: Tagged(next(tags), gate))) as system:
        ref = system["a"]
        async with trace(ref):
            ref.tell(Drop(BOOM))
            await wait_all_tasks_blocked()
            assert await ref.ask(Tag()) == "second"
        assert await ref.ask(Tag()) == "second"


async def test_a_state_replaced_before_a_crash_goes_with_the_crash() -> None:
    gate = trio.Event()
    async with actors.open_system(worker("a", lambda: Tagged("fresh", gate))) as system:
        ref = system["a"]
        ref.tell(Drop(BOOM))
        await wait_all_tasks_blocked()
        replace_state(ref, lambda actor: Tagged("replaced", gate))
        gate.set()
        await wait_all_tasks_blocked()
        assert (ref.incarnation, await ref.ask(Tag())) == (2, "fresh")


async def test_a_down_that_was_queued_does_not_reach_the_next_incarnation() -> None:
    log: list[object] = []
    gate = trio.Event()

    async def crash_later() -> None:
        await gate.wait()
        raise BOOM

    async with actors.open_system(worker("a", lambda: Doer(log)), worker("b"), window=GENEROUS) as system:
        ref, target = system["a"], system["b"]
        await ref.ask(Do(lambda: actors.context().watch(target)))

        async def ask() -> None:
            with pytest.raises(ActorCrashed):
                await ref.ask(Do(crash_later))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await wait_all_tasks_blocked()
            target.kill()
            await wait_all_tasks_blocked()
            gate.set()
        await wait_all_tasks_blocked()
        assert (ref.incarnation, target.incarnation, log) == (2, 2, [])


async def test_names_and_watches_of_ended_temporary_actors_are_let_go() -> None:
    def start(number: int) -> Everything:
        actors.context().register(f"name {number}")
        return Everything()

    log: list[object] = []
    template = worker("t", start, restart=Restart.TEMPORARY)  # type: ignore[arg-type]
    async with actors.open_system(
        worker("watcher", lambda: Doer(log)), SupervisorSpec("s", template=template)
    ) as system:
        watcher = system["watcher"]
        for number in range(3):
            ref = await system.supervisor("s").start_from_template(number)
            assert ref is not None
            await watcher.ask(Do(lambda ref=ref: actors.context().watch(ref)))  # type: ignore[misc]
            assert system.names.of(ref) == (f"name {number}",)
            ref.stop()
            await wait_all_tasks_blocked()
            del ref
        assert len(log) == 3
        log.clear()  # each `Down` names its ref
        gc.collect()
        assert len(system.names._refs) == 0
        bonds = watcher._child.bonds
        assert bonds is not None
        assert bonds.watching == []


# -- asks given up, and full lanes


async def give_up(ref: actors.Ref, message: Any, times: int = 1) -> None:
    """Ask that many times at once, and go away."""
    async with trio.open_nursery() as nursery:
        for _ in range(times):
            nursery.start_soon(ref.ask, message)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def busy(**spec: Any) -> AsyncIterator[tuple[actors.Ref, trio.Event]]:
    """An actor that is in a handler until the gate is opened."""
    gate = trio.Event()
    async with actors.open_system(worker("a", **spec)) as system, trio.open_nursery() as nursery:
        nursery.start_soon(system["a"].ask, Wait(gate))
        await wait_all_tasks_blocked()
        yield system["a"], gate
        gate.set()


async def test_control_asks_that_were_given_up_leave_nothing() -> None:
    async with busy() as (ref, _):
        await give_up(ref, UrgentSeen(), times=5)
        assert not ref._mailbox.control
        assert (ref._mailbox.tombstones, ref.statistics().queued) == (0, 0)


async def test_a_sender_waits_no_longer_than_for_the_asks_that_were_given_up() -> None:
    async with busy(capacity=33) as (ref, _), trio.open_nursery() as nursery:
        async with trio.open_nursery() as asks:
            for _ in range(33):
                asks.start_soon(ref.ask, Add(1))
            await wait_all_tasks_blocked()
            nursery.start_soon(ref.send, Note("1"))
            await wait_all_tasks_blocked()
            asks.cancel_scope.cancel()
        await wait_all_tasks_blocked()
        assert not nursery.child_tasks
        assert ref.statistics().queued == 1


async def test_a_stop_is_never_shed() -> None:
    async with busy(capacity=2, overflow=Overflow.SHED_OLDEST, restart=Restart.TRANSIENT) as (ref, gate):
        ref.stop()
        for text in "abc":
            ref.tell(Note(text))
        assert ref.statistics().shed == 2
        gate.set()
        await wait_all_tasks_blocked()
        assert not ref.alive


async def test_an_ask_that_was_given_up_costs_no_credit() -> None:
    actor = Everything()

    def start() -> Everything:
        actors.context().hold()
        return actor

    async with actors.open_system(worker("a", start)) as system:
        ref = system["a"]
        await wait_all_tasks_blocked()
        await give_up(ref, Add(1), times=3)
        ref.tell(Note("a"))
        ref.tell(Note("b"))
        ref._child.context.release(1)
        await wait_all_tasks_blocked()
        assert actor.log == ["a"]
        assert (ref.statistics().handled, ref.statistics().queued) == (1, 1)


async def test_an_ask_that_was_given_up_is_not_counted_as_handled() -> None:
    async with busy() as (ref, gate):
        await give_up(ref, Add(1), times=3)
        gate.set()
        assert await ref.ask(Add(1)) == 1
        assert ref.statistics().handled == 2


# -- ends that are told


async def test_a_root_that_crashes_while_it_stops_is_told() -> None:
    def observe(event: TreeEvent) -> None:
        if isinstance(event, ChildStopped):
            raise BOOM

    with pytest.raises(SupervisorExit) as told:
        async with actors.open_system(worker("a"), observe=observe):
            await wait_all_tasks_blocked()
    assert told.value.__cause__ is BOOM


async def test_a_root_that_gives_up_says_so_to_a_body_whose_ask_it_ended() -> None:
    with pytest.raises(SupervisorExit) as told:
        async with actors.open_system(worker("a"), window=RestartWindow(0, 5.0)) as system:
            system["a"].tell(Drop(BOOM))
            await system["a"].ask(Add(1))  # queued behind the crash, and nobody is left to answer it
    assert told.value.__cause__ is BOOM


@pytest.mark.parametrize("nested", [False, True])
async def test_a_root_that_gives_up_while_the_body_leaves_says_so_with_the_crash_below(nested: bool) -> None:
    window = RestartWindow(0, 5.0)
    spec = SupervisorSpec("s", (worker("a"),), window=window) if nested else worker("a")
    with pytest.raises(SupervisorExit) as told:
        async with actors.open_system(spec, window=window) as system:
            try:
                await system["s/a" if nested else "a"].ask(Crash(BOOM))
            finally:
                with trio.CancelScope(shield=True):
                    await wait_all_tasks_blocked()
    assert told.value.__cause__ is BOOM


async def test_an_error_of_the_bodys_own_comes_before_that_of_the_root() -> None:
    with pytest.raises(LookupError):
        async with actors.open_system(worker("a"), window=RestartWindow(0, 5.0)) as system:
            try:
                system["a"].tell(Drop(BOOM))
                await trio.sleep_forever()
            finally:
                raise LookupError


async def test_a_living_thing_is_shown_in_a_line() -> None:
    async with actors.open_system(SupervisorSpec("s", tuple(worker(name) for name in "abc"))) as system:
        child = system["s/a"]._child
        for thing in (system, system.root, system.names, child, child.mailbox, child.context, child.keeper):
            assert len(repr(thing)) < 120
