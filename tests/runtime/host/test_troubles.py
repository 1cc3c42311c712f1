"""Troubles of the runtime's own actors: what they cost, and when it gives up."""

from __future__ import annotations

import pytest
import trio
import trio.testing

import actors
from runtime import Runtime, RuntimeFailed, ServerNotFound
from runtime.registry import CatalogFetched
from tests.fakes import Fleet, good, mute


class Strange(actors.Tell):
    control = True


async def crash_registry(host: Runtime, times: int) -> None:
    for _ in range(times):
        with pytest.raises(Exception, match=r"crashed|stopped"):
            await host._house.registry.ask(CatalogFetched(None))
        await trio.testing.wait_all_tasks_blocked()


async def test_services_that_give_up_are_started_again_and_the_fleet_with_them(autojump_clock):
    fleet = Fleet({"a": good, "b": good, "new": good})
    async with fleet.open() as host:
        await host.stop("b")
        fleet.scripts = {**fleet.scripts, "spawned": good}
        await host.spawn("spawned", {"command": "scripted"})
        await crash_registry(host, 11)
        await host.call("a", "echo")
        assert host.status()["a"].incarnation == 2
        assert {entry.server for entry in host.tools()} == {"a", "b", "new"}
        with pytest.raises(ServerNotFound):  # it is no part of the configuration
            await host.call("spawned", "echo")
        await host.spawn("spawned", {"command": "scripted"})
        await host.call("spawned", "echo")
    assert fleet.open_links == 0


async def test_a_call_to_a_spawned_server_does_not_hang_when_the_fleet_is_started_again(autojump_clock):
    fleet = Fleet({"a": good})
    ends: list[BaseException] = []

    async def call() -> None:
        try:
            await host.call("spawned", "echo", timeout=1000)
        except Exception as error:  # noqa: BLE001  # how it ends is what is asked
            ends.append(error)

    async with fleet.open() as host:
        fleet.scripts = {**fleet.scripts, "spawned": mute}
        await host.spawn("spawned", {"command": "scripted", "in_flight": 1})
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(call)
            await trio.testing.wait_all_tasks_blocked()
            await crash_registry(host, 11)
            await trio.sleep(1)
            assert sorted(type(end).__name__ for end in ends) == ["CallInterrupted", "ServerStopped", "ServerStopped"]
            nursery.cancel_scope.cancel()


async def test_a_root_that_gives_up_ends_the_body_and_says_of_what(autojump_clock):
    fleet = Fleet({"a": good})
    with pytest.raises(RuntimeFailed, match="the runtime gave up"):
        async with fleet.open() as host:
            while True:
                await crash_registry(host, 1)
    assert fleet.open_links == 0


@pytest.mark.parametrize("how", ["kill", "crash"])
async def test_a_server_actor_that_fails_itself_is_a_crash_like_any_other(how, autojump_clock):
    fleet = Fleet({"a": [mute, good]})
    async with fleet.open() as host:
        ends: list[BaseException] = []

        async def call() -> None:
            try:
                await host.call("a", "echo")
            except Exception as error:  # noqa: BLE001  # how it ends is what is asked
                ends.append(error)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            await trio.testing.wait_all_tasks_blocked()
            ref = host._house.system["fleet/a/a"]
            if how == "kill":
                ref.kill()
            else:
                ref.tell(Strange())
        assert [type(end).__name__ for end in ends] == ["CallInterrupted"]
        await host.call("a", "echo")
        assert host.status()["a"].restarts == 1
    assert fleet.open_links == 0
