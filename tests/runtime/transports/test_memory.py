"""The pair in memory keeps the contract of every transport."""

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import assert_checkpoints, wait_all_tasks_blocked

from runtime.transports.memory import memory_pair


async def test_messages_go_both_ways_in_order_and_lose_their_line_end():
    here, there = memory_pair()
    for n in range(3):
        here.send_nowait(b"%d\n" % n)
    await there.send(b"back\n")
    assert await there.receive() == b"0"
    assert await there.receive_batch() == [b"1", b"2"]
    assert await here.receive() == b"back"


async def test_all_that_may_wait_checkpoints():
    here, there = memory_pair()
    with assert_checkpoints():
        await here.send(b"1\n")
    with assert_checkpoints():
        await there.receive()
    here.send_nowait(b"2\n")
    with assert_checkpoints():
        await there.receive_batch()
    with assert_checkpoints():
        await here.aclose()


async def test_one_direction_holds_no_more_than_its_bound():
    here, there = memory_pair(limit=10)
    here.send_nowait(b"x" * 50 + b"\n")  # into an empty queue whatever its size
    with pytest.raises(trio.WouldBlock):
        here.send_nowait(b"1\n")
    await there.send(b"the other direction has a bound of its own\n")
    await there.receive()
    here.send_nowait(b"1234\n")
    here.send_nowait(b"5678\n")
    with pytest.raises(trio.WouldBlock):
        here.send_nowait(b"\n")


async def test_waiting_senders_go_in_their_order_and_nobody_overtakes_them():
    here, there = memory_pair(limit=4)
    here.send_nowait(b"full")
    async with trio.open_nursery() as nursery:
        for n in range(5):
            nursery.start_soon(here.send, b"%d\n" % n)
            await wait_all_tasks_blocked()
        assert await there.receive() == b"full"
        with pytest.raises(trio.WouldBlock):
            here.send_nowait(b"me\n")
        assert [await there.receive() for _ in range(5)] == [b"0", b"1", b"2", b"3", b"4"]


async def test_a_cancelled_send_has_sent_nothing_and_holds_up_nobody():
    here, there = memory_pair(limit=4)
    here.send_nowait(b"12")
    async with trio.open_nursery() as nursery:
        async with trio.open_nursery() as doomed:
            doomed.start_soon(here.send, b"large")
            await wait_all_tasks_blocked()
            nursery.start_soon(here.send, b"34")
            await wait_all_tasks_blocked()
            doomed.cancel_scope.cancel()
    assert await there.receive_batch() == [b"12", b"34"]


@pytest.mark.parametrize("verb", ["receive", "receive_batch"])
async def test_a_cancelled_receive_loses_nothing(verb):
    here, there = memory_pair()
    received = []

    async def receive():
        received.append(await getattr(there, verb)())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        await wait_all_tasks_blocked()
        here.send_nowait(b"1\n")
        nursery.cancel_scope.cancel()
    if not received:
        received.append(await there.receive())
    assert received in ([b"1"], [[b"1"]])


@pytest.mark.parametrize("verb", ["receive", "receive_batch"])
async def test_what_was_sent_before_the_end_arrives_before_the_end(verb):
    here, there = memory_pair()
    here.send_nowait(b"last\n")
    await here.aclose()
    await here.aclose()
    assert await getattr(there, verb)() in (b"last", [b"last"])
    for _ in range(2):
        with pytest.raises(trio.EndOfChannel):
            await getattr(there, verb)()
    with pytest.raises(trio.BrokenResourceError):
        there.send_nowait(b"reply\n")
    with pytest.raises(trio.BrokenResourceError):
        await there.send(b"reply\n")


@pytest.mark.parametrize("closer", ["here", "there"])
@pytest.mark.parametrize("verb", ["send", "receive"])
async def test_closing_either_end_wakes_who_waits_at_it(closer, verb):
    here, there = memory_pair(limit=1)
    here.send_nowait(b"x")
    expected = {
        ("here", "send"): trio.ClosedResourceError,
        ("here", "receive"): trio.ClosedResourceError,
        ("there", "send"): trio.BrokenResourceError,
        ("there", "receive"): trio.EndOfChannel,
    }[closer, verb]

    async def wait():
        with pytest.raises(expected):
            await (here.send(b"y") if verb == "send" else here.receive())

    async with trio.open_nursery() as nursery:
        for _ in range(2 if verb == "send" else 1):
            nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        (here if closer == "here" else there).close()
    with pytest.raises(expected):
        await (here.send(b"z") if verb == "send" else here.receive())


@given(st.lists(st.binary(max_size=6), max_size=12), st.integers(1, 12), st.data())
def test_nothing_is_lost_doubled_or_reordered(messages, limit, data):
    async def main():
        here, there = memory_pair(limit)
        received = []

        async def send_all():
            for message in messages:
                await here.send(message + b"\n")
            await here.aclose()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_all)
            while True:
                one = data.draw(st.booleans())
                try:
                    received += [await there.receive()] if one else await there.receive_batch()
                except trio.EndOfChannel:
                    break
        assert received == messages

    trio.run(main)
