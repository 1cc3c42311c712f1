"""The least code that makes an actor, on Trio and on asyncio. Correct only as far as it is measured."""

from __future__ import annotations

import asyncio
import types
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import outcome
import trio
from trio.lowlevel import Abort, Task, current_task, reschedule, wait_task_rescheduled

STOP = object()


class Actor(Protocol):
    def receive(self, message: Any) -> Any: ...


def _forget(_: object) -> Abort:
    return Abort.SUCCEEDED


class TrioActor:
    """A deque, a flag, and one task that parks: no bound, no lanes, no cancellation, no supervisor."""

    __slots__ = ("actor", "parked", "queue", "start", "task")

    def __init__(self, start: Callable[[], Actor]) -> None:
        self.start = start
        self.actor = start()
        self.queue: deque[tuple[object, Task | None]] = deque()
        self.parked = False
        self.task: Task

    async def run(self) -> None:
        self.task = current_task()
        queue, receive = self.queue, self.actor.receive
        while True:
            while queue:
                message, asker = queue.popleft()
                if message is STOP:
                    if asker is not None:
                        reschedule(asker)
                    return
                try:
                    value = receive(message)
                except Exception as error:  # noqa: BLE001 (the restart: a new actor behind the same queue)
                    self.actor = self.start()
                    receive = self.actor.receive
                    if asker is not None:
                        reschedule(asker, outcome.Error(error))
                else:
                    if asker is not None:
                        reschedule(asker, outcome.Value(value))
            self.parked = True
            await wait_task_rescheduled(_forget)

    def tell(self, message: object, asker: Task | None = None) -> None:
        self.queue.append((message, asker))
        if self.parked:
            self.parked = False
            reschedule(self.task)

    async def ask(self, message: object) -> Any:
        self.tell(message, current_task())
        return await wait_task_rescheduled(_forget)

    async def stop(self) -> None:
        await self.ask(STOP)


class TrioActors:
    """Some of them in a nursery, stopped one by one in reverse order."""

    def __init__(self, start: Callable[[], Actor], count: int) -> None:
        self.refs = [TrioActor(start) for _ in range(count)]

    async def __aenter__(self) -> list[TrioActor]:
        self._nurseries = trio.open_nursery()
        nursery = await self._nurseries.__aenter__()
        for ref in self.refs:
            nursery.start_soon(ref.run)
        while not self.refs[-1].parked:
            await trio.lowlevel.checkpoint()
        return self.refs

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        for ref in reversed(self.refs):
            await ref.stop()
        await self._nurseries.__aexit__(kind, error, trace)


class AsyncioActor:
    """The same on asyncio, as one would write it: a queue, and a future for each answer."""

    def __init__(self, start: Callable[[], Actor]) -> None:
        self.start = start
        self.actor = start()
        self.queue: asyncio.Queue[tuple[object, asyncio.Future[Any] | None]] = asyncio.Queue()

    async def run(self) -> None:
        while True:
            message, future = await self.queue.get()
            if message is STOP:
                return
            try:
                value = self.actor.receive(message)
            except Exception as error:  # noqa: BLE001 (the restart, as above)
                self.actor = self.start()
                if future is not None:
                    future.set_exception(error)
            else:
                if future is not None:
                    future.set_result(value)

    def tell(self, message: object) -> None:
        self.queue.put_nowait((message, None))

    async def ask(self, message: object) -> Any:
        future = asyncio.get_running_loop().create_future()
        self.queue.put_nowait((message, future))
        return await future


class AsyncioActors:
    """Some of them, stopped one by one in reverse order."""

    def __init__(self, start: Callable[[], Actor], count: int) -> None:
        self.start, self.count = start, count

    async def __aenter__(self) -> list[AsyncioActor]:
        self.refs = [AsyncioActor(self.start) for _ in range(self.count)]
        self.tasks = [asyncio.create_task(ref.run()) for ref in self.refs]
        await asyncio.sleep(0)
        return self.refs

    async def __aexit__(self, *_: object) -> None:
        for ref, task in zip(reversed(self.refs), reversed(self.tasks), strict=True):
            ref.tell(STOP)
            await task
