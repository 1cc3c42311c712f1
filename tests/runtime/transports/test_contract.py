"""What every transport promises, tried with each of them against the same peer."""

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import assert_checkpoints, wait_all_tasks_blocked

from runtime.transports import Transport
from tests.transports import GARBAGE, KINDS, Kind, Opener

pytestmark = pytest.mark.parametrize("kind", KINDS, ids=str)

LOST = (trio.EndOfChannel, trio.BrokenResourceError)


def held() -> tuple[frozenset[str], int, int]:
    """What a transport might leave behind: descriptors, tasks, children."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return frozenset(os.listdir("/proc/self/fd")), trio.lowlevel.current_statistics().tasks_living, len(children)


@asynccontextmanager
async def serving(kind: Kind) -> AsyncIterator[Opener]:
    """A peer; and when all is over, nothing is left of it and of those who talked with it."""
    with trio.fail_after(20):
        before = held()
        async with kind.serve() as opener:
            yield opener
        assert held() == before


@asynccontextmanager
async def talking(kind: Kind) -> AsyncIterator[Transport]:
    async with serving(kind) as opener, opener() as transport:
        yield transport


async def answers(transport: Transport, count: int) -> list[dict]:
    found = []
    while len(found) < count:
        found += map(json.loads, await transport.receive_batch())
    return found


async def test_what_is_sent_is_answered_and_comes_without_a_line_end(kind):
    async with talking(kind) as transport:
        for id in range(4):
            await transport.send(kind.request(id, text=f"é {id}\n"))
            line = await transport.receive()
            assert b"\n" not in line
            assert json.loads(line) == {"jsonrpc": "2.0", "id": id, "result": {"text": f"é {id}\n"}}


async def test_all_that_may_wait_checkpoints(kind):
    async with talking(kind) as transport:
        for receive in (transport.receive, transport.receive_batch):
            with assert_checkpoints():
                await transport.send(kind.request(1))
            with assert_checkpoints():
                await receive()
        with assert_checkpoints():
            await transport.aclose()


async def test_many_requests_in_flight_are_all_answered_and_in_order_where_there_is_one(kind):
    async def send_all() -> None:
        for id in range(kind.many):
            await transport.send(kind.request(id, text=str(id)))

    async with talking(kind) as transport, trio.open_nursery() as nursery:
        nursery.start_soon(send_all)
        found = [(answer["id"], answer["result"]["text"]) for answer in await answers(transport, kind.many)]
        expected = [(id, str(id)) for id in range(kind.many)]
        assert (found if kind.ordered else sorted(found)) == expected


async def test_a_message_of_eight_mebibytes_passes_whole(kind):
    async with talking(kind) as transport:
        for id in (1, 2):
            text = "x" * (8 * 1024 * 1024)
            await transport.send(kind.request(id, text=text))
            assert json.loads(await transport.receive())["result"] == {"text": text}


async def test_a_peer_that_stops_reading_delays_its_senders_alone_and_costs_a_bounded_amount(kind):
    async with talking(kind) as transport:
        await transport.send(kind.request(0, "deaf"))
        sent = blocked = 0
        while blocked < 5:  # what the kernel and the peer's own buffers take is not our memory
            try:
                transport.send_nowait(kind.request(1 + sent, "ignore", "x" * 65536))
                sent, blocked = sent + 1, 0
            except trio.WouldBlock:
                blocked += 1
                await trio.sleep(0.02)
        assert 0 < sent < 512
        async with trio.open_nursery() as nursery:  # and the end wakes who waits
            nursery.start_soon(raises, trio.ClosedResourceError, transport.send, kind.request(-2, text="x" * 65536))
            nursery.start_soon(raises, trio.ClosedResourceError, transport.receive)
            await wait_all_tasks_blocked()
            await transport.aclose()


async def raises(kind: type[Exception], call: Callable[..., Awaitable[object]], *arguments: object) -> None:
    with pytest.raises(kind):
        await call(*arguments)


async def test_closed_by_us_it_says_so_and_closing_again_is_nothing(kind):
    async with talking(kind) as transport:
        await transport.send(kind.request(1))
        await transport.receive()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(raises, trio.ClosedResourceError, transport.receive)
            await wait_all_tasks_blocked()
            nursery.start_soon(transport.aclose)
            nursery.start_soon(transport.aclose)
        await transport.aclose()
        await raises(trio.ClosedResourceError, transport.receive)
        await raises(trio.ClosedResourceError, transport.receive_batch)
        await raises(trio.ClosedResourceError, transport.send, kind.request(2))
        with pytest.raises(trio.ClosedResourceError):
            transport.send_nowait(kind.request(2))


@pytest.mark.parametrize("end", ["die", "half"])
async def test_when_the_peer_dies_what_it_had_said_comes_first_and_no_half_of_a_message(kind, end):
    async with talking(kind) as transport:
        await transport.send(kind.request(1))
        if not kind.ends:
            assert json.loads(await transport.receive())["id"] == 1
        await transport.send(kind.request(2, end))
        if kind.ends:
            assert json.loads(await transport.receive())["id"] == 1
            for _ in range(2):
                await raises(LOST, transport.receive)
            while True:  # as soon as that is known here, nothing can be sent
                try:
                    transport.send_nowait(kind.request(3))
                except trio.BrokenResourceError:
                    break
                await trio.sleep(0.001)
        else:
            answer = json.loads(await transport.receive())
            assert answer["id"] == 2
            assert answer["error"]["code"] > 0
            await transport.send(kind.request(3))
            assert json.loads(await transport.receive())["id"] == 3


async def test_what_is_no_message_harms_nobody(kind):
    async with talking(kind) as transport:
        await transport.send(kind.request(1, "garbage"))
        while (line := await transport.receive()) == GARBAGE:
            pass
        assert json.loads(line)["id"] == 1


# Cancelled at every await


class CancelAt(trio.abc.Instrument):
    """Cancels a scope as its task is about to make its n-th step."""

    def __init__(self, scope: trio.CancelScope, n: int) -> None:
        self.task, self.scope, self.left = trio.lowlevel.current_task(), scope, n

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self.task:
            self.left -= 1
            if self.left == 0:
                self.scope.cancel()


async def cancelled_at(n: int, act: Callable[[], Awaitable[None]]) -> bool:
    """Whether the n-th step was one of the act's, which was cancelled as it began."""
    with trio.CancelScope() as scope:
        instrument = CancelAt(scope, n)
        trio.lowlevel.add_instrument(instrument)
        try:
            await act()
        finally:
            trio.lowlevel.remove_instrument(instrument)
    return instrument.left <= 0


async def test_a_send_cancelled_anywhere_has_sent_nothing(kind):
    async with talking(kind) as transport:
        n, going = 0, True
        while going:
            n += 1
            done = False

            async def send(id: int = n) -> None:
                nonlocal done
                await transport.send(kind.request(id))
                done = True

            going = await cancelled_at(n, send)
            await transport.send(kind.request(1000 + n))
            found = {answer["id"] for answer in await answers(transport, 1 + done)}
            assert found == {1000 + n, *([n] if done else [])}


@pytest.mark.parametrize("verb", ["receive", "receive_batch"])
async def test_a_receive_cancelled_anywhere_loses_nothing(kind, verb):
    async with talking(kind) as transport:
        n, going = 0, True
        while going:
            n += 1
            got: list[bytes] = []

            async def receive(got: list[bytes] = got) -> None:
                message = await getattr(transport, verb)()
                got.extend([message] if verb == "receive" else message)

            await transport.send(kind.request(n))
            going = await cancelled_at(n, receive)
            if not got:
                await receive()
            assert [json.loads(line)["id"] for line in got] == [n]


async def test_a_close_cancelled_anywhere_is_an_end_all_the_same(kind):
    async with serving(kind) as opener:
        n, going = 0, True
        while going:
            n += 1
            async with opener() as transport:
                await transport.send(kind.request(n))
                going = await cancelled_at(n, transport.aclose)
                await raises(trio.ClosedResourceError, transport.receive)


async def test_a_whole_conversation_cancelled_anywhere_leaves_nothing(kind):
    async with serving(kind) as opener:
        n, going = 0, True

        async def converse() -> None:
            async with AsyncExitStack() as stack:
                transport = await stack.enter_async_context(opener())
                await transport.send(kind.request(1))
                await transport.receive()

        while going:
            n += 1
            going = await cancelled_at(n, converse)
