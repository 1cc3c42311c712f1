"""What a caller may ask of a server beside its tools: read, prompt, complete, log, each as a call is made."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from runtime import CallInterrupted, CallRefused, CallTimedOut, InvalidAnswer, InvalidArguments, Sent, ServerError
from runtime.journal import ServerLogged
from tests.fakes import Fleet, serving

ERAS = pytest.mark.parametrize("era", ["modern", "legacy"])
CONTENTS = {"contents": [{"uri": "notes://one", "text": "milk"}], "ttlMs": 7000, "cacheScope": "private"}


def heard(fleet, method):
    return [m["params"] for m in fleet.peer().heard if m.get("method") == method]


def without_meta(params):
    return {key: value for key, value in params.items() if key != "_meta"}


@ERAS
async def test_a_resource_is_read(era, autojump_clock):
    fleet = Fleet({"a": serving({"resources/read": CONTENTS}, era=era)})
    async with fleet.open() as host:
        result = await host.read_resource("a", "notes://one")
        assert [part.text for part in result.contents] == ["milk"]
        assert (result.ttl_ms, result.cache_scope) == (7000, "private")
        assert [without_meta(p) for p in heard(fleet, "resources/read")] == [{"uri": "notes://one"}]


@ERAS
async def test_a_prompt_is_filled_in(era, autojump_clock):
    said = {"messages": [{"role": "user", "content": {"type": "text", "text": "Hello Ann"}}]}
    fleet = Fleet({"a": serving({"prompts/get": said}, era=era)})
    async with fleet.open() as host:
        result = await host.get_prompt("a", "greet", {"who": "Ann"})
        assert result.messages[0].content.text == "Hello Ann"
        await host.get_prompt("a", "greet")
        sent = [without_meta(p) for p in heard(fleet, "prompts/get")]
        assert sent == [{"name": "greet", "arguments": {"who": "Ann"}}, {"name": "greet"}]
        with pytest.raises(InvalidArguments, match="get prompt a/greet"):
            await host.get_prompt("a", "greet", {"who": 7})


@ERAS
async def test_an_argument_is_completed(era, autojump_clock):
    values = {"completion": {"values": ["Ann", "Anna"], "total": 2, "hasMore": False}}
    fleet = Fleet({"a": serving({"completion/complete": values}, era=era)})
    async with fleet.open() as host:
        found = await host.complete("a", "greet", "who", "An", context={"how": "loud"})
        assert found.values == ("Ann", "Anna")
        await host.complete("a", "notes://{name}", "name")
        prompt, template = [without_meta(p) for p in heard(fleet, "completion/complete")]
        assert prompt == {
            "ref": {"type": "ref/prompt", "name": "greet"},
            "argument": {"name": "who", "value": "An"},
            "context": {"arguments": {"how": "loud"}},
        }
        assert template["ref"] == {"type": "ref/resource", "uri": "notes://{name}"}


async def test_the_log_level_is_told_and_logs_are_events(autojump_clock):
    fleet = Fleet({"a": serving({"logging/setLevel": {}}, era="legacy")})
    async with fleet.open() as host, host.events() as events:
        await host.set_log_level("a", "warning")
        assert heard(fleet, "logging/setLevel") == [{"level": "warning"}]
        fleet.peer().notify("notifications/message", level="error", logger="disk", data={"free": 0})
        async for event in events:
            if isinstance(event, ServerLogged):
                break
        assert (event.server, event.level, event.logger, event.data) == ("a", "error", "disk", {"free": 0})
        assert str(event).endswith("a  error disk: {'free': 0}")
        assert event not in host.recent_events()
        await host.kill("a")
        await host.refresh("a")
        assert heard(fleet, "logging/setLevel") == [{"level": "warning"}]  # the next life was told, too
        assert len(fleet.lives["a"]) == 2
        with pytest.raises(ValueError, match="level must be one of debug, "):
            await host.set_log_level("a", "loud")


async def test_the_log_level_of_a_modern_server_travels_with_every_request(autojump_clock):
    fleet = Fleet({"a": serving({"resources/read": CONTENTS})})
    async with fleet.open() as host:
        for levels in [None, "debug"]:
            if levels:
                await host.set_log_level("a", levels)
            await host.read_resource("a", "notes://one")
        told = [p["_meta"].get("io.modelcontextprotocol/logLevel") for p in heard(fleet, "resources/read")]
        assert told == [None, "debug"]
        assert heard(fleet, "logging/setLevel") == []


async def test_what_a_server_does_not_offer_is_refused_unsent(autojump_clock):
    fleet = Fleet({"a": serving(capabilities={"tools": {}})})
    async with fleet.open() as host:
        for ask, what in [
            (lambda: host.read_resource("a", "notes://one"), "read a/notes://one: refused: it offers no resources"),
            (lambda: host.get_prompt("a", "greet"), "get prompt a/greet: refused: it offers no prompts"),
            (lambda: host.subscribe("a", "notes://one").__aenter__(), "subscribe a/notes://one: refused"),
        ]:
            with pytest.raises(CallRefused, match=what) as refused:
                await ask()
            assert refused.value.sent is Sent.NOT_SENT


async def test_a_request_fails_as_a_call_does(autojump_clock):
    async def ending(answer, **config):
        fleet = Fleet({"a": [serving({"resources/read": answer}), serving()]})
        async with fleet.open(servers={"a": config}) as host:
            with pytest.raises(Exception, match=r"^read a/x: ") as failed:
                await host.read_resource("a", "x", timeout=5)
            assert host.status()["a"].in_flight == 0
            return failed.value, fleet.lives["a"][0]

    error, _ = await ending(lambda peer, request: peer.refuse(request, -32602, "no such"))
    assert isinstance(error, ServerError)
    assert error.error.code == -32602
    error, _ = await ending({"contents": 7})
    assert isinstance(error, InvalidAnswer)
    error, _ = await ending(lambda peer, request: peer.die())
    assert isinstance(error, CallInterrupted)
    assert error.sent is Sent.UNKNOWN
    error, peer = await ending(lambda peer, request: None)
    assert isinstance(error, CallTimedOut)
    assert peer.methods()[-1] == "notifications/cancelled"


async def test_requests_and_calls_share_the_bound_of_what_is_in_flight(autojump_clock):
    fleet = Fleet({"a": serving({"resources/read": lambda peer, request: None})})
    async with fleet.open(servers={"a": {"in_flight": 1}}) as host, trio.open_nursery() as nursery:
        nursery.start_soon(host.read_resource, "a", "x")
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(host.call, "a", "echo")
        await trio.testing.wait_all_tasks_blocked()
        assert (host.status()["a"].in_flight, host.status()["a"].queued) == (1, 1)
        nursery.cancel_scope.cancel()
