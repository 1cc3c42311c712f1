"""What a host left behind that was killed together with its guard: found and ended by the next host.

Only what is certain is ended: a process of our own user, whose environment names a host and that host's lock, where
the lock can be had. With it goes the session that it leads, for it was the host that made that session; a session that
somebody else leads (a terminal, where a server's environment was copied to look into something) is none of ours. All
else is left alone. Linux only: elsewhere nothing is found.
"""

import os
import signal
import time
from collections import defaultdict
from collections.abc import Collection
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import final

import trio
from attrs import frozen

from . import proc
from .environment import MARKER_VARIABLE, Marker
from .lock import SUFFIX, HostLock, locks_directory

__all__ = ["Orphan", "marker_of", "sweep_orphans"]

_LOOKS = 20  # at what is left, until nothing is
_PAUSE = 0.02
_ENTRY = f"{MARKER_VARIABLE}=".encode()


@final
@frozen
class Orphan:
    """A process that was ended. `marker` says of which server; None: it was of an orphan's session."""

    pid: int
    program: str
    marker: Marker | None


async def sweep_orphans(directory: Path | None = None) -> tuple[Orphan, ...]:
    """Ends the processes of dead hosts, and says which they were; then forgets these hosts.

    Runs in a thread, beside whatever starts; cancelled, it leaves that to go on. `directory` is where hosts keep their
    locks, by default the user's own. Never fails.
    """
    return await trio.to_thread.run_sync(sweep, directory or locks_directory(), abandon_on_cancel=True)


def sweep(directory: Path | None) -> tuple[Orphan, ...]:
    """What `sweep_orphans` does."""
    swept: list[Orphan] = []
    # Before the look: who is dead by now leaves nobody whom the look does not meet.
    ended = {} if directory is None else _ended_hosts(directory)
    hosts: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for pid in proc.pids():
        if (marker := marker_of(pid)) is not None and marker.lock:
            hosts[marker.host_id, marker.lock].add(pid)
    for (host_id, lock), carriers in hosts.items():
        if (known := ended.pop(host_id, None)) is not None:
            known.release()
        if os.getpid() in carriers:  # we are what is left of it
            continue
        if (seized := HostLock.seize(lock, host_id)) is not None:
            swept += _end_host(seized, host_id, carriers)
    for nobody_left in ended.values():
        nobody_left.remove()
    return tuple(swept)


def end_orphan(pid: int) -> bool:
    """Ends a single process if it is the orphan of a dead host, with all that is left of that; whether it is gone."""
    marker = marker_of(pid)
    if marker is None or pid == os.getpid() or (seized := HostLock.seize(marker.lock, marker.host_id)) is None:
        return False
    _end_host(seized, marker.host_id, {pid})
    return not proc.living(pid)


def marker_of(pid: int) -> Marker | None:
    """The marker that a process of our own user carries."""
    environ = proc.environ(pid)
    if _ENTRY not in environ:  # nearly always
        return None
    for entry in environ.split(b"\0"):
        if entry.startswith(_ENTRY):
            return Marker.parse(os.fsdecode(entry[len(_ENTRY) :])) if proc.real_user(pid) == os.getuid() else None
    return None


def _end_host(lock: HostLock, host_id: str, carriers: set[int]) -> list[Orphan]:
    """Ends what carries a dead host's marker, and who is in a session with that; `carriers` are those known by now."""
    ended: dict[int, Orphan] = {}
    left = carriers
    for _ in range(_LOOKS):
        # Led by whom we have just seen: an id that nobody of them holds any more may soon be another session's.
        sessions = frozenset(pid for pid in left if proc.session(pid) == pid) - {os.getsid(0)}
        meant = partial(_belongs, host_id=host_id, lock=os.fspath(lock.path), sessions=sessions)
        left = {pid for pid in proc.pids() if meant(pid)}
        if not left:
            lock.remove()
            break
        for pid in left:
            orphan = Orphan(pid, proc.command_name(pid), marker_of(pid))
            if proc.signal_checked(pid, signal.SIGKILL, meant):
                ended.setdefault(pid, orphan)
        time.sleep(_PAUSE)
    else:
        lock.release()  # it hangs in the kernel; another sweep may find it gone
    return list(ended.values())


def _belongs(pid: int, host_id: str, lock: str, sessions: Collection[int]) -> bool:
    if pid == os.getpid():
        return False
    marker = marker_of(pid)
    if marker is not None:
        return (marker.host_id, marker.lock) == (host_id, lock) and proc.living(pid)
    return proc.session(pid) in sessions and proc.real_user(pid) == os.getuid() and proc.living(pid)


def _ended_hosts(directory: Path) -> dict[str, HostLock]:
    """Seizes the locks of hosts that have ended."""
    seized = {}
    with suppress(OSError):
        for path in directory.glob(f"*{SUFFIX}"):
            host_id = path.name.removesuffix(SUFFIX)
            if (lock := HostLock.seize(path, host_id)) is not None:
                seized[host_id] = lock
    return seized
