"""Lists of every kind: fetched as declared, kept true, and forgiving of one bad item."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from runtime import ServerNotFound, State
from runtime.errors import HandshakeRefused
from runtime.journal import ListFlawed, PromptsChanged, ResourcesChanged
from tests.fakes import EVERYTHING, Fleet, serving, tool

ERAS = pytest.mark.parametrize("era", ["modern", "legacy"])


def told(host, kind):
    return [event for event in host.recent_events() if isinstance(event, kind)]


@ERAS
async def test_every_list_that_is_declared_is_fetched_and_published(era, autojump_clock):
    async with Fleet({"a": serving(era=era)}).open() as host:
        assert [entry.name for entry in host.tools()] == ["echo"]
        assert [entry.uri for entry in host.resources()] == ["notes://one"]
        assert [entry.uri_template for entry in host.resource_templates("a")] == ["notes://{name}"]
        assert [(entry.server, entry.name) for entry in host.prompts("a")] == [("a", "greet")]
        assert host.prompts()[0].prompt.arguments[0].required
        status = host.status()["a"]
        assert (status.tools, status.resources, status.prompts, status.flaws) == (1, 1, 1, ())
        for look in (host.resources, host.resource_templates, host.prompts):
            with pytest.raises(ServerNotFound):
                look("nobody")


async def test_a_list_that_is_not_declared_is_not_asked_for(autojump_clock):
    fleet = Fleet({"a": serving(capabilities={"prompts": {}})})
    async with fleet.open() as host:
        assert host.status()["a"].state is State.READY
        assert [m for m in fleet.peer().methods() if m.endswith("/list")] == ["prompts/list"]


async def test_one_malformed_item_is_left_out_and_told_and_its_neighbours_stay(autojump_clock):
    tools = {"tools": [tool("echo"), {"name": 7}, tool("sing")]}
    async with Fleet({"a": serving({"tools/list": tools})}).open() as host:
        assert [entry.name for entry in host.tools()] == ["echo", "sing"]
        [flaw] = host.status()["a"].flaws
        assert "tools[1].name" in flaw
        assert [event.flaws for event in told(host, ListFlawed)] == [(flaw,)]
        assert "tools[1].name" in str(told(host, ListFlawed)[0])
        await host.refresh("a")
        assert len(told(host, ListFlawed)) == 1  # it is no news


@pytest.mark.parametrize("wrong", [{"prompts": 7}, lambda peer, request: peer.refuse(request, -32603, "boom")])
async def test_a_list_other_than_the_tools_that_cannot_be_had_costs_itself(wrong, autojump_clock):
    async with Fleet({"a": serving({"prompts/list": wrong})}).open() as host:
        status = host.status()["a"]
        assert (status.state, status.tools, status.resources, status.prompts) == (State.READY, 1, 1, 0)
        assert "prompts/list" in status.flaws[0]


async def test_resources_without_templates_are_no_flaw(autojump_clock):
    refused = {"resources/templates/list": lambda peer, request: peer.refuse(request)}
    async with Fleet({"a": serving(refused)}).open() as host:
        assert host.status()["a"].flaws == ()
        assert host.resource_templates() == ()


async def test_lists_are_asked_for_at_once(autojump_clock):
    asked = []

    def wait(peer, request):
        asked.append(request)

    fleet = Fleet({"a": serving(dict.fromkeys(["tools/list", "resources/list", "prompts/list"], wait))})
    async with fleet.open(wait="none") as host:
        await trio.testing.wait_all_tasks_blocked()
        assert sorted(request["method"] for request in asked) == ["prompts/list", "resources/list", "tools/list"]
        for request in asked:
            fleet.peer().answer(request, {request["method"].partition("/")[0]: []})
        await trio.testing.wait_all_tasks_blocked()
        assert host.status()["a"].state is State.READY


@ERAS
async def test_what_changes_is_fetched_again_and_nothing_else(era, autojump_clock):
    prompts = {"prompts": [{"name": "greet"}]}
    fleet = Fleet({"a": serving({"prompts/list": prompts}, era=era)})
    async with fleet.open() as host:
        peer = fleet.peer()
        before = len(peer.heard)
        prompts["prompts"] = [{"name": "part"}]
        peer.notify("notifications/prompts/list_changed")
        await trio.sleep(1)
        assert [entry.name for entry in host.prompts()] == ["part"]
        assert [(event.added, event.removed) for event in told(host, PromptsChanged)] == [(("part",), ("greet",))]
        assert [m["method"] for m in peer.heard[before:]] == ["prompts/list"]


async def test_changed_resources_mean_their_templates_too(autojump_clock):
    fleet = Fleet({"a": serving()})
    async with fleet.open() as host:
        peer = fleet.peer()
        before = len(peer.heard)
        peer.notify("notifications/resources/list_changed")
        await trio.sleep(1)
        assert {m["method"] for m in peer.heard[before:]} == {"resources/list", "resources/templates/list"}
        assert told(host, ResourcesChanged) == []


async def test_a_modern_server_is_asked_to_tell_of_changes_as_far_as_it_offers_to(autojump_clock):
    capabilities = {**EVERYTHING, "prompts": {}}
    fleet = Fleet({"a": serving(capabilities=capabilities)})
    async with fleet.open():
        [listen] = [m for m in fleet.peer().heard if m.get("method") == "subscriptions/listen"]
        assert listen["params"]["notifications"] == {"toolsListChanged": True, "resourcesListChanged": True}


async def test_a_subscription_to_the_lists_that_ends_is_made_again_and_all_lists_are_fetched(autojump_clock):
    fleet = Fleet({"a": serving()})
    async with fleet.open():
        peer = fleet.peer()
        [listen] = [m for m in peer.heard if m.get("method") == "subscriptions/listen"]
        before = len(peer.heard)
        meta = {"io.modelcontextprotocol/subscriptionId": listen["id"]}
        peer.answer(listen, {"resultType": "complete", "_meta": meta})
        await trio.sleep(5)
        methods = [m["method"] for m in peer.heard[before:]]
        assert methods[0] == "subscriptions/listen"
        assert sorted(methods[1:]) == ["prompts/list", "resources/list", "resources/templates/list", "tools/list"]


async def test_a_server_that_lets_nobody_listen_is_ready_all_the_same(autojump_clock):
    fleet = Fleet({"a": serving({"subscriptions/listen": lambda peer, request: peer.refuse(request)})})
    async with fleet.open() as host:
        await trio.sleep(60)
        assert host.status()["a"].state is State.READY
        assert fleet.peer().methods().count("subscriptions/listen") == 1


async def test_a_refresh_returns_when_the_new_lists_are_published(autojump_clock):
    tools = {"tools": [tool("echo")]}
    fleet = Fleet({"a": serving({"tools/list": tools}), "b": serving()})
    async with fleet.open() as host:
        tools["tools"] = [tool("sing")]
        await host.refresh()
        assert [entry.name for entry in host.tools("a")] == ["sing"]
        tools["tools"] = 7
        with pytest.raises(HandshakeRefused, match="tools must be an array"):
            await host.refresh("a")
        assert [entry.name for entry in host.tools("a")] == ["sing"]
        await host.refresh()  # of all, as far as it goes


async def test_a_refresh_survives_a_crash(autojump_clock):
    def die(peer, request):
        peer.die()

    calls = iter([None, die])

    def maybe(peer, request):
        action = next(calls, None)
        (action or (lambda peer, request: peer.answer(request, {"tools": []})))(peer, request)

    fleet = Fleet({"a": serving({"tools/list": maybe})})
    async with fleet.open() as host:
        await host.refresh("a")
        assert len(fleet.lives["a"]) == 2
        assert host.tools() == ()
