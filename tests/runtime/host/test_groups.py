"""Groups: islands with more than one member, where one server's end reaches the others."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from runtime import ServerEjected, ServerStopped, State
from tests.fakes import Fleet, Peer, dead, good

PAIR = {"pair": {"strategy": "one_for_all", "servers": ["a", "b"], "window": {"intensity": 2, "period": 60}}}


async def slow(peer: Peer) -> None:
    await trio.sleep(3)
    await good(peer)


async def test_one_for_all_restarts_the_siblings_and_nobody_else(autojump_clock):
    fleet = Fleet(dict.fromkeys("abc", good))
    async with fleet.open(groups=PAIR) as host:
        await host.kill("a")
        await trio.testing.wait_all_tasks_blocked()
        assert {name: status.state for name, status in host.status().items()} == {
            "a": State.BACKING_OFF, "b": State.BACKING_OFF, "c": State.READY,
        }  # fmt: skip
        for name in "abc":
            await host.call(name, "echo")
        assert {name: status.incarnation for name, status in host.status().items()} == {"a": 2, "b": 2, "c": 1}


async def test_rest_for_one_starts_a_member_when_those_before_it_are_ready(autojump_clock):
    fleet = Fleet({"a": slow, "b": slow, "c": good})
    group = {"line": {"strategy": "rest_for_one", "servers": ["a", "b", "c"]}}
    async with fleet.open(groups=group, servers={"c": {"start_timeout": 2}}) as host:
        ready = {event.server: event.at for event in host.recent_events() if event.name == "ready"}
        assert [round(ready[name]) for name in "abc"] == [3, 6, 6]
        await host.kill("b")
        await host.call("b", "echo")
        await host.call("c", "echo")
        assert {name: status.incarnation for name, status in host.status().items()} == {"a": 1, "b": 2, "c": 2}


async def test_a_group_that_spends_its_window_is_ejected_as_a_whole_and_reloaded_as_a_whole(autojump_clock):
    fleet = Fleet({"a": [dead, dead, dead, good], "b": good, "c": good})
    async with fleet.open(groups=PAIR, servers={"a": {"era": "modern"}}) as host:
        with pytest.raises(ServerEjected, match="more than 2 restarts in 60 s"):
            await host.call("b", "echo")
        assert {name: status.state for name, status in host.status().items()} == {
            "a": State.EJECTED, "b": State.EJECTED, "c": State.READY,
        }  # fmt: skip
        assert "pair  ejected" in str(host.tree())
        assert [event.server for event in host.recent_events() if event.name == "ejected"] == ["a", "b"]
        await host.stop("b")  # is down, and stays as it is
        await host.reload("b")
        await host.call("a", "echo")
        await host.call("b", "echo")


async def test_a_group_in_a_group_escalates(autojump_clock):
    fleet = Fleet({"a": [dead, dead, good], "b": good, "c": good})
    groups = {
        "inner": {"servers": ["a"], "window": {"intensity": 0}},
        "outer": {"strategy": "one_for_all", "servers": ["b", "inner"], "window": {"intensity": 5, "period": 60}},
    }
    async with fleet.open(groups=groups, servers={"a": {"era": "modern"}}) as host:
        await host.call("a", "echo")
        await host.call("b", "echo")
        assert {name: status.incarnation for name, status in host.status().items()} == {"a": 3, "b": 3, "c": 1}
        await host.reload("a")
        assert {name: status.state for name, status in host.status().items()} == dict.fromkeys("abc", State.READY)


async def test_a_stopped_member_leaves_its_siblings_alone(autojump_clock):
    async with Fleet({"a": good, "b": good}).open(groups=PAIR) as host:
        await host.stop("a")
        await host.call("b", "echo")
        assert host.status()["a"].state is State.STOPPED
        await host.reload("a")
        await host.call("a", "echo")
        assert host.status()["b"].incarnation == 2


async def test_a_stop_while_its_group_backs_off_leaves_the_siblings_stopped(autojump_clock):
    fleet = Fleet({"a": good, "b": good})
    group = {"pair": {**PAIR["pair"], "backoff": {"first": 60, "cap": 60}}}
    async with fleet.open(groups=group) as host:
        await host.kill("a")
        await trio.testing.wait_all_tasks_blocked()
        assert host.status()["b"].state is State.BACKING_OFF
        await host.stop("a")
        assert {name: status.state for name, status in host.status().items()} == dict.fromkeys("ab", State.STOPPED)
        with pytest.raises(ServerStopped):
            await host.call("b", "echo")
        await host.reload("b")
        await host.call("a", "echo")
