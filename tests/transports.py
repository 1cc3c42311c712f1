"""The same peer behind every transport: it does what the method of each request says.

``echo`` is answered with its own text; ``ignore`` is not answered; ``garbage`` is answered after something that is no
message; ``half`` is answered by half an answer, and then the peer dies; ``die`` is its end at once; after ``deaf`` it
reads nothing any more.
"""

import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from typing import Any, TypeAlias

import trio
import trio_websocket
from attrs import frozen

from runtime.tasks import beside
from runtime.transports import Transport
from runtime.transports.http import HttpTimeouts, open_http
from runtime.transports.memory import MemoryTransport, memory_pair
from runtime.transports.stdio import StdioCommand, open_stdio
from runtime.transports.websocket import WebSocketTimeouts, open_websocket
from tests.http_server import Asked, Dies, Reply, open_http_server

GARBAGE = b"\xff\xfe this is {no message"
META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}

Opener: TypeAlias = Callable[[], AbstractAsyncContextManager[Transport]]


@frozen
class Kind:
    """A transport, and what is peculiar to it."""

    name: str
    serve: Callable[[], AbstractAsyncContextManager[Opener]]
    """A peer that serves each channel the opener opens."""
    ordered: bool = True
    """Whether answers come in the order of the requests."""
    ends: bool = True
    """Whether the end of the peer is the end of the channel; else only what is in flight hears of it."""
    modern: bool = False
    many: int = 10_000
    """Requests to have in flight in a test."""

    def __str__(self) -> str:
        return self.name

    def request(self, id: int, method: str = "echo", text: str = "") -> bytes:
        params: dict[str, Any] = {"text": text, "_meta": META} if self.modern else {"text": text}
        return json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).encode() + b"\n"


def answer(asked: Any) -> bytes:
    text = asked.get("params", {}).get("text", "")
    return json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": {"text": text}}).encode()


# In memory


@asynccontextmanager
async def serve_in_memory() -> AsyncIterator[Opener]:
    async def serve(transport: MemoryTransport) -> None:
        with suppress(trio.EndOfChannel, trio.BrokenResourceError):
            async for line in transport:
                asked = json.loads(line)
                match asked["method"]:
                    case "echo":
                        await transport.send(answer(asked) + b"\n")
                    case "garbage":
                        await transport.send(GARBAGE + b"\n")
                        await transport.send(answer(asked) + b"\n")
                    case "die" | "half":  # there are no halves in memory
                        break
                    case "deaf":
                        await trio.sleep_forever()
        transport.close()

    @asynccontextmanager
    async def opened() -> AsyncIterator[Transport]:
        here, there = memory_pair()
        async with beside(partial(serve, there)):
            try:
                yield here
            finally:
                here.close()

    yield opened


# A child process

CHILD = (
    f"GARBAGE = {GARBAGE!r}"
    """
import json, sys, time
out = sys.stdout.buffer
def say(data):
    out.write(data)
    out.flush()
for line in sys.stdin.buffer:
    asked = json.loads(line)
    method = asked["method"]
    answer = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": {"text": asked["params"]["text"]}}).encode()
    if method == "echo":
        say(answer + b"\\n")
    elif method == "garbage":
        say(GARBAGE + b"\\n" + answer + b"\\n")
    elif method == "half":
        say(answer[:20])
        break
    elif method == "die":
        break
    elif method == "deaf":
        time.sleep(1e6)
"""
)


@asynccontextmanager
async def serve_by_child() -> AsyncIterator[Opener]:
    command = StdioCommand([sys.executable, "-I", "-S", "-c", CHILD], {"PATH": os.environ["PATH"]})
    yield partial(open_stdio, command, stop_timeout=0.5)


# HTTP


async def answer_by_http(asked: Asked, reply: Reply) -> None:
    if asked.method == "DELETE":
        return await reply.whole(204)
    if asked.method != "POST":
        return await reply.whole(405)
    if "id" not in asked.json:
        return await reply.whole(202)
    match asked.json["method"]:
        case "echo" if asked.json["id"] % 2:
            await reply.json(answer(asked.json))
        case "echo":
            await reply.stream()
            await reply.event(answer(asked.json))
        case "garbage":
            await reply.stream()
            await reply.event(GARBAGE)
            await reply.event(answer(asked.json))
        case "half":
            await reply.head(200, {"Content-Type": "application/json", "Content-Length": "100"})
            await reply.data(answer(asked.json)[:20])
            raise Dies
        case "die":
            raise Dies
        case "initialize":
            result = {"jsonrpc": "2.0", "id": asked.json["id"], "result": {"protocolVersion": "2025-11-25"}}
            await reply.json(result, headers={"Mcp-Session-Id": "one"})
        case _:
            await reply.hung_up()
    return None


def over_http(url: str) -> AbstractAsyncContextManager[Transport]:
    return open_http(url, timeouts=HttpTimeouts(close=0.5))


@asynccontextmanager
async def serve_modern_http() -> AsyncIterator[Opener]:
    async with open_http_server(answer_by_http) as server:
        yield partial(over_http, server.url)
        await server.until(lambda: not server.connections)


@asynccontextmanager
async def serve_legacy_http() -> AsyncIterator[Opener]:
    @asynccontextmanager
    async def opened(url: str) -> AsyncIterator[Transport]:
        async with over_http(url) as transport:
            await transport.send(b'{"jsonrpc":"2.0","id":-1,"method":"initialize","params":{}}\n')
            await transport.receive()
            await transport.send(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
            yield transport

    async with open_http_server(answer_by_http) as server:
        yield partial(opened, server.url)
        await server.until(lambda: not server.connections)


@asynccontextmanager
async def serve_sse() -> AsyncIterator[Opener]:
    streams: dict[str, Reply] = {}

    async def script(asked: Asked, reply: Reply) -> None:
        if asked.method == "GET":
            await reply.stream()
            name = f"/messages/{len(streams)}"
            streams[name] = reply
            await reply.event(name.encode(), event="endpoint")
            await reply.hung_up()
            return
        stream = streams[asked.path]
        await reply.whole(202)
        match asked.json["method"]:
            case "echo":
                await stream.event(answer(asked.json), event="message")
            case "garbage":
                await stream.event(GARBAGE)
                await stream.event(answer(asked.json))
            case "half":
                await stream.data(b"data: " + answer(asked.json)[:20])
                await stream.abort()
            case "die":
                await stream.abort()
            case "deaf":
                await reply.hung_up()

    async with open_http_server(script) as server:
        yield partial(open_http, server.url, type="sse", timeouts=HttpTimeouts(close=0.5))
        await server.until(lambda: not server.connections)


# A WebSocket


@asynccontextmanager
async def serve_websocket() -> AsyncIterator[Opener]:
    async def serve(request: trio_websocket.WebSocketRequest) -> None:
        connection = await request.accept(subprotocol="mcp")
        with suppress(trio_websocket.ConnectionClosed):
            while True:
                asked = json.loads(await connection.get_message())
                match asked["method"]:
                    case "echo":
                        await connection.send_message(answer(asked).decode())
                    case "garbage":
                        await connection.send_message(GARBAGE)
                        await connection.send_message(answer(asked).decode())
                    case "half":
                        frame = b"\x81\x7e\x01\x00" + answer(asked)[:20]  # a text of 256 bytes, of which 20 come
                        await connection._stream.send_all(frame)
                        await connection._stream.aclose()
                    case "die":
                        await connection._stream.aclose()
                    case "deaf":
                        await trio.sleep_forever()

    async def listen(task_status: trio.TaskStatus[int]) -> None:
        with stopping:
            serving = partial(
                trio_websocket.serve_websocket,
                serve,
                "127.0.0.1",
                0,
                None,
                max_message_size=64 * 1024 * 1024,
                message_queue_size=1,
            )
            async with trio.open_nursery() as nursery:
                server = await nursery.start(serving)
                task_status.started(server.port)

    stopping = trio.CancelScope()
    async with trio.open_nursery() as nursery:
        port = await nursery.start(listen)
        try:
            yield partial(open_websocket, f"ws://127.0.0.1:{port}/mcp", timeouts=WebSocketTimeouts(close=0.5))
        finally:
            stopping.cancel()


KINDS = (
    Kind("memory", serve_in_memory),
    Kind("stdio", serve_by_child),
    Kind("http-modern", serve_modern_http, ordered=False, ends=False, modern=True, many=300),
    Kind("http-legacy", serve_legacy_http, ordered=False, ends=False, many=300),
    Kind("http-sse", serve_sse, many=300),
    Kind("websocket", serve_websocket, many=10_000),
)
