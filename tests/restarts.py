"""One server, killed as soon as it is ready, over and over: ``python -m tests.restarts 1000``.

Window, pauses and the budget of process starts are wide open. Every way to die has its turn: by SIGKILL, alone or with
the whole group; by itself, with a call in flight; with half a line written; leaving a child behind.
Nothing may be left: no process, no zombie, no descriptor; memory stays flat.
"""

from __future__ import annotations

import gc
import os
import secrets
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import cycle

import trio
from attrs import define

import runtime
from runtime import CallInterrupted, Runtime
from tests.processes import marked, zombies
from tests.rounds import FLAT, MARK, SCRIPT, WARM, resident

NAME = "mayfly"
OPEN = {
    "window": {"intensity": 1_000_000, "period": 1},
    "backoff": {"first": 0, "cap": 0, "jitter": 0},
    "stop_timeout": 0.01,
}
SPAWNS = {"per_second": 1_000_000, "burst": 1_000_000}


@define
class Tally:
    """What so many restarts came to."""

    restarts: int = 0
    processes: int = 0  # left
    zombies: int = 0  # left
    descriptors: int = 0  # more than before
    grown: float = 0.0  # MiB since the first restarts

    @property
    def fine(self) -> bool:
        # Fewer descriptors than before are somebody else's, whose end came meanwhile.
        return not (self.processes or self.zombies or self.descriptors > 0) and self.grown < FLAT

    def __str__(self) -> str:
        return (
            f"{self.restarts} restarts: {self.processes} processes, {self.zombies} zombies and {self.descriptors} "
            f"descriptors left, memory grown by {self.grown:.1f} MiB"
        )


async def restart(times: int) -> Tally:
    """Have a server restarted so many times."""
    mark = secrets.token_hex(8)
    server = {"command": sys.executable, "args": ["-I", "-S", SCRIPT, "mayfly"], "env": {MARK: mark}, **OPEN}
    before = descriptors()
    async with runtime.open_runtime({"mcpServers": {NAME: server}, "spawns": SPAWNS, "journal": False}) as host:
        base = resident()
        for number, way in zip(range(times), cycle(WAYS)):
            if number == min(WARM * len(WAYS), times - 1):
                base = resident()
            with trio.fail_after(20):
                await way(host)
                await back(host, number + 1)
                assert host.status(NAME)[NAME].restarts == number + 1
                assert not zombies()
        grown = resident() - base
    return Tally(times, len(marked(MARK, mark)), len(zombies()), descriptors() - before, grown)


async def killed(host: Runtime) -> None:
    os.kill(pid(host), signal.SIGKILL)


async def killed_by_the_host(host: Runtime) -> None:
    await host.kill(NAME)


def asked_to(die: str) -> Callable[[Runtime], Awaitable[None]]:
    async def ask(host: Runtime) -> None:
        with suppress(CallInterrupted):
            await host.call(NAME, "echo", {"die": die})

    return ask


async def back(host: Runtime, restarts: int) -> None:
    """Call until it has been restarted so often, and answers."""
    while True:
        with suppress(CallInterrupted):  # it was written before the death was seen
            await host.call(NAME, "echo")
            if host.status(NAME)[NAME].restarts == restarts:
                return


WAYS = (killed, killed_by_the_host, asked_to("exit"), asked_to("exit_in_a_line"), asked_to("leave_a_child"))


def pid(host: Runtime) -> int:
    return host.status(NAME)[NAME].pid or 0


def descriptors() -> int:
    gc.collect()  # what is garbage by now is not lost
    return len(os.listdir("/proc/self/fd"))


if __name__ == "__main__":
    tally = trio.run(restart, int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
    sys.stdout.write(f"{tally}\n")
    sys.exit(not tally.fine)
