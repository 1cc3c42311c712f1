"""A child process: its birth, its group, its end.

Birth. `spawn` is a plain function. `subprocess.Popen` runs in the caller's own task and thread, so that there is
no await, and therefore no cancellation, between the moment a process exists and the moment somebody owns it.
Trio's way, a worker thread, buys nothing here: on Linux the child is made by vfork, and CPython holds the GIL
until its exec, so the event loop stands still for the same 0.5 to 1 ms in either case; a thread adds its own start
and two hops through the scheduler to every cold start. The child gets a session of its own rather than only a
group: Ctrl-C at the host's terminal then does not reach it, and a program that wants to ask for a password finds no
terminal at all, instead of being stopped by one for ever. Never `preexec_fn` (it rules vfork out and may deadlock),
never the parent-death signal (it fires when the *thread* that spawned ends).

End. A process that has ended keeps its id, and its group's id, until it is reaped. So the end is *noticed* without
reaping (a pidfd, or what the platform has in its place), the group is signalled, and the leader reaped last: a
recycled id is never hit. Who has left the group is found by the session, and who has left that as well by the marker
that it has inherited; these have no id that we hold, so each is signalled through a handle (`proc`).
"""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import final

import trio
from attrs import define, field, frozen

from . import proc

__all__ = ["Child", "CommandUnusable", "ExitStatus", "ProcessesUnsupported", "spawn", "spawn_logged", "verify"]

_DEATH = 5.0  # seconds that a process has to die of SIGKILL; longer means that it hangs in the kernel


@final
@frozen
class ExitStatus:
    """How a process ended: by its own exit `code`, or by a `signal`; with neither, nobody can know any more."""

    code: int | None = None
    signal: int | None = None

    def __str__(self) -> str:
        if self.code is not None:
            return f"exit code {self.code}"
        if self.signal is None:
            return "an unknown exit code"
        try:
            return signal.Signals(self.signal).name
        except ValueError:
            return f"signal {self.signal}"


@final
@define(repr=False)
class CommandUnusable(Exception):
    """A command could not be started at all; no process was left. The operating system's error is the cause.

    `reason` is a phrase such as ``"no such command"``; `command` is the first word of the command line.
    """

    command: str
    reason: str
    cwd: str | None

    def __str__(self) -> str:
        where = "" if self.cwd is None else f" (in {self.cwd})"
        return f"cannot start {self.command!r}{where}: {self.reason}"


@final
@define(repr=False)
class ProcessesUnsupported(Exception):
    """Child processes are not started on this platform, because here they could not be ended with their host."""

    platform: str

    def __str__(self) -> str:
        return (
            f"servers that are child processes need Linux, or macOS with Python 3.13, not {self.platform}; "
            "reach this one by its url"
        )


def spawn(
    argv: Sequence[str], env: Mapping[str, str], cwd: str | os.PathLike[str] | None, mark: str = ""
) -> tuple["Child", int, int, int]:
    """Starts a process that leads its own session and group; returns it with our ends of its three pipes.

    The ends (its stdin, stdout, stderr) are non-blocking and are the caller's to close. `mark` is a variable that no
    other child finds in its environment, as in ``NAME=value``: whoever carries it belongs to this child. Raises
    `CommandUnusable`, then nothing is left of the attempt, and `ProcessesUnsupported`.
    """
    child, (stdin, stdout, stderr) = _spawn(argv, env, cwd, mark, outputs=2)
    return child, stdin, stdout, stderr


def spawn_logged(
    argv: Sequence[str], env: Mapping[str, str], cwd: str | os.PathLike[str] | None, mark: str = ""
) -> tuple["Child", int, int]:
    """Does as `spawn` does, with a single pipe for both outputs: what it writes there stays in its order."""
    child, (stdin, output) = _spawn(argv, env, cwd, mark, outputs=1)
    return child, stdin, output


@trio.lowlevel.enable_ki_protection
def _spawn(
    argv: Sequence[str], env: Mapping[str, str], cwd: str | os.PathLike[str] | None, mark: str, *, outputs: int
) -> tuple["Child", list[int]]:
    if not hasattr(os, "waitid"):
        raise ProcessesUnsupported(sys.platform)
    ours: list[int] = []
    theirs: list[int] = []
    try:
        for number in range(1 + outputs):
            reading, writing = os.pipe()
            ours.append(reading if number else writing)
            theirs.append(writing if number else reading)
        for end in ours:
            os.set_blocking(end, False)
        stdin, stdout, stderr = theirs[0], theirs[1], theirs[-1]
        process = subprocess.Popen(
            argv, stdin=stdin, stdout=stdout, stderr=stderr, env=env, cwd=cwd, start_new_session=True
        )
    except (OSError, ValueError) as error:
        for end in ours + theirs:
            os.close(end)
        place = None if cwd is None else os.fspath(cwd)
        raise CommandUnusable(argv[0], _why_not(error, argv[0], place), place) from error
    for end in theirs:
        os.close(end)
    return Child(process, os.fsencode(mark)), ours


def verify(argv: Sequence[str], env: Mapping[str, str], cwd: str | os.PathLike[str] | None) -> None:
    """Sees whether there is a program to start, before anything is done for it. Raises `CommandUnusable`."""
    command, place = argv[0], None if cwd is None else os.fspath(cwd)
    here = [command] if os.path.dirname(command) else [os.path.join(at, command) for at in os.get_exec_path(env)]
    paths = [path for path in (os.path.join(place or "", path) for path in here) if os.path.exists(path)]
    if (place is None or os.path.isdir(place)) and any(
        os.path.isfile(path) and os.access(path, os.X_OK) for path in paths
    ):
        return
    error = PermissionError(errno.EACCES, command) if paths else FileNotFoundError(errno.ENOENT, command)
    raise CommandUnusable(command, _why_not(error, command, place), place) from error


@final
@define(eq=False, repr=False)
class Child:
    """A process that `spawn` started, until it is reaped. `pid` is also the id of its group and of its session."""

    _process: subprocess.Popen[bytes]
    _mark: bytes = b""
    _status: ExitStatus | None = field(default=None, init=False)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exited(self) -> ExitStatus | None:
        """How the process ended; None while it runs. Its group may live on."""
        if self._status is None:
            self._status = _look(self.pid)
        return self._status

    @property
    def reaped(self) -> bool:
        """Whether its id is no longer its own."""
        return self._process.returncode is not None

    async def wait_exit(self) -> ExitStatus:
        """Waits until the process has ended, by itself or by others; it is not reaped by this."""
        await trio.lowlevel.checkpoint()
        while (status := self.exited) is None:
            await _wait_ended(self)
        return status

    def send_signal(self, number: signal.Signals) -> None:
        """Signals the group and who has left it; does nothing once the id is not ours."""
        if self._released():
            return
        self._signal_group(number)
        for pid in self._others():
            with suppress(OSError):
                if os.getpgid(pid) != self.pid:
                    proc.signal_checked(pid, number, self._belongs)

    async def end(self, patience: float, *, listens: bool = True) -> None:
        """Sees the group to its end: waits, SIGTERM, waits, SIGKILL; each wait at most `patience` seconds.

        One that does not listen to its stdin gets SIGTERM at once. The caller has closed the child's stdin and keeps
        its outputs drained. Afterwards, a cancellation included (it cuts the patience short), nothing of the group is
        left but its leader's id; see `reap`.
        """
        gone = False
        try:
            gone = await self._gone_within(patience if listens else 0)
            if not gone:
                self.send_signal(signal.SIGTERM)
                gone = await self._gone_within(patience)
        finally:
            if gone:
                self._signal_group(signal.SIGKILL)  # somebody may have forked after the look
            else:
                self.send_signal(signal.SIGKILL)
                with trio.CancelScope(shield=True):
                    await self._gone_within(_DEATH)

    def reap(self) -> None:
        """Frees the process's id. One that survived SIGKILL (it hangs in the kernel) stays with `subprocess`,
        which warns and reaps it at some later spawn."""
        self._process.poll()

    async def _gone_within(self, seconds: float) -> bool:
        """Whether the leader ends, and nobody else who belongs to it is left, before so many seconds have passed."""
        with trio.move_on_after(seconds):
            await self.wait_exit()
            while others := self._others():
                for pid in others:
                    await proc.wait_gone(pid, self._belongs)
            return True
        return False

    def members(self) -> list[int]:
        """The child and who belongs to it, as far as they live."""
        return [*([] if self.exited else [self.pid]), *self._others()]

    def _others(self) -> list[int]:
        """Who belongs to the child besides itself, and lives."""
        return [pid for pid in proc.pids() if self._belongs(pid)]

    def _belongs(self, pid: int) -> bool:
        if pid == self.pid:
            return False
        within = proc.session(pid) == self.pid or (self._mark != b"" and proc.carries(pid, self._mark))
        return within and proc.living(pid)

    def _signal_group(self, number: signal.Signals) -> None:
        if not self._released():
            with suppress(ProcessLookupError, PermissionError):  # nobody is in it, or nobody who is still ours
                os.killpg(self.pid, number)

    def _released(self) -> bool:
        """Whether the id may be another's by now: reaped by us, or by the kernel where SIGCHLD is ignored."""
        return self.reaped or self.exited == ExitStatus()


def _look(pid: int) -> ExitStatus | None:
    """How the child ended, without reaping it; None while it runs."""
    try:
        seen = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return ExitStatus()
    if seen is None:
        return None
    if seen.si_code == os.CLD_EXITED:
        return ExitStatus(code=seen.si_status)
    return ExitStatus(signal=seen.si_status)


def _await_end(pid: int) -> None:
    with suppress(ChildProcessError):
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


async def _wait_ended(child: Child) -> None:
    """Returns when the process may have ended: a pidfd where there is one, else a thread in waitid."""
    try:
        descriptor = os.pidfd_open(child.pid)
    except (AttributeError, OSError):
        # An old kernel, a sandbox that refuses the call, no descriptor left. The thread is abandoned only by a
        # caller that is cancelled, and ends with the process.
        await trio.to_thread.run_sync(_await_end, child.pid, abandon_on_cancel=True, limiter=trio.CapacityLimiter(1))
        return
    try:
        await trio.lowlevel.wait_readable(descriptor)
    finally:
        os.close(descriptor)


def _why_not(error: OSError | ValueError, command: str, cwd: str | None) -> str:
    match error:
        case _ if cwd is not None and not os.path.isdir(cwd):
            return "the directory to run it in does not exist"
        case FileNotFoundError() if os.path.dirname(command) and os.path.exists(os.path.join(cwd or "", command)):
            return "the interpreter that its first line names does not exist"
        case FileNotFoundError():
            return "no such command" if os.path.dirname(command) else "no such command on its PATH"
        case PermissionError() if os.path.isdir(os.path.join(cwd or "", command)):
            return "it is a directory"
        case PermissionError():
            return "it is not executable"
        case OSError(errno=errno.ENOEXEC):
            return "it is no program, and has no #! line"
        case OSError():
            return error.strerror or str(error)
    return str(error)
