"""What holds whatever happens: to any tree, under any faults, in any order of its tasks, cancelled at any point."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import trio
from attrs import define, field, frozen
from hypothesis import strategies as st

import actors
from actors import (
    ActorCrashed,
    ActorStopped,
    Backoff,
    ChildExited,
    ChildRefused,
    ChildSpec,
    ChildStarted,
    ChildStopped,
    ChildStuck,
    RestartWindow,
    Strategy,
    SupervisorExit,
    SupervisorSpec,
    TellsDropped,
    TreeEvent,
    Verdict,
)
from actors.testing import Outcome, assert_settled, carry_out, no_task_left, run
from actors.testing.strategies import Tree, plans, seeds, trees

from .claims import claim
from .support import Add, Crash, Everything, Note, Seen, Wait

BOOM = OSError("boom")

# -- a tree is watched while it lives


@define
class Chronicle:
    """What was observed of a tree, and when; and what is wrong with that."""

    root: SupervisorSpec
    events: list[tuple[float, TreeEvent]] = field(factory=list)

    def observe(self, event: TreeEvent) -> None:
        self.events.append((trio.current_time(), event))

    def spec(self, path: str) -> SupervisorSpec:
        at = self.root
        for name in path.split("/") if path else ():
            (found,) = (child for child in at.children if child.name == name)
            assert isinstance(found, SupervisorSpec)
            at = found
        return at

    def complaints(self) -> Iterator[str]:
        up: dict[str, int] = {}
        restarts = defaultdict[str, list[float]](list)
        may_stop = defaultdict[str, set[str]](set)  # a supervisor's children that its group restart stops
        leaving = set[str]()  # supervisors that have stopped a child without that
        for at, event in self.events:
            if isinstance(event, ChildStuck | TellsDropped):
                continue
            path, (parent, _, name) = event.path, event.path.rpartition("/")
            if isinstance(event, ChildStarted):
                if path in up:
                    yield f"{path} started twice"
                if parent in leaving:
                    yield f"{path} started, and {parent!r} had stopped a child that its strategy does not name"
                up[path] = event.incarnation
                may_stop[parent].clear()
                continue
            if path in up:
                if up.pop(path) != event.incarnation:
                    yield f"another incarnation of {path} ended than started"
                if isinstance(event, ChildStopped) and name not in may_stop[parent]:
                    leaving.add(parent)
            elif not isinstance(event, ChildExited):
                yield f"{path} stopped, and was not up"
            if isinstance(event, ChildExited) and event.verdict is Verdict.RESTART:
                spec = self.spec(parent)
                restarts[parent].append(at)
                recent = [then for then in restarts[parent] if at - then <= spec.window.period]
                if len(recent) > spec.window.intensity:
                    yield f"{parent!r} restarted {len(recent)} times in {spec.window}"
                names = [child.name for child in spec.children]
                may_stop[parent] = {
                    Strategy.ONE_FOR_ONE: set[str](),
                    Strategy.REST_FOR_ONE: set(names[names.index(name) :]),
                    Strategy.ONE_FOR_ALL: set(names),
                }[spec.strategy]
            below = [other for other in up if other.startswith(f"{path}/")]
            if below:
                yield f"{below} outlived {path}"
            restarts.pop(path, None)
            leaving.discard(path)
        if up:
            yield f"never seen to end: {sorted(up)}"


async def live_through(tree: Tree, plan: Any, chronicle: Chronicle, outcome: Outcome) -> None:
    """Open a tree, do what is planned, let all time pass, and end it, and with it the asks that nobody answered."""
    async with no_task_left(), trio.open_nursery() as asks:
        with suppress(SupervisorExit):
            async with actors.open_system(*tree.spec.children, **tree.opened(), observe=chronicle.observe) as system:
                asks.start_soon(carry_out, system, plan, outcome)
                await trio.sleep(1000)
                await assert_settled(system)


@claim(trees().flatmap(lambda tree: st.tuples(st.just(tree), plans(tree))), seeds(), examples=150)
def test_a_tree_keeps_its_budgets_and_its_siblings_apart_and_nothing_outlives_its_supervisor(
    example: tuple[Tree, Any], seed: int
) -> None:  # R12, R20, R24, R30-R32, R44, R50-R54, K4, K12
    """Each incarnation ends exactly once and before its supervisor does; each ask ends exactly once."""
    tree, plan = example
    chronicle, outcome = Chronicle(tree.spec), Outcome()
    run(live_through, tree, plan, chronicle, outcome, seed=seed)
    outcome.assert_each_ended_once()
    assert not (wrong := list(chronicle.complaints())), wrong


# -- order


@frozen
class Numbered(actors.Tell):
    sender: int
    number: int
    crash: bool = False


@frozen
class NumberedAsk(actors.Ask[None]):
    sender: int
    number: int
    crash: bool = False


@define
class Receiver:
    handled: list[tuple[int, int]]

    def receive(self, message: Numbered | NumberedAsk) -> None:
        self.handled.append((message.sender, message.number))
        if message.crash:
            raise BOOM


Verb = tuple[str, bool]
verbs = st.tuples(st.sampled_from(["tell", "send", "send", "ask"]), st.sampled_from([False, False, True]))


async def send_all(scripts: list[list[Verb]], capacity: int, handled: list[tuple[int, int]]) -> int:
    """Let each script be carried out by a task of its own; return how many messages were refused."""
    refused = 0

    async def sender(ref: actors.Ref, who: int, script: list[Verb]) -> None:
        nonlocal refused
        for number, (verb, crash) in enumerate(script):
            try:
                match verb:
                    case "tell":
                        ref.tell(Numbered(who, number, crash))
                    case "send":
                        await ref.send(Numbered(who, number, crash))
                    case "ask":
                        with suppress(ActorCrashed):
                            await ref.ask(NumberedAsk(who, number, crash))
            except actors.MailboxFull:
                refused += 1

    spec = ChildSpec("a", lambda: Receiver(handled), capacity=capacity)
    async with actors.open_system(spec, window=RestartWindow(1000, 5.0)) as system:
        async with trio.open_nursery() as senders:
            for who, script in enumerate(scripts):
                senders.start_soon(sender, system["a"], who, script)
        await assert_settled(system)
    return refused


@claim(st.lists(st.lists(verbs, max_size=8), min_size=1, max_size=4), st.integers(1, 3), seeds(), examples=150)
def test_what_one_task_sends_is_handled_in_order_and_once_over_all_crashes(
    scripts: list[list[Verb]], capacity: int, seed: int
) -> None:  # R130, K3, K9
    handled: list[tuple[int, int]] = []
    refused = run(send_all, scripts, capacity, handled, seed=seed)
    for who in range(len(scripts)):
        numbers = [number for sender, number in handled if sender == who]
        assert numbers == sorted(set(numbers))
    assert len(handled) + refused == sum(map(len, scripts))


# -- a restart loop


@define
class Loop:
    """A child that comes up once, and never again."""

    asynchronous: bool
    attempts: int = 0
    asked_to_stop_at: int | None = None

    def start(self) -> Any:
        self.attempts += 1
        return self._fail() if self.asynchronous else self._come_up(Everything())

    @asynccontextmanager
    async def _fail(self) -> AsyncIterator[Everything]:
        await trio.lowlevel.checkpoint()
        yield self._come_up(Everything())

    def _come_up(self, actor: Everything) -> Everything:
        if 1 < self.attempts < 200:  # if nothing stops the loop before, the loop ends, and the test with it
            raise BOOM
        return actor


async def stop_the_loop(loop: Loop, how: str, siblings: int, strategy: Strategy, backoff: Backoff | None) -> float:
    """Start a restart loop, end it, and return how long that took."""
    looping = ChildSpec("loop", loop.start, backoff=backoff)
    inner = SupervisorSpec(
        "inner",
        (looping, *(ChildSpec(f"sibling{number}", Everything) for number in range(siblings))),
        strategy=strategy,
        window=RestartWindow(10**9, 5.0),
    )
    with trio.CancelScope() as scope:
        async with actors.open_system(inner) as system:
            supervisor = system.supervisor("inner")
            with suppress(ActorCrashed):
                await system["inner/loop"].ask(Crash(BOOM))
            await trio.sleep(1 if backoff else 0)
            began, loop.asked_to_stop_at = trio.current_time(), loop.attempts
            match how:
                case "cancel":
                    scope.cancel()
                    await trio.lowlevel.checkpoint()
                case "terminate":
                    await supervisor.terminate_child("loop")
                    assert loop.attempts <= loop.asked_to_stop_at + ON_ITS_WAY
                    await assert_settled(system)
                case "terminate the supervisor":
                    await system.root.terminate_child("inner")
                case "ask":
                    assert (await supervisor.which_children())[-1].status == "restarting"
    return trio.current_time() - began


ON_ITS_WAY = 5  # attempts while what ends the loop goes from task to task, one scheduler's turn each


@claim(
    st.booleans(),
    st.sampled_from(["leave", "cancel", "terminate", "terminate the supervisor", "ask"]),
    st.integers(0, 2),
    st.sampled_from(Strategy),
    st.none() | st.just(Backoff(first=1000, cap=1000)),
    seeds(),
    examples=80,
)
def test_a_stop_overtakes_any_restart_loop(
    asynchronous: bool, how: str, siblings: int, strategy: Strategy, backoff: Backoff | None, seed: int
) -> None:  # R35, R95, K11
    loop = Loop(asynchronous)
    took = run(stop_the_loop, loop, how, siblings, strategy, backoff, seed=seed)
    assert took == 0
    assert loop.asked_to_stop_at is not None
    assert loop.attempts <= loop.asked_to_stop_at + ON_ITS_WAY


# -- cancellation, at every point


@define
class Attempt:
    """Something that was begun, and cancelled a while later."""

    done: bool = False  # it came to its end
    in_time: bool = False  # before it was cancelled


async def cancelled(do: Callable[[], Awaitable[object]], ticks: int, after: trio.Event | None = None) -> Attempt:
    """Do something, and cancel it so many turns of the scheduler after an event, or after its begin."""
    attempt = Attempt()

    async def cancel() -> None:
        if after is not None:
            await after.wait()
        for _ in range(ticks):
            await trio.lowlevel.cancel_shielded_checkpoint()
        scope.cancel()

    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            nursery.start_soon(cancel)
            await do()
            attempt = Attempt(done=True, in_time=not scope.cancel_called)
        nursery.cancel_scope.cancel()
    return attempt


def at_every_point(trial: Callable[[int], Awaitable[bool]], seed: int) -> None:
    """Run a trial, cancelled after 0, 1, 2, ... turns, until it comes to its end before."""
    for ticks in range(100):
        if run(trial, ticks, seed=seed):
            return
    raise AssertionError("it never came to its end")


def logged(log: list[str], name: str) -> Any:
    """Return a start that waits a little in its init and in its clean-up, and logs both."""

    @asynccontextmanager
    async def start() -> AsyncIterator[Everything]:
        await trio.lowlevel.checkpoint()
        log.append(f"{name} up")
        try:
            yield Everything()
        finally:
            log.append(f"{name} down")
            with trio.CancelScope(shield=True):
                await trio.lowlevel.checkpoint()

    return start


def nested(log: list[str]) -> tuple[actors.Spec, ...]:
    inner = SupervisorSpec("inner", (ChildSpec("b", logged(log, "b")), ChildSpec("p", Everything)))
    return ChildSpec("a", logged(log, "a")), inner, ChildSpec("d", logged(log, "d"))


@claim(seeds(), examples=8)
def test_a_start_of_a_system_can_be_cancelled_at_any_point(seed: int) -> None:  # R12, K12
    async def trial(ticks: int) -> bool:
        log: list[str] = []
        inside = False

        async def open_it() -> None:
            nonlocal inside
            async with actors.open_system(*nested(log)):
                inside = True

        async with no_task_left():
            attempt = await cancelled(open_it, ticks)
        assert [line for line in log if line.endswith("up")] == ["a up", "b up", "d up"][: len(log) // 2]
        assert sorted(log) == sorted(f"{line[0]} {way}" for line in log[: len(log) // 2] for way in ("up", "down"))
        if inside:
            assert log[len(log) // 2 :] == ["d down", "b down", "a down"]
        return attempt.in_time

    at_every_point(trial, seed)


@claim(seeds(), examples=8)
def test_the_end_of_a_system_can_be_cancelled_at_any_point(seed: int) -> None:  # R44, K12
    async def trial(ticks: int) -> bool:
        log: list[str] = []
        leaving = trio.Event()

        async def end_it() -> None:
            async with actors.open_system(*nested(log)):
                log.clear()
                leaving.set()

        async with no_task_left():
            attempt = await cancelled(end_it, ticks, after=leaving)
        assert log == ["d down", "b down", "a down"]
        return attempt.in_time

    at_every_point(trial, seed)


@claim(seeds(), st.sampled_from(["at rest", "busy"]), examples=16)
def test_an_ask_can_be_cancelled_at_any_point(seed: int, actor: str) -> None:  # K4, K6
    async def trial(ticks: int) -> bool:
        async with (
            actors.open_system(ChildSpec("a", Everything, capacity=1)) as system,
            trio.open_nursery() as nursery,
        ):
            ref = system["a"]
            gate = trio.Event()
            if actor == "busy":
                nursery.start_soon(ref.ask, Wait(gate))
                await trio.testing.wait_all_tasks_blocked()

            async def open_gate() -> None:
                for _ in range(3):
                    await trio.lowlevel.checkpoint()
                gate.set()

            nursery.start_soon(open_gate)
            attempt = await cancelled(lambda: ref.ask(Add(1)), ticks)
            gate.set()
            await trio.testing.wait_all_tasks_blocked()
            assert ref.statistics().queued == 0
            assert await ref.ask(Add(0)) == (1 if attempt.done else 0)
            await assert_settled(system)
        return attempt.in_time

    at_every_point(trial, seed)


@claim(seeds(), examples=16)
def test_a_send_that_is_cancelled_has_sent_all_or_nothing(seed: int) -> None:  # K8
    async def trial(ticks: int) -> bool:
        async with (
            actors.open_system(ChildSpec("a", Everything, capacity=1)) as system,
            trio.open_nursery() as nursery,
        ):
            ref, gate = system["a"], trio.Event()
            nursery.start_soon(ref.ask, Wait(gate))
            await trio.testing.wait_all_tasks_blocked()
            await ref.send(Note("first"))

            async def open_gate() -> None:
                for _ in range(3):
                    await trio.lowlevel.checkpoint()
                gate.set()

            nursery.start_soon(open_gate)
            attempt = await cancelled(lambda: ref.send(Note("second")), ticks)
            gate.set()
            await trio.testing.wait_all_tasks_blocked()
            notes = [text for text in await ref.ask(Seen()) if text in ("first", "second")]
            assert notes == (["first", "second"] if attempt.done else ["first"])
            await assert_settled(system)
        return attempt.in_time

    at_every_point(trial, seed)


@claim(seeds(), st.booleans(), examples=16)
def test_a_request_of_a_supervisor_that_is_cancelled_was_done_or_was_not(seed: int, terminate: bool) -> None:  # R77
    async def trial(ticks: int) -> bool:
        log: list[str] = []
        async with no_task_left(), actors.open_system(ChildSpec("a", logged(log, "a"))) as system:
            root = system.root

            async def request() -> None:
                if terminate:
                    await root.terminate_child("a")
                else:
                    await root.start_child(ChildSpec("n", logged(log, "n")))

            attempt = await cancelled(request, ticks)
            await assert_settled(system)
            count = await root.count_children()
            if terminate:
                assert (count.specs, count.active) in (((1, 0),) if attempt.done else ((1, 0), (1, 1)))
                if not count.active:
                    with pytest.raises(ActorStopped):
                        await system["a"].ask(Add(1))
                await root.terminate_child("a")
                await root.restart_child("a")
                assert await system["a"].ask(Add(1)) == 1
            else:
                assert (count.specs, count.active) in (((2, 2),) if attempt.done else ((1, 1), (2, 2)))
                with suppress(ChildRefused):
                    await root.start_child(ChildSpec("n", logged(log, "n")))
                assert await system["n"].ask(Add(1)) == 1
        ups = sum(line.endswith("up") for line in log)
        assert len(log) == 2 * ups
        return attempt.in_time

    at_every_point(trial, seed)
