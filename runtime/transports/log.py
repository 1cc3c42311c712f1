"""What a child writes for people: drained for as long as it lives, and its last lines kept."""

import os
from contextlib import suppress
from typing import Final, final

import trio
from attrs import define, field

from .framing import Tail

CHUNK: Final = 65536  # bytes in one read: what a pipe holds
CHUNKS: Final = 16  # reads in a row before others have their turn
FLOOD_PAUSE: Final = 0.001  # seconds between reads of a full pipe that nobody waits for: 64 MB/s, then its source waits


@final
@define(eq=False, repr=False)
class LogPipe:
    """Our end of the pipe; `drain` is to run until `close`. Both ends of a line may be read by different callers."""

    descriptor: int
    _tail: Tail = field(factory=Tail, init=False)
    _closed: bool = field(default=False, init=False)

    def lines(self) -> tuple[str, ...]:
        """The last lines by now, at most 200, each cut at 2000 bytes."""
        self._read_out()
        return self._tail.lines

    async def drain(self) -> None:
        """Reads until the end, or until it is closed."""
        with suppress(trio.ClosedResourceError):
            while not self._closed:
                await trio.lowlevel.wait_readable(self.descriptor)
                if self._closed or (size := self._read()) == 0:
                    return
                if size == CHUNK:
                    await trio.sleep(FLOOD_PAUSE)

    def close(self) -> None:
        if not self._closed:
            self._read_out()
            self._closed = True
            trio.lowlevel.notify_closing(self.descriptor)
            os.close(self.descriptor)

    def _read_out(self) -> None:
        """Reads what is there by now, though no flood for ever."""
        for _ in range(CHUNKS):
            if self._closed or self._read() <= 0:
                return

    def _read(self) -> int:
        """Reads once; the number of bytes, 0 at the end, -1 where there is nothing now."""
        try:
            data = os.read(self.descriptor, CHUNK)
        except BlockingIOError:
            return -1
        self._tail.feed(data)
        return len(data)
