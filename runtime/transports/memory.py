"""A pair of transports joined in memory: for servers in this process, and for tests.

It keeps the contract of the others, bound included, so that what is tested over it holds over a pipe.
"""

from __future__ import annotations

from collections import deque
from typing import final

import outcome
import trio
from attrs import define, field

from . import Transport

__all__ = ["QUEUE_LIMIT", "MemoryTransport", "memory_pair"]

QUEUE_LIMIT = 1024 * 1024
"""Bytes that one direction holds before a sender has to wait."""


@define(eq=False)
class _Pipe:
    """One direction: its queue, and the senders that wait for room in it, whose messages come next in order."""

    limit: int
    size: int = field(default=0, init=False)
    writer_closed: bool = field(default=False, init=False)
    reader_closed: bool = field(default=False, init=False)
    messages: deque[bytes] = field(factory=deque, init=False)
    # {task: what it wants to send}; not empty only while the queue has no room for the first of them
    senders: dict[trio.lowlevel.Task, bytes] = field(factory=dict, init=False)
    arrival: trio.lowlevel.ParkingLot = field(factory=trio.lowlevel.ParkingLot, init=False)

    def put(self, message: bytes) -> None:
        if self.writer_closed:
            raise trio.ClosedResourceError("this transport was closed")
        if self.reader_closed:
            raise trio.BrokenResourceError("the other end was closed")
        if self.senders or not self._has_room(message):
            raise trio.WouldBlock
        self._append(message)

    async def put_in_turn(self, message: bytes) -> None:
        """Wait until a reader makes room; the message is in the queue when this returns, and only then."""
        task = trio.lowlevel.current_task()
        self.senders[task] = message

        def abort(_: object) -> trio.lowlevel.Abort:
            del self.senders[task]
            self._admit()  # a smaller one behind it may fit
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)

    def take(self, count: int | None = None) -> list[bytes]:
        if self.reader_closed:
            raise trio.ClosedResourceError("this transport was closed")
        if not self.messages:
            if self.writer_closed:
                raise trio.EndOfChannel
            raise trio.WouldBlock
        taken = [self.messages.popleft() for _ in range(count or len(self.messages))]
        self.size -= sum(map(len, taken))
        self._admit()
        return taken

    def close_reader(self) -> None:
        self.reader_closed = True
        self.messages.clear()
        self._end(trio.BrokenResourceError, "the other end was closed")

    def close_writer(self) -> None:
        self.writer_closed = True
        self._end(trio.ClosedResourceError, "this transport was closed")

    def _has_room(self, message: bytes) -> bool:
        return not self.size or self.size + len(message) <= self.limit

    def _append(self, message: bytes) -> None:
        self.messages.append(message)
        self.size += len(message)
        self.arrival.unpark()

    def _admit(self) -> None:
        while self.senders:
            task, message = next(iter(self.senders.items()))
            if not self._has_room(message):
                return
            del self.senders[task]
            self._append(message)
            trio.lowlevel.reschedule(task)

    def _end(self, kind: type[Exception], why: str) -> None:
        self.arrival.unpark_all()
        senders, self.senders = self.senders, {}
        for task in senders:
            trio.lowlevel.reschedule(task, outcome.Error(kind(why)))


@final
@define(eq=False)
class MemoryTransport(Transport):
    """One end of a `memory_pair`. What is sent here is received there, and the other way round."""

    _outgoing: _Pipe
    _incoming: _Pipe

    def send_nowait(self, message: bytes) -> None:
        self._outgoing.put(message)

    async def send(self, message: bytes) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            self._outgoing.put(message)
        except trio.WouldBlock:
            await self._outgoing.put_in_turn(message)
        else:
            await trio.lowlevel.cancel_shielded_checkpoint()

    async def receive(self) -> bytes:
        [message] = await self._receive(1)
        return message

    async def receive_batch(self) -> list[bytes]:
        return await self._receive(None)

    async def _receive(self, count: int | None) -> list[bytes]:
        await trio.lowlevel.checkpoint()
        while True:
            try:
                return [message.removesuffix(b"\n") for message in self._incoming.take(count)]
            except trio.WouldBlock:
                await self._incoming.arrival.park()

    def close(self) -> None:
        """`aclose` for where nothing may be awaited."""
        self._outgoing.close_writer()
        self._incoming.close_reader()

    async def aclose(self) -> None:
        self.close()
        await trio.lowlevel.checkpoint()


def memory_pair(limit: int = QUEUE_LIMIT) -> tuple[MemoryTransport, MemoryTransport]:
    """Two ends of one connection, each holding at most ``limit`` bytes that the other has not received."""
    there, back = _Pipe(limit), _Pipe(limit)
    return MemoryTransport(there, back), MemoryTransport(back, there)
