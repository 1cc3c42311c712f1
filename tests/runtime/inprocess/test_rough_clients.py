"""Whatever a client sends, the session goes on and answers the next one."""

import json
from typing import Any, TypedDict

import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from runtime.inprocess import Context, ToolServer
from runtime.transports.memory import memory_pair

KEY = "io.modelcontextprotocol/"
ENVELOPE = {KEY + "protocolVersion": "2026-07-28", KEY + "clientCapabilities": {"elicitation": {}}}
METHODS = (
    "tools/call",
    "tools/list",
    "prompts/get",
    "prompts/list",
    "resources/read",
    "resources/list",
    "resources/subscribe",
    "resources/unsubscribe",
    "completion/complete",
    "logging/setLevel",
    "subscriptions/listen",
    "notifications/cancelled",
    "notifications/initialized",
    "x",
)
WORDS = st.sampled_from(["name", "uri", "arguments", "cursor", "ref", "argument", "context", "inputResponses", "value"])
KEYS = WORDS | st.sampled_from(["requestState", "requestId", "type", "notifications", "level", "resourceSubscriptions"])
VALUES = st.sampled_from(["ask", "greet", "ref/prompt", "book://{shelf}/{number}", "book://a/1", "book://a", "", "é.x"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | VALUES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


class Form(TypedDict):
    a: str


def asking() -> ToolServer:
    server = ToolServer("test")

    @server.resource("book://{shelf}/{number}")
    async def book(shelf: str, number: int) -> str:
        return f"{shelf} {number}"

    @server.prompt
    async def greet(name: str) -> str:
        return name

    @server.tool
    async def ask(ctx: Context) -> str:
        return (await ctx.elicit("?", Form)).action

    return server


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.booleans(),
    st.lists(
        st.tuples(st.sampled_from(METHODS), st.dictionaries(KEYS, ANYTHING, max_size=4) | ANYTHING, st.booleans()),
        max_size=6,
    ),
)
def test_no_request_ends_the_session(modern: bool, script: list[tuple[str, Any, bool]]):
    async def main() -> None:
        here, there = memory_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(asking().serve, there)
            greeting = {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "c", "version": "0"},
            }
            opening = ("server/discover", {"_meta": ENVELOPE}) if modern else ("initialize", greeting)
            lines = [(0, *opening)]
            for number, (method, params, enveloped) in enumerate(script, 1):
                body = {**params, "_meta": ENVELOPE} if enveloped and modern and isinstance(params, dict) else params
                lines.append((None if method.startswith("notifications/") else number, method, body))
            lines.append((99, "tools/list", {"_meta": ENVELOPE} if modern else {}))
            for id, method, params in lines:
                message = {"jsonrpc": "2.0", "method": method, "params": params} | ({} if id is None else {"id": id})
                await here.send(json.dumps(message).encode() + b"\n")
            answered: set[Any] = set()
            while 99 not in answered:
                answer = json.loads(await here.receive())
                assert answer.get("id") not in answered
                answered |= {answer["id"]} if "method" not in answer else set()
            here.close()

    trio.run(main, clock=MockClock(autojump_threshold=0))
