"""Another configuration for a runtime that runs: what is touched, what is not, and what becomes of calls meanwhile."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from actors import Node
from runtime import (
    ConfigError,
    GreenroomError,
    PlanOutdated,
    Runtime,
    RuntimeClosed,
    RuntimeConfig,
    ServerNotFound,
    ServerStopped,
    State,
    open_runtime,
)
from runtime.config import load
from runtime.host import open_over
from runtime.host.plan import Action
from tests.fakes import Fleet, Peer, dead, good, mute, serving, text
from tests.runtime.host.test_plan import configs
from tests.runtime.host.test_troubles import crash_registry


async def slow(peer: Peer) -> None:
    """Answers each call after five seconds."""
    await peer.get_ready()
    while True:
        request = await peer.hear("tools/call")
        await trio.sleep(5)
        peer.answer(request, text(f"life {peer.incarnation}"))


async def say(host: Runtime, into: list[str], server: str = "a") -> None:
    try:
        into.append((await host.call(server, "echo", timeout=1000)).content[0].text)
    except GreenroomError as error:
        into.append(type(error).__name__)


def config(servers: dict[str, Any], **host: Any) -> dict[str, Any]:
    named = {name: {"command": "scripted", **keys} for name, keys in servers.items()}
    return {"mcpServers": named, "journal": False, **host}


def lives(fleet: Fleet) -> dict[str, int]:
    return {name: len(peers) for name, peers in fleet.lives.items()}


def islands(host: Runtime) -> list[object]:
    """The fleet by names alone; the order of islands means nothing, that of members much."""

    def shape(node: Node) -> tuple[str, tuple[object, ...]]:
        return node.name, tuple(map(shape, node.children))

    [fleet] = [node for node in host.tree().children if node.name == "fleet"]
    return sorted(map(shape, fleet.children))


async def test_what_has_changed_is_done_and_the_rest_is_untouched(
    autojump_clock,
):
    fleet = Fleet({"a": good, "b": good, "c": good})
    async with fleet.open() as host:
        fleet.scripts = {**fleet.scripts, "d": good}
        applied = await host.apply(config({"d": {}, "a": {}, "b": {"args": ["1"]}}))
        assert str(applied).splitlines() == [
            "stop c: not in the configuration any more",
            "restart b: args",
            "start d: new",
            "untouched: 1 server",
        ]
        assert lives(fleet) == {"a": 1, "b": 2, "c": 1, "d": 1}
        assert list(host.status()) == list(host.config.servers) == ["d", "a", "b"]
        assert {entry.server for entry in host.tools()} == {"a", "b", "d"}
        for name in ("a", "b", "d"):
            await host.call(name, "echo")
        with pytest.raises(ServerNotFound):
            await host.call("c", "echo")
        assert not host.plan(config({"d": {}, "a": {}, "b": {"args": ["1"]}}))
        assert host.recent_events()[-1].told() == (
            "configuration applied: stop c: not in the configuration any more; restart b: args; start d: new"
        )


async def test_calls_in_flight_finish_and_those_that_wait_are_carried_by_the_new_one(autojump_clock):
    fleet = Fleet({"a": slow})
    async with fleet.open(servers={"a": {"in_flight": 1}}) as host, trio.open_nursery() as nursery:
        ends: list[str] = []
        for _ in range(3):
            nursery.start_soon(say, host, ends)
        await trio.testing.wait_all_tasks_blocked()
        await host.apply(config({"a": {"in_flight": 2, "args": ["1"]}}))
        assert ends == ["life 1"]
    assert ends == ["life 1", "life 2", "life 2"]


async def test_a_call_in_flight_at_a_server_that_goes_finishes_and_one_that_waits_is_told(autojump_clock):
    fleet = Fleet({"a": slow, "b": good})
    async with fleet.open(servers={"a": {"in_flight": 1}}) as host, trio.open_nursery() as nursery:
        ends: list[str] = []
        for _ in range(2):
            nursery.start_soon(say, host, ends)
        await trio.testing.wait_all_tasks_blocked()
        await host.apply(config({"b": {}}))
        await trio.testing.wait_all_tasks_blocked()
        assert ends == ["life 1", "ServerStopped"]
    assert str(ServerStopped("a", gone=True)) == "server 'a' is stopped: it is not in the configuration any more"


async def test_who_listens_to_a_server_that_goes_hears_that_there_is_no_more(autojump_clock):
    fleet = Fleet({"a": serving({"resources/subscribe": {}, "resources/unsubscribe": {}}, era="legacy"), "b": good})
    async with fleet.open(servers={"a": {"era": "legacy"}}) as host, host.subscribe("a", "notes://one") as changes:
        await host.apply(config({"b": {}}))
        with pytest.raises(trio.EndOfChannel):
            await changes.receive()


async def test_what_concerns_calls_alone_holds_at_once_and_in_the_next_life(autojump_clock):
    fleet = Fleet({"a": [mute, mute, good]})
    async with fleet.open(servers={"a": {"in_flight": 1, "queue": 0}}) as host, trio.open_nursery() as nursery:
        ends: list[str] = []
        for _ in range(2):
            nursery.start_soon(say, host, ends)
        await trio.testing.wait_all_tasks_blocked()
        assert ends == ["CallRefused"]
        applied = await host.apply(config({"a": {"in_flight": 3, "queue": 1}}))
        assert str(applied) == "adjust a: in_flight, queue"
        for _ in range(3):
            nursery.start_soon(say, host, ends)
        await trio.testing.wait_all_tasks_blocked()
        assert host.status()["a"].in_flight == 3
        assert host.status()["a"].queued == 1
        assert ends == ["CallRefused"]
        assert fleet.peer().incarnation == 1
        with trio.move_on_after(1):
            await host.reload("a")
        assert len(ends) == 1
        await host.reload("a")
        await host.reload("a")
    assert ends.count("CallInterrupted") == 4


async def test_what_was_remembered_under_other_rules_is_forgotten(autojump_clock):
    fleet = Fleet({"a": good})
    async with fleet.open(servers={"a": {"cache": {"tools": {"echo": 1000}}}}) as host:
        await host.call("a", "echo")
        await host.apply(config({"a": {"cache": {"tools": {"echo": 2000}}}}))
        for _ in range(2):
            await host.call("a", "echo")
        assert fleet.peer().methods().count("tools/call") == 2
        assert lives(fleet) == {"a": 1}


async def test_what_does_not_get_ready_goes_back_to_what_it_was_and_says_so(autojump_clock):
    fleet = Fleet({"a": [good, dead, good], "b": good})
    async with fleet.open(servers={"a": {"era": "modern"}}) as host:
        applied = await host.apply(config({"a": {"era": "modern", "args": ["1"]}, "b": {}}))
        assert list(applied.rolled_back) == ["a"]
        assert str(applied).splitlines()[-1] == (
            "rolled back, for a did not get ready: ended with exit code 1 while it was handshaking"
        )
        assert host.status()["a"].state is State.READY
        assert host.config.servers["a"].reach.argv == ("scripted",)
        assert [event.server for event in host.recent_events() if event.name == "rolled_back"] == ["a"]
        await host.call("a", "echo")
        assert lives(fleet) == {"a": 3, "b": 1}


async def test_a_move_into_a_group_is_taken_back_as_a_whole(autojump_clock):
    fleet = Fleet({"a": good, "b": good, "new": dead})
    async with fleet.open(servers={}) as host:
        await host.apply(config({"a": {}, "b": {}}))
        before = islands(host)
        wanted = config(
            {"a": {}, "b": {}, "new": {}}, groups={"g": {"servers": ["a", "new"], "strategy": "rest_for_one"}}
        )
        applied = await host.apply(wanted)
        assert list(applied.rolled_back) == ["new"]
        assert islands(host) == before
        assert list(host.status()) == ["a", "b"]
        await host.call("a", "echo")
        fleet.scripts = {**fleet.scripts, "new": good}
        assert not (await host.apply(wanted)).rolled_back
        assert str(host.tree()).count("g  ") == 1
        await host.call("new", "echo")
        assert lives(fleet)["b"] == 1


async def test_one_that_was_not_ready_before_is_not_gone_back_to(autojump_clock):
    fleet = Fleet({"a": dead, "b": good})
    async with fleet.open(servers={"a": {"window": {"intensity": 0}}}) as host:
        await trio.testing.wait_all_tasks_blocked()
        assert host.status()["a"].state is State.EJECTED
        fleet.scripts = {**fleet.scripts, "new": dead}
        applied = await host.apply(config({"a": {"args": ["1"]}, "b": {}, "new": {}}))
        assert set(applied.not_ready) == {"a", "new"}
        assert not applied.rolled_back
        assert host.config.servers["a"].reach.argv == ("scripted", "1")
        fleet.scripts = {**fleet.scripts, "a": good}
        assert not (await host.apply(config({"a": {"args": ["2"]}, "b": {}, "new": {}}))).not_ready.get("a")
        await host.call("a", "echo")


async def test_a_stopped_server_that_has_not_changed_stays_stopped_and_a_changed_one_starts(autojump_clock):
    async with Fleet({"a": good, "b": good}).open() as host:
        await host.stop("a")
        await host.stop("b")
        await host.apply(config({"a": {}, "b": {"args": ["1"]}}))
        assert host.status()["a"].state is State.STOPPED
        assert host.status()["b"].state is State.READY


async def test_a_spawned_server_is_left_alone_unless_the_configuration_names_it(autojump_clock):
    fleet = Fleet({"a": good, "s": good})
    async with fleet.open() as host:
        fleet.scripts = {**fleet.scripts, "x": good, "y": good}
        await host.spawn("x", {"command": "scripted"})
        await host.spawn("y", {"command": "scripted"})
        applied = await host.apply(config({"a": {}, "s": {}, "x": {}, "y": {"args": ["1"]}}))
        assert applied.plan.servers(Action.RESTART) == ("y",)
        assert lives(fleet) == {"a": 1, "s": 1, "x": 1, "y": 2}
        await crash_registry(host, 11)
        await host.call("x", "echo")
        await host.call("y", "echo")


async def test_a_fleet_that_is_started_again_begins_with_what_was_applied_last(autojump_clock):
    fleet = Fleet({"a": good, "gone": good, "b": good})
    async with fleet.open() as host:
        fleet.scripts = {**fleet.scripts, "new": good}
        await host.apply(config({"a": {"timeout": 7}, "b": {"args": ["1"]}, "new": {}}))
        await crash_registry(host, 11)
        for name in ("a", "b", "new"):
            await host.call(name, "echo")
        assert lives(fleet) == {"a": 2, "b": 3, "new": 2, "gone": 1}
        assert list(host.status()) == ["a", "b", "new"]


async def test_the_address_of_a_server_is_given_back_when_it_goes_or_is_reached_in_another_way(autojump_clock):
    left: list[str] = []
    old = load(config({"gone": {}, "moved": {}, "a": {}}))
    async with open_over(Fleet(dict.fromkeys(("gone", "moved", "a"), good)).open_link, old, leave=left.append) as host:
        await host.apply(config({"moved": {"args": ["1"]}, "a": {"stop_timeout": 5}}))
        await host.reload("moved")
    assert sorted(left) == ["gone", "moved"]


async def test_a_mistake_changes_nothing_and_all_are_told(autojump_clock, tmp_path):
    file = tmp_path / "mcp.json"
    file.write_text(json.dumps({"mcpServers": {"a": {"comand": "x"}, "b": {"command": "x", "timeout": -1}}}))
    fleet = Fleet({"a": good, "b": good})
    async with fleet.open() as host:
        before = host.config
        for wanted in (file, {"mcpServers": {"a": {"comand": "x"}, "b": {"command": "x", "timeout": -1}}}):
            with pytest.raises(ConfigError) as wrong:
                await host.apply(wanted)
            assert len(wrong.value.mistakes) == 2
            with pytest.raises(ConfigError):
                host.plan(wanted)
        assert host.config is before
        assert lives(fleet) == {"a": 1, "b": 1}


async def test_a_plan_is_carried_out_as_it_was_shown_or_not_at_all(autojump_clock):
    fleet = Fleet({"a": good})
    async with fleet.open() as host:
        first, second = (host.plan(config({"a": {"args": ["1"], **keys}})) for keys in ({}, {"timeout": 5}))
        assert lives(fleet) == {"a": 1}
        assert (await host.apply(first)).plan == first
        with pytest.raises(PlanOutdated):
            await host.apply(second)
        assert lives(fleet) == {"a": 2}


async def test_a_key_of_the_host_waits_for_its_next_start(autojump_clock):
    async with Fleet({"a": good}).open() as host:
        for _ in range(2):
            applied = await host.apply(config({"a": {}}, sweep=False, start="none"))
            assert str(applied) == "untouched: 1 server\nwhen the host is started again: start, sweep"
        assert host.config.sweep


async def test_without_a_file_there_is_nothing_to_read_again(autojump_clock):
    async with Fleet({"a": good}).open() as host:
        with pytest.raises(ValueError, match="given in code"):
            host.plan()


async def test_a_closed_runtime_applies_nothing(autojump_clock):
    async with Fleet({"a": good}).open() as host:
        pass
    with pytest.raises(RuntimeClosed):
        await host.apply(config({}))


async def test_applied_at_once_the_last_one_holds_and_acts_on_the_same_servers_all_end(autojump_clock):
    fleet = Fleet({"a": good, "b": good}, clean_up=1)
    async with fleet.open() as host, trio.open_nursery() as nursery:

        async def quietly(act: Callable[..., Awaitable[object]], *args: Any) -> None:
            with suppress(ServerNotFound, ServerStopped):
                await act(*args)

        nursery.start_soon(quietly, host.apply, config({"a": {"args": ["1"]}, "b": {}}))
        for act in (host.stop, host.reload, host.kill, host.refresh):
            nursery.start_soon(quietly, act, "a")
            nursery.start_soon(quietly, act, "b")
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(quietly, host.apply, config({"a": {"args": ["2"]}}, groups={"g": {"servers": ["a"]}}))
    assert fleet.open_links == 0


async def test_what_is_to_be_reloaded_is_looked_for_where_it_has_been_moved_to_meanwhile(autojump_clock):
    fleet = Fleet({"a": good}, clean_up=1)
    async with fleet.open() as host, trio.open_nursery() as nursery:
        nursery.start_soon(host.apply, config({"a": {}}, groups={"g": {"servers": ["a"]}}))
        await trio.testing.wait_all_tasks_blocked()
        await host.reload("a")
        assert host.status()["a"].state is State.READY
        assert lives(fleet) == {"a": 3}


async def test_the_era_of_what_was_there_before_is_not_tried_on_what_is_there_now(autojump_clock):
    fleet = Fleet({"a": [serving(era="legacy"), good]})
    async with fleet.open() as host:
        assert not (await host.apply(config({"a": {"args": ["1"]}}))).rolled_back
        assert [event.name for event in host.recent_events()].count("crashed") == 0


@pytest.mark.parametrize("when", [0, 0.5, 2, 4.9, 5.5, 7, 10, 13])
async def test_a_cancelled_apply_leaves_each_server_as_it_was_or_as_it_is_to_be(when, autojump_clock):
    async def late(peer: Peer) -> None:
        await trio.sleep(5)
        await good(peer)

    fleet = Fleet({"a": [slow, late, good], "b": good}, clean_up=2)
    async with fleet.open() as host, trio.open_nursery() as nursery:
        ends: list[str] = []
        nursery.start_soon(say, host, ends)
        await trio.testing.wait_all_tasks_blocked()
        old, new = host.config, config({"a": {"args": ["1"]}, "c": {}}, groups={"g": {"servers": ["a"]}})
        fleet.scripts = {**fleet.scripts, "c": good}
        with trio.move_on_after(when):
            await host.apply(new)
        at, wanted = host.config, load(new)
        for name in ("a", "b", "c"):
            assert at.servers.get(name) in (old.servers.get(name), wanted.servers.get(name))
        assert set(host.status()) == set(at.servers)
        for name in at.servers:
            await host.call(name, "echo")
        await host.apply(new)
        assert (host.config.servers, host.config.groups) == (wanted.servers, wanted.groups)
        for name in wanted.servers:
            await host.call(name, "echo")


@settings(max_examples=40, deadline=None)
@given(st.lists(configs(), min_size=2, max_size=4))
def test_what_is_applied_leads_to_the_tree_of_a_runtime_that_was_opened_on_it(path: list[RuntimeConfig]):
    """Whatever comes after whatever: the same tree, the same servers, nothing left over, and no untouched server was
    started again."""

    async def follow() -> None:
        fleet = Fleet(dict.fromkeys("abcd", good))
        async with open_over(fleet.open_link, path[0]) as host:
            for wanted in path[1:]:
                kept = host.plan(wanted).servers(Action.KEEP)
                before = {name: host.status()[name].incarnation for name in kept}
                await host.apply(wanted)
                assert {name: host.status()[name].incarnation for name in kept} == before
            reached, served = islands(host), {name: status.state for name, status in host.status().items()}
            assert fleet.open_links == len(path[-1].servers)
        async with open_over(Fleet(dict.fromkeys("abcd", good)).open_link, path[-1]) as fresh:
            assert reached == islands(fresh)
            assert served == {name: status.state for name, status in fresh.status().items()}

    trio.run(follow, clock=trio.testing.MockClock(autojump_threshold=0))


async def test_a_process_that_is_not_concerned_stays_and_a_changed_one_is_another(tmp_path):
    file = tmp_path / "mcp.json"

    def write(**servers: list[str]) -> Path:
        builtin = ["-m", "runtime.builtin.clock"]
        named = {name: {"command": sys.executable, "args": [*builtin, *args]} for name, args in servers.items()}
        file.write_text(json.dumps({"mcpServers": named, "journal": False, "sweep": False}))
        return file

    with trio.fail_after(20):
        async with open_runtime(write(a=[], b=[])) as host:
            before = {name: status.pid for name, status in host.status().items()}
            write(a=[], b=["-x"], c=[])
            assert str(host.plan()) == "restart b: args\nstart c: new\nuntouched: 1 server"
            await host.apply()
            after = {name: status.pid for name, status in host.status().items()}
            assert after["a"] == before["a"]
            assert after["b"] != before["b"]
            with pytest.raises(ProcessLookupError):
                os.kill(before["b"], 0)
            assert all(status.state is State.READY for status in host.status().values())
