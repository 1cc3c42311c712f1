"""Events to their subscribers."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from runtime.journal import EventsLost, Feed, ServerCrashed, ServerEjected, ServerReady, ServerStarting, ServerStopped


def stopped(n: int) -> ServerStopped:
    return ServerStopped(float(n), f"s{n}")


async def test_each_subscriber_gets_what_is_published_from_its_subscription_on(autojump_clock):
    feed = Feed()
    feed.publish(stopped(0))
    async with feed.subscribe() as first:
        feed.publish(stopped(1))
        async with feed.subscribe() as second:
            feed.publish(stopped(2))
            assert [(await first.receive()).server, (await first.receive()).server] == ["s1", "s2"]
            assert (await second.receive()).server == "s2"
    assert [event.server for event in feed.recent] == ["s0", "s1", "s2"]


async def test_a_slow_subscriber_loses_the_oldest_and_is_told_how_many(autojump_clock):
    feed = Feed()
    slow, quick = feed.subscribe(buffer=3), feed.subscribe()
    for n in range(10):
        feed.publish(stopped(n))
    lost = await slow.receive()
    assert isinstance(lost, EventsLost)
    assert (lost.count, str(lost)[11:]) == (7, "  7 events lost: this subscriber is too slow")
    assert [(await slow.receive()).server for _ in range(3)] == ["s7", "s8", "s9"]
    assert (await quick.receive()).server == "s0"
    feed.publish(stopped(10))
    assert (await slow.receive()).server == "s10"


async def test_a_receiver_waits_and_is_woken_and_a_cancelled_one_loses_nothing(autojump_clock):
    feed = Feed()
    events = feed.subscribe()
    with trio.move_on_after(1):
        await events.receive()
    got: list[str] = []

    async def receive() -> None:
        got.append((await events.receive()).server)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await events.receive()
        feed.publish(stopped(1))
    assert got == ["s1"]


async def test_a_receiver_that_comes_second_waits_for_the_next_event(autojump_clock):
    feed = Feed()
    events = feed.subscribe()
    got: list[str] = []

    async def receive() -> None:
        got.append((await events.receive()).server)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        await trio.testing.wait_all_tasks_blocked()
        feed.publish(stopped(1))  # wakes the first, which has not run yet when the second comes
        nursery.start_soon(receive)
        await trio.testing.wait_all_tasks_blocked()
        assert got == ["s1"]
        feed.publish(stopped(2))
    assert got == ["s1", "s2"]


async def test_at_the_end_what_is_held_is_still_received(autojump_clock):
    feed = Feed()
    events = feed.subscribe()
    feed.publish(stopped(1))
    feed.close()
    feed.publish(stopped(2))
    assert [event.server async for event in events] == ["s1"]
    with pytest.raises(trio.EndOfChannel):
        await events.receive()


async def test_a_closed_subscription_is_closed_for_its_receiver_too(autojump_clock):
    feed = Feed()
    events = feed.subscribe()

    async def receive() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await events.receive()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        await trio.testing.wait_all_tasks_blocked()
        await events.aclose()
        await events.aclose()
    assert feed._subscribers == set()


async def test_receiving_always_lets_others_run(autojump_clock):
    feed = Feed()
    events = feed.subscribe(buffer=1)
    feed.publish(stopped(1))
    feed.publish(stopped(2))
    for _ in range(2):
        with trio.testing.assert_checkpoints():
            await events.receive()


@pytest.mark.parametrize(("event", "told"), [
    (ServerStarting(1.0, "a", 1), "   1.000s  a  starting"),
    (ServerStarting(1.0, "a", 2), "   1.000s  a  starting again, incarnation 2"),
    (ServerReady(1.5, "a", 1, "2026-07-28", 1, 0.12), "   1.500s  a  ready in 120 ms: 1 tool, MCP 2026-07-28"),
    (ServerCrashed(2.0, "a", 1, "ended", 0.1), "   2.000s  a  crashed: ended; restart in 0.1 s"),
    (ServerCrashed(2.0, "a", 1, "ended", None), "   2.000s  a  crashed: ended"),
    (ServerEjected(3.0, "a", 5, 300.0), "   3.000s  a  ejected: more than 5 restarts in 300 s; reload it to try again"),
    (stopped(4), "   4.000s  s4  stopped"),
])  # fmt: skip
def test_an_event_says_itself_in_one_line(event, told):
    assert str(event) == told
