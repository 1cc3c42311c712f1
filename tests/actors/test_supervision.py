"""What a supervisor does: order of start and stop, strategies, restart windows, backoff, requests."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import (
    BRUTAL_KILL,
    IGNORE,
    ActorCrashed,
    ActorStopped,
    Backoff,
    ChildExited,
    ChildRefused,
    ChildSpec,
    ChildStarted,
    Killed,
    Restart,
    RestartWindow,
    Shutdown,
    Strategy,
    SupervisorExit,
    SupervisorSpec,
    TreeEvent,
)

from .support import Add, Crash, Drop, Everything, Note, Seen, Wait, managed

BOOM = OSError("boom")


async def crash(ref: actors.Ref) -> None:
    """Crash an actor, and wait until its supervisor has dealt with it."""
    with pytest.raises(ActorCrashed):
        await ref.ask(Crash(BOOM))
    await wait_all_tasks_blocked()


def trio_log(log: list[str], names: str = "abc", **kwargs: Any) -> list[ChildSpec]:
    return [ChildSpec(name, managed(log, name), **kwargs) for name in names]


async def test_children_start_in_order_and_stop_in_reverse() -> None:  # R10, R44
    log: list[str] = []
    async with actors.open_system(*trio_log(log)):
        assert log == ["a up", "b up", "c up"]
        log.clear()
    assert log == ["c down", "b down", "a down"]


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (Strategy.ONE_FOR_ONE, ["b down", "b up"]),
        (Strategy.ONE_FOR_ALL, ["b down", "c down", "a down", "a up", "b up", "c up"]),
        (Strategy.REST_FOR_ONE, ["b down", "c down", "b up", "c up"]),
    ],
)
async def test_a_crash_restarts_what_the_strategy_names(strategy: Strategy, expected: list[str]) -> None:  # R30-R32
    log: list[str] = []
    async with actors.open_system(*trio_log(log), strategy=strategy) as system:
        log.clear()
        await crash(system["b"])
        assert log == expected


async def test_addresses_and_queues_outlive_a_group_restart(autojump_clock: MockClock) -> None:  # K3
    log: list[str] = []
    async with (
        actors.open_system(*trio_log(log, "ab"), strategy=Strategy.ONE_FOR_ALL) as system,
        trio.open_nursery() as nursery,
    ):
        b = system["b"]

        async def in_hand() -> None:
            with pytest.raises(ActorStopped):  # K5: a sibling's crash, not its own
                await b.ask(Wait(trio.Event()))

        nursery.start_soon(in_hand)
        await wait_all_tasks_blocked()
        b.tell(Note("queued"))
        system["a"].tell(Drop(BOOM))
        with trio.fail_after(60):
            assert await b.ask(Seen()) == ("queued",)
        assert b.incarnation == 2


@pytest.mark.parametrize("first", "ab")
async def test_a_sibling_that_has_died_as_well_is_restarted_with_the_group_and_counted_with_it(first: str) -> None:
    # R34, R52
    events: list[TreeEvent] = []
    specs = [ChildSpec(name, Everything) for name in "ab"]
    window = RestartWindow(1, 5.0)
    async with actors.open_system(
        *specs, strategy=Strategy.ONE_FOR_ALL, window=window, observe=events.append
    ) as system:
        system[first].kill()
        system["ba"["ab".index(first)]].kill()
        for name in "ab":
            assert await system[name].ask(Add(1)) == 1
            assert system[name].incarnation == 2
        ends = [event for event in events if not isinstance(event, ChildStarted)]
        assert sorted(type(event).__name__ for event in ends) == ["ChildExited", "ChildStopped"]
        assert {event.reason for event in ends} == {Killed()}
    assert trio.lowlevel.current_statistics().tasks_living <= 5


async def test_temporary_siblings_of_a_group_restart_are_gone() -> None:  # R33
    log: list[str] = []
    specs = trio_log(log, "a") + trio_log(log, "t", restart=Restart.TEMPORARY)
    async with actors.open_system(*specs, strategy=Strategy.ONE_FOR_ALL) as system:
        t = system["t"]
        await crash(system["a"])
        assert "t" not in system
        assert not t.alive


async def test_a_transient_child_that_ends_normally_stays_down_and_can_be_restarted_by_hand() -> None:  # R22, R24, R72
    async with actors.open_system(ChildSpec("a", Everything, restart=Restart.TRANSIENT)) as system:
        ref = system["a"]
        ref.stop()
        await wait_all_tasks_blocked()
        with pytest.raises(ActorStopped):
            await ref.ask(Add(1))
        assert await system.root.restart_child("a") is ref
        assert await ref.ask(Add(1)) == 1
        assert ref.incarnation == 2


async def test_a_root_gives_up_when_its_window_is_spent_and_names_the_last_crash() -> None:  # R53, T18
    with pytest.raises(SupervisorExit, match="boom") as gave_up:
        async with actors.open_system(ChildSpec("a", Everything), window=RestartWindow(2, 5.0)) as system:
            for _ in range(3):
                await crash(system["a"])
            await trio.sleep_forever()
    assert gave_up.value.__cause__ is BOOM


async def test_restarts_older_than_the_period_do_not_count(autojump_clock: MockClock) -> None:  # R51, R54
    async with actors.open_system(ChildSpec("a", Everything), window=RestartWindow(1, 5.0)) as system:
        for _ in range(5):
            await crash(system["a"])
            await trio.sleep(5.1)
        assert system["a"].incarnation == 6


async def test_a_spent_window_escalates_one_level_and_a_transient_island_stays_down() -> None:  # R53, R24
    log: list[str] = []
    island = SupervisorSpec(
        "island", tuple(trio_log(log, "a")), window=RestartWindow(0, 5.0), restart=Restart.TRANSIENT
    )
    async with actors.open_system(SupervisorSpec("fleet", (island, *trio_log(log, "b")))) as system:
        a, b = system["fleet/island/a"], system["fleet/b"]
        await crash(a)
        assert not a.alive
        assert b.incarnation == 1
        assert "fleet/island/a" not in system
        assert [node.status for node in system.tree().children[0].children] == ["stopped", "running"]
        await system.supervisor("fleet").restart_child("island")
        assert await system["fleet/island/a"].ask(Add(1)) == 1
        assert not a.alive, "a restarted supervisor makes new addresses (R15)"


async def test_a_child_that_does_not_start_stops_those_before_it_and_the_system_does_not_open() -> None:  # R12
    log: list[str] = []

    def broken() -> Everything:
        raise BOOM

    with pytest.raises(SupervisorExit, match="could not start bad") as gave_up:
        async with actors.open_system(*trio_log(log, "ab"), ChildSpec("bad", broken), *trio_log(log, "z")):
            raise AssertionError("entered")
    assert log == ["a up", "b up", "b down", "a down"]
    assert gave_up.value.__cause__ is BOOM


async def test_a_child_that_says_ignore_is_kept_and_not_running() -> None:  # R11
    async with actors.open_system(ChildSpec("a", lambda: IGNORE), ChildSpec("b", Everything)) as system:
        assert [node.status for node in system.tree().children] == ["stopped", "running"]
        with pytest.raises(ActorStopped):
            await system["a"].ask(Add(1))
        temporary = ChildSpec("t", lambda: IGNORE, restart=Restart.TEMPORARY)
        assert await system.root.start_child(temporary) is None
        assert "t" not in system


async def coroutine() -> Everything:
    return Everything()


@asynccontextmanager
async def yields_nothing(log: list[str]) -> AsyncIterator[Any]:
    try:
        yield None
    finally:
        log.append("cleaned up")


async def test_a_start_that_gives_no_actor_is_a_failed_start() -> None:  # R13
    log: list[str] = []
    starts: list[tuple[Callable[[], Any], str]] = [
        (lambda: "garbage", "'garbage', which has no receive"),
        (coroutine, "is async"),
        (lambda: yields_nothing(log), "None, which has no receive"),
    ]
    for start, complaint in starts:
        with pytest.raises(SupervisorExit, match=complaint):
            async with actors.open_system(ChildSpec("a", start)):
                raise AssertionError("entered")
    assert log == ["cleaned up"]


async def test_a_child_that_ends_right_after_it_came_up_has_started() -> None:  # R14, R21
    @asynccontextmanager
    async def short_lived() -> AsyncIterator[Everything]:
        if not log:
            actors.context().ref.stop(now=True)
        log.append("up")
        yield Everything()

    log: list[str] = []
    async with actors.open_system(ChildSpec("a", short_lived)) as system:
        assert await system["a"].ask(Add(1)) == 1
        assert log == ["up", "up"]


def failing_starts(failures: int, log: list[float]) -> Callable[[], Everything]:
    """Return a start that fails so many times, after the first success."""

    def start() -> Everything:
        log.append(trio.current_time())
        if 2 <= len(log) <= failures + 1:
            raise BOOM
        return Everything()

    return start


async def test_a_restart_that_fails_is_tried_again_and_each_attempt_counts() -> None:  # R35, R52
    for intensity, survives in ((3, True), (2, False)):
        log: list[float] = []
        try:
            async with actors.open_system(
                ChildSpec("a", failing_starts(2, log)), window=RestartWindow(intensity, 5.0)
            ) as system:
                await crash(system["a"])
                assert await system["a"].ask(Add(1)) == 1
                assert survives
        except SupervisorExit:
            assert not survives


async def test_a_backoff_delays_restarts_and_starts_over_after_enough_uptime(autojump_clock: MockClock) -> None:  # K11
    log: list[float] = []
    backoff = Backoff(first=1, factor=2, cap=3, jitter=0, reset=100)
    spec = ChildSpec("a", failing_starts(3, log), backoff=backoff)
    async with actors.open_system(spec, window=RestartWindow(100, 5.0)) as system:
        start = trio.current_time()
        await crash(system["a"])
        await system["a"].ask(Add(1))
        assert [at - start for at in log] == [0, 1, 3, 6, 9]
        await trio.sleep(100)
        before = trio.current_time()
        await crash(system["a"])
        await system["a"].ask(Add(1))
        assert trio.current_time() - before == 1


async def test_a_stop_overtakes_a_restart_that_waits(autojump_clock: MockClock) -> None:  # K11
    spec = ChildSpec("a", Everything, backoff=Backoff(first=1000, cap=1000))
    async with actors.open_system(spec, window=RestartWindow(2, 5.0)) as system:
        start = trio.current_time()
        ref = system["a"]
        await crash(ref)
        assert system.tree().children[0].status == "restarting"
        with pytest.raises(ChildRefused, match="restarting"):
            await system.root.restart_child("a")
        await system.root.terminate_child("a")
        assert system.tree().children[0].status == "stopped"
        with pytest.raises(ActorStopped):
            await ref.ask(Add(1))
        await system.root.restart_child("a")
        await crash(ref)
    assert trio.current_time() == start


async def test_a_child_that_overruns_its_shutdown_time_is_killed(autojump_clock: MockClock) -> None:  # R41
    log: list[str] = []

    @asynccontextmanager
    async def slow() -> AsyncIterator[Everything]:
        try:
            yield Everything()
        finally:
            with trio.CancelScope() as scope:
                try:
                    await trio.sleep(10)
                except trio.Cancelled:
                    log.append(f"killed at {trio.current_time() - start}")
                    raise
            assert not scope.cancelled_caught

    start = trio.current_time()
    async with actors.open_system(ChildSpec("a", slow, shutdown=2.0)):
        pass
    assert log == ["killed at 2.0"]
    assert trio.current_time() - start == 2.0


async def test_a_handler_in_hand_has_the_shutdown_time_to_finish(autojump_clock: MockClock) -> None:  # K8
    actor = Everything()
    answers: list[str] = []
    gate = trio.Event()
    async with trio.open_nursery() as nursery:
        async with actors.open_system(ChildSpec("a", lambda: actor, shutdown=5.0)) as system:

            async def ask() -> None:
                answers.append(await system["a"].ask(Wait(gate)))

            async def open_gate() -> None:
                await trio.sleep(3)
                gate.set()

            nursery.start_soon(ask)
            await wait_all_tasks_blocked()
            nursery.start_soon(open_gate)
    assert answers == ["done"]


@pytest.mark.parametrize("shutdown", [BRUTAL_KILL, 0.0])
async def test_a_stop_without_time_kills_at_once(shutdown: Any) -> None:  # R40, R42
    log: list[str] = []
    async with actors.open_system(ChildSpec("a", managed(log), shutdown=shutdown)) as system:
        ref = system["a"]
    assert log == ["actor up", "actor down"]
    assert not ref.alive


async def test_a_child_without_clean_up_that_has_no_time_still_ends_by_its_first_signal() -> None:  # R42
    events: list[TreeEvent] = []
    for _ in range(20):  # the scheduler draws who is first
        async with actors.open_system(ChildSpec("a", managed([]), shutdown=0.0), observe=events.append):
            pass
    assert {event.reason for event in events if not isinstance(event, ChildStarted)} == {Shutdown()}


async def test_children_stop_one_after_another_or_all_at_once_as_the_spec_says(autojump_clock: MockClock) -> None:
    @asynccontextmanager
    async def slow() -> AsyncIterator[Everything]:
        yield Everything()
        await trio.sleep(3)

    for concurrent, seconds in ((False, 9), (True, 3)):
        fleet = SupervisorSpec("fleet", tuple(ChildSpec(n, slow) for n in "abc"), concurrent_stop=concurrent)
        async with actors.open_system(fleet):
            start = trio.current_time()
        assert trio.current_time() - start == seconds


async def test_a_kill_ends_an_incarnation_whatever_it_is_doing_and_its_asker_hears_that_it_stopped() -> None:
    async with actors.open_system(ChildSpec("a", Everything)) as system, trio.open_nursery() as nursery:

        async def ask() -> None:
            with pytest.raises(ActorStopped, match="killed"):
                await system["a"].ask(Wait(trio.Event()))

        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        system["a"].kill()
        await wait_all_tasks_blocked()
        assert system["a"].incarnation == 2
        assert await system["a"].ask(Add(1)) == 1


async def test_a_kill_that_a_handler_shrugs_off_ends_it_after_that_message() -> None:
    class Stubborn(Everything):
        async def _wait(self, gate: trio.Event) -> str:
            with suppress(trio.Cancelled):
                await gate.wait()
            return "shrugged"

    actor = Stubborn()
    async with (
        actors.open_system(ChildSpec("a", lambda: actor, restart=Restart.TEMPORARY)) as system,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(system["a"].ask, Wait(trio.Event()))
        await wait_all_tasks_blocked()
        system["a"].tell(Note("not handled"))
        system["a"].kill()
        await wait_all_tasks_blocked()
        assert actor.log == []
        assert "a" not in system


async def test_a_supervisor_drops_what_it_does_not_know_and_refuses_to_answer_it() -> None:  # R92
    inner = SupervisorSpec("inner", (ChildSpec("a", Everything),))
    async with actors.open_system(inner) as system:
        system["inner"].tell(Note("hello"))
        with pytest.raises(actors.Refusal, match="does not know the message Add"):
            await system["inner"].ask(Add(1))
        assert system["inner"].incarnation == 1


async def test_a_killed_supervisor_takes_its_children_with_it_and_comes_back_with_new_ones() -> None:  # R94, R15
    log: list[str] = []
    inner = SupervisorSpec("inner", tuple(trio_log(log, "ab")))
    async with actors.open_system(inner) as system:
        await system.supervisor("inner").start_child(ChildSpec("c", Everything))
        old = system["inner/a"]
        log.clear()
        system["inner"].kill()
        await wait_all_tasks_blocked()
        assert sorted(log[:2]) == ["a down", "b down"]
        assert log[2:] == ["a up", "b up"]
        assert not old.alive
        assert "inner/c" not in system
        assert await system["inner/a"].ask(Add(1)) == 1


async def test_children_that_a_function_gives_are_those_of_the_moment_at_each_start() -> None:  # R15
    wanted = ["a"]
    inner = SupervisorSpec("inner", lambda: tuple(ChildSpec(name, Everything) for name in wanted))
    async with actors.open_system(inner) as system:
        wanted[:] = ["b", "c"]
        assert "inner/a" in system
        assert "inner/b" not in system
        system["inner"].kill()
        await wait_all_tasks_blocked()
        assert "inner/a" not in system
        assert await system["inner/c"].ask(Add(1)) == 1


async def test_what_a_function_gives_is_checked_and_fails_the_start() -> None:  # R5, R12
    twice = SupervisorSpec("inner", lambda: (ChildSpec("a", Everything), ChildSpec("a", Everything)))
    with pytest.raises(actors.SupervisorExit) as gave_up:
        async with actors.open_system(twice):
            pass
    assert "have names of their own" in str(gave_up.value.__cause__)


async def test_an_outer_cancellation_stops_the_tree_in_order_each_child_with_its_time(
    autojump_clock: MockClock,
) -> None:  # K12, T5
    log: list[str] = []

    def slow(name: str) -> Callable[[], Any]:
        @asynccontextmanager
        async def start() -> AsyncIterator[Everything]:
            try:
                yield Everything()
            finally:
                await trio.sleep(1)
                log.append(name)

        return start

    with trio.move_on_after(5) as scope:
        async with actors.open_system(*(ChildSpec(name, slow(name)) for name in "abc")):
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert log == ["c", "b", "a"]
    assert trio.current_time() - 5 == pytest.approx(3)


async def test_an_outer_cancellation_while_the_tree_starts_leaves_nothing(autojump_clock: MockClock) -> None:
    log: list[str] = []

    @asynccontextmanager
    async def never() -> AsyncIterator[Everything]:
        await trio.sleep_forever()
        yield Everything()

    with trio.move_on_after(5) as scope:
        async with actors.open_system(*trio_log(log, "a"), ChildSpec("never", never)):
            raise AssertionError("entered")
    assert scope.cancelled_caught
    assert log == ["a up", "a down"]


async def test_an_exception_of_the_body_comes_out_bare_after_the_tree_has_stopped() -> None:  # K12
    log: list[str] = []
    with pytest.raises(ZeroDivisionError):
        async with actors.open_system(*trio_log(log, "a")):
            raise ZeroDivisionError
    assert log == ["a up", "a down"]


async def test_a_keyboard_interrupt_in_an_actor_stops_the_tree_and_comes_out_bare() -> None:  # T12
    log: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        async with actors.open_system(*trio_log(log, "ab")) as system:
            system["a"].tell(Drop(KeyboardInterrupt()))
            await trio.sleep_forever()
    assert log == ["a up", "b up", "a down", "b down"]


@pytest.mark.parametrize("incarnation", [1, 2])
async def test_an_exit_in_a_start_stops_the_tree_and_comes_out_bare(incarnation: int) -> None:  # T12
    log: list[str] = []

    def start() -> Everything:
        if actors.context().ref.incarnation == incarnation:
            raise SystemExit(7)
        return Everything()

    with pytest.raises(SystemExit):
        async with actors.open_system(ChildSpec("a", managed(log)), ChildSpec("b", start)) as system:
            system["b"].tell(Drop(BOOM))
            await trio.sleep_forever()
    assert log == ["actor up", "actor down"]


async def test_requests_have_the_outcomes_of_otp() -> None:  # R70-R73
    async with actors.open_system(ChildSpec("a", Everything)) as system:
        root = system.root
        with pytest.raises(ChildRefused, match="already started"):
            await root.start_child(ChildSpec("a", Everything))
        with pytest.raises(ChildRefused, match="running"):
            await root.restart_child("a")
        with pytest.raises(ChildRefused, match="running"):
            await root.delete_child("a")
        await root.terminate_child("a")
        await root.terminate_child("a")
        with pytest.raises(ChildRefused, match="already present"):
            await root.start_child(ChildSpec("a", Everything))
        await root.delete_child("a")
        for request in (root.terminate_child, root.restart_child, root.delete_child):
            with pytest.raises(ChildRefused, match="not found"):
                await request("a")

        def broken() -> Everything:
            raise BOOM

        with pytest.raises(ChildRefused, match=r"start failed.*boom"):
            await root.start_child(ChildSpec("bad", broken))
        assert "bad" not in system
        with pytest.raises(ChildRefused, match="never shuts down"):
            await root.start_child(ChildSpec("s", Everything, restart=Restart.TRANSIENT, significant=True))
        assert system.tree().children == ()


async def test_an_actor_with_a_nursery_crashes_with_what_its_helper_raises() -> None:  # K2
    @asynccontextmanager
    async def start() -> AsyncIterator[Everything]:
        async def helper() -> None:
            await wakes.pop().wait()
            raise BOOM

        actors.context().nursery.start_soon(helper)
        yield Everything()

    wake = trio.Event()
    wakes = [trio.Event(), wake]
    events: list[TreeEvent] = []
    async with actors.open_system(ChildSpec("a", start, nursery=True), observe=events.append) as system:
        await system["a"].ask(Add(1))
        wake.set()
        await wait_all_tasks_blocked()
        assert isinstance(events[1], ChildExited)
        assert events[1].reason == actors.Crashed(BOOM)
    assert isinstance(events[0], ChildStarted)


async def test_a_clean_up_that_swallows_the_crash_does_not_hide_it() -> None:
    @asynccontextmanager
    async def forgiving() -> AsyncIterator[Everything]:
        with suppress(OSError):
            yield Everything()

    async with actors.open_system(ChildSpec("a", forgiving)) as system:
        with pytest.raises(ActorCrashed, match="boom"):
            await system["a"].ask(Crash(BOOM))


async def test_a_clean_up_that_fails_while_being_stopped_is_just_stopped() -> None:  # R43
    @asynccontextmanager
    async def clumsy() -> AsyncIterator[Everything]:
        yield Everything()
        raise BOOM

    async with actors.open_system(ChildSpec("a", clumsy)) as system:
        await system.root.terminate_child("a")
        assert system.tree().children[0].restarts == 0


async def test_the_tree_draws_itself() -> None:
    inner = SupervisorSpec("inner", (ChildSpec("a", Everything), ChildSpec("b", Everything)))
    async with actors.open_system(inner, ChildSpec("c", Everything)) as system:
        await crash(system["inner/a"])
        assert str(system.tree()).splitlines() == [
            "root  running",
            "├─ inner  running",
            "│  ├─ a  running, 1 restart",
            "│  └─ b  running",
            "└─ c  running",
        ]
        with pytest.raises(KeyError, match="no child 'x' in 'inner'"):
            system["inner/x"]
        with pytest.raises(KeyError, match="worker"):
            system.supervisor("c")


async def test_a_system_leaves_no_task() -> None:  # K12
    before = trio.lowlevel.current_statistics().tasks_living
    async with actors.open_system(*trio_log([], "abc"), ChildSpec("d", Everything, backoff=Backoff(cap=math.inf))) as s:
        await s["d"].ask(Add(1))
        await crash(s["d"])
    assert trio.lowlevel.current_statistics().tasks_living == before
