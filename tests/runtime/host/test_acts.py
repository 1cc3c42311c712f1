"""Stop, reload, spawn, kill: what they do, and that a cancellation at any point leaves the house in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
import trio.testing
from attrs import define

from runtime import (
    CallInterrupted,
    ConfigError,
    GreenroomError,
    NameTaken,
    Runtime,
    RuntimeClosed,
    ServerNotFound,
    ServerStopped,
    State,
)
from tests.fakes import Fleet, Peer, dead, good, mute, text


async def slow(peer: Peer) -> None:
    """Answers each call after five seconds."""
    await peer.get_ready()
    while True:
        request = await peer.hear("tools/call")
        await trio.sleep(5)
        peer.answer(request, text(f"life {peer.incarnation}"))


async def say(host: Runtime, into: list[str], server: str = "a") -> None:
    try:
        into.append((await host.call(server, "echo")).content[0].text)
    except GreenroomError as error:
        into.append(type(error).__name__)


async def test_a_stopped_server_is_down_until_reload_and_says_so(autojump_clock):
    fleet = Fleet({"a": good, "b": good})
    async with fleet.open() as host:
        await host.stop("a")
        assert host.status()["a"].state is State.STOPPED
        assert fleet.open_links == 1
        assert [entry.server for entry in host.tools()] == ["b"]
        with pytest.raises(ServerStopped, match=r"server 'a' is stopped; reload\('a'\) starts it again"):
            await host.call("a", "echo")
        with pytest.raises(ServerStopped):
            await host.kill("a")
        await host.stop("a")
        await host.call("b", "echo")
        await host.reload("a")
        await host.call("a", "echo")
        assert [event.name for event in host.recent_events() if event.server == "a"] == [
            "starting", "ready", "stopped", "starting", "ready",
        ]  # fmt: skip


async def test_a_stop_interrupts_what_is_in_flight_and_tells_who_waits(autojump_clock):
    fleet = Fleet({"a": mute}, clean_up=3)
    async with fleet.open(servers={"a": {"in_flight": 1}}) as host, trio.open_nursery() as nursery:
        ends: list[str] = []
        for _ in range(3):
            nursery.start_soon(say, host, ends)
        await trio.testing.wait_all_tasks_blocked()
        await host.stop("a")
        await trio.testing.wait_all_tasks_blocked()
        assert sorted(ends) == ["CallInterrupted", "ServerStopped", "ServerStopped"]


async def test_a_reload_lets_calls_in_flight_finish_and_the_next_incarnation_takes_the_queued(autojump_clock):
    fleet = Fleet({"a": slow})
    async with fleet.open(servers={"a": {"in_flight": 1}}) as host, trio.open_nursery() as nursery:
        ends: list[str] = []
        for _ in range(3):
            nursery.start_soon(say, host, ends)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(host.reload, "a")
        await trio.sleep(1)
        assert host.status()["a"].state is State.DRAINING
    assert ends == ["life 1", "life 2", "life 2"]


async def test_a_reload_waits_for_calls_in_flight_only_so_long(autojump_clock):
    async with Fleet({"a": [mute, good]}).open() as host, trio.open_nursery() as nursery:
        ends: list[str] = []
        nursery.start_soon(say, host, ends)
        await trio.testing.wait_all_tasks_blocked()
        await host.reload("a")
        assert trio.current_time() == pytest.approx(10, abs=0.5)
        assert ends == ["CallInterrupted"]
        await host.call("a", "echo")


async def test_a_reload_after_crashes_shows_the_new_tools(autojump_clock):
    def lists(*tools: str) -> Callable[[Peer], Awaitable[None]]:
        async def serve(peer: Peer) -> None:
            peer.tools = tools
            await good(peer)

        return serve

    fleet = Fleet({"a": [lists("one"), lists("one"), lists("one"), lists("two")]})
    async with fleet.open() as host:
        for _ in range(2):
            await host.kill("a")
            await host.call("a", "one")
        assert host.status()["a"].incarnation == 3
        await host.reload("a")
        assert [entry.name for entry in host.tools()] == ["two"]
        assert host.status()["a"].incarnation == 4


async def test_acts_on_one_server_at_once_all_end_and_leave_it_well(autojump_clock):
    fleet = Fleet({"a": good}, clean_up=1)
    async with fleet.open() as host:
        async with trio.open_nursery() as nursery:
            for act in (host.reload, host.stop, host.reload, host.stop, host.reload):
                nursery.start_soon(act, "a")
        state = host.status()["a"].state
        assert (state is State.READY) == (fleet.open_links == 1)
        await host.reload("a")
        await host.call("a", "echo")


async def test_a_server_can_be_spawned_and_its_name_is_taken_then(autojump_clock):
    fleet = Fleet({"a": good, "new": good})
    async with fleet.open() as host:
        await host.stop("new")
        with pytest.raises(NameTaken, match="'new'"):
            await host.spawn("new", {"command": "x"})
    fleet = Fleet({"a": good})
    fleet.scripts = {"a": good, "new": good, "bad": dead}
    async with open_with(fleet, "a") as host:
        assert (await host.spawn("new", {"command": "x"})).state is State.READY
        assert (await host.call("new", "echo", {"n": 1})).content[0].text == '{"n":1}'
        assert (await host.spawn("bad", {"command": "x"})).last_error is not None
        with pytest.raises(ConfigError):
            await host.spawn("worse", {"comand": "x"})
        with pytest.raises(ServerNotFound):
            await host.call("worse", "echo")
        assert list(host.status()) == ["a", "new", "bad"]
        await host.stop("new")
        await host.reload("new")
        await host.call("new", "echo")


async def test_a_name_may_hold_any_character(autojump_clock):
    name = "io.github.me/server%2F 100%"
    fleet = Fleet({name: good, "group": good})
    async with fleet.open(groups={"one/two": {"servers": ["group"]}}) as host:
        await host.kill(name)
        await host.stop(name)
        await host.reload(name)
        await host.call(name, "echo")
        await host.stop("group")
        await host.reload("group")
        assert f"│  └─ {name}  ready" in str(host.tree())
        assert "one/two  running" in str(host.tree())


@pytest.mark.parametrize("act", ["call", "stop", "reload", "kill", "status", "tools"])
async def test_an_unknown_server_is_told_with_a_suggestion(act, autojump_clock):
    async with Fleet({"files": good, "b": good}).open() as host:
        with pytest.raises(ServerNotFound, match=r"no server 'filess'; did you mean 'files'?"):
            match act:
                case "call":
                    await host.call("filess", "echo")
                case "status":
                    host.status("filess")
                case "tools":
                    host.tools(server="filess")
                case _:
                    await getattr(host, act)("filess")


@pytest.mark.parametrize("act", ["call", "spawn", "stop", "reload", "kill"])
async def test_a_runtime_that_is_closed_says_so(act, autojump_clock):
    fleet = Fleet({"a": good})
    async with fleet.open() as host:
        await host.call("a", "echo")
    arguments = {"call": ("a", "echo"), "spawn": ("new", {"command": "x"})}
    with pytest.raises(RuntimeClosed, match="this runtime is closed"):
        await getattr(host, act)(*arguments.get(act, ("a",)))
    assert list(host.status()) == list(host.status("a")) == ["a"], "and what it was can still be looked at"


def open_with(fleet: Fleet, *names: str) -> Any:
    """Open on some of the scripts; the others are there to be spawned."""
    scripts, fleet.scripts = fleet.scripts, {name: fleet.scripts[name] for name in names}
    opened = fleet.open()
    fleet.scripts = scripts
    return opened


@define(eq=False)
class CancelAt(trio.abc.Instrument):
    """Cancels a scope when its task has taken so many steps: at each of its checkpoints, over many runs."""

    scope: trio.CancelScope
    task: trio.lowlevel.Task
    steps: int

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self.task:
            self.steps -= 1
            if self.steps == 0:
                self.scope.cancel()


async def cancelled_at(steps: int, act: Callable[[], Awaitable[object]]) -> bool:
    """Run ``act`` and cancel it at so many steps; whether it was over before."""
    with trio.CancelScope() as scope:
        cancel = CancelAt(scope, trio.lowlevel.current_task(), steps)
        trio.lowlevel.add_instrument(cancel)
        try:
            await act()
        except CallInterrupted:
            pass
        finally:
            trio.lowlevel.remove_instrument(cancel)
    return cancel.steps > 0


ACTS: dict[str, Callable[[Runtime], Awaitable[object]]] = {
    "call": lambda host: host.call("a", "echo"),
    "a call over a restart": lambda host: killed_and_called(host),
    "reload": lambda host: host.reload("a"),
    "reload with calls in flight": lambda host: reloaded_with_calls(host),
    "reload of an ejected server": lambda host: host.reload("ejected"),
    "spawn": lambda host: host.spawn("new", {"command": "x"}),
    "stop": lambda host: host.stop("a"),
    "kill": lambda host: host.kill("a"),
}


async def killed_and_called(host: Runtime) -> None:
    await host.kill("a")
    await host.call("a", "echo")


async def reloaded_with_calls(host: Runtime) -> None:
    async with trio.open_nursery() as nursery:
        ends: list[str] = []
        nursery.start_soon(say, host, ends)
        await trio.testing.wait_all_tasks_blocked()
        await host.reload("a")


@pytest.mark.parametrize("act", ACTS)
async def test_a_cancellation_at_any_checkpoint_leaves_nothing_behind(act, autojump_clock):
    for steps in range(1, 200):
        fleet = Fleet({"a": slow, "b": good, "ejected": [dead, good], "new": good}, clean_up=0.5)
        scripts = fleet.scripts
        fleet.scripts = {name: scripts[name] for name in ("a", "b", "ejected")}
        opened = fleet.open(servers={"ejected": {"window": {"intensity": 0}, "era": "modern"}})
        fleet.scripts = scripts
        async with opened as host:
            await trio.testing.wait_all_tasks_blocked()
            over = await cancelled_at(steps, lambda host=host: ACTS[act](host))
            await trio.testing.wait_all_tasks_blocked()
            with trio.fail_after(100):
                await host.call("b", "echo")
                if host.status()["a"].state is State.STOPPED:
                    await host.reload("a")
                assert (await host.call("a", "echo")).content[0].text.startswith("life")
                if host.status()["ejected"].state is not State.EJECTED:
                    await host.call("ejected", "echo")
                await host.reload("a")
            assert host.status()["a"].state is State.READY
            assert host.status()["a"].in_flight == host.status()["a"].queued == 0
            assert fleet.open_links == sum(status.pid is not None for status in host.status().values())
        assert fleet.open_links == 0
        if over:
            return
    raise AssertionError("it never ended")


async def test_cancelling_the_whole_runtime_at_any_checkpoint_of_its_opening_leaves_nothing(autojump_clock):
    for steps in range(1, 200):
        fleet = Fleet({"a": good, "b": dead})

        async def act(fleet: Fleet = fleet) -> None:
            async with fleet.open() as host:
                await host.call("a", "echo")

        over = await cancelled_at(steps, act)
        assert fleet.open_links == 0
        if over:
            return
    raise AssertionError("it never ended")
