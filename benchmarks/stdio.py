"""What a tool call over stdio costs, from the caller through the server actor to the wire and back.

Where the interop peers are installed, the official SDK's client, which came with them, runs in turn as well.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path

import trio

import runtime
from floor_client import open_client
from harness import FLOOR, OURS, Job, report

HERE = Path(__file__).parent
ECHO = [sys.executable, "-I", "-S", str(HERE / "echo_server.py")]
SDK = HERE.parent / ".peers" / "mcp2" / "bin" / "python"

Call = Callable[[], Awaitable[object]]


@asynccontextmanager
async def floor() -> AsyncIterator[Call]:
    async with open_client(ECHO) as client:
        yield client.call


@asynccontextmanager
async def ours() -> AsyncIterator[Call]:
    server = {"command": ECHO[0], "args": ECHO[1:], "in_flight": 64}
    async with runtime.open_runtime({"mcpServers": {"echo": server}, "journal": False}) as host:
        yield lambda: host.call("echo", "echo", {"text": "hello"})


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
    report(
        "stdio call",
        [
            Job("CPU, sequential, pinned", "µs", sequential, limit=35),
            Job("CPU, 64 in flight", "µs", ways(time.process_time, 64, 10_000), limit=16),
            Job("wall, 64 in flight", "µs", ways(time.perf_counter, 64, 10_000)),
        ],
        rounds=5,
    )
