"""A child process that only writes a log; how one speaks to it is another matter."""

import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import final

import trio
from attrs import define

from runtime.tasks import beside

from .environment import MARKER_VARIABLE, Marker
from .guard import Guard
from .log import LogPipe
from .process import Child, ExitStatus, spawn_logged


@asynccontextmanager
@trio.lowlevel.enable_ki_protection
async def open_logged(
    argv: Sequence[str],
    env: Mapping[str, str],
    cwd: str | os.PathLike[str] | None,
    *,
    guard: Guard | None,
    marker: Marker | None,
    stop_timeout: float,
) -> AsyncIterator["LoggedProcess"]:
    """Runs a command for as long as the block.

    However the block is left, its process, the whole group, and who carries `marker` are gone afterwards: stdin is
    closed, SIGTERM sent, and after at most `stop_timeout` seconds SIGKILL. `guard` sees to the same should this host
    be killed. Raises as `spawn_logged` does.
    """
    await trio.lowlevel.checkpoint()
    if guard is not None:
        guard.prepare()
    variables = dict(env) if marker is None else {**env, MARKER_VARIABLE: str(marker)}
    child, stdin, output = spawn_logged(argv, variables, cwd, "" if marker is None else marker.entry)
    # From here to the block nothing awaits: whoever cancels finds either no process or one with an owner.
    if guard is not None:
        guard.watch(child.pid)
    process = LoggedProcess(child, stdin, LogPipe(output), stop_timeout)
    async with beside(process._log.drain):
        try:
            yield process
        finally:
            with trio.CancelScope(shield=True):
                await process._end()
            if guard is not None:
                guard.release(child.pid)
            child.reap()
            process._log.close()


@final
@define(eq=False, repr=False)
class LoggedProcess:
    """The process, and its last lines. Made by `open_logged`."""

    _child: Child
    _stdin: int  # open and empty as long as it is to run: some servers end with it
    _log: LogPipe
    _stop_timeout: float

    @property
    def pid(self) -> int:
        """The process's id, which is its group's too; another's, perhaps, once the block is left."""
        return self._child.pid

    @property
    def exited(self) -> ExitStatus | None:
        """How the process ended; None while it runs."""
        return self._child.exited

    @property
    def reaped(self) -> bool:
        """Whether it has ended and nothing of it is left."""
        return self._child.reaped

    async def wait_exit(self) -> ExitStatus:
        """Waits until the process has ended; what it wrote before is then in `log`."""
        return await self._child.wait_exit()

    def kill(self) -> None:
        """SIGKILL to the whole group, now."""
        self._child.send_signal(signal.SIGKILL)

    def log(self) -> tuple[str, ...]:
        """The last lines of stdout and stderr, in their order; at most 200, each cut at 2000 bytes."""
        return self._log.lines()

    def members(self) -> list[int]:
        """The living processes that belong to it, itself included."""
        return self._child.members()

    async def _end(self) -> None:
        os.close(self._stdin)
        await self._child.end(self._stop_timeout, listens=False)
