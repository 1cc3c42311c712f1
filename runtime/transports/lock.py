"""How others can tell whether a host lives: by a file that it holds locked for as long as it does.

The kernel frees the lock however the host ends. The file comes into being locked, under its own name only once it is,
so that nobody ever meets a living host's lock free; and it is removed by whoever holds it, so that nobody removes
another's. A lock that is missing or cannot be looked at therefore says nothing, and counts as held.
"""

import os
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import final

from attrs import define

from runtime.state import state_directory

SUFFIX = ".lock"
_GLANCE = 0.002  # seconds in which who only asks is done


def locks_directory() -> Path | None:
    """Give the directory of the user's hosts. None: there is none, or nothing to lock, as no child is started here."""
    state = state_directory() if os.name == "posix" else None
    return None if state is None else state / "hosts"


@final
@define(eq=False)
class HostLock:
    """Held from `take` or `seize` to `release` or `remove`, or the end of this process."""

    path: Path
    _descriptor: int

    @classmethod
    def take(cls, directory: Path, host_id: str) -> "HostLock":
        """A host's own, new. Raises `OSError` where files cannot be made or locked."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = directory / f"{host_id}.new"
        descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            _lock(descriptor)
            path = directory / f"{host_id}{SUFFIX}"
            unfinished.rename(path)
        except OSError:
            os.close(descriptor)
            unfinished.unlink()
            raise
        return cls(path, descriptor)

    @classmethod
    def seize(cls, path: str | os.PathLike[str], host_id: str) -> "HostLock | None":
        """The lock of a host that has ended. None: it has not, or nobody can tell, or this is no lock of its."""
        if not os.path.isabs(path) or os.path.basename(path) != f"{host_id}{SUFFIX}":
            return None
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return None
        try:
            try:
                _lock(descriptor)
            except BlockingIOError:  # it may be somebody who only asks whether it is free, see `has_ended`
                time.sleep(_GLANCE)
                _lock(descriptor)
            found, named = os.fstat(descriptor), os.stat(path, follow_symlinks=False)
        except OSError:
            os.close(descriptor)
            return None
        ours = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and found.st_size == 0
        if not ours or not os.path.samestat(found, named):
            os.close(descriptor)
            return None
        return cls(Path(path), descriptor)

    def release(self) -> None:
        """Leaves the file to the next who asks."""
        os.close(self._descriptor)

    def remove(self) -> None:
        """Nothing is left of the host: its files go, too."""
        host_id = self.path.name.removesuffix(SUFFIX)
        with suppress(OSError):
            for path in (*self.path.parent.glob(f"{host_id}-*"), self.path):
                path.unlink(missing_ok=True)
        os.close(self._descriptor)


def has_ended(lock: str, pid: int) -> bool:
    """Whether a host has ended that held this lock, or, where it had none (an empty `lock`), was this process.

    Unlike `HostLock.seize` it leaves the lock to others, and takes a missing one for that of a host whose end was seen
    to. Where nobody can tell, it says no.
    """
    if os.name != "posix":
        return False
    try:
        if not lock:
            os.kill(pid, 0)
            return False
        descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, ProcessLookupError):
        return True
    except OSError:
        return False
    try:
        _lock(descriptor, shared=True)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _lock(descriptor: int, *, shared: bool = False) -> None:
    import fcntl  # POSIX, as are child processes of ours

    fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
