"""This process's own stdin and stdout as a transport: what a server that was started by a host speaks over."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import final

import trio
from attrs import define, field

from runtime.transports import Transport
from runtime.transports.framing import LineFraming

__all__ = ["OwnStdio", "open_own_stdio"]

OUTGOING_LIMIT = 4 * 1024 * 1024
CHUNK = 65536


@asynccontextmanager
async def open_own_stdio() -> AsyncIterator[OwnStdio]:
    """The channel to whoever started this process, and nobody else's while the block runs.

    Descriptor 1 becomes stderr and descriptor 0 empty, so neither a stray ``print`` nor a child process of a tool
    can get between the messages. What is queued at the end of the block is still written.
    """
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    transport = OwnStdio(_End(source), _End(sink))
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(transport.write_queued)
            try:
                yield transport
            finally:
                transport.finish()
    finally:
        os.dup2(source, 0)
        os.dup2(sink, 1)
        await transport.aclose()


@define(eq=False)
class _End:
    """A descriptor that is set to not block where waiting for it is possible, and set back on `close`.

    Files and ``/dev/null`` cannot be waited for and need not be: they never keep anybody waiting.
    """

    fd: int
    closed: bool = field(default=False, init=False)
    _waits: bool = field(init=False)
    _was_blocking: bool = field(init=False)

    def __attrs_post_init__(self) -> None:
        mode = os.fstat(self.fd).st_mode
        self._waits = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(self.fd)
        self._was_blocking = os.get_blocking(self.fd)
        if self._waits:
            os.set_blocking(self.fd, False)

    async def read(self) -> bytes:
        while True:
            if self._waits:
                await trio.lowlevel.wait_readable(self.fd)
            else:
                await trio.lowlevel.checkpoint()
            try:
                return os.read(self.fd, CHUNK)
            except BlockingIOError:
                continue  # somebody else read it
            except ConnectionResetError:  # a socket whose peer has gone and left unread what it was sent
                return b""

    async def write_all(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self.fd, rest) :]
            except BlockingIOError:
                await trio.lowlevel.wait_writable(self.fd)

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            trio.lowlevel.notify_closing(self.fd)
            os.set_blocking(self.fd, self._was_blocking)
            os.close(self.fd)


@final
@define(eq=False)
class OwnStdio(Transport):
    """The server's end of stdio. Made by `open_own_stdio`."""

    _source: _End
    _sink: _End
    _framing: LineFraming = field(factory=LineFraming, init=False)
    _received: list[bytes] = field(factory=list, init=False)
    _ended: bool = field(default=False, init=False)
    _outgoing: list[bytes] = field(factory=list, init=False)
    # bytes of `_outgoing` and of what is being written
    _queued: int = field(default=0, init=False)
    _broken: bool = field(default=False, init=False)
    _finishing: bool = field(default=False, init=False)
    _queue: trio.lowlevel.ParkingLot = field(factory=trio.lowlevel.ParkingLot, init=False)
    # a FIFO: who waits for room holds it, the others wait behind
    _turn: trio.StrictFIFOLock = field(factory=trio.StrictFIFOLock, init=False)
    _room: trio.lowlevel.ParkingLot = field(factory=trio.lowlevel.ParkingLot, init=False)

    def send_nowait(self, message: bytes) -> None:
        if self._turn.locked():
            raise trio.WouldBlock
        self._put(message)

    async def send(self, message: bytes) -> None:
        async with self._turn:
            while True:
                try:
                    self._put(message)
                except trio.WouldBlock:
                    await self._room.park()
                else:
                    return

    async def receive(self) -> bytes:
        if not self._received:
            self._received = await self.receive_batch()
        else:
            await trio.lowlevel.checkpoint()
        return self._received.pop(0)

    async def receive_batch(self) -> list[bytes]:
        batch, self._received = self._received, []
        if batch:
            await trio.lowlevel.checkpoint()
        while not batch:
            if self._source.closed:
                raise trio.ClosedResourceError
            if self._framing.failure is not None:
                raise self._framing.failure
            if self._ended:
                raise trio.EndOfChannel
            data = await self._source.read()
            self._ended = not data
            batch = self._framing.feed(data)
        return batch

    async def aclose(self) -> None:
        self.finish()
        self._source.close()
        self._sink.close()
        await trio.lowlevel.checkpoint()

    def finish(self) -> None:
        """No more is sent; the writer ends when what is queued is written."""
        self._finishing = True
        self._queue.unpark_all()
        self._room.unpark_all()

    async def write_queued(self) -> None:
        """Write what is queued, all of it at once each time, until the transport is finished or broken."""
        while self._outgoing or not self._finishing:
            if not self._outgoing:
                await self._queue.park()
                continue
            data = b"".join(self._outgoing)
            self._outgoing.clear()
            try:
                await self._sink.write_all(data)
            except (BrokenPipeError, ConnectionResetError):
                self._broken = True
                self._room.unpark_all()
                return
            self._queued -= len(data)
            self._room.unpark_all()

    def _put(self, message: bytes) -> None:
        if self._finishing:
            raise trio.ClosedResourceError
        if self._broken:
            raise trio.BrokenResourceError("nobody reads this process's stdout any more")
        if self._queued and self._queued + len(message) > OUTGOING_LIMIT:
            raise trio.WouldBlock
        self._outgoing.append(message)
        self._queued += len(message)
        self._queue.unpark()
