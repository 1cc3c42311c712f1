"""What a tool call over Streamable HTTP costs: the channel of ours, and the same POST by bare httpx2.

Both put the same body and headers on connections to the same server, and keep as many of them. Where the interop
peers are installed, the official SDK's client, which came with them, runs in turn as well; it decodes what it gets,
which neither of us does.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx2
import trio

from harness import FLOOR, OURS, Job, report
from runtime.protocol.jsonrpc import encode_request
from runtime.transports.http import open_http
from runtime.transports.web import KEPT_CONNECTIONS

HERE = Path(__file__).parent
SDKS = [HERE.parent / ".peers" / "mcp2" / "bin" / "python", HERE.parent / ".peers" / "bin" / "python"]
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "benchmark", "version": "1"},
}
HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": "2026-07-28",
    "Mcp-Method": "tools/call",
    "Mcp-Name": "echo",
}


def line(id: int) -> bytes:
    return encode_request(id, "tools/call", {"name": "echo", "arguments": {"text": "hello"}, "_meta": META})


async def floor(url: str, callers: int, count: int) -> float:
    limits = httpx2.Limits(max_keepalive_connections=KEPT_CONNECTIONS)
    async with httpx2.AsyncClient(verify=False, timeout=None, limits=limits) as client:

        async def caller() -> None:
            for id in range(count // callers):
                response = await client.post(url, content=line(id), headers=HEADERS)
                assert response.content

        await client.post(url, content=line(0), headers=HEADERS)
        started = time.process_time()
        async with trio.open_nursery() as nursery:
            for _ in range(callers):
                nursery.start_soon(caller)
        return (time.process_time() - started) / count * 1e6


async def ours(url: str, callers: int, count: int) -> float:
    async with open_http(url) as transport:
        transport.send_nowait(line(0))
        await transport.receive()
        started = time.process_time()
        for id in range(callers):
            transport.send_nowait(line(id))
        sent, received = callers, 0
        while received < count:
            received += len(await transport.receive_batch())
            while sent < min(count, received + callers):
                sent += 1
                transport.send_nowait(line(sent))
        return (time.process_time() - started) / count * 1e6


@contextmanager
def serving() -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, HERE / "echo_http_server.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}/mcp"
        server.stdin.close()


def sdk(python: Path, url: str, callers: int, count: int) -> float:
    numbers = ["process_time", str(callers), str(count)]
    return float(subprocess.check_output([python, HERE / "sdk_client.py", *numbers, url]))


def ways(url: str, callers: int, count: int) -> dict[str, Callable[[], float]]:
    found: dict[str, Callable[[], float]] = {
        FLOOR: partial(trio.run, floor, url, callers, count),
        OURS: partial(trio.run, ours, url, callers, count),
    }
    for python in SDKS:
        if python.exists():
            return {**found, "SDK": partial(sdk, python, url, callers, count // 4)}
    return found


def main() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # waking another core would cost more than the call
    with serving() as url:
        jobs = [
            Job(f"CPU a call, {callers} at once", "µs", ways(url, callers, 1000), goal=1.3) for callers in (1, 16, 64)
        ]
        report("Streamable HTTP", jobs)


if __name__ == "__main__":
    main()
