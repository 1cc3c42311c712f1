"""Rules of OTP that no recorded trace shows, or that deserve to be read: each claim with its rule's number.

Those that the traces do show (R10-R107) are judged in `test_otp` and, on any tree, in `test_model`.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import pytest
import trio
from attrs import define, field, frozen
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import (
    IGNORE,
    ActorCrashed,
    ActorStopped,
    AutoShutdown,
    Backoff,
    ChildCount,
    ChildExited,
    ChildRefused,
    ChildSpec,
    ChildStarted,
    Killed,
    Normal,
    Restart,
    RestartWindow,
    Shutdown,
    SpecError,
    Strategy,
    SupervisorExit,
    SupervisorSpec,
    TreeEvent,
)

from .support import Add, Crash, Drop, Everything, Note, Seen, Urgent, Wait, managed

BOOM = OSError("boom")
WINDOW = RestartWindow(10, 5.0)
PATIENT = Backoff(first=10, cap=10, jitter=0)  # a restart that waits ten seconds


async def crash(ref: actors.Ref) -> None:
    with pytest.raises(ActorCrashed):
        await ref.ask(Crash(BOOM))
    await wait_all_tasks_blocked()


def worker(name: str, **spec: Any) -> ChildSpec:
    return ChildSpec(name, Everything, **spec)


def statuses(system: actors.System) -> dict[str, str]:
    return {node.name: node.status for node in system.tree().children}


@contextmanager
def refused(why: str) -> Iterator[None]:
    with pytest.raises(ChildRefused) as refusal:
        yield
    assert refusal.value.why == why


# -- specs


def test_defaults_are_those_of_otp() -> None:  # R1, R2
    child, supervisor = worker("a"), SupervisorSpec("s")
    assert (child.restart, child.shutdown, child.significant) == (Restart.PERMANENT, 5.0, False)
    assert (supervisor.strategy, supervisor.auto_shutdown) == (Strategy.ONE_FOR_ONE, AutoShutdown.NEVER)
    assert supervisor.window == RestartWindow(intensity=1, period=5.0)
    assert supervisor.shutdown == math.inf


@pytest.mark.parametrize(
    ("spec", "field", "value"),
    [
        ({"name": 5, "start": None, "restart": "never"}, "name", 5),
        ({"name": "a", "start": None, "restart": "never"}, "start", None),
        ({"name": "a", "start": Everything, "restart": "never", "significant": 1}, "restart", "never"),
        ({"name": "a", "start": Everything, "significant": 1, "shutdown": -1}, "significant", 1),
        ({"name": "a", "start": Everything, "shutdown": -1}, "shutdown", -1),
    ],
)
def test_of_several_mistakes_the_first_is_told_by_field_and_value(spec: Any, field: str, value: object) -> None:  # R3
    with pytest.raises(SpecError) as error:
        ChildSpec(**spec)
    assert (error.value.field, error.value.value) == (field, value)


async def test_a_spec_that_does_not_fit_its_supervisor_is_refused_by_that_and_harms_nobody() -> None:  # R4, R70
    async with actors.open_system(worker("a")) as system:
        with refused("bad_spec") as refusal:
            await system.root.start_child(worker("b", restart=Restart.TRANSIENT, significant=True))
        del refusal
        with refused("bad_spec"):
            await system.root.start_child("no spec")  # type: ignore[arg-type]
        assert await system.root.count_children() == ChildCount(1, 1, 0, 1)


# -- start


async def test_a_failed_start_of_a_nested_supervisor_names_the_way_down_to_the_child() -> None:  # R12
    def broken() -> Everything:
        raise BOOM

    inner = SupervisorSpec("inner", (worker("a"), ChildSpec("bad", broken)))
    with pytest.raises(SupervisorExit, match="could not start inner: could not start bad") as failed:
        async with actors.open_system(inner):
            raise AssertionError("entered")
    assert failed.value.__cause__ is BOOM


async def test_a_supervisor_answers_nobody_before_its_children_are_up(autojump_clock: MockClock) -> None:  # R14, R77
    @asynccontextmanager
    async def slow() -> AsyncIterator[Everything]:
        await trio.sleep(7)
        yield Everything()

    async with actors.open_system() as system:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(system.root.start_child, ChildSpec("slow", slow))
            await wait_all_tasks_blocked()
            assert await system.root.count_children() == ChildCount(1, 1, 0, 1)
        assert trio.current_time() == 7


async def test_what_is_gone_answers_no_request() -> None:  # R77
    inner = SupervisorSpec("inner", (), restart=Restart.TEMPORARY)
    async with actors.open_system(inner) as system:
        supervisor = system.supervisor("inner")
        await system.root.terminate_child("inner")
        for _ in range(2):
            with pytest.raises(ActorStopped):
                await supervisor.which_children()


# -- restarts


async def test_an_exit_that_has_been_dealt_with_is_not_dealt_with_again() -> None:  # R20
    events: list[TreeEvent] = []
    specs = [worker(name) for name in "ab"]
    async with actors.open_system(
        *specs, strategy=Strategy.ONE_FOR_ALL, window=WINDOW, observe=events.append
    ) as system:
        for name in "ab":
            system[name].kill()
        await wait_all_tasks_blocked()
        assert [event.path for event in events if isinstance(event, ChildExited)] in (["a"], ["b"])
        assert [system[name].incarnation for name in "ab"] == [2, 2]


async def test_a_restart_leaves_a_child_in_its_place_and_a_new_child_comes_last() -> None:  # R38, R75
    async with actors.open_system(*(worker(name) for name in "abc"), window=WINDOW) as system:
        root = system.root
        await crash(system["a"])
        assert [node.name for node in await root.which_children()] == ["c", "b", "a"]
        await root.terminate_child("a")
        await root.delete_child("a")
        await root.start_child(worker("a"))
        assert [node.name for node in await root.which_children()] == ["a", "c", "b"]


async def test_what_is_down_in_a_group_is_started_with_it() -> None:  # R33
    specs = (worker("a"), worker("b"), worker("c", restart=Restart.TRANSIENT))
    async with actors.open_system(*specs, strategy=Strategy.ONE_FOR_ALL, window=WINDOW) as system:
        await system.root.terminate_child("b")
        system["c"].stop()
        await wait_all_tasks_blocked()
        assert statuses(system) == {"a": "running", "b": "stopped", "c": "stopped"}
        await crash(system["a"])
        assert statuses(system) == {"a": "running", "b": "running", "c": "running"}
        assert await system["b"].ask(Add(1)) == 1


async def test_one_for_all_is_a_matter_of_restarts_not_of_ends() -> None:  # R24
    specs = (worker("a"), worker("b", restart=Restart.TEMPORARY))
    async with actors.open_system(*specs, strategy=Strategy.ONE_FOR_ALL) as system:
        await crash(system["b"])
        assert system["a"].incarnation == 1


def once(start: Callable[[], Any] = Everything) -> Callable[[], Any]:
    """Return a start that comes up once, and fails ever after."""
    starts: list[None] = []

    def begin() -> Any:
        starts.append(None)
        if len(starts) > 1:
            raise BOOM
        return start()

    return begin


async def test_a_child_that_waits_for_its_restart_is_in_the_way_of_requests(autojump_clock: MockClock) -> None:
    # R35, R70, R72, R73, R76
    async with actors.open_system(worker("a", backoff=PATIENT), worker("b"), window=WINDOW) as system:
        root = system.root
        await crash(system["a"])
        assert statuses(system) == {"a": "restarting", "b": "running"}
        assert await root.count_children() == ChildCount(2, 1, 0, 2)
        for request, why in (
            (root.start_child(worker("a")), "already_present"),
            (root.restart_child("a"), "restarting"),
            (root.delete_child("a"), "restarting"),
        ):
            with refused(why):
                await request
        assert trio.current_time() == 0
        await trio.sleep(11)
        assert statuses(system) == {"a": "running", "b": "running"}


@pytest.mark.parametrize("strategy", [Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE])
async def test_a_group_restart_that_is_called_off_leaves_its_members_down_and_fails_their_queues(
    strategy: Strategy, autojump_clock: MockClock
) -> None:  # R37
    specs = (worker("a"), worker("b", backoff=PATIENT), worker("c"))
    async with (
        actors.open_system(*specs, strategy=strategy, window=WINDOW) as system,
        trio.open_nursery() as nursery,
    ):
        await crash(system["b"])
        first = "running" if strategy is Strategy.REST_FOR_ONE else "stopped"
        assert statuses(system) == {"a": first, "b": "restarting", "c": "stopped"}

        async def wait_for(ref: actors.Ref) -> None:
            with pytest.raises(ActorStopped):
                await ref.ask(Add(1))

        nursery.start_soon(wait_for, system["b"])
        nursery.start_soon(wait_for, system["c"])
        await wait_all_tasks_blocked()
        assert system["c"].statistics().queued == 1
        await system.root.terminate_child("b")
        await trio.sleep(100)
        assert statuses(system) == {"a": first, "b": "stopped", "c": "stopped"}
        assert await system.root.restart_child("c") is system["c"]
        assert await system["c"].ask(Add(1)) == 1


async def test_a_member_that_is_started_by_hand_while_its_group_waits_goes_on_running(
    autojump_clock: MockClock,
) -> None:  # K11
    specs = (worker("a", backoff=PATIENT), worker("b"), worker("c"))
    async with actors.open_system(*specs, strategy=Strategy.ONE_FOR_ALL, window=WINDOW) as system:
        await crash(system["a"])
        await system.root.restart_child("c")
        await trio.sleep(11)
        assert statuses(system) == {"a": "running", "b": "running", "c": "running"}
        assert [system[name].incarnation for name in "abc"] == [2, 2, 2]


async def test_who_waits_for_a_restart_goes_on_waiting_when_another_child_is_terminated(
    autojump_clock: MockClock,
) -> None:  # R37
    specs = (worker("a", backoff=PATIENT), worker("b"))
    async with actors.open_system(*specs, window=WINDOW) as system:
        await crash(system["a"])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(system["a"].ask, Add(1))
            await wait_all_tasks_blocked()
            await system.root.terminate_child("b")
        assert trio.current_time() == 10


async def test_an_earlier_child_that_crashes_takes_over_the_restart_of_a_later_one(autojump_clock: MockClock) -> None:
    # R36
    specs = (worker("a"), worker("b", backoff=PATIENT))
    async with actors.open_system(*specs, strategy=Strategy.REST_FOR_ONE, window=WINDOW) as system:
        await crash(system["b"])
        await crash(system["a"])
        assert statuses(system) == {"a": "running", "b": "running"}
        await trio.sleep(100)
        assert [system[name].incarnation for name in "ab"] == [2, 2], "the restart that waited has nothing left to do"


async def test_a_window_is_shared_by_siblings_and_new_with_each_life_of_its_supervisor() -> None:  # R15, R54
    inner = SupervisorSpec("inner", tuple(worker(name) for name in "ab"), window=RestartWindow(1, 5.0))
    async with actors.open_system(inner, window=RestartWindow(1, 5.0)) as system:
        await crash(system["inner/a"])
        await crash(system["inner/b"])
        assert system["inner"].incarnation == 2
        await crash(system["inner/a"])
        assert system["inner"].incarnation == 2


async def test_restart_counts_multiply_over_levels() -> None:  # R93
    inner = SupervisorSpec("inner", (worker("a"),), window=RestartWindow(2, 5.0))
    crashes = 0
    with pytest.raises(SupervisorExit, match="boom"):
        async with actors.open_system(inner, window=RestartWindow(1, 5.0)) as system:
            while True:
                crashes += 1
                await crash(system["inner/a"])
    assert crashes == (2 + 1) * (1 + 1)


@pytest.mark.parametrize(
    ("end", "reason", "comes_back"),
    [
        (lambda ref: ref.stop(now=True), Normal(), False),
        (lambda ref: ref.stop(Shutdown(), now=True), Shutdown(), False),
        (lambda ref: ref.stop(Shutdown("because"), now=True), Shutdown("because"), False),
        (lambda ref: ref.tell(Drop(BOOM)), actors.Crashed(BOOM), True),
        (lambda ref: ref.kill(), Killed(), True),
    ],
)
async def test_how_an_actor_ends_is_read_as_one_of_four_reasons(
    end: Callable[[actors.Ref], None], reason: actors.ExitReason, comes_back: bool
) -> None:  # R22, R25
    async with actors.open_system(worker("a", restart=Restart.TRANSIENT)) as system:
        end(system["a"])
        await wait_all_tasks_blocked()
        assert system.tree().children[0].last_exit == reason
        assert statuses(system) == {"a": "running" if comes_back else "stopped"}


# -- stops


async def test_a_supervisor_that_is_told_to_stop_ends_with_that_reason_its_children_in_order() -> None:  # R44, R90
    log: list[str] = []
    events: list[TreeEvent] = []
    children = tuple(ChildSpec(name, managed(log, name)) for name in "ab")
    inner = SupervisorSpec("inner", children, restart=Restart.TRANSIENT)
    async with actors.open_system(inner, observe=events.append) as system:
        system["inner"].stop(Shutdown("enough"), now=True)
        await wait_all_tasks_blocked()
        assert log == ["a up", "b up", "b down", "a down"]
        assert [event.reason for event in events if isinstance(event, ChildExited)] == [Shutdown("enough")]


async def test_a_child_that_has_undone_its_links_is_waited_for_all_the_same(autojump_clock: MockClock) -> None:  # R45
    @asynccontextmanager
    async def slow() -> AsyncIterator[Everything]:
        yield Linked()
        await trio.sleep(3)

    async with actors.open_system(ChildSpec("a", slow), worker("b")) as system:
        await system["a"].ask(Bind("link", system["b"]))
        await system["a"].ask(Bind("unlink", system["b"]))
        await system.root.terminate_child("a")
        assert trio.current_time() == 3
        assert system["b"].incarnation == 1


@pytest.mark.parametrize("error", [BOOM, ExceptionGroup("", [BOOM]), KeyError()])
async def test_a_child_that_dies_by_itself_while_it_is_stopped_is_stopped(error: Exception) -> None:  # R43, R46
    @asynccontextmanager
    async def fragile() -> AsyncIterator[Everything]:
        yield Everything()
        raise error

    events: list[TreeEvent] = []
    async with actors.open_system(worker("a"), ChildSpec("b", fragile), observe=events.append) as system:
        await system.root.terminate_child("b")
        assert statuses(system) == {"a": "running", "b": "stopped"}
    assert not [event for event in events if isinstance(event, ChildExited)]


async def test_an_orderly_stop_is_no_end_that_auto_shutdown_knows() -> None:  # R62, R63
    specs = tuple(worker(name, restart=Restart.TRANSIENT, significant=True) for name in "abc")
    inner = SupervisorSpec(
        "inner", specs, auto_shutdown=AutoShutdown.ALL_SIGNIFICANT, restart=Restart.TEMPORARY, window=WINDOW
    )
    async with actors.open_system(inner) as system:
        await system.supervisor("inner").terminate_child("a")
        await crash(system["inner/b"])
        system["inner/b"].stop()
        await wait_all_tasks_blocked()
        assert "inner" in system
        system["inner/c"].stop()
        await wait_all_tasks_blocked()
        assert "inner" not in system


async def test_a_restarting_child_counts_as_alive_for_auto_shutdown(autojump_clock: MockClock) -> None:  # R62
    specs = (
        worker("a", restart=Restart.TRANSIENT, significant=True, backoff=PATIENT),
        worker("b", restart=Restart.TEMPORARY, significant=True),
    )
    inner = SupervisorSpec("inner", specs, auto_shutdown=AutoShutdown.ALL_SIGNIFICANT, restart=Restart.TEMPORARY)
    async with actors.open_system(inner) as system:
        await crash(system["inner/a"])
        await crash(system["inner/b"])
        assert "inner" in system
        await trio.sleep(11)
        system["inner/a"].stop()
        await wait_all_tasks_blocked()
        assert "inner" not in system


async def test_a_significant_supervisor_hands_its_shutdown_on() -> None:  # R61, R64
    def island(name: str, child: actors.Spec, **flags: Any) -> SupervisorSpec:
        return SupervisorSpec(name, (child,), auto_shutdown=AutoShutdown.ANY_SIGNIFICANT, **flags)

    significant: dict[str, Any] = {"restart": Restart.TRANSIENT, "significant": True}
    tree = island("outer", island("inner", worker("a", **significant), **significant), restart=Restart.TEMPORARY)
    async with actors.open_system(tree) as system:
        system["outer/inner/a"].stop()
        await wait_all_tasks_blocked()
        assert "outer" not in system


@pytest.mark.parametrize(("shutdown", "up"), [(math.inf, ["up"]), (1.0, [])])
async def test_a_stop_waits_for_the_start_it_comes_into_while_its_own_time_runs(
    shutdown: float, up: list[str], autojump_clock: MockClock
) -> None:  # R95
    log: list[str] = []

    @asynccontextmanager
    async def slow() -> AsyncIterator[Everything]:
        await trio.sleep(3)
        log.append("up")
        yield Everything()

    inner = SupervisorSpec("inner", (), shutdown=shutdown, restart=Restart.TEMPORARY)
    async with actors.open_system(inner) as system, trio.open_nursery() as nursery:

        async def start_slow(supervisor: actors.SupervisorRef) -> None:
            with suppress(ActorStopped):
                await supervisor.start_child(ChildSpec("slow", slow))

        nursery.start_soon(start_slow, system.supervisor("inner"))
        await wait_all_tasks_blocked()
        await system.root.terminate_child("inner")
    assert log == up
    assert trio.current_time() == min(shutdown, 3)


# -- requests


async def test_a_hand_started_child_is_not_retried_and_counts_nothing() -> None:  # R52, R70, R72
    async with actors.open_system(ChildSpec("a", once()), window=RestartWindow(0, 5.0)) as system:
        root = system.root
        await root.terminate_child("a")
        for _ in range(3):
            with refused("start_failed"):
                await root.restart_child("a")
        assert statuses(system) == {"a": "stopped"}
        with pytest.raises(ActorStopped):
            await system["a"].ask(Add(1))


async def test_a_restart_by_hand_that_says_ignore_starts_nothing() -> None:  # R72
    answers: list[Any] = [Everything(), IGNORE]
    async with actors.open_system(ChildSpec("a", lambda: answers.pop(0))) as system:
        await system.root.terminate_child("a")
        assert await system.root.restart_child("a") is None
        assert statuses(system) == {"a": "stopped"}
        with pytest.raises(ActorStopped):
            await system["a"].ask(Add(1))


async def test_the_spec_of_a_child_can_be_read() -> None:  # R74
    spec = worker("a", shutdown=3.0)
    async with actors.open_system(spec) as system:
        assert await system.root.get_childspec("a") is spec
        with refused("not_found"):
            await system.root.get_childspec("zz")


# -- dynamic supervisors


async def test_a_dynamic_child_that_is_restarting_is_terminated_and_forgotten(autojump_clock: MockClock) -> None:
    # R102, R106
    template = worker("worker", backoff=PATIENT)
    async with actors.open_system(SupervisorSpec("pool", template=template, window=WINDOW)) as system:
        pool = system.supervisor("pool")
        ref = await pool.start_from_template(name="a")
        assert ref is not None
        await crash(ref)
        assert await pool.count_children() == ChildCount(1, 0, 0, 1)
        await pool.terminate_child("a")
        assert await pool.count_children() == ChildCount(1, 0, 0, 0)
        assert not ref.alive


async def test_a_dynamic_child_that_says_ignore_at_its_restart_is_forgotten() -> None:  # R104
    answers: list[Any] = [Everything(), IGNORE]
    template = ChildSpec("worker", lambda: answers.pop(0))
    async with actors.open_system(SupervisorSpec("pool", template=template)) as system:
        ref = await system.supervisor("pool").start_from_template()
        assert ref is not None
        await crash(ref)
        assert await system.supervisor("pool").which_children() == ()
        assert not ref.alive


# -- links and watches


@define
class Linked(Everything):
    """Also watches and links, and notes what it is told."""

    heard: list[Any] = field(factory=list)

    def receive(self, message: Any) -> Any:
        match message:
            case Bind(how, ref):
                return getattr(actors.context(), how)(ref)
            case actors.Down() | actors.Exit():
                self.heard.append(message)
                return None
        return super().receive(message)


@frozen
class Bind(actors.Ask[Any]):
    how: str
    ref: actors.Ref


async def test_a_normal_end_is_heard_by_who_traps_exits_and_by_watchers_and_harms_nobody() -> None:  # R110, R112, R114
    trapping = Linked()
    specs = (
        worker("target", restart=Restart.TEMPORARY),
        ChildSpec("plain", Linked),
        ChildSpec("trapping", lambda: trapping, trap_exits=True),
    )
    async with actors.open_system(*specs) as system:
        target = system["target"]
        for name in ("plain", "trapping"):
            await system[name].ask(Bind("link", target))
        for _ in range(2):
            await system["trapping"].ask(Bind("watch", target))
        target.stop(Normal(), now=True)
        await wait_all_tasks_blocked()
        heard = [(type(item).__name__, item.reason) for item in trapping.heard]
        assert heard == [("Down", Normal()), ("Down", Normal()), ("Exit", Normal())], "monitors before links (R115)"
        assert system["plain"].incarnation == 1


async def test_a_kill_cannot_be_trapped_and_its_peers_can_trap_it() -> None:  # R111
    peer = Linked()
    specs = (ChildSpec("victim", Linked, trap_exits=True), ChildSpec("peer", lambda: peer, trap_exits=True))
    async with actors.open_system(*specs) as system:
        await system["peer"].ask(Bind("link", system["victim"]))
        system["victim"].kill()
        await wait_all_tasks_blocked()
        assert system["victim"].incarnation == 2
        assert [item.reason for item in peer.heard] == [Killed()]


# -- messages


async def test_a_name_that_nobody_has_is_nobody_and_a_tell_to_the_dead_is_silent() -> None:  # R130
    async with actors.open_system(worker("a", restart=Restart.TEMPORARY)) as system:
        ref = system["a"]
        assert system.names.whereis("nobody") is None
        ref.stop(now=True)
        await wait_all_tasks_blocked()
        ref.tell(Note("lost"))
        ref.tell(Urgent("lost"))
        await ref.send(Note("lost"))
        with pytest.raises(ActorStopped):
            await ref.ask(Add(1))


async def test_an_ask_ends_with_its_actor_also_where_that_ends_normally(autojump_clock: MockClock) -> None:  # R131
    async with actors.open_system(worker("a", restart=Restart.TEMPORARY)) as system, trio.open_nursery() as nursery:
        ref = system["a"]

        async def ask() -> None:
            with pytest.raises(ActorStopped, match="normal"):
                await ref.ask(Add(1))

        gate = trio.Event()
        nursery.start_soon(ref.ask, Wait(gate))
        await wait_all_tasks_blocked()
        ref.stop()
        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        gate.set()


async def test_an_answer_that_comes_too_late_is_dropped_and_the_request_was_done(autojump_clock: MockClock) -> None:
    # R132
    async with actors.open_system(worker("a")) as system:
        gate = trio.Event()
        with trio.move_on_after(1) as patience:
            await system["a"].ask(Wait(gate))
        assert patience.cancelled_caught
        gate.set()
        assert await system["a"].ask(Seen()) == ("waiting", "done")
        assert await system["a"].ask(Add(1)) == 1


async def test_an_actor_that_stops_in_its_handler_still_answers_and_then_cleans_up() -> None:  # R133
    log: list[str] = []

    class Last(Everything):
        def receive(self, message: Any) -> Any:
            actors.context().ref.stop(Shutdown("enough"), now=True)
            return "the answer"

    spec = ChildSpec("a", managed(log, "a", Last), restart=Restart.TEMPORARY)
    async with actors.open_system(spec) as system:
        ref = system["a"]
        assert await ref.ask(Seen()) == "the answer"  # type: ignore[comparison-overlap]
        await wait_all_tasks_blocked()
        assert log == ["a up", "a down"]
        assert not ref.alive


async def test_an_actor_can_send_itself_what_it_begins_with() -> None:  # R133
    class Eager(Everything):
        def __init__(self) -> None:
            super().__init__()
            actors.context().ref.tell(Urgent("first"))

    async with actors.open_system(ChildSpec("a", Eager)) as system:
        system["a"].tell(Note("second"))
        assert await system["a"].ask(Seen()) == ("first", "second")


@pytest.mark.parametrize(
    ("end", "cleaned"),
    [
        (lambda ref: ref.stop(now=True), True),
        (lambda ref: ref.tell(Note("crash")), True),
        (lambda ref: ref.kill(), False),
    ],
)
async def test_clean_up_runs_at_every_end_and_may_wait_at_all_but_a_kill(
    end: Callable[[actors.Ref], None], cleaned: bool
) -> None:  # R40, R134
    log: list[str] = []

    class Fragile(Everything):
        def receive(self, message: Any) -> Any:
            raise BOOM

    @asynccontextmanager
    async def start() -> AsyncIterator[Everything]:
        try:
            yield Fragile()
        finally:
            log.append("begun")
            await trio.lowlevel.checkpoint()
            log.append("done")

    async with actors.open_system(ChildSpec("a", start, restart=Restart.TEMPORARY)) as system:
        end(system["a"])
        await wait_all_tasks_blocked()
        assert log == (["begun", "done"] if cleaned else ["begun"])


async def test_a_name_is_free_again_when_its_actor_is_gone_and_its_own_after_a_crash() -> None:  # R135
    def named() -> Everything:
        actors.context().register("the one")
        return Everything()

    async with actors.open_system(ChildSpec("a", named, restart=Restart.TRANSIENT), window=WINDOW) as system:
        await crash(system["a"])
        assert system.names.whereis("the one") is system["a"]
        await system.root.terminate_child("a")
        assert system.names.whereis("the one") is None
        assert await system.root.restart_child("a") is not None
        assert system.names.whereis("the one") is system["a"]


async def test_what_is_started_is_seen_to_end() -> None:
    events: list[TreeEvent] = []
    async with actors.open_system(worker("a"), worker("b"), observe=events.append) as system:
        await crash(system["a"])
    told = [(type(event).__name__, event.path, event.incarnation) for event in events]
    assert told == [
        ("ChildStarted", "a", 1),
        ("ChildStarted", "b", 1),
        ("ChildExited", "a", 1),
        ("ChildStarted", "a", 2),
        ("ChildStopped", "b", 1),
        ("ChildStopped", "a", 2),
    ]
    assert isinstance(events[0], ChildStarted)
