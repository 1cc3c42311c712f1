"""A server that is our child process, over its stdin and stdout.

The hot path uses the raw descriptors: a message costs an append, and the write that the scheduler pass makes for
everything queued in it; a batch of messages costs one wait and one read. Trio's own streams would cost a lock, a
checkpoint and a system call for each message. Where the two sides take turns, the pass itself is what costs: so the
first message after one that came alone is written at once, and what follows it is left to the pass.

Two tasks belong to each child: one writes what is queued, one drains stderr. Reading is the receiver's own work, so a
flood on stdout meets the pipe's own bound and stops there.
"""

import os
import signal
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import final

import outcome
import trio
from attrs import define, field, frozen

from runtime.tasks import beside

from . import Transport
from .environment import MARKER_VARIABLE, Marker
from .framing import LINE_LIMIT, NOISE_BUDGET, LineFraming, Noise
from .guard import Guard
from .log import CHUNK, CHUNKS, FLOOD_PAUSE, LogPipe
from .process import Child, CommandUnusable, ExitStatus, ProcessesUnsupported, spawn

__all__ = [
    "CommandUnusable",
    "ExitStatus",
    "ProcessesUnsupported",
    "StdioCommand",
    "StdioStatistics",
    "StdioTransport",
    "open_stdio",
]

STOP_TIMEOUT = 2.0
OUTGOING_LIMIT = 4 * 1024 * 1024


@final
@frozen
class StdioCommand:
    """What to run: the command line, the whole environment of the child, and the directory (None: ours)."""

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str | os.PathLike[str] | None = None


@final
@frozen
class StdioStatistics:
    """`queued_bytes` wait to be written; `senders_waiting` tasks wait in `send` for room among them."""

    queued_bytes: int
    senders_waiting: int


@asynccontextmanager
@trio.lowlevel.enable_ki_protection
async def open_stdio(
    command: StdioCommand,
    *,
    guard: Guard | None = None,
    marker: Marker | None = None,
    stop_timeout: float = STOP_TIMEOUT,
    line_limit: int = LINE_LIMIT,
    noise_budget: int = NOISE_BUDGET,
    outgoing_limit: int = OUTGOING_LIMIT,
) -> AsyncIterator["StdioTransport"]:
    """Runs a command for as long as the block, and the channel to it.

    However the block is left, its process and the whole group are gone afterwards: stdin is closed, then the
    group gets SIGTERM, then SIGKILL, with at most `stop_timeout` seconds to end before each; a cancellation
    does not cut that short. Who has left the group goes with it where it has kept the marker. `guard` sees to
    the same should this host be killed; `marker` (by default the guard's, without a server) is what the child
    finds in ``GREENROOM_HOST``.

    Raises `CommandUnusable` or `ProcessesUnsupported` when there is no process to speak of.
    """
    await trio.lowlevel.checkpoint()
    if marker is None and guard is not None:
        marker = guard.marker()
    env = dict(command.env) if marker is None else {**command.env, MARKER_VARIABLE: str(marker)}
    if guard is not None:
        guard.prepare()
    child, stdin, stdout, stderr = spawn(command.argv, env, command.cwd, "" if marker is None else marker.entry)
    # From here to the block nothing awaits: whoever cancels finds either no process or one with an owner.
    if guard is not None:
        guard.watch(child.pid)
    framing = LineFraming(line_limit, noise_budget)
    transport = StdioTransport(child, stdin, stdout, LogPipe(stderr), guard, stop_timeout, outgoing_limit, framing)
    async with beside(transport._write, transport._stderr.drain):
        try:
            yield transport
        finally:
            with trio.CancelScope(shield=True):
                await transport.aclose()


@final
@define(eq=False, repr=False)
class StdioTransport(Transport):
    """The channel to a child process, and what is known of the process. Made by `open_stdio`."""

    _child: Child
    _stdin: int
    _stdout: int
    _stderr: LogPipe
    _guard: Guard | None
    _stop_timeout: float
    _outgoing_limit: int
    _framing: LineFraming
    _received: deque[bytes] = field(factory=deque, init=False)  # of a batch that `receive` has begun
    _ended: bool = field(default=False, init=False)  # end of stdout
    _outgoing: list[bytes] = field(factory=list, init=False)  # not yet taken by the writer
    _queued: int = field(default=0, init=False)  # bytes of `_outgoing`, and what the writer has still to write
    _senders: deque[tuple[bytes, trio.lowlevel.Task]] = field(factory=deque, init=False)  # waiting for room
    _writer: trio.lowlevel.Task | None = field(default=None, init=False)  # while it has nothing to write
    _our_turn: bool = field(default=False, init=False)  # what came last came alone, and nothing was sent since
    _broken: bool = field(default=False, init=False)  # the child no longer reads
    _closing: bool = field(default=False, init=False)
    _closed: trio.Event = field(factory=trio.Event, init=False)

    @property
    def pid(self) -> int:
        """The process's id, which is its group's too; another's, perhaps, once the transport is closed."""
        return self._child.pid

    @property
    def exited(self) -> ExitStatus | None:
        """How the process ended; None while it runs."""
        return self._child.exited

    @property
    def noise(self) -> Noise:
        """The lines on stdout that were no messages: how many, and the last of them."""
        return self._framing.noise

    def stderr_tail(self) -> tuple[str, ...]:
        """The last lines of stderr, at most 200, each cut at 2000 bytes."""
        return self._stderr.lines()

    def statistics(self) -> StdioStatistics:
        return StdioStatistics(self._queued, len(self._senders))

    async def wait_exit(self) -> ExitStatus:
        """Waits until the process has ended; what it wrote to stderr before is then in `stderr_tail`."""
        return await self._child.wait_exit()

    def kill(self) -> None:
        """SIGKILL to the whole group, now."""
        self._child.send_signal(signal.SIGKILL)

    # Sending

    def send_nowait(self, message: bytes) -> None:
        if self._closing:
            raise trio.ClosedResourceError("this transport is closed")
        if self._broken:
            raise trio.BrokenResourceError(f"process {self.pid} no longer reads its stdin")
        if self._queued and (self._senders or self._queued + len(message) > self._outgoing_limit):
            raise trio.WouldBlock
        self._queue(message)

    async def send(self, message: bytes) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            self.send_nowait(message)
        except trio.WouldBlock:
            sender = (message, trio.lowlevel.current_task())
            self._senders.append(sender)

            def give_up(_: object) -> trio.lowlevel.Abort:
                self._senders.remove(sender)
                return trio.lowlevel.Abort.SUCCEEDED

            await trio.lowlevel.wait_task_rescheduled(give_up)
        else:
            await trio.lowlevel.cancel_shielded_checkpoint()

    def _queue(self, message: bytes) -> None:
        if self._our_turn and self._writer is not None:
            self._our_turn = False
            message = self._write_at_once(message)
            if not message:
                return
        self._outgoing.append(message)
        self._queued += len(message)
        if self._writer is not None:
            trio.lowlevel.reschedule(self._writer)
            self._writer = None

    def _write_at_once(self, message: bytes) -> bytes:
        """Returns what is left to be written."""
        try:
            return message[os.write(self._stdin, message) :]
        except OSError:  # full or gone, which the writer finds out
            return message

    def _admit(self) -> None:
        """Queues what senders wait with, in their order, as far as there is room."""
        while self._senders and not (self._queued and self._queued + len(self._senders[0][0]) > self._outgoing_limit):
            message, task = self._senders.popleft()
            self._queue(message)
            trio.lowlevel.reschedule(task)

    def _dismiss(self, error: trio.BrokenResourceError | trio.ClosedResourceError) -> None:
        """Nothing will be sent any more: drops the queue and tells who waits."""
        self._outgoing.clear()
        self._queued = 0
        while self._senders:
            _, task = self._senders.popleft()
            trio.lowlevel.reschedule(task, outcome.Error(error))

    async def _write(self) -> None:
        """The writer: for each scheduler pass in which something was queued, one write."""
        rest: bytes | memoryview = b""
        try:
            while not self._closing:
                if not rest:
                    if not self._outgoing:
                        self._writer = trio.lowlevel.current_task()
                        await trio.lowlevel.wait_task_rescheduled(self._abort_write)
                    rest = b"".join(self._outgoing)
                    self._outgoing.clear()
                    continue  # it may have been closed meanwhile
                try:
                    written = os.write(self._stdin, rest)
                except BlockingIOError:
                    await trio.lowlevel.wait_writable(self._stdin)
                    continue
                self._queued -= written
                rest = b"" if written == len(rest) else memoryview(rest)[written:]
                if self._senders:
                    self._admit()
        except BrokenPipeError:
            self._broken = True
            self._dismiss(trio.BrokenResourceError(f"process {self.pid} no longer reads its stdin"))
        except trio.ClosedResourceError:
            return  # by `aclose`, which says the rest

    def _abort_write(self, _: object) -> trio.lowlevel.Abort:
        self._writer = None
        return trio.lowlevel.Abort.SUCCEEDED

    # Receiving

    async def receive(self) -> bytes:
        if not self._received:
            self._received.extend(await self.receive_batch())
        else:
            await trio.lowlevel.checkpoint()
        return self._received.popleft()

    async def receive_batch(self) -> list[bytes]:
        if self._received or self._over():
            await trio.lowlevel.checkpoint()
            return self._held_back()
        while True:
            await trio.lowlevel.wait_readable(self._stdout)
            # From the read to the return nothing awaits: no cancellation can lose what was read.
            if not self._closing and (messages := self._read_stdout()):
                self._our_turn = len(messages) == 1
                return messages
            if self._over():
                return self._held_back()

    def _over(self) -> bool:
        return self._ended or self._closing or self._framing.failure is not None

    def _held_back(self) -> list[bytes]:
        """What was received and not handed out, or else the reason why nothing more will come."""
        if self._closing:
            raise trio.ClosedResourceError("this transport is closed")
        if self._received:
            messages = list(self._received)
            self._received.clear()
            return messages
        if self._framing.failure is not None:
            raise self._framing.failure
        raise trio.EndOfChannel

    def _read_stdout(self) -> list[bytes]:
        messages: list[bytes] = []
        for _ in range(CHUNKS):
            try:
                data = os.read(self._stdout, CHUNK)
            except BlockingIOError:
                break
            messages += self._framing.feed(data)
            if not data:
                self._ended = True
                self._framing.finish()
                break
            if len(data) < CHUNK or self._framing.failure is not None:
                break
        return messages

    # The end

    async def aclose(self) -> None:
        """Ends the process and its group, as `open_stdio` says; cancelled, with SIGKILL at once."""
        if self._closing:
            await self._closed.wait()
            return
        self._closing = True
        try:
            self._close_stdin()
            # What the child still has to say is read and dropped, so that a full pipe cannot hold up its end.
            trio.lowlevel.notify_closing(self._stdout)
            async with beside(self._discard_stdout):
                await self._child.end(self._stop_timeout)
        finally:
            if self._guard is not None:
                self._guard.release(self.pid)
            self._child.reap()
            self._stderr.close()
            trio.lowlevel.notify_closing(self._stdout)
            os.close(self._stdout)
            self._closed.set()

    def _close_stdin(self) -> None:
        with suppress(OSError):  # it does not read; a last word (a cancellation, say) is a courtesy
            if self._outgoing and self._queued == sum(map(len, self._outgoing)):
                os.write(self._stdin, b"".join(self._outgoing))
        self._dismiss(trio.ClosedResourceError("this transport was closed"))
        trio.lowlevel.notify_closing(self._stdin)
        os.close(self._stdin)

    async def _discard_stdout(self) -> None:
        while True:
            await trio.lowlevel.wait_readable(self._stdout)
            with suppress(BlockingIOError):
                size = len(os.read(self._stdout, CHUNK))
                if size == 0:
                    return
                if size == CHUNK:
                    await trio.sleep(FLOOD_PAUSE)
