"""The whole life of a fleet, over and over: ``python -m tests.rounds 100``.

A round starts four servers, calls each, kills a random child with SIGKILL, calls each again, and leaves. No call may
fail but one that was written before the death was seen; no process may be left; memory stays flat.
"""

from __future__ import annotations

import os
import random
import secrets
import sys
from pathlib import Path

import trio
from attrs import define

import runtime
from runtime import CallInterrupted, Runtime, Sent
from tests.processes import marked

MARK = "GREENROOM_ROUND"
SCRIPT = str(Path(__file__).parent / "servers" / "misbehave.py")
NAMES = ("a", "b", "c", "d")
WARM = 5  # rounds until whatever is made once has been made
FLAT = 5.0  # MiB


@define
class Tally:
    """What so many rounds came to."""

    rounds: int = 0
    calls: int = 0
    interrupted: int = 0  # written before the death was seen
    left: int = 0  # processes
    grown: float = 0.0  # MiB since the first rounds

    @property
    def fine(self) -> bool:
        return not self.left and self.grown < FLAT

    def __str__(self) -> str:
        return (
            f"{self.rounds} rounds: {self.calls} calls, {self.interrupted} interrupted by a death not seen yet, "
            f"{self.left} processes left, memory grown by {self.grown:.1f} MiB"
        )


async def play(rounds: int) -> Tally:
    """Play so many rounds. A call that fails otherwise than it may comes out as its exception."""
    tally, base = Tally(), resident()
    for number in range(rounds):
        if number == min(WARM, rounds - 1):
            base = resident()
        mark = secrets.token_hex(8)
        await play_round(mark, tally)
        tally.rounds += 1
        tally.left += len(marked(MARK, mark))
    tally.grown = resident() - base
    return tally


async def play_round(mark: str, tally: Tally) -> None:
    server = {"command": sys.executable, "args": ["-I", "-S", SCRIPT, "echo"], "env": {MARK: mark}}
    config = {"mcpServers": dict.fromkeys(NAMES, server), "journal": False}
    with trio.fail_after(20):
        async with runtime.open_runtime(config) as host:
            await call_each(host, tally)
            victim = random.choice(NAMES)
            os.kill(host.status(victim)[victim].pid or 0, 9)
            if random.random() < 0.5:
                await trio.sleep(random.uniform(0, 0.01))  # by then it may have been seen
            await call_each(host, tally)
            assert sum(status.restarts for status in host.status().values()) == 1


async def call_each(host: Runtime, tally: Tally) -> None:
    async def call(name: str) -> None:
        tally.calls += 1
        try:
            result = await host.call(name, "echo", {"name": name})
        except CallInterrupted as interrupted:
            if interrupted.sent is not Sent.UNKNOWN:
                raise
            tally.interrupted += 1
            result = await host.call(name, "echo", {"name": name})
        assert f'"{name}"' in str(result.content[0])

    async with trio.open_nursery() as nursery:
        for name in NAMES:
            nursery.start_soon(call, name)


def resident() -> float:
    """Memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    tally = trio.run(play, int(sys.argv[1]) if len(sys.argv) > 1 else 100)
    sys.stdout.write(f"{tally}\n")
    sys.exit(not tally.fine)
