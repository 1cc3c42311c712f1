"""What a tool call over stdio costs, from the caller through the server actor to the wire and back.

Where the interop peers are installed, the official SDK's client, which came with them, runs in turn as well.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path

import trio
from msgspec import Raw

import runtime
from floor_client import open_client
from harness import FLOOR, OURS, Job, report
from runtime.call import Call as ServerCall

HERE = Path(__file__).parent
ECHO = [sys.executable, "-I", "-S", str(HERE / "echo_server.py")]
SDK = HERE.parent / ".peers" / "mcp2" / "bin" / "python"

Call = Callable[[], Awaitable[object]]


@asynccontextmanager
async def floor() -> AsyncIterator[Call]:
    async with open_client(ECHO) as client:
        yield client.call


@asynccontextmanager
async def opened_runtime() -> AsyncIterator[runtime.Runtime]:
    server = {"command": ECHO[0], "args": ECHO[1:], "in_flight": 64}
    async with runtime.open_runtime({"mcpServers": {"echo": server}, "journal": False}) as host:
        yield host


@asynccontextmanager
async def ours() -> AsyncIterator[Call]:
    async with opened_runtime() as host:
        yield lambda: host.call("echo", "echo", {"text": "hello"})


@asynccontextmanager
async def raw() -> AsyncIterator[Call]:
    """Through the server's actor alone, and no further than the envelope: what relaying a call costs."""
    async with opened_runtime() as host:
        ref = host._house.records["echo"].ref
        assert ref is not None
        params = {"name": "echo", "arguments": Raw(b'{"text":"hello"}')}
        yield lambda: ref.ask(ServerCall("echo", "tools/call", "echo", params))


async def calls(
    opened: Callable[[], AbstractAsyncContextManager[Call]],
    clock: Callable[[], float],
    callers: int,
    count: int,
) -> float:
    """Microseconds by the clock for one of ``count`` calls, made by so many callers at once."""
    async with opened() as call:

        async def caller() -> None:
            for _ in range(count // callers):
                await call()

        await call()
        started = clock()
        async with trio.open_nursery() as nursery:
            for _ in range(callers):
                nursery.start_soon(caller)
        return (clock() - started) / count * 1e6


async def tail(opened: Callable[[], AbstractAsyncContextManager[Call]], count: int) -> float:
    """How many times as long as the median the slowest hundredth of sequential calls takes at least."""
    async with opened() as call:
        took = []
        for _ in range(count):
            started = time.perf_counter()
            await call()
            took.append(time.perf_counter() - started)
    return statistics.quantiles(took[count // 10 :], n=100)[98] / statistics.median(took)


def sdk(clock: Callable[[], float], callers: int, count: int) -> float:
    numbers = [clock.__name__, str(callers), str(count)]
    return float(subprocess.check_output([SDK, HERE / "sdk_client.py", *numbers, *ECHO]))


def pinned(main: Callable[[], float]) -> float:
    """Run with this process and its children on one core: waking another costs more than the round trip."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        return main()
    finally:
        os.sched_setaffinity(0, cores)


def ways(clock: Callable[[], float], callers: int, count: int) -> dict[str, Callable[[], float]]:
    found: dict[str, Callable[[], float]] = {FLOOR: partial(trio.run, calls, floor, clock, callers, count)}
    if SDK.exists():
        found["SDK"] = partial(sdk, clock, callers, count)
    return found | {OURS: partial(trio.run, calls, ours, clock, callers, count)}


if __name__ == "__main__":
    sequential = {name: partial(pinned, way) for name, way in ways(time.process_time, 1, 3000).items()}
    relayed = {
        FLOOR: partial(trio.run, calls, floor, time.process_time, 64, 10_000),
        OURS: partial(trio.run, calls, raw, time.process_time, 64, 10_000),
    }
    tails = {name: partial(pinned, partial(trio.run, tail, way, 3000)) for name, way in ((FLOOR, floor), (OURS, ours))}
    report(
        "stdio call",
        [
            Job("CPU, sequential, pinned", "µs", sequential, limit=35),
            Job("CPU, 64 in flight", "µs", ways(time.process_time, 64, 10_000), limit=16),
            Job("CPU, 64 in flight, raw", "µs", relayed, limit=9),
            Job("wall, 64 in flight", "µs", ways(time.perf_counter, 64, 10_000)),
            Job("p99 / p50, sequential, pinned", "", tails, limit=2.5),
        ],
        rounds=5,
    )
