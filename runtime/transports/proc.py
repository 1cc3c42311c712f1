"""What the kernel tells of processes, in ``/proc``: Linux. Elsewhere there seem to be none.

Ids are recycled, so whatever is done to a process is done through a handle (a pidfd): open the handle, look again
whether it is who was meant, then act. The look and the handle can then differ only if who was meant has ended, and
an ended process feels nothing.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import trio

_PAUSE = 0.05  # seconds between looks where there are no handles
_ENOUGH = 1 << 23  # bytes of one file: more than an environment or a table of sockets has


def pids() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def session(pid: int) -> int | None:
    """The id of the session that a process is in; None once there is no such process."""
    try:
        return os.getsid(pid)
    except OSError:
        return None


def living(pid: int) -> bool:
    """Whether there is such a process, and it has not ended: what only waits to be reaped has."""
    # "pid (any name) state ...": the name may hold spaces and brackets
    stat = read(f"/proc/{pid}/stat")
    return bool(stat) and stat[stat.rindex(b")") + 2 :][:1] not in (b"Z", b"X")


def real_user(pid: int) -> int | None:
    """Whose process it is; None where nobody says, and where it acts as somebody else."""
    for line in read(f"/proc/{pid}/status").splitlines():
        if line.startswith(b"Uid:"):
            real, effective, *_ = map(int, line.split()[1:])
            return real if real == effective else None
    return None


def command_name(pid: int) -> str:
    """What to call a process in front of people: the name of its program."""
    return read(f"/proc/{pid}/comm").decode("utf-8", "replace").strip()


def environ(pid: int) -> bytes:
    """The variables that a process was started with, each ended by a NUL; nothing where it is not ours to read."""
    return read(f"/proc/{pid}/environ")


def carries(pid: int, entry: bytes) -> bool:
    """Whether a process was started with the variable, as in ``NAME=value``."""
    return b"\0" + entry + b"\0" in b"\0" + environ(pid) + b"\0"


def signal_checked(pid: int, number: signal.Signals, meant: Callable[[int], bool]) -> bool:
    """Signals a process if it is still the one that was meant; whether it did."""
    with _handle(pid) as handle:
        if handle is not None and meant(pid):
            with suppress(OSError):  # it has ended, or is no longer ours to signal
                signal.pidfd_send_signal(handle, number)
                return True
    return False


async def wait_gone(pid: int, meant: Callable[[int], bool]) -> None:
    """Returns when the process that was meant may have ended; who was its parent does not matter."""
    with _handle(pid) as handle:
        if handle is not None:
            if meant(pid):
                await trio.lowlevel.wait_readable(handle)
        elif living(pid):  # an old kernel, a sandbox that refuses handles, no descriptor left
            await trio.sleep(_PAUSE)


@contextmanager
def _handle(pid: int) -> Iterator[int | None]:
    try:
        handle = os.pidfd_open(pid)
    except (AttributeError, OSError):
        yield None
        return
    try:
        yield handle
    finally:
        os.close(handle)


def read(path: str) -> bytes:
    """What a file holds now; nothing where it is not there, or not ours to read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # it has ended, or is another user's
        return b""
    try:
        data = b""
        while len(data) < _ENOUGH and (more := os.read(descriptor, 65536)):
            data += more
    except OSError:
        return b""
    finally:
        os.close(descriptor)
    return data
