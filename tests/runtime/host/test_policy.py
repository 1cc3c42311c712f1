"""What may not be called, seen or spawned is refused at each door, before anything of it reaches a server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from runtime import CallRefused, Runtime, ServerNotFound, SpawnRefused, State, ToolNotFound
from runtime.journal import Refused
from runtime.policy import ALLOWED, Act, Denied, Wish
from tests.fakes import Fleet, Peer, echoed, serving, tool

LISTED = {"tools/list": {"tools": [tool("read_a"), tool("read_b"), tool("write")]}}


def answer(peer: Peer, request: Any) -> None:
    peer.answer(request, echoed(request))


SERVER = serving({
    **LISTED,
    "tools/call": answer,
    "resources/read": {"contents": [{"uri": "notes://one", "text": "one"}]},
    "prompts/get": {"messages": []},
    "completion/complete": {"completion": {"values": ["x"]}},
})  # fmt: skip
CLIENTS = {
    "clients": {"ci": {"allowedServers": ["a"], "deny": ["write"]}, "thrifty": {"calls": 2}, "slow": {"rate": 2}}
}


def fleet() -> Fleet:
    return Fleet({"a": SERVER, "b": SERVER})


def names(host: Runtime, caller: str | None = None) -> list[str]:
    return [f"{entry.server}/{entry.name}" for entry in host.tools(caller=caller)]


def refusals(host: Runtime) -> list[str]:
    return [f"{event.server}: {event.told()}" for event in host.recent_events() if isinstance(event, Refused)]


async def test_what_a_server_is_not_configured_to_show_is_neither_called_nor_listed_nor_found(autojump_clock):
    servers = {"a": {"allow": ["read_*"], "deny": ["*_b"]}}
    house = fleet()
    async with house.open(servers=servers) as host:
        assert names(host) == ["a/read_a", "b/read_a", "b/read_b", "b/write"]
        assert [entry.server for entry in host.tools("write")] == ["b"]
        assert [(entry.server, entry.name) for entry in host.discover("write", limit=1)] == [("b", "write")]
        with pytest.raises(CallRefused) as refused:
            await host.call("a", "write")
        assert str(refused.value) == "call a/write: refused: for this server, not among what is allowed"
        with pytest.raises(CallRefused, match=r"denied by '\*_b'"):
            await host.call("a", "read_b")
        assert "tools/call" not in house.peer("a").methods()
        await host.call("a", "read_a")
        await host.call("b", "write")
        assert refusals(host) == [
            "a: refused: call write: for this server, not among what is allowed",
            "a: refused: call read_b: for this server, denied by '*_b'",
        ]


async def test_a_tool_that_is_none_is_told_of_without_naming_what_is_hidden(autojump_clock):
    async with fleet().open(servers={"a": {"deny": ["write"]}}) as host:
        with pytest.raises(ToolNotFound) as missing:
            await host.call("a", "writ")
        assert missing.value.known == ("read_a", "read_b")
        with pytest.raises(ToolNotFound) as missing:
            await host.call("a", 5)
        assert missing.value.known == ("read_a", "read_b")


async def test_an_answer_that_is_remembered_is_refused_like_any(autojump_clock):
    remembered = {"cache": {"tools": {"*": 60}}}
    async with fleet().open(servers={"a": remembered}, gateway=CLIENTS) as host:
        await host.call("a", "write")
        with pytest.raises(CallRefused, match="for caller 'ci', denied by 'write'"):
            await host.call("a", "write", caller="ci")


ELSEWISE: dict[str, Callable[[Runtime, str | None], Awaitable[object]]] = {
    "read": lambda host, caller: host.read_resource("b", "notes://one", caller=caller),
    "get prompt": lambda host, caller: host.get_prompt("b", "greet", {"who": "x"}, caller=caller),
    "complete": lambda host, caller: host.complete("b", "greet", "who", caller=caller),
    "set log level": lambda host, caller: host.set_log_level("b", "info", caller=caller),
    "subscribe": lambda host, caller: subscribed(host, caller),
}


async def subscribed(host: Runtime, caller: str | None) -> None:
    async with host.subscribe("b", "notes://one", caller=caller):
        pass


@pytest.mark.parametrize("verb", ELSEWISE)
async def test_who_may_not_use_a_server_has_nothing_of_it(autojump_clock, verb):
    house = fleet()
    async with house.open(gateway=CLIENTS) as host:
        heard = house.peer("b").methods()
        with pytest.raises(CallRefused, match=f"^{verb} b/.*: refused: caller 'ci' may not use this server$"):
            await ELSEWISE[verb](host, "ci")
        await trio.testing.wait_all_tasks_blocked()
        assert house.peer("b").methods() == heard
        assert refusals(host) == [f"b: refused to ci: {verb}: caller 'ci' may not use this server"]
        await ELSEWISE[verb](host, "thrifty")


@pytest.mark.parametrize("verb", ELSEWISE)
async def test_who_may_use_some_tools_of_a_server_by_patterns_may_use_nothing_else(autojump_clock, verb):
    async with fleet().open(allow=["a", "b/read_*"]) as host:
        with pytest.raises(CallRefused, match="refused: b is not among what is allowed"):
            await ELSEWISE[verb](host, None)
        await host.call("b", "read_a")
        assert names(host) == ["a/read_a", "a/read_b", "a/write", "b/read_a", "b/read_b"]
        assert {entry.server for entry in (*host.resources(), *host.resource_templates(), *host.prompts())} == {"a"}


@pytest.mark.parametrize("verb", ELSEWISE)
async def test_the_tools_that_a_server_shows_say_nothing_of_what_else_it_has(autojump_clock, verb):
    async with fleet().open(servers={"b": {"allow": []}}) as host:
        await ELSEWISE[verb](host, None)
        assert {entry.server for entry in (*host.resources(), *host.prompts())} == {"a", "b"}


async def test_a_caller_sees_what_it_may_call_and_hears_of_no_other_server(autojump_clock):
    async with fleet().open(gateway=CLIENTS) as host:
        assert names(host, "ci") == ["a/read_a", "a/read_b"]
        assert [entry.name for entry in host.discover("write", caller="ci")] == []
        assert [entry.server for entry in host.resources(caller="ci")] == ["a"]
        assert [entry.server for entry in host.prompts(caller="ci")] == ["a"]
        assert names(host, "mallory") == []
        with pytest.raises(CallRefused, match="nobody knows the caller 'mallory'"):
            await host.call("a", "read_a", caller="mallory")
        with pytest.raises(ServerNotFound) as missing:
            await host.call("c", "read_a", caller="ci")
        assert missing.value.known == ("a",)


async def test_a_budget_is_charged_for_remembered_answers_too_but_not_for_what_is_refused(autojump_clock):
    house = fleet()
    servers = {"a": {"cache": {"tools": {"*": 60}}}, "b": {"deny": ["write"]}}
    async with house.open(servers=servers, gateway=CLIENTS) as host:
        with pytest.raises(CallRefused, match="denied by 'write'"):
            await host.call("b", "write", caller="thrifty")
        for _ in range(2):
            await host.call("a", "read_a", caller="thrifty")
        for spend in (host.call("a", "read_a", caller="thrifty"), host.read_resource("a", "u://", caller="thrifty")):
            with pytest.raises(CallRefused, match="the budget of 2 calls is spent, until the runtime is opened again"):
                await spend
        assert house.peer("a").methods().count("tools/call") == 1
        await host.call("a", "read_a")


async def test_who_calls_too_often_is_told_when_to_call_again_and_the_journal_is_told_once(autojump_clock):
    async with fleet().open(gateway=CLIENTS) as host:
        for _ in range(2):
            for _ in range(2):
                await host.call("a", "read_a", caller="slow")
            for _ in range(3):
                with pytest.raises(CallRefused, match=r"more than 2 calls per second; the next is due in 0\.5 s"):
                    await host.call("a", "read_a", caller="slow")
            await trio.sleep(1)
        assert len(refusals(host)) == 2


async def test_a_function_of_the_program_is_asked_for_each_act_and_its_reason_is_told(autojump_clock):
    wishes: list[Wish] = []

    def guard(wish: Wish) -> object:
        wishes.append(wish)
        return Denied("not on Sundays") if wish.tool == "write" else ALLOWED

    async with fleet().open(allow=guard) as host:
        assert "a/write" not in names(host)
        wishes.clear()
        with pytest.raises(CallRefused, match="call a/write: refused: not on Sundays"):
            await host.call("a", "write", caller="anybody")
        await host.read_resource("a", "notes://one")
        assert wishes == [Wish(Act.CALL, "a", "write", "anybody"), Wish(Act.CALL, "a")]


async def test_a_server_that_may_not_be_spawned_is_not(autojump_clock):
    house = fleet()
    async with house.open(allow=["a", "c/read_*"]) as host:
        house.scripts = {**house.scripts, "c": SERVER}
        with pytest.raises(SpawnRefused, match=r"^spawn d: refused: d is not among what is allowed$"):
            await host.spawn("d", {"command": "scripted"})
        await host.spawn("c", {"command": "scripted"})
        assert list(host.status()) == ["a", "b", "c"]
        assert refusals(host) == ["d: refused: spawn: d is not among what is allowed"]


async def test_what_a_spawned_server_is_configured_to_show_counts_as_well(autojump_clock):
    house = fleet()
    async with house.open() as host:
        house.scripts = {**house.scripts, "c": SERVER}
        status = await host.spawn("c", {"command": "scripted", "deny": ["write"]})
        assert status.state is State.READY
        with pytest.raises(CallRefused, match="denied by 'write'"):
            await host.call("c", "write")
        assert [name for name in names(host) if name.startswith("c/")] == ["c/read_a", "c/read_b"]


async def test_rules_that_are_taken_over_by_a_running_server_hold_from_the_next_call_on(autojump_clock):
    house = fleet()
    async with house.open() as host:
        await host.call("a", "write")
        servers = {"a": {"command": "scripted", "deny": ["write"]}, "b": {"command": "scripted"}}
        await host.apply({"mcpServers": servers, "journal": False})
        with pytest.raises(CallRefused, match="denied by 'write'"):
            await host.call("a", "write")
        assert names(host) == ["a/read_a", "a/read_b", "b/read_a", "b/read_b", "b/write"]
        assert len(house.lives["a"]) == 1


async def test_an_allow_that_is_none_is_told_before_anything_starts():
    house = fleet()
    with pytest.raises(TypeError, match="allow takes a function, or patterns"):
        async with house.open(allow="a"):
            raise AssertionError
    assert house.lives == {}
