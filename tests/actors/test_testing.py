"""What `actors.testing` promises: each helper lets a sound actor pass, and catches one that is not."""

from __future__ import annotations

import itertools
import random
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from typing import Any

import pytest
import trio
from attrs import define, frozen
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import (
    ActorCrashed,
    Ask,
    Backoff,
    ChildSpec,
    Refusal,
    ReplyDropped,
    RestartWindow,
    SupervisorExit,
    SupervisorSpec,
    Tell,
    debug,
    testing,
)
from actors.mailbox import Mailbox
from actors.testing import (
    Action,
    Answer,
    Asking,
    Boom,
    Crash,
    Defer,
    Drop,
    Ignore,
    Killing,
    Knock,
    Nudge,
    Outcome,
    Overrun,
    Pausing,
    Probe,
    Refuse,
    Script,
    Stall,
    Stalled,
    Stopping,
    Swallow,
    Telling,
    Unexpected,
    Unsettled,
    assert_settled,
    carry_out,
    no_task_left,
    run,
)
from actors.testing.stall import StallWatch
from actors.testing.strategies import Tree, plans, seeds, trees

from .support import Everything, Note, Wait

WINDOW = RestartWindow(100, 5.0)


@frozen
class Go(Ask[Any]):
    number: int = 0


@frozen
class Say(Tell):
    number: int = 0


# -- run


async def _race() -> str:
    """Return the order in which five tasks take three turns each; and a random number."""
    turns: list[str] = []

    async def runner(name: str) -> None:
        for _ in range(3):
            turns.append(name)
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        for name in "abcde":
            nursery.start_soon(runner, name)
    return "".join(turns) + str(random.random())


def test_a_seed_is_one_order_and_other_seeds_are_others() -> None:
    assert run(_race, seed=7) == run(_race, seed=7)
    assert len({run(_race, seed=seed)[:5] for seed in range(20)}) > 10


def test_a_seed_is_the_same_order_in_another_process() -> None:
    code = "from tests.actors.test_testing import _race, run; print(run(_race, seed=7))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == run(_race, seed=7)


def test_after_a_run_everything_random_goes_on_as_before_it() -> None:
    from trio._core import _run as scheduler

    before = scheduler._ALLOW_DETERMINISTIC_SCHEDULING, scheduler._r.getstate(), random.getstate()
    run(_race)
    with pytest.raises(ZeroDivisionError):
        run(_raise, ZeroDivisionError())
    assert (scheduler._ALLOW_DETERMINISTIC_SCHEDULING, scheduler._r.getstate(), random.getstate()) == before


async def _raise(error: BaseException) -> None:
    raise error


def test_a_race_that_one_order_loses_is_found_by_some_seed_and_by_that_seed_again() -> None:
    async def main() -> list[int]:
        """Two tasks that each read, wait a turn and write: an update is lost in some orders."""
        total = [0]

        async def add() -> None:
            for _ in range(random.randrange(3)):
                await trio.lowlevel.checkpoint()
            seen = total[0]
            await trio.lowlevel.checkpoint()
            total[0] = seen + 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(add)
            nursery.start_soon(add)
        return total

    found = {seed: run(main, seed=seed) for seed in range(20)}
    assert sorted(map(str, found.values()))[0] == "[1]"
    assert "[2]" in map(str, found.values())
    assert {seed: run(main, seed=seed) for seed in range(20)} == found


def test_time_is_virtual_unless_a_clock_is_given() -> None:
    async def main() -> float:
        await trio.sleep(1000)
        return trio.current_time()

    assert run(main) == 1000
    clock = MockClock(rate=1e6)
    assert run(main, clock=clock) >= 1000


# -- stalls


async def _deadlock() -> None:
    await trio.Event().wait()


async def _shielded_deadlock() -> None:
    with trio.CancelScope(shield=True):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            nursery.start_soon(_deadlock, name="the other")


async def _stuck_actor() -> None:
    @define
    class Stubborn:
        async def receive(self, message: Go) -> None:
            with trio.CancelScope(shield=True):
                await trio.sleep_forever()

    async with actors.open_system(ChildSpec("stubborn", Stubborn)) as system:
        await system["stubborn"].ask(Go())


async def test_passes_of_a_run_that_still_waits_for_a_deadline_are_no_stall() -> None:
    watch = StallWatch(60.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep, 60)
        await wait_all_tasks_blocked()
        for _ in range(10):
            watch.before_io_wait(0.0)
        nursery.cancel_scope.cancel()
    assert watch.found is None


@pytest.mark.parametrize(
    ("main", "where"), [(_deadlock, "_deadlock"), (_shielded_deadlock, "the other"), (_stuck_actor, "stubborn")]
)
def test_a_deadlock_under_virtual_time_is_an_error_at_once_that_names_who_waits_where(
    main: Callable[[], Awaitable[None]], where: str
) -> None:
    began = time.monotonic()
    with pytest.raises(Stalled, match="deadlock") as stall:
        run(main, seed=3)
    assert time.monotonic() - began < 30, "far from the limit of real time"
    assert where in stall.value.tasks
    assert "(seed 3)" in str(stall.value)


async def _live_lock() -> None:
    for second in itertools.count():
        await trio.sleep_until(second)


async def _busy() -> None:
    number = 0
    while True:
        number += 1


@pytest.mark.parametrize(
    ("main", "where"),
    [(_live_lock, r"test_testing\.py:\d+ in _live_lock"), (_busy, r"last seen at test_testing\.py:\d+ in _busy")],
)
def test_a_run_that_spins_ends_at_the_limit_of_real_time(
    main: Callable[[], Awaitable[None]], where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.testing.stall._GRACE", 0.05)
    with pytest.raises(Stalled, match=rf"(?s)no end after 0\.05 s of real time.*{where}"):
        run(main, real_limit=0.05)


def test_waiting_for_a_deadline_a_thread_or_a_socket_is_no_deadlock() -> None:
    async def main() -> str:
        ours, theirs = trio.socket.socketpair()
        with ours, theirs:
            token, heard = trio.lowlevel.current_trio_token(), threading.Event()

            def speak() -> None:
                heard.wait()
                token.run_sync_soon(lambda: nursery.start_soon(theirs.send, b"x"))

            async with trio.open_nursery() as nursery:
                threading.Thread(target=speak).start()
                nursery.start_soon(ours.recv, 1)
                with trio.move_on_after(5):
                    await trio.sleep_forever()
                await wait_all_tasks_blocked()
                await trio.to_thread.run_sync(heard.set)
        return "done"

    assert run(main) == "done"


def test_in_another_thread_a_run_that_can_be_cancelled_is(monkeypatch: pytest.MonkeyPatch) -> None:
    ends: list[BaseException] = []

    def outside() -> None:
        with pytest.raises(Stalled, match="no end after") as stall:
            run(_live_lock, real_limit=0.05)
        ends.append(stall.value)

    thread = threading.Thread(target=outside)
    thread.start()
    thread.join()
    assert len(ends) == 1


@pytest.mark.parametrize(("main", "where"), [("_busy", "in _busy"), ("_shielded_deadlock", "in run")])
def test_outside_the_main_thread_a_run_that_cannot_be_ended_ends_its_process_with_a_dump(main: str, where: str) -> None:
    code = (
        f"import threading; from tests.actors.test_testing import {main}, run;"
        f"threading.Thread(target=lambda: run({main}, real_limit=0.05)).start()"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert where in found.stderr


def test_a_run_that_spins_before_it_has_begun_is_ended_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class NeverBegins(trio.abc.Clock):
        def start_clock(self) -> None:
            while True:
                pass

        def current_time(self) -> float:
            return 0.0

        def deadline_to_sleep_time(self, deadline: float) -> float:
            return 0.0

    monkeypatch.setattr("actors.testing.stall._GRACE", 0.05)
    with pytest.raises(Stalled, match="no end after") as stall:
        run(_deadlock, clock=NeverBegins(), real_limit=0.05)
    assert stall.value.tasks == ""


def test_where_a_run_spins_is_told_in_lines_of_its_own_not_of_the_library_below() -> None:
    async def calls_the_library() -> None:
        with ExitStack() as stack:
            stack.callback(signal.raise_signal, signal.SIGALRM)  # as if the limit were reached in there
        await trio.sleep_forever()

    with pytest.raises(Stalled, match=r"last seen at test_testing\.py:\d+ in calls_the_library"):
        run(calls_the_library)


def test_a_run_that_waits_in_real_time_is_ended_at_the_limit() -> None:
    with pytest.raises(Stalled, match=r"(?s)real time \(seed 0\).*in _deadlock"):
        run(_deadlock, clock=MockClock(rate=1.0), real_limit=0.05)


def test_what_will_not_be_closed_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    closings: list[type[BaseException]] = []

    async def clings() -> None:
        while len(closings) < 150:
            try:
                await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.FAILED)
            except BaseException as error:  # noqa: BLE001  # that it does is what this is about
                closings.append(type(error))

    with pytest.raises(Stalled, match="clings"):
        run(clings)
    assert set(closings) == {GeneratorExit}


def test_in_another_thread_a_run_ends_like_any_other() -> None:
    values: list[str] = []
    thread = threading.Thread(target=lambda: values.append(run(_race, seed=7)))
    thread.start()
    thread.join()
    assert values == [run(_race, seed=7)]


# -- scripts


async def _ends(script: Script, asks: int, *, wait: float = 60.0, **spec: Any) -> list[object]:
    """Ask a scripted actor so many times, one after another; return what came of each."""
    ends: list[object] = []
    async with no_task_left(), actors.open_system(ChildSpec("a", script.start, **spec), window=WINDOW) as system:
        for number in range(asks):
            with trio.move_on_after(wait) as scope:
                try:
                    ends.append(await system["a"].ask(Go(number)))
                except (actors.ActorError, Refusal) as error:
                    ends.append(type(error))
            if scope.cancelled_caught:
                ends.append("gave up")
        await assert_settled(system)
    return ends


@pytest.mark.parametrize("managed", [False, True])
def test_each_message_meets_its_step_over_all_incarnations(managed: bool) -> None:
    error = OSError("boom")
    script = Script(
        [Answer(1), Crash(), Answer(2, after=3.0), Crash(error, after=1.0), Refuse("no"), Drop()],
        then=Answer("then"),
        managed=managed,
    )
    ends = run(_ends, script, 8)
    assert ends == [1, ActorCrashed, 2, ActorCrashed, Refusal, ReplyDropped, "then", "then"]
    assert script.handled == [(incarnation, Go(number)) for number, incarnation in enumerate([1, 1, 2, 2, 3, 3, 3, 3])]
    assert (script.started, script.ended) == (3, 3 if managed else 0)


def test_an_error_that_is_raised_again_and_again_does_not_grow() -> None:
    for crash in (Crash(), Crash(after=1.0)):
        lengths = []
        for asks in (1, 10):
            run(_ends, Script(then=crash), asks)
            lengths.append(len(list(traceback.walk_tb(crash.error.__traceback__))))
        assert lengths[0] == lengths[1]


def test_a_stall_lasts_until_the_actor_is_killed() -> None:
    async def main() -> list[object]:
        script = Script([Stall()])
        async with actors.open_system(ChildSpec("a", script.start)) as system:
            ref = system["a"]
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.lowlevel.checkpoint)
                with trio.move_on_after(50) as gave_up:
                    await ref.ask(Go())
            assert gave_up.cancelled_caught
            ref.kill()
            return [await ref.ask(Go()), ref.incarnation]

    assert run(main) == [None, 2]


def test_a_swallowed_cancellation_ends_in_its_answer_being_late_and_the_kill_still_counts() -> None:
    async def main() -> tuple[float, int]:
        script = Script([Swallow("late")])
        async with actors.open_system(ChildSpec("a", script.start, shutdown=2.0)) as system:
            with trio.move_on_after(1):
                await system["a"].ask(Go())
            await system.root.terminate_child("a")
            return trio.current_time(), len(script.handled)

    assert run(main) == (3.0, 1)


def test_a_deferred_answer_comes_when_so_many_messages_more_are_handled() -> None:
    async def main() -> tuple[list[str], int]:
        script = Script([Defer("first", 2), Defer("never"), Answer("second")])
        answers: list[object] = []

        async def ask() -> None:
            answers.append(await system["a"].ask(Go()))

        async with actors.open_system(ChildSpec("a", script.start)) as system, trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await wait_all_tasks_blocked()
            with trio.move_on_after(1):
                await system["a"].ask(Go())
            assert system["a"].statistics().owed == 1
            nursery.start_soon(ask)
        return sorted(map(str, answers)), script.forsaken

    assert run(main) == (["first", "second"], 1)


def test_tells_that_meet_a_defer_or_a_drop_are_just_taken() -> None:
    async def main() -> int:
        script = Script([Defer(), Drop()])
        async with actors.open_system(ChildSpec("a", script.start)) as system:
            system["a"].tell(Say())
            system["a"].tell(Say())
            await assert_settled(system)
            return len(script.handled)

    assert run(main) == 2


@pytest.mark.parametrize(("shielded", "seconds"), [(False, 2.0), (True, 9.0)])
def test_an_overrun_is_cut_short_by_the_kill_unless_it_is_shielded(shielded: bool, seconds: float) -> None:
    async def main() -> float:
        script = Script([Overrun(9.0, shielded=shielded)])
        async with actors.open_system(ChildSpec("a", script.start, shutdown=2.0)) as system:
            await system["a"].ask(Go())
        assert script.ended == 1
        return trio.current_time()

    assert run(main) == seconds


def test_starts_fail_wait_and_are_ignored_as_scripted() -> None:
    async def main(script: Script) -> str:
        async with actors.open_system(ChildSpec("a", script.start), window=WINDOW) as system:
            status = system.tree().children[0].status
            if status == "running":
                await system["a"].ask(Go())
            return status

    assert run(main, Script(starts=[Ignore()])) == "stopped"
    assert run(main, Script(starts=[Answer(after=3.0)])) == "running"
    for starts in ([Crash()], [Crash(after=3.0)]):
        with pytest.raises(SupervisorExit, match="Boom"):
            run(main, Script(starts=starts))

    async def never_up() -> bool:
        with trio.move_on_after(5) as scope:
            await main(Script(starts=[Stall()]))
        return scope.cancelled_caught

    assert run(never_up)


def test_a_start_that_fails_at_a_restart_is_tried_again() -> None:
    script = Script([Crash()], starts=[Answer(), Crash(), Crash()])
    assert run(_ends, script, 2) == [ActorCrashed, None]
    assert script.started == 4


# -- probes


async def test_a_probe_records_and_answers_from_its_queue(autojump_clock: MockClock) -> None:
    probe = Probe()
    async with actors.open_system(ChildSpec("probe", probe.start)) as system:
        ref = system["probe"]
        probe.will_answer(1, Refusal("no"), Boom())
        assert await ref.ask(Go(1)) == 1
        with pytest.raises(Refusal):
            await ref.ask(Go(2))
        with pytest.raises(ActorCrashed):
            await ref.ask(Go(3))
        ref.tell(Say(4))
        assert [(await probe.expect(Go)).number for _ in range(3)] == [1, 2, 3]
        assert await probe.expect(Say, lambda say: say.number == 4) == Say(4)
        assert probe.received == [Go(1), Go(2), Go(3), Say(4)]
        await probe.expect_nothing(within=5)
        assert ref.incarnation == 2


async def test_a_probe_without_an_answer_keeps_its_askers_waiting_until_the_test_answers(
    autojump_clock: MockClock,
) -> None:
    probe = Probe()
    ends: list[object] = []

    async def ask(number: int) -> None:
        try:
            ends.append(await ref.ask(Go(number)))
        except Boom as error:
            ends.append(error)

    async with actors.open_system(ChildSpec("probe", probe.start)) as system, trio.open_nursery() as nursery:
        ref = system["probe"]
        with trio.move_on_after(1):
            await ref.ask(Go(0))
        assert await probe.expect(Go) == Go(0)
        for number, answer in ((1, "one"), (2, Boom())):
            nursery.start_soon(ask, number)
            await probe.expect(Go, lambda go, number=number: go.number == number)  # type: ignore[misc]
            probe.answer(answer)
            await wait_all_tasks_blocked()
    assert ends[0] == "one"
    assert isinstance(ends[1], Boom)
    with pytest.raises(Unexpected, match="an ask that waits"):
        probe.answer("nobody asks")


async def test_a_probe_says_what_it_got_instead(autojump_clock: MockClock) -> None:
    probe = Probe()
    async with actors.open_system(ChildSpec("probe", probe.start)) as system:
        with pytest.raises(Unexpected, match=r"expected Go within 5 s; got nothing"):
            await probe.expect(Go, within=5)
        assert trio.current_time() == 5
        system["probe"].tell(Say(1))
        with pytest.raises(Unexpected, match=r"expected Go within 1 s; got Say\(number=1\)"):
            await probe.expect(Go)
        system["probe"].tell(Say(2))
        with pytest.raises(Unexpected, match=r"no message within 1 s; got Say\(number=2\)"):
            await probe.expect_nothing()
        with pytest.raises(Unexpected, match=r"got Say\(number=2\)"):
            await probe.expect(Say, lambda say: say.number == 3)


# -- settled trees


async def _busy_tree(system: actors.System) -> None:
    """Do a bit of everything, and end it."""
    with pytest.raises(ActorCrashed):
        await system["a"].ask(Go())
    system["inner/b"].kill()
    await system["a"].ask(Go())
    system["inner/b"].tell(Say())


def _specs() -> tuple[actors.ChildSpec | SupervisorSpec, ...]:
    inner = SupervisorSpec("inner", (ChildSpec("b", Script().start), ChildSpec("c", Script().start)))
    return ChildSpec("a", Script([Crash()]).start), inner


async def test_a_sound_tree_is_settled() -> None:
    async with no_task_left(), actors.open_system(*_specs(), window=WINDOW) as system:
        await _busy_tree(system)
        await assert_settled(system)


async def test_what_is_queued_behind_a_hold_a_suspension_or_a_handler_is_explained() -> None:
    gate = trio.Event()

    def holding() -> Everything:
        actors.context().hold()
        return Everything()

    specs = ChildSpec("held", holding), ChildSpec("suspended", Everything), ChildSpec("busy", Everything)
    async with actors.open_system(*specs) as system, trio.open_nursery() as nursery:
        debug.suspend(system["suspended"])
        nursery.start_soon(system["busy"].ask, Wait(gate))
        await wait_all_tasks_blocked()
        for name in ("held", "suspended", "busy"):
            system[name].tell(Note("queued"))
        await assert_settled(system)
        gate.set()


async def test_timers_and_backoffs_are_no_orphans(autojump_clock: MockClock) -> None:
    @define
    class Ticking:
        def receive(self, message: Go) -> None:
            actors.context().every(10, Say())
            actors.context().after(1000, Say())
            if message.number:
                raise Boom

    slow = ChildSpec("slow", Script([Crash()]).start, backoff=Backoff(first=500, cap=500))
    async with no_task_left(), actors.open_system(ChildSpec("a", Ticking), slow, window=WINDOW) as system:
        await system["a"].ask(Go())
        with pytest.raises(ActorCrashed):
            await system["slow"].ask(Go())
        await assert_settled(system)
        with pytest.raises(ActorCrashed):
            await system["a"].ask(Go(1))
        await assert_settled(system)


async def _faults(system: actors.System) -> str:
    with pytest.raises(Unsettled) as unsettled:
        await assert_settled(system)
    return str(unsettled.value)


async def test_a_lost_ask_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def forget(mailbox: Mailbox, _: object) -> None:
        mailbox.current = mailbox.owed = None

    async with actors.open_system(ChildSpec("a", Script([Crash()]).start)) as system, trio.open_nursery() as nursery:
        monkeypatch.setattr(Mailbox, "answer_owed", forget)
        nursery.start_soon(system["a"].ask, Go(), name="asker")
        assert "task 'asker' waits for an answer to Go that 'a' has lost" in await _faults(system)
        nursery.cancel_scope.cancel()


async def test_a_message_that_is_not_taken_is_found() -> None:
    async with actors.open_system(ChildSpec("a", Everything)) as system:
        await wait_all_tasks_blocked()
        system["a"]._mailbox.queue.append(Note("appended without a wake-up"))
        assert "'a' has 1 messages queued and does not take them" in await _faults(system)


async def test_a_child_that_is_stuck_between_two_states_is_found(autojump_clock: MockClock) -> None:
    slow = ChildSpec("slow", Script([Overrun(500.0)]).start, shutdown=1000)
    crashing = ChildSpec("crashing", Script([Crash()]).start, backoff=Backoff(first=1000, cap=1000))
    inner = SupervisorSpec("inner", (slow,))
    async with actors.open_system(inner, crashing) as system, trio.open_nursery() as nursery:
        await system["inner/slow"].ask(Go())
        nursery.start_soon(system.supervisor("inner").terminate_child, "slow")
        await wait_all_tasks_blocked()
        assert "'inner/slow' is still stopping" in await _faults(system)
        await trio.sleep(501)
        await assert_settled(system)
        with pytest.raises(ActorCrashed):
            await system["crashing"].ask(Go())
        await wait_all_tasks_blocked()
        system["crashing"]._child.cancel_timer()
        assert "'crashing' is restarting, and nothing will start it" in await _faults(system)


async def test_an_orphan_task_is_found() -> None:
    async with actors.open_system(ChildSpec("a", Everything)) as system:
        home = actors.debug.get_state(system.root.ref).nursery  # type: ignore[attr-defined]
        home.start_soon(trio.sleep_forever, name="orphan")
        assert "has 1 tasks for 0 timers beside its children: orphan" in await _faults(system)
        home.cancel_scope.cancel()
    async with trio.open_nursery() as nursery:
        with pytest.raises(Unsettled, match="task 'left behind' is left"):
            async with no_task_left():
                nursery.start_soon(trio.sleep_forever, name="left behind")
        nursery.cancel_scope.cancel()


def test_the_package_needs_no_hypothesis() -> None:
    code = "import sys; import actors.testing; assert 'hypothesis' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert set(testing.__all__) <= set(dir(testing))


# -- plans and strategies


async def _drive(tree: Tree, plan: list[Action], outcome: Outcome) -> None:
    """Open a tree, do to it what is planned, let all time pass, and look whether anything is lost."""
    async with no_task_left(), trio.open_nursery() as nursery:
        with suppress(SupervisorExit):
            async with actors.open_system(*tree.spec.children, **tree.opened()) as system:
                nursery.start_soon(carry_out, system, plan, outcome)
                await trio.sleep(1000)
                await assert_settled(system)


def _violated(example: tuple[Tree, list[Action], int]) -> bool:
    tree, plan, seed = example
    outcome, found = Outcome(), False
    try:
        run(_drive, tree, plan, outcome, seed=seed)
        outcome.assert_each_ended_once()
    except* AssertionError:
        found = True
    return found


examples = trees().flatmap(lambda tree: st.tuples(st.just(tree), plans(tree), seeds()))


@given(examples)
def test_whatever_its_actors_do_a_tree_answers_every_ask_and_loses_nothing(
    example: tuple[Tree, list[Action], int],
) -> None:
    tree, plan, seed = example
    outcome = Outcome()
    run(_drive, tree, plan, outcome, seed=seed)
    outcome.assert_each_ended_once()


def _keep_silent(mailbox: Mailbox, _: object) -> None:
    mailbox.current = mailbox.owed = None


async def _take_down_for_ever(child: Any) -> None:
    if child.running:
        child.tell_to_stop(child.spec.shutdown)
        await child.wait_ended()
    child.dismiss()


@pytest.mark.parametrize(
    ("place", "bug"),
    [
        ("actors.mailbox.Mailbox.answer_owed", _keep_silent),
        ("actors.supervision.child.Child.take_down", _take_down_for_ever),
        ("actors.mailbox.Mailbox.wake", lambda _: None),
        ("actors.supervision.child.Child.dismiss", lambda _: None),
    ],
    ids=["the owed are forgotten", "a stop never kills", "no wake-up", "parked tasks stay"],
)
def test_a_planted_bug_is_found_among_the_drawn_trees(
    place: str, bug: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, bug)
    find(examples, _violated, settings=settings(max_examples=500, phases=[Phase.generate], database=None))


async def test_a_plan_is_carried_out_in_order_and_each_end_is_told(autojump_clock: MockClock) -> None:
    slow = Script([Answer("slow", after=5.0), Answer("slower", after=50.0)], then=Crash())
    plan: list[Action] = [
        Asking("a"),
        Pausing(),
        Telling("a"),
        Asking("a", patience=20.0),
        Pausing(100.0),
        Stopping("gone"),
        Asking("a"),
        Pausing(),
        Killing("a"),
        Pausing(),
        Stopping("a", now=True),
    ]
    async with actors.open_system(ChildSpec("a", slow.start), window=WINDOW) as system:
        outcome = await carry_out(system, plan)
        await assert_settled(system)
        assert system["a"].incarnation == 4
    outcome.assert_each_ended_once()
    first, second, third = outcome.ends
    assert (first.number, first.value, first.gave_up, first.after) == (0, "slow", False, 5.0)
    assert (second.number, second.gave_up, second.after) == (3, True, 20.0)
    assert (third.number, type(third.value)) == (6, ActorCrashed)
    assert slow.handled == [(1, Knock(0)), (1, Nudge(2)), (1, Knock(6))]
    outcome.ends.append(first)
    with pytest.raises(AssertionError, match="ended"):
        outcome.assert_each_ended_once()


@given(trees(max_children=4, max_depth=3))
@settings(max_examples=30)
def test_a_drawn_tree_knows_its_workers_and_supervisors(tree: Tree) -> None:
    async def main() -> None:
        async with actors.open_system(*tree.spec.children, **tree.opened()) as system:
            assert all(path in system for path in tree.paths)
            for path in tree.supervisors:
                system.supervisor(path)

    run(main)
    assert len(set(tree.paths)) == len(tree.paths)
