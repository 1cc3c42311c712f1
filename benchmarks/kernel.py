"""What an actor costs: ask, tell, spawn, stop, restart and memory, against the floors of floor_actors.py.

Every way runs the same scenarios with the same messages and the same handler; only the library differs. Ours runs them
with three kinds of actors; the floor, which has but one, is the same for all of them. Pykka and Erlang join in where
they are installed.
"""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import trio
from attrs import define, field, frozen

import actors
import foreign_actors
from floor_actors import AsyncioActors, TrioActors
from harness import FLOOR, OURS, Job, report

Start = Callable[[], Any]


@frozen
class Add(actors.Ask[int]):
    amount: int


@frozen
class Note(actors.Tell):
    amount: int


@frozen
class Crash(actors.Ask[int]):
    pass


class Crashed(Exception):
    pass


@define
class Counter:
    total: int = 0

    def receive(self, message: Add | Note | Crash) -> int:
        match message:
            case Note() | Add():
                self.total += message.amount
                return self.total
            case Crash():
                raise Crashed


@define
class AsyncCounter:
    """The same; each handler is a coroutine, if one that waits for nothing."""

    counter: Counter = field(factory=Counter)

    async def receive(self, message: Add | Note | Crash) -> int:
        return self.counter.receive(message)


@asynccontextmanager
async def managed() -> AsyncIterator[Counter]:
    """The same, with an init and a clean-up."""
    yield Counter()


@asynccontextmanager
async def system(start: Start, count: int) -> AsyncIterator[list[Any]]:
    names = [str(number) for number in range(count)]
    window = actors.RestartWindow(intensity=10, period=1e-5)  # counts and prunes, and is never spent
    async with actors.open_system(*(actors.ChildSpec(name, start) for name in names), window=window) as running:
        yield [running[name] for name in names]


async def in_a_nursery(*jobs: Callable[[], Awaitable[None]]) -> None:
    async with trio.open_nursery() as nursery:
        for job in jobs:
            nursery.start_soon(job)


async def gathered(*jobs: Callable[[], Awaitable[None]]) -> None:
    await asyncio.gather(*(job() for job in jobs))


@dataclass(frozen=True)
class Library:
    run: Callable[..., float]
    actors: Callable[[Start, int], AbstractAsyncContextManager[list[Any]]]
    together: Callable[..., Awaitable[None]]


LIBRARIES = {
    FLOOR: Library(trio.run, TrioActors, in_a_nursery),
    "asyncio": Library(lambda main, *args: asyncio.run(main(*args)), AsyncioActors, gathered),
    OURS: Library(trio.run, system, in_a_nursery),
}


async def ask(library: Library, start: Start, askers: int, count: int, asks: int = 20_000) -> float:
    """Microseconds per ask, every asker asking in turn, all at once."""
    async with library.actors(start, count) as refs:

        async def asker(number: int) -> None:
            ref = refs[number % count]
            for amount in range(asks // askers):
                await ref.ask(Add(amount))

        jobs = [lambda number=number: asker(number) for number in range(askers)]
        started = time.perf_counter()
        await library.together(*jobs)
        return (time.perf_counter() - started) / asks * 1e6


async def tell(library: Library, start: Start, bursts: int = 200, burst: int = 200) -> float:
    """Nanoseconds per message, sent in bursts, each until the actor has worked it off."""
    async with library.actors(start, 1) as [ref]:
        note, add = Note(1), Add(0)
        started = time.perf_counter()
        for _ in range(bursts):
            for _ in range(burst):
                ref.tell(note)
            await ref.ask(add)
        elapsed = time.perf_counter() - started
        assert await ref.ask(add) == bursts * burst
        return elapsed / (bursts * burst) * 1e9


async def spawn(library: Library, start: Start, count: int = 10_000) -> float:
    """Microseconds until an actor is up, many at once."""
    started = time.perf_counter()
    async with library.actors(start, count):
        return (time.perf_counter() - started) / count * 1e6


async def stop(library: Library, start: Start, count: int = 10_000) -> float:
    """Microseconds until an actor is gone, many one by one in reverse order."""
    async with library.actors(start, count):
        started = time.perf_counter()
    return (time.perf_counter() - started) / count * 1e6


async def restart(library: Library, start: Start, crashes: int = 2000) -> float:
    """Microseconds for an ask that crashes the actor and the next one, which its new incarnation answers."""
    async with library.actors(start, 1) as [ref]:
        started = time.perf_counter()
        for _ in range(crashes):
            try:
                await ref.ask(Crash())
            except (Crashed, actors.ActorCrashed):
                assert await ref.ask(Add(1)) == 1
        return (time.perf_counter() - started) / crashes * 1e6


async def memory(library: Library, start: Start, count: int = 1000) -> float:
    """KB that an idle actor holds once it has answered, its own state included."""
    tracemalloc.start()
    try:
        async with library.actors(start, count) as refs:
            for ref in refs:
                await ref.ask(Add(1))
            return tracemalloc.get_traced_memory()[0] / count / 1e3
    finally:
        tracemalloc.stop()


def job(
    name: str,
    unit: str,
    scenario: Callable[..., Awaitable[float]],
    *args: int,
    start: Start = Counter,
    goal: float | None = None,
    limit: float | None = None,
) -> Job:
    """Describe a job; ``start`` is ours alone."""
    ways: dict[str, Callable[[], float]] = {
        name: partial(library.run, scenario, library, start if name == OURS else Counter, *args)
        for name, library in LIBRARIES.items()
        if name in (FLOOR, OURS) or start is Counter
    }
    if start is Counter:
        ways |= foreign_actors.ways(name)
    return Job(name, unit, ways, goal, limit)


if __name__ == "__main__":
    report(
        "kernel",
        [
            job("ask 1:1", "µs", ask, 1, 1, goal=1.1),
            job("ask 64:1", "µs", ask, 64, 1, goal=1.25),
            job("ask 64:64", "µs", ask, 64, 64, goal=1.15),
            job("tell, prebuilt", "ns", tell, limit=333),
            job("spawn", "µs", spawn, limit=20),
            job("stop", "µs", stop, limit=20),
            job("restart", "µs", restart, goal=1.5),
            job("idle actor", "KB", memory, limit=3.6),
            job("context manager: spawn", "µs", spawn, start=managed, limit=40),
            job("context manager: stop", "µs", stop, start=managed, limit=25),
            job("context manager: restart", "µs", restart, start=managed, goal=2.0),
            job("context manager: idle", "KB", memory, start=managed, limit=4.8),
            job("async: ask 1:1", "µs", ask, 1, 1, start=AsyncCounter),
            job("async: ask 64:64", "µs", ask, 64, 64, start=AsyncCounter),
            job("async: restart", "µs", restart, start=AsyncCounter),
            job("async: idle", "KB", memory, start=AsyncCounter, limit=4.8),
        ],
    )
    for line in foreign_actors.absent():
        print(line)
