"""What neither a function nor a client can do to a session: end it, hang it, or get one request another's answer."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import trio
from attrs import define
from trio.testing import wait_all_tasks_blocked

from runtime.inprocess import Context, ToolError, ToolServer
from runtime.inprocess import calls as calls_module
from runtime.transports.memory import MemoryTransport, memory_pair
from tests.runtime.protocol.judged import KEY, line

HALF = "\ud83d"


@dataclass
class Picky:
    n: int

    def __post_init__(self) -> None:
        raise KeyError(self.n)


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def odd() -> ToolServer:
    server = ToolServer("odd")

    @server.tool
    async def returns_half() -> str:
        return HALF

    @server.tool(blocking=False)
    def returns_half_at_once() -> str:
        return HALF

    @server.tool
    async def fails_with_half() -> str:
        raise FileNotFoundError(f"/tmp/{HALF}")

    @server.tool
    async def refuses_with_half() -> str:
        raise ToolError(HALF)

    @server.tool
    async def fails_in_silence() -> str:
        raise Mute

    @server.tool
    async def is_picky(of: Picky) -> str:
        return str(of)

    @server.tool
    async def asks_half(ctx: Context) -> str:
        return str(await ctx.sample(HALF))

    @server.tool
    async def roots(ctx: Context) -> str:
        return str(await ctx.roots())

    @server.tool
    async def clings() -> str:
        with trio.CancelScope(shield=True):
            await trio.sleep(1)
        return "too late"

    @server.tool
    async def asks_and_clings(ctx: Context) -> str:
        try:
            return str(await ctx.roots())
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)

    @server.tool
    async def waits() -> str:
        await trio.sleep(5)
        return "done"

    return server


@define
class Talk:
    """Lines to a server, modern ones or legacy ones, and from it."""

    transport: MemoryTransport
    era: str

    async def send(self, **members: Any) -> None:
        await self.transport.send(line(**members) + b"\n")

    async def start(self, id: Any, tool: str, offers: Any = None, **params: Any) -> None:
        declared = {"roots": {}, "sampling": {}} if offers is None else offers
        envelope = {KEY + "protocolVersion": "2026-07-28", KEY + "clientCapabilities": declared}
        meta = {"_meta": envelope} if self.era == "modern" else {}
        await self.send(id=id, method="tools/call", params={"name": tool, "arguments": {}, **meta, **params})

    async def cancel(self, id: Any) -> None:
        await self.send(method="notifications/cancelled", params={"requestId": id})

    async def hear(self) -> Any:
        with trio.fail_after(30):
            return json.loads(await self.transport.receive())

    async def text(self) -> tuple[Any, str]:
        """Whose answer the next line is, and the text in it."""
        answer = await self.hear()
        return answer["id"], answer["result"]["content"][0]["text"]

    async def lives(self) -> bool:
        await self.start("last", "nobody")
        return bool((await self.hear())["error"]["code"] == -32602)


@asynccontextmanager
async def talk(era: str) -> AsyncIterator[Talk]:
    here, there = memory_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(odd().serve, there)
        to = Talk(here, era)
        if era == "legacy":
            offers = {"roots": {}, "sampling": {}}
            greeting = {"protocolVersion": "2025-11-25", "capabilities": offers, "clientInfo": {}}
            await to.send(id=0, method="initialize", params=greeting)
            await to.hear()
        yield to
        nursery.cancel_scope.cancel()


BOTH = pytest.mark.parametrize("era", ["modern", "legacy"])


@BOTH
@pytest.mark.parametrize(
    ("tool", "told"),
    [
        ("returns_half", "UnicodeEncodeError: "),
        ("returns_half_at_once", "UnicodeEncodeError: "),
        ("fails_with_half", "FileNotFoundError: /tmp/\\ud83d"),
        ("refuses_with_half", "\\ud83d"),
        ("fails_in_silence", "Mute: "),
        ("asks_half", "UnicodeEncodeError: "),
    ],
)
async def test_what_cannot_be_told_is_the_failure_of_its_call_alone(era, tool, told):
    async with talk(era) as to:
        await to.start(1, tool)
        answer = (await to.hear())["result"]
        assert answer["isError"]
        assert answer["content"][0]["text"].startswith(told)
        assert await to.lives()


@BOTH
async def test_a_type_that_raises_what_it_likes_is_the_failure_of_its_call_alone(era):
    async with talk(era) as to:
        await to.start(1, "is_picky", arguments={"of": {"n": 7}})
        assert await to.text() == (1, "KeyError: 7")
        assert await to.lives()


@pytest.mark.parametrize("state", [5, [], "x", {"a": 1}])
async def test_a_request_state_means_nothing_in_the_legacy_era(state, autojump_clock):
    async with talk("legacy") as to:
        await to.start(1, "waits", requestState=state)
        assert await to.text() == (1, "done")


async def test_who_comes_back_with_fewer_capabilities_is_told_which_are_missing():
    async with talk("modern") as to:
        await to.start(1, "roots")
        state = (await to.hear())["result"]["requestState"]
        await to.start(2, "roots", {}, requestState=state)
        answer = await to.hear()
        assert answer["id"] == 2
        assert answer["error"]["code"] == -32021
        assert answer["error"]["data"] == {"requiredCapabilities": {"roots": {}}}
        assert await to.lives()


@pytest.mark.parametrize(
    "body", [b'"result":{"roots":1e999}', b'"result":{"roots":"\xff"}', b'"error":"no"', b'"result":[]']
)
async def test_an_answer_that_cannot_be_read_fails_the_question(body):
    async with talk("legacy") as to:
        await to.start(1, "roots")
        question = (await to.hear())["id"]
        await to.transport.send(b'{"jsonrpc":"2.0","id":%d,%s}\n' % (question, body))
        id, text = await to.text()
        assert id == 1
        assert text.startswith("AskFailed: the client's answer is no object")
        assert await to.lives()


@BOTH
async def test_an_id_that_is_used_again_after_a_cancellation_belongs_to_the_new_request(era, autojump_clock):
    async with talk(era) as to:
        await to.start(1, "clings")
        await wait_all_tasks_blocked()
        await to.cancel(1)
        await to.start(1, "waits")
        assert await to.text() == (1, "done")


@BOTH
async def test_what_is_cancelled_late_takes_no_cancellation_from_the_next_with_its_id(era, autojump_clock):
    async with talk(era) as to:
        await to.start(1, "clings")
        await wait_all_tasks_blocked()
        await to.cancel(1)
        await to.start(1, "waits")
        await trio.sleep(2)  # the first is over
        await to.cancel(1)
        await trio.sleep(10)
        assert await to.lives()


async def test_who_comes_back_too_late_is_told_so_while_the_function_cleans_up(autojump_clock):
    async with talk("modern") as to:
        await to.start(1, "asks_and_clings")
        state = (await to.hear())["result"]["requestState"]
        await trio.sleep(calls_module.PATIENCE + 0.5)
        await to.start(2, "asks_and_clings", requestState=state, inputResponses={"q1": {"roots": []}})
        answer = await to.hear()
        assert (answer["id"], answer["error"]["code"]) == (2, -32602)


async def test_no_more_than_so_many_functions_are_suspended_at_any_moment(monkeypatch, autojump_clock):
    monkeypatch.setattr(calls_module, "MOST_SUSPENDED", 2)
    async with talk("modern") as to:
        for id in range(5):
            await to.start(id, "asks_and_clings")
        states = [(await to.hear())["result"]["requestState"] for _ in range(5)]
        codes = []
        for state in states:
            await to.start("again", "asks_and_clings", requestState=state, inputResponses={"q1": {"roots": []}})
            answer = await to.hear()
            codes.append(answer.get("error", {}).get("code"))
        assert codes == [-32602] * 3 + [None] * 2
