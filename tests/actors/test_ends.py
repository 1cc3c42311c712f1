"""What is told of an end: of one that does not come, and of what it leaves unhandled."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import (
    BRUTAL_KILL,
    ActorStopped,
    ChildSpec,
    ChildStarted,
    ChildStopped,
    ChildStuck,
    Restart,
    RestartWindow,
    Shutdown,
    SupervisorExit,
    SupervisorSpec,
    TellsDropped,
    TreeEvent,
)

from .support import Add, Drop, Everything, Note, Urgent, Wait

BOOM = OSError("boom")


@contextmanager
def unkillable() -> Iterator[tuple[list[float], Callable[[], Any]]]:
    """A start whose actor shields its clean-up for 75 seconds; and when it was done."""
    ended: list[float] = []

    @asynccontextmanager
    async def start() -> AsyncIterator[Everything]:
        try:
            yield Everything()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(75)
            ended.append(trio.current_time())

    yield ended, start


@pytest.mark.parametrize(("shutdown", "killed_at"), [(2.0, 2.0), (0.0, 0.0), (BRUTAL_KILL, 0.0)])
async def test_a_child_that_its_kill_does_not_end_is_told_of_with_the_line_it_hangs_at_and_waited_for(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, shutdown: Any, killed_at: float
) -> None:  # T11
    events: list[tuple[float, TreeEvent]] = []
    began = trio.current_time()
    with unkillable() as (ended, start):
        async with (
            actors.open_system(
                SupervisorSpec("s", (ChildSpec("a", start, shutdown=shutdown), ChildSpec("b", Everything))),
                observe=lambda event: events.append((trio.current_time() - began, event)),
            ) as system,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(system.supervisor("s").terminate_child, "a")
            await trio.sleep(killed_at + 9)
            assert system.tree().children[0].children[0].status == "stopping"
            await trio.sleep(2)
            node = system.tree().children[0].children[0]
            assert node.status == "stuck"
            assert node.detail.startswith("at test_ends.py:")
            assert "a  stuck, at test_ends.py:" in str(system.tree())
            assert await system["s/b"].ask(Add(1)) == 1  # nobody else suffers
    assert ended == [began + 75]
    stuck = [(at, event) for at, event in events if isinstance(event, ChildStuck)]
    assert [at for at, _ in stuck] == [killed_at + 10, killed_at + 70]
    event = stuck[0][1]
    assert isinstance(event, ChildStuck)
    assert (event.path, event.incarnation) == ("s/a", 1)
    assert event.where.startswith("s/a: test_ends.py:")
    assert event.where.endswith(" in start")
    assert [record.getMessage() for record in caplog.records] == [str(event) for _, event in stuck]
    assert isinstance(events[-3][1], ChildStopped)  # and in the end it has stopped, as any other


async def test_of_two_that_are_stopped_together_only_the_one_that_still_hangs_is_told_of(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    @asynccontextmanager
    async def start(seconds: float) -> AsyncIterator[Everything]:
        yield Everything()
        with trio.CancelScope(shield=True):
            await trio.sleep(seconds)

    template = ChildSpec("t", start, shutdown=1.0)
    async with actors.open_system(SupervisorSpec("s", template=template)) as system:
        for seconds in (15, 90):
            await system.supervisor("s").start_from_template(seconds)
    told = [record.getMessage().partition("' was")[0].rpartition("/")[2] for record in caplog.records]
    assert told == ["t-2", "t-1", "t-2"]


async def test_a_killed_supervisor_that_waits_for_an_unkillable_child_is_told_of_with_where_that_one_hangs(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:  # T11, R94
    with unkillable() as (ended, start):
        inner = SupervisorSpec("inner", (ChildSpec("a", start),), shutdown=BRUTAL_KILL)
        async with actors.open_system(inner) as system:
            await wait_all_tasks_blocked()
            await system.root.terminate_child("inner")
            assert len(ended) == 1
    assert [record.name for record in caplog.records] == ["actors", "actors"]
    drawn = caplog.records[0].getMessage().splitlines()
    assert drawn[0] == "actor 'inner' was killed and does not end; its tasks, each with where it waits:"
    assert drawn[1].startswith("inner: ")
    assert drawn[2].startswith("  inner/a: test_ends.py:")


async def test_a_child_that_ends_in_time_after_its_kill_is_not_told_of(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with actors.open_system(ChildSpec("a", Everything, shutdown=30.0)) as system, trio.open_nursery() as nursery:
        nursery.start_soon(swallow, system["a"].ask(Wait(trio.Event())))
        await wait_all_tasks_blocked()
        await system.root.terminate_child("a")
    assert not caplog.records


async def swallow(ask: Any) -> None:
    with suppress(ActorStopped):
        await ask


# -- what is dropped


async def drops(*specs: Any, end: Callable[[actors.System], Any], **root: Any) -> list[TellsDropped]:
    """Fill the first actor's held mailbox, end it, and return what was told of the tells."""
    told: list[TellsDropped] = []

    def observe(event: TreeEvent) -> None:
        if isinstance(event, TellsDropped):
            told.append(event)

    async with trio.open_nursery() as nursery, actors.open_system(*specs, observe=observe, **root) as system:
        ref = system[specs[0].name]
        await wait_all_tasks_blocked()
        ref._mailbox.hold()
        for number in range(12):
            ref.tell(Note(str(number)))
        nursery.start_soon(swallow, ref.ask(Add(1)))
        await wait_all_tasks_blocked()
        nursery.start_soon(ref.send, Note("waits for room"))
        await wait_all_tasks_blocked()
        if (ending := end(system)) is not None:
            await ending
        await wait_all_tasks_blocked()
        nursery.cancel_scope.deadline = trio.current_time() + 1  # for who still waits
    assert ref.statistics().dropped == sum(event.count for event in told)
    return told


HELD = ChildSpec("a", Everything, capacity=13, restart=Restart.TRANSIENT)


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (lambda system: None, Shutdown()),
        (lambda system: system.root.terminate_child("a"), Shutdown()),
        (lambda system: system["a"].stop(Shutdown("enough"), now=True), Shutdown("enough")),
    ],
    ids=["the system ends", "it is terminated", "it ends by itself"],
)
async def test_tells_that_an_end_drops_are_counted_and_named(end: Any, reason: Any) -> None:  # K4
    (told,) = await drops(HELD, end=end)
    assert (told.path, told.reason, told.count) == ("a", reason, 13)
    assert told.first == tuple(Note(str(number)) for number in range(10))


async def test_tells_that_a_crash_leaves_queued_are_not_dropped() -> None:  # K3
    assert await drops(HELD, end=lambda system: system["a"].kill(), window=RestartWindow(3, 5.0)) == []


async def test_what_the_kernel_itself_had_queued_is_nobodys_tell() -> None:
    watched = ChildSpec("b", Everything)

    async def end(system: actors.System) -> None:
        system["a"]._child.context.watch(system["b"])
        actors.suspend(system["a"])
        system["b"].stop()
        await wait_all_tasks_blocked()
        system["a"].tell(Urgent("a user's own"))
        await system.root.terminate_child("a")

    told: list[TreeEvent] = []
    async with actors.open_system(
        ChildSpec("a", Everything), watched, window=RestartWindow(3, 5.0), observe=told.append
    ) as system:
        await wait_all_tasks_blocked()
        await end(system)
    assert [event for event in told if isinstance(event, TellsDropped)] == [
        TellsDropped("a", Shutdown(), 1, (Urgent("a user's own"),))
    ]


async def test_the_tree_names_how_many_tells_were_dropped() -> None:
    async with actors.open_system(ChildSpec("a", Everything)) as system:
        await wait_all_tasks_blocked()
        system["a"]._mailbox.hold()
        system["a"].tell(Note("x"))
        await system.root.terminate_child("a")
        assert str(system.tree()).endswith("a  stopped, 1 dropped, shutdown")


# -- what is let go, and who is named


async def test_who_watches_an_actor_whose_supervisor_restarts_keeps_no_watch_of_it() -> None:
    async with actors.open_system(
        ChildSpec("watcher", lambda: Ignoring()), SupervisorSpec("s", (ChildSpec("a", Everything),))
    ) as system:
        await wait_all_tasks_blocked()
        watcher = system["watcher"]._child
        watcher.context.watch(system["s/a"])
        assert watcher.bonds is not None
        assert len(watcher.bonds.watching) == 1
        system["s"].kill()
        await wait_all_tasks_blocked()
        assert system["s"].incarnation == 2
        assert watcher.bonds.watching == []


class Ignoring:
    def receive(self, message: Any) -> None:
        pass


async def test_a_root_that_crashes_names_its_own_crash_and_not_an_earlier_childs() -> None:
    worse = LookupError("worse")

    def observe(event: TreeEvent) -> None:
        if isinstance(event, ChildStarted) and event.incarnation == 2:
            raise worse

    with pytest.raises(SupervisorExit) as told:
        async with actors.open_system(ChildSpec("a", Everything), observe=observe) as system:
            system["a"].tell(Drop(BOOM))
            await trio.sleep_forever()
    assert told.value.__cause__ is worse
