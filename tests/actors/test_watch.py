"""Watches, links and names: K10, R110-R115, R135."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from attrs import define, field, frozen
from trio.testing import wait_all_tasks_blocked

import actors
from actors import Ask, ChildSpec, Down, Exit, Gone, Killed, Normal, Restart, RestartWindow, Shutdown, SupervisorSpec

from .support import Crash, Everything

BOOM = OSError("boom")


@frozen
class WatchIt(Ask[actors.Watch]):
    ref: actors.Ref
    once: bool = False


@frozen
class LinkTo(Ask[None]):
    ref: actors.Ref


@frozen
class UnlinkFrom(Ask[None]):
    ref: actors.Ref


@frozen
class Heard(Ask[tuple[Any, ...]]):
    pass


@frozen
class Hold(Ask[None]):
    """Wait in the handler, so that what is delivered meanwhile stays queued."""

    gate: trio.Event


@define
class Watcher:
    heard: list[Any] = field(factory=list)

    def receive(self, message: Any) -> Any:
        match message:
            case WatchIt(ref, once):
                return actors.context().watch(ref, once=once)
            case LinkTo(ref):
                return actors.context().link(ref)
            case UnlinkFrom(ref):
                return actors.context().unlink(ref)
            case Heard():
                return tuple(self.heard)
            case Hold(gate):
                return gate.wait()
            case Down() | Exit():
                self.heard.append(message)
                return None
        raise TypeError(message)


def specs(*, trap: bool = False) -> tuple[ChildSpec, ...]:
    return (ChildSpec("target", Everything), ChildSpec("watcher", Watcher, trap_exits=trap))


WINDOW = RestartWindow(10, 5.0)


async def heard(system: actors.System) -> list[tuple[Any, ...]]:
    await wait_all_tasks_blocked()
    found = await system["watcher"].ask(Heard())
    return [(type(item).__name__, getattr(item, "incarnation", None), item.reason) for item in found]


async def test_a_watch_tells_of_each_end_of_an_incarnation_until_it_is_cancelled() -> None:
    async with actors.open_system(*specs(), window=WINDOW) as system:
        target = system["target"]
        watch = await system["watcher"].ask(WatchIt(target))
        for _ in range(2):
            with pytest.raises(actors.ActorCrashed):
                await target.ask(Crash(BOOM))
            await wait_all_tasks_blocked()
        target.stop(now=True)
        crashed = actors.Crashed(BOOM)
        assert await heard(system) == [("Down", 1, crashed), ("Down", 2, crashed), ("Down", 3, Normal())]
        watch.cancel()
        target.kill()
        assert len(await heard(system)) == 3


async def test_a_watch_once_tells_once_and_two_watches_tell_twice() -> None:
    async with actors.open_system(*specs(), window=WINDOW) as system:
        for _ in range(2):
            await system["watcher"].ask(WatchIt(system["target"], once=True))
        for _ in range(2):
            system["target"].kill()
            await wait_all_tasks_blocked()
        assert await heard(system) == [("Down", 1, Killed())] * 2


async def test_a_watch_of_what_is_gone_tells_so_at_once() -> None:
    async with actors.open_system(*specs()) as system:
        target = system["target"]
        await system.root.terminate_child("target")
        await system["watcher"].ask(WatchIt(target))
        assert await heard(system) == [("Down", 1, Gone())]


async def test_a_cancelled_watch_takes_back_what_it_has_queued() -> None:
    gate = trio.Event()
    async with actors.open_system(*specs(), window=WINDOW) as system, trio.open_nursery() as nursery:
        watch = await system["watcher"].ask(WatchIt(system["target"]))
        nursery.start_soon(system["watcher"].ask, Hold(gate))
        await wait_all_tasks_blocked()
        system["target"].kill()
        await wait_all_tasks_blocked()
        watch.cancel()
        gate.set()
        assert await heard(system) == []


async def test_watches_end_with_the_incarnation_that_began_them() -> None:
    async with actors.open_system(*specs(), window=WINDOW) as system:
        await system["watcher"].ask(WatchIt(system["target"]))
        system["watcher"].kill()
        await wait_all_tasks_blocked()
        system["target"].kill()
        assert await heard(system) == []


async def test_what_is_linked_dies_of_the_same_reason_and_a_normal_end_is_ignored() -> None:
    async with actors.open_system(*specs(), window=WINDOW) as system:
        target, watcher = system["target"], system["watcher"]
        for _ in range(2):
            await watcher.ask(LinkTo(target))
        target.stop(now=True)
        await wait_all_tasks_blocked()
        assert watcher.incarnation == 1
        await watcher.ask(LinkTo(target))
        with pytest.raises(actors.ActorCrashed):
            await target.ask(Crash(BOOM))
        await wait_all_tasks_blocked()
        assert (target.incarnation, watcher.incarnation) == (3, 2)
        assert system.tree().children[1].last_exit == actors.Crashed(BOOM)


async def test_links_carry_exits_both_ways() -> None:
    async with actors.open_system(*specs(), window=WINDOW) as system:
        await system["watcher"].ask(LinkTo(system["target"]))
        system["watcher"].kill()
        await wait_all_tasks_blocked()
        assert system["target"].incarnation == 2
        assert system.tree().children[0].last_exit == Killed()


async def test_an_actor_that_traps_exits_hears_of_them_instead() -> None:
    async with actors.open_system(*specs(trap=True), window=WINDOW) as system:
        target, watcher = system["target"], system["watcher"]
        await watcher.ask(LinkTo(target))
        target.stop(Shutdown("enough"), now=True)
        assert await heard(system) == [("Exit", None, Shutdown("enough"))]
        await watcher.ask(LinkTo(target))
        await watcher.ask(UnlinkFrom(target))
        target.kill()
        assert len(await heard(system)) == 1
        assert watcher.incarnation == 1


async def test_a_link_to_what_is_gone_is_an_exit_at_once() -> None:
    async with actors.open_system(*specs(trap=True), window=WINDOW) as system:
        target = system["target"]
        await system.root.terminate_child("target")
        await system["watcher"].ask(LinkTo(target))
        assert await heard(system) == [("Exit", None, Gone())]


async def test_a_supervisor_ignores_the_exits_of_strangers() -> None:  # R91
    inner = SupervisorSpec("inner", (ChildSpec("x", Everything),))
    async with actors.open_system(inner, *specs(), window=WINDOW) as system:
        await system["watcher"].ask(LinkTo(system["inner"]))
        system["watcher"].kill()
        await wait_all_tasks_blocked()
        assert system["inner"].incarnation == 1
        assert system["inner/x"].incarnation == 1


async def test_a_name_points_at_one_living_address_and_outlives_its_crashes() -> None:
    def named() -> Everything:
        actors.context().register("the one")
        return Everything()

    temporary = ChildSpec("a", named, restart=Restart.TRANSIENT)
    async with actors.open_system(temporary, window=WINDOW) as system:
        ref = system["a"]
        ref.kill()
        await wait_all_tasks_blocked()
        assert system.names.whereis("the one") is ref
        with pytest.raises(actors.ChildRefused, match="taken by actor 'a'"):
            await system.root.start_child(ChildSpec("b", named))
        ref.stop()
        await wait_all_tasks_blocked()
        assert system.names.whereis("the one") is None
        other = await system.root.start_child(ChildSpec("b", named))
        assert system.names.whereis("the one") is other
        system.names.unregister("the one")
        assert system.names.whereis("the one") is None
