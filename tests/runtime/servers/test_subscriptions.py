"""Hearing of changed resources: subscribed once, told to each life, ended with the last who listens."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
import trio
import trio.testing

from runtime import CallTimedOut, ResourceChanged, ServerError, ServerNotFound
from runtime.servers.watching import KEPT, Changes
from tests.fakes import EVERYTHING, Fleet, serving

ERAS = pytest.mark.parametrize("era", ["modern", "legacy"])
LEGACY = {"resources/subscribe": {}, "resources/unsubscribe": {}}
ONE = "notes://one"


def fleet_of(era, **answers):
    capabilities = {"resources": EVERYTHING["resources"] if era == "legacy" else {"subscribe": True}}
    return Fleet({"a": serving({**(LEGACY if era == "legacy" else {}), **answers}, era=era, capabilities=capabilities)})


def subscribed(peer):
    """What a life was asked to tell of."""
    legacy = [m["params"]["uri"] for m in peer.heard if m.get("method") == "resources/subscribe"]
    modern = [
        uri
        for m in peer.heard
        if m.get("method") == "subscriptions/listen"
        for uri in m["params"]["notifications"].get("resourceSubscriptions", [])
    ]
    return legacy + modern


def given_up(peer, era):
    """What a life was asked to tell of no more."""
    if era == "legacy":
        return [m["params"]["uri"] for m in peer.heard if m.get("method") == "resources/unsubscribe"]
    listens = {m["id"]: m for m in peer.heard if m.get("method") == "subscriptions/listen"}
    ended = [m["params"]["requestId"] for m in peer.heard if m.get("method") == "notifications/cancelled"]
    return [listens[id]["params"]["notifications"]["resourceSubscriptions"][0] for id in ended]


async def settled():
    await trio.testing.wait_all_tasks_blocked()


@ERAS
async def test_changes_are_heard_for_as_long_as_the_block(era, autojump_clock):
    fleet = fleet_of(era)
    async with fleet.open() as host:
        async with host.subscribe("a", ONE) as changes:
            assert subscribed(fleet.peer()) == [ONE]
            fleet.peer().notify("notifications/resources/updated", uri=ONE)
            assert await changes.receive() == ResourceChanged("a", ONE)
            fleet.peer().notify("notifications/resources/updated", uri=f"{ONE}/line/7")
            assert await changes.receive() == ResourceChanged("a", f"{ONE}/line/7")
            fleet.peer().notify("notifications/resources/updated", uri="notes://oneself")
            await settled()
            with trio.move_on_after(1) as nothing:
                await changes.receive()
            assert nothing.cancelled_caught
            assert given_up(fleet.peer(), era) == []
        await settled()
        assert given_up(fleet.peer(), era) == [ONE]
        with pytest.raises(trio.ClosedResourceError):
            await changes.receive()


@ERAS
async def test_the_last_of_several_subscribers_ends_it(era, autojump_clock):
    fleet = fleet_of(era)
    async with fleet.open() as host:
        async with host.subscribe("a", ONE) as first:
            async with host.subscribe("a", ONE) as second:
                fleet.peer().notify("notifications/resources/updated", uri=ONE)
                assert await first.receive() == await second.receive()
            await settled()
            assert given_up(fleet.peer(), era) == []
            fleet.peer().notify("notifications/resources/updated", uri=ONE)
            await first.receive()
        await settled()
        assert set(given_up(fleet.peer(), era)) == {ONE}
        assert len(given_up(fleet.peer(), era)) == (1 if era == "legacy" else 2)


@ERAS
async def test_the_next_life_is_told_and_what_was_missed_is_said_to_be(era, autojump_clock):
    fleet = fleet_of(era)
    async with fleet.open() as host, host.subscribe("a", ONE) as changes:
        await host.kill("a")
        assert await changes.receive() == ResourceChanged("a", ONE, missed=True)
        assert [subscribed(peer) for peer in fleet.lives["a"]] == [[ONE], [ONE]]
        fleet.peer().notify("notifications/resources/updated", uri=ONE)
        assert await changes.receive() == ResourceChanged("a", ONE)


async def test_a_subscription_that_its_server_ends_is_made_again(autojump_clock):
    fleet = fleet_of("modern")
    async with fleet.open() as host, host.subscribe("a", ONE) as changes:
        peer = fleet.peer()
        [listen] = [m for m in peer.heard if m.get("method") == "subscriptions/listen"]
        peer.answer(
            listen, {"resultType": "complete", "_meta": {"io.modelcontextprotocol/subscriptionId": listen["id"]}}
        )
        assert await changes.receive() == ResourceChanged("a", ONE, missed=True)
        assert subscribed(peer) == [ONE, ONE]


async def test_a_subscription_that_is_not_granted_is_refused(autojump_clock):
    def for_nothing(peer, request):
        meta = {"io.modelcontextprotocol/subscriptionId": request["id"]}
        peer.notify("notifications/subscriptions/acknowledged", notifications={}, _meta=meta)

    def refuse(peer, request):
        peer.refuse(request, -32602, "no such resource")

    for fleet, words in [
        (fleet_of("modern", **{"subscriptions/listen": for_nothing}), "the server does not tell of this resource"),
        (fleet_of("modern", **{"subscriptions/listen": refuse}), "no such resource"),
        (fleet_of("legacy", **{"resources/subscribe": refuse}), "no such resource"),
    ]:
        async with fleet.open() as host:
            with pytest.raises(ServerError, match=f"^subscribe a/{ONE}: .*{words}"):
                async with host.subscribe("a", ONE):
                    raise AssertionError("it has not been granted")
            assert host.status()["a"].in_flight == 0
            await host.kill("a")
            await host.refresh("a")
            assert subscribed(fleet.peer()) == []


@ERAS
async def test_a_subscription_that_is_never_granted_ends_at_its_time(era, autojump_clock):
    silent = "subscriptions/listen" if era == "modern" else "resources/subscribe"
    fleet = fleet_of(era, **{silent: lambda peer, request: None})
    async with fleet.open() as host:
        with pytest.raises(CallTimedOut):
            async with host.subscribe("a", ONE, timeout=3):
                raise AssertionError("it has not been granted")
        await settled()
        assert fleet.peer().methods().count("notifications/cancelled") == 1
        assert host.status()["a"].in_flight == 0


async def test_a_subscription_ends_with_the_runtime_and_needs_a_server(autojump_clock):
    fleet = fleet_of("legacy")
    async with AsyncExitStack() as longer:
        async with fleet.open() as host:
            with pytest.raises(ServerNotFound):
                await longer.enter_async_context(host.subscribe("nobody", ONE))
            changes = await longer.enter_async_context(host.subscribe("a", ONE))
            fleet.peer().notify("notifications/resources/updated", uri=ONE)
            await settled()
        assert [change.uri async for change in changes] == [ONE]


async def test_a_subscriber_who_is_slow_hears_of_each_resource_once_and_memory_is_bounded():
    changes = Changes("a", ONE)
    for n in range(3):
        changes.put(ONE)
        changes.put(f"{ONE}/{n % 2}")
    assert [(await changes.receive()).uri for _ in range(3)] == [ONE, f"{ONE}/0", f"{ONE}/1"]
    for n in range(KEPT + 1):
        changes.put(f"{ONE}/{n}")
    assert await changes.receive() == ResourceChanged("a", ONE, missed=True)


async def test_a_cancelled_receive_loses_nothing(autojump_clock):
    changes = Changes("a", ONE)
    with trio.move_on_after(1):
        await changes.receive()
    changes.put(ONE)
    with trio.CancelScope() as scope:
        scope.cancel()
        await changes.receive()
    assert (await changes.receive()).uri == ONE
