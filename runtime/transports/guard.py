"""Nothing outlives its host: the guard process, and the host's end of it.

The guard holds the read end of a pipe whose write end only this process has, so that it learns of our end
however we end. It is started with the first child, told each group, and replaced when it dies; the new one is
told all groups that live. It is started just *before* the first child: that costs half a millisecond, as
nobody waits until it is up (its pipe keeps what it is told), and a child that is being born at the moment of
our death is then found by its marker. Nobody fails for the guard's sake: without one a host works as well, and
only dies less cleanly.

Should guard and host be killed at once, a later host ends what is left (see `sweep`). So that it can tell, this one
holds a lock, which each child's marker names.
"""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import final

import trio
from attrs import define, field

from runtime.tasks import beside

from .environment import MARKER_VARIABLE, Marker
from .lock import HostLock, locks_directory
from .process import Child

__all__ = ["Guard", "open_guard"]

_SCRIPT = Path(__file__).with_name("guard_process.py")
_FIRST_PAUSE = 0.05  # seconds before a guard that died is replaced; doubling
_LAST_PAUSE = 30.0
_PROVEN = 60.0  # seconds after which a guard counts as having worked
_END = 2.0  # seconds that it has to end by itself


@asynccontextmanager
async def open_guard(host_id: str | None = None, *, locks: Path | None = None) -> AsyncIterator["Guard"]:
    """A guard for as long as the block runs; it costs nothing until the first child.

    `host_id` marks this host's processes; by default a new random one. `locks` is the directory for the host's lock,
    by default one in the user's state directory.
    """
    guard = Guard(os.urandom(8).hex() if host_id is None else host_id, locks or locks_directory())
    try:
        async with beside(guard._keep):
            yield guard
    finally:
        guard._tell(b".\n")
        await guard._dismiss(_END)
        if guard._lock is not None:
            guard._lock.remove()


@final
@define(eq=False, repr=False)
class Guard:
    """Knows the living groups of this host and has a process know them too. No method of it fails or waits."""

    host_id: str
    _locks: Path | None = None  # until the lock was asked for
    restarts: int = field(default=0, init=False)
    failure: OSError | None = field(default=None, init=False)  # why the last attempt to start one failed
    _lock: HostLock | None = field(default=None, init=False)
    _spawns: int = field(default=0, init=False)  # markers given out
    _groups: set[int] = field(factory=set, init=False)
    _process: Child | None = field(default=None, init=False)
    _pipe: int = field(default=-1, init=False)  # its write end, while there is a guard
    _started: trio.Event = field(factory=trio.Event, init=False)  # somebody has needed a guard
    _life: trio.CancelScope = field(factory=trio.CancelScope, init=False)  # cancelled: it no longer reads

    @property
    def pid(self) -> int | None:
        """The guard process's id, while there is one."""
        return None if self._process is None else self._process.pid

    def marker(self, server: str = "", incarnation: int = 0) -> Marker:
        """What a child of this host is to carry; another for each call."""
        self._spawns += 1
        return Marker(self.host_id, server, incarnation, self._spawns, self.hold())

    def hold(self) -> str:
        """Takes this host's lock, at the latest for its first child, and gives its path. Empty: it cannot be had."""
        if self._lock is None and self._locks is not None:
            locks, self._locks = self._locks, None  # it is tried once
            with suppress(OSError):  # without a lock nobody can tell that we are dead, and what we leave stays
                self._lock = HostLock.take(locks, self.host_id)
        return "" if self._lock is None else os.fspath(self._lock.path)

    def prepare(self) -> None:
        """Starts the guard if this is the first need of it. To be said before a child is spawned."""
        if not self._started.is_set():
            self._started.set()
            self._start()

    def watch(self, group: int) -> None:
        """From now on the group ends with this host."""
        self._groups.add(group)
        self._tell(b"+%d\n" % group)

    def release(self, group: int) -> None:
        """The group has ended. To be said before its leader is reaped, after which the id may be another's."""
        self._groups.discard(group)
        self._tell(b"-%d\n" % group)

    def _tell(self, lines: bytes) -> None:
        if self._pipe < 0:
            return  # the next guard is told all when it starts
        try:
            os.write(self._pipe, lines)
        except BlockingIOError:
            self._life.cancel()
        except BrokenPipeError:
            pass  # it has died, which `_keep` is about to learn

    @trio.lowlevel.enable_ki_protection
    async def _keep(self) -> None:
        """Replaces the guard process whenever it has died or is stuck."""
        await self._started.wait()
        pause = _FIRST_PAUSE
        while True:
            started = trio.current_time()
            if self._process is not None:
                with self._life:
                    await self._process.wait_exit()
                self._process.send_signal(signal.SIGKILL)  # before its pipe ends, or it would do its last duty
                await self._dismiss(0)
            if trio.current_time() - started >= _PROVEN:
                pause = _FIRST_PAUSE
            await trio.sleep(pause)
            pause = min(2 * pause, _LAST_PAUSE)
            self.restarts += 1
            self._start()

    async def _dismiss(self, patience: float) -> None:
        """Ends the guard process, if there is one; it has so many seconds to finish by itself."""
        if (process := self._process) is None:
            return
        os.close(self._pipe)
        self._process, self._pipe = None, -1
        with trio.CancelScope(shield=True):
            await process.end(patience)
        process.reap()

    def _start(self) -> None:
        reading, writing = -1, -1
        try:
            reading, writing = os.pipe()
            os.set_blocking(writing, False)
            process = subprocess.Popen(
                [sys.executable or "python3", "-I", "-S", "-E", _SCRIPT, self.host_id, str(os.getpid())],
                stdin=reading,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # It must not carry the marker of a host that we may be a child of: that host's guard would end
                # it before it has done its work.
                env={name: value for name, value in os.environ.items() if name != MARKER_VARIABLE},
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            self.failure = error
            if writing >= 0:
                os.close(writing)
        else:
            self._process, self._pipe, self._life = Child(process), writing, trio.CancelScope()
            self._tell(b"".join(b"+%d\n" % group for group in self._groups))
        finally:
            if reading >= 0:
                os.close(reading)
