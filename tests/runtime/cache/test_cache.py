"""The cache actor, and calls through it."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from msgspec import Raw

from runtime import ServerError, State
from runtime.cache import Cache, CacheStatistics, Count, Forget, Lookup, Store
from tests.fakes import Fleet, Peer, good, text

ONE = Raw(b"1")


async def counting(peer: Peer) -> None:
    """Answers with the life and the number of the call."""
    await peer.get_ready()
    for n in range(1, 1000):
        peer.answer(await peer.hear("tools/call"), text(f"{peer.incarnation}.{n}"))


CACHED = {"a": {"cache": {"tools": {"echo": 10}}}}


async def told(host, **arguments: object) -> str:
    return (await host.call("a", "echo", arguments)).content[0].text


async def test_an_answer_is_fresh_for_its_time_and_not_longer(autojump_clock):
    cache = Cache()
    cache.receive(Store("s", 1, "t", "k", ONE, 2.0))
    await trio.sleep(1.9)
    assert cache.receive(Lookup("s", 1, "t", "k")) == ONE
    await trio.sleep(0.2)
    assert cache.receive(Lookup("s", 1, "t", "k")) is None
    assert cache.receive(Count()) == CacheStatistics(hits=1, misses=1, entries=0)


async def test_each_tool_has_so_many_entries_the_least_used_going_first(autojump_clock):
    cache = Cache(3)
    for key in "abc":
        cache.receive(Store("s", 1, "t", key, ONE, 60.0))
    cache.receive(Lookup("s", 1, "t", "a"))
    cache.receive(Store("s", 1, "t", "d", ONE, 60.0))
    cache.receive(Store("s", 1, "other", "e", ONE, 60.0))
    kept = [key for key in "abcd" if cache.receive(Lookup("s", 1, "t", key))]
    assert kept == ["a", "c", "d"]
    assert cache.receive(Count()).entries == 4


async def test_another_incarnation_is_another_server(autojump_clock):
    cache = Cache()
    cache.receive(Store("s", 2, "t", "k", ONE, 60.0))
    assert cache.receive(Lookup("s", 3, "t", "k")) is None
    assert cache.receive(Lookup("s", 1, "t", "k")) is None


async def test_one_server_or_one_tool_is_forgotten_alone(autojump_clock):
    cache = Cache()
    for server, tool in [("s", "t"), ("s", "u"), ("r", "t")]:
        cache.receive(Store(server, 1, tool, "k", ONE, 60.0))
    cache.receive(Forget("s", "t"))
    assert (cache.receive(Count("s")).entries, cache.receive(Count()).entries) == (1, 2)
    cache.receive(Forget("s"))
    assert (cache.receive(Count("s")).entries, cache.receive(Count()).entries) == (0, 1)


async def test_a_cacheable_call_is_answered_from_memory_by_its_canonical_arguments(autojump_clock):
    async with Fleet({"a": counting}).open(servers=CACHED) as host:
        assert await told(host, n=1, m=[2]) == "1.1"
        assert await told(host, m=[2.0], n=1.0) == "1.1"
        assert await told(host, n=2) == "1.2"
        await trio.sleep(11)
        assert await told(host, n=1, m=[2]) == "1.3"


async def test_what_is_not_configured_is_asked_each_time(autojump_clock):
    async with Fleet({"a": counting}).open(servers={"a": {"cache": {"tools": {"other": 10}}}}) as host:
        assert [await told(host), await told(host)] == ["1.1", "1.2"]


async def test_errors_are_never_remembered(autojump_clock):
    async def failing(peer: Peer) -> None:
        await peer.get_ready()
        peer.answer(await peer.hear("tools/call"), text("failed", isError=True))
        peer.refuse(await peer.hear("tools/call"))
        peer.answer(await peer.hear("tools/call"), {"content": 7})
        peer.answer(await peer.hear("tools/call"), text("well"))
        await peer.obey()

    async with Fleet({"a": failing}).open(servers=CACHED) as host:
        assert (await host.call("a", "echo")).is_error
        with pytest.raises(ServerError):
            await host.call("a", "echo")
        with pytest.raises(Exception, match="answer is no result"):
            await host.call("a", "echo")
        assert [await told(host), await told(host)] == ["well", "well"]


@pytest.mark.parametrize("act", ["kill", "reload", "stop and reload"])
async def test_no_answer_of_an_older_incarnation_is_given_out(act, autojump_clock):
    async with Fleet({"a": counting}).open(servers=CACHED) as host:
        assert await told(host) == "1.1"
        match act:
            case "kill":
                await host.kill("a")
            case "reload":
                await host.reload("a")
            case _:
                await host.stop("a")
                await host.reload("a")
        assert await told(host) == "2.1"
        assert await told(host) == "2.1"


async def test_changed_tools_make_their_answers_stale(autojump_clock):
    fleet = Fleet({"a": good})
    async with fleet.open(servers=CACHED) as host:
        await told(host)
        fleet.peer().tools = ("other",)
        fleet.peer().notify("notifications/tools/list_changed")
        await trio.sleep(1)
        with pytest.raises(Exception, match="has no tool 'echo'"):
            await told(host)


async def test_a_timeout_counts_for_a_cacheable_call_too(autojump_clock):
    async def silent(peer: Peer) -> None:
        await peer.get_ready()
        await trio.sleep_forever()

    async with Fleet({"a": silent}).open(servers=CACHED) as host:
        with pytest.raises(Exception, match="no answer after 3 s"):
            await host.call("a", "echo", timeout=3)


@pytest.mark.parametrize("how", ["kill", "crash"])
async def test_a_cache_that_ends_comes_back_and_no_call_is_the_worse_for_it(how, autojump_clock):
    async with Fleet({"a": counting}).open(servers=CACHED) as host:
        cache = host._house.system["services/cache"]
        ends: list[str] = []

        async def call(n: int) -> None:
            ends.append(await told(host, n=n))

        for round in range(5):
            async with trio.open_nursery() as nursery:
                for n in range(10):
                    nursery.start_soon(call, 100 * round + n)
                if how == "kill":
                    cache.kill()
                else:
                    cache.tell(Store("a", 1, "echo", "k", ONE, "no number"))
        assert len(ends) == 50
        assert await told(host, n=1000) == await told(host, n=1000)
        assert host.status()["a"].state is State.READY
        assert cache.incarnation > 1
