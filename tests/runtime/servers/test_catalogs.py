"""What a server lists, as it changes, and through the troubles of the registry."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from runtime.journal import ToolsChanged
from runtime.registry import CatalogFetched
from tests.fakes import Fleet, Peer, good


def changes(host):
    return [event for event in host.recent_events() if isinstance(event, ToolsChanged)]


def names(host):
    return [entry.name for entry in host.tools()]


async def test_changed_tools_are_fetched_published_and_told_once_for_a_burst(autojump_clock):
    fleet = Fleet({"a": good})
    async with fleet.open() as host:
        peer = fleet.peer()
        peer.tools = ("echo", "sing")
        for _ in range(50):
            peer.notify("notifications/tools/list_changed")
        await trio.sleep(1)
        assert names(host) == ["echo", "sing"]
        assert [str(event)[11:] for event in changes(host)] == ["a  tools changed: +sing"]
        assert peer.methods().count("tools/list") == 2
        await host.call("a", "sing")


async def test_a_change_during_a_list_is_not_missed(autojump_clock):
    async def busy(peer: Peer) -> None:
        await peer.get_ready()
        peer.notify("notifications/tools/list_changed")
        request = await peer.hear("tools/list")
        peer.notify("notifications/tools/list_changed")
        await trio.sleep(1)
        peer.list(request)
        peer.tools = ("late",)
        await peer.obey()

    async with Fleet({"a": busy}).open() as host:
        await trio.sleep(5)
        assert names(host) == ["late"]


@pytest.mark.parametrize("refusal", ["error", "shape", "silence"])
async def test_a_list_that_cannot_be_had_leaves_the_last_one(refusal, autojump_clock):
    async def broken(peer: Peer) -> None:
        await peer.get_ready()
        peer.notify("notifications/tools/list_changed")
        request = await peer.hear("tools/list")
        match refusal:
            case "error":
                peer.refuse(request)
            case "shape":
                peer.answer(request, {"tools": 7})
        await trio.sleep(60)
        peer.tools = ("new",)
        peer.notify("notifications/tools/list_changed")
        await peer.obey()

    async with Fleet({"a": broken}).open() as host:
        await trio.sleep(50)
        assert names(host) == ["echo"]
        assert "tools/list" in str(host.status()["a"].last_error)
        await trio.sleep(50)
        assert names(host) == ["new"]
        assert host.status()["a"].restarts == 0


async def test_a_restart_with_other_tools_is_told(autojump_clock):
    async def other(peer: Peer) -> None:
        peer.tools = ("sing",)
        await good(peer)

    async with Fleet({"a": [good, other]}).open() as host:
        await host.kill("a")
        assert names(host) == ["echo"]  # it is coming back
        await host.call("a", "sing")
        assert [(event.added, event.removed) for event in changes(host)] == [(("sing",), ("echo",))]


@pytest.mark.parametrize("how", ["kill", "crash"])
async def test_a_registry_that_ends_comes_back_and_knows_everything(how, autojump_clock):
    fleet = Fleet({"a": good, "b": good})
    async with fleet.open() as host:
        await host.stop("b")
        registry = host._house.system["services/registry"]
        for tools in [("one",), ("one", "two"), ("three",)]:
            fleet.peer().tools = tools
            fleet.peer().notify("notifications/tools/list_changed")
            await trio.sleep(0.1)
            for _ in range(3):
                if how == "kill":
                    registry.kill()
                else:
                    with pytest.raises(Exception, match="crashed"):
                        await registry.ask(CatalogFetched(None))
                await trio.lowlevel.checkpoint()
            await trio.sleep(1)
            assert names(host) == list(tools)
        await host.call("a", "three")
        assert host._house.system["services/registry"].incarnation >= 4
        assert host.status()["a"].restarts == 0
        await host.reload("b")
        assert names(host) == ["three", "echo"]
