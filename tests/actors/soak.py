"""A soak: ``python -m tests.actors.soak [MESSAGES] [SEED]``, a million by default, over a tree that keeps failing.

Messages are answered, wait, are refused, crash, are deferred, have their reply dropped, are given up by their asker,
while somebody kills, stops, suspends and restarts workers and a supervisor. It prints one line of figures, and ends
with 1 if an ask did not end or got the answer of another, if a task is left, or if memory grew.

Each promise is looked at where it would break: an ask's end is counted by its asker, and answers are numbered. Memory
is what Python has allocated while the tree is at rest: a tenth of the way, so that what is made once is there, and at
the end.
"""

from __future__ import annotations

import gc
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio
from attrs import define, field, frozen

import actors
from actors import Ask, ChildSpec, Refusal, Reply, RestartWindow, Strategy, SupervisorSpec, Tell
from actors.testing import assert_settled, no_task_left, run

SENDERS = 12
GROWTH = 2000  # blocks of memory that a tree at rest may differ by, whatever the number of messages
PATIENCE = 60.0  # seconds, far beyond what any ask takes here
WORKERS = ("plain", "waiting", "pool/one", "pool/two", "pool/three")
OFTEN = RestartWindow(10**9, 1.0)


class Refused(Refusal):
    """A worker said no."""


@frozen
class Work(Ask[int]):
    number: int
    kind: str


@frozen
class CancellableWork(Ask[int]):
    number: int
    kind: str
    cancellable = True


@frozen
class Chore(Tell):
    kind: str


@define
class Worker:
    owed: list[tuple[Reply[int], int]] = field(factory=list)

    def receive(self, message: Work | CancellableWork | Chore) -> Any:
        if self.owed and random.random() < 0.5:
            reply, number = self.owed.pop()
            reply.settle(number)
        match message.kind:
            case "refuse":
                raise Refused
            case "crash":
                raise OSError("soaked")
            case "wait":
                return self._wait(message)
            case "wait, crash":
                return self._crash_later()
            case "defer" if not isinstance(message, Chore):
                self.owed.append((actors.context().defer(), message.number))
                return None
            case "drop" if not isinstance(message, Chore):
                actors.context().defer()
                return None
        return None if isinstance(message, Chore) else message.number

    async def _wait(self, message: Work | CancellableWork | Chore) -> Any:
        await trio.sleep(random.random())
        return None if isinstance(message, Chore) else message.number

    async def _crash_later(self) -> None:
        await trio.sleep(random.random())
        raise OSError("soaked")


@asynccontextmanager
async def managed() -> AsyncIterator[Worker]:
    yield Worker()
    await trio.lowlevel.checkpoint()


KINDS = "answer", "refuse", "wait", "defer", "drop", "crash", "wait, crash"
OFTENNESS = 900, 20, 20, 20, 24, 8, 8


@define
class Soak:
    """One soak, and what it counted."""

    ends: Counter[str] = field(factory=Counter)
    wrong: int = 0  # answers to something else
    faults: int = 0
    growth: int = 0

    async def run(self, messages: int) -> None:
        pool = SupervisorSpec(
            "pool",
            tuple(ChildSpec(path.partition("/")[2], managed) for path in WORKERS[2:]),
            strategy=Strategy.ONE_FOR_ALL,
            window=OFTEN,
        )
        plain = ChildSpec("plain", Worker, capacity=4), ChildSpec("waiting", Worker, shutdown=0.5)
        async with no_task_left(), actors.open_system(*plain, pool, window=OFTEN) as system:
            await self.send(system, messages // 10)
            baseline = await at_rest(system)
            await self.send(system, messages - messages // 10)
            self.growth = await at_rest(system) - baseline

    async def send(self, system: actors.System, messages: int) -> None:
        """Send so many, disturbed, and wait for all to end."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.disturb, system)
            async with trio.open_nursery() as senders:
                for sender in range(SENDERS):
                    numbers = range(sender, messages, SENDERS)
                    senders.start_soon(self.tell if sender % 4 == 0 else self.ask, system, numbers)
            nursery.cancel_scope.cancel()
        for path in WORKERS:
            actors.resume(await find(system, path))

    async def ask(self, system: actors.System, numbers: range) -> None:
        for number in numbers:
            message = random.choice([Work, CancellableWork])(number, *random.choices(KINDS, OFTENNESS))
            ref = await find(system, random.choice(WORKERS))
            patience = random.choice([0.0, 0.3, 5.0]) if random.random() < 0.05 else PATIENCE
            end = "gave up" if patience < PATIENCE else "lost"
            with trio.move_on_after(patience):
                try:
                    self.wrong += await ref.ask(message) != number
                    end = "answered"
                except (actors.ActorError, Refusal) as error:
                    end = type(error).__name__
            self.ends[end] += 1

    async def tell(self, system: actors.System, numbers: range) -> None:
        for _ in numbers:
            ref = await find(system, random.choice(WORKERS))
            chore = Chore(*random.choices(KINDS, OFTENNESS))
            if random.random() < 0.9:
                await ref.send(chore)
                self.ends["sent"] += 1
            else:
                try:
                    ref.tell(chore)
                    self.ends["told"] += 1
                except actors.MailboxFull:
                    self.ends["too full to tell"] += 1

    async def disturb(self, system: actors.System) -> None:
        while True:
            await trio.sleep(random.random())
            self.faults += 1
            path = random.choice((*WORKERS, "pool"))
            match random.randrange(4):
                case 0:
                    (await find(system, path)).kill()
                case 1:
                    (await find(system, path)).stop(now=random.random() < 0.5)
                case 2:
                    name = random.choice(WORKERS[:2])
                    await system.root.terminate_child(name)
                    await system.root.restart_child(name)
                case 3:
                    actors.suspend(await find(system, random.choice(WORKERS)))
                    await trio.sleep(random.random())
                    for path in WORKERS:
                        actors.resume(await find(system, path))


async def find(system: actors.System, path: str) -> actors.Ref:
    """Return what is at ``path`` once it is there: its supervisor may be on its way back."""
    while path not in system:  # noqa: ASYNC110  # nothing tells of it
        await trio.sleep(0.01)
    return system[path]


async def at_rest(system: actors.System) -> int:
    """Return how many blocks of memory are in use while nothing happens."""
    await trio.sleep(100)
    await assert_settled(system)
    gc.collect()
    return sys.getallocatedblocks()


def main(messages: int = 1_000_000, seed: int = 0) -> int:
    began = time.monotonic()
    soak = Soak()
    run(soak.run, messages, seed=seed, real_limit=max(60.0, messages / 1000))
    took = time.monotonic() - began
    ended = soak.ends.total()
    ends = ", ".join(f"{count} {end}" for end, count in soak.ends.most_common())
    print(  # noqa: T201
        f"seed {seed}: {ended} of {messages} messages ended ({ends}), {soak.wrong} wrong; {soak.faults} disturbances; "
        f"memory {soak.growth:+} blocks; {took:.1f} s"
    )
    return int(ended != messages or soak.ends["lost"] > 0 or soak.wrong > 0 or soak.growth > GROWTH)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
