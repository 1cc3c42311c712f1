"""The guard: ends what a host started, once the host is gone. Run by ``guard.py``; standard library only.

``python guard_process.py HOST_ID HOST_PID < PIPE``; the pipe says ``+GROUP`` and ``-GROUP``, a line each. When
it ends, or the host does, each group still named gets SIGKILL, and then whatever carries the host's marker in
its environment, until nothing carries it. It has a session of its own and ignores what a terminal or a service
manager sends to everybody: it must outlive the host, and ends by itself right after it.
"""

import os
import select
import signal
import sys
from contextlib import suppress


def main() -> None:
    host_id, host_pid = sys.argv[1], int(sys.argv[2])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    for group in groups_at_the_end(host_pid):
        with suppress(OSError):  # it has ended meanwhile
            os.killpg(group, signal.SIGKILL)
    marker = b"GREENROOM_HOST=" + host_id.encode() + b";"
    # The child of one that forked while we looked is found in the next round.
    for _ in range(10):
        if not sum(kill_marked(int(name), marker) for name in processes()):
            break


def groups_at_the_end(host_pid: int) -> set[int]:
    """Reads the pipe until it ends or the host does, and returns the groups that were not taken back."""
    groups: set[int] = set()
    poll = select.poll()
    poll.register(0, select.POLLIN)
    try:
        # A child that the host forked without exec (multiprocessing) holds the pipe open beyond the host's end.
        host = os.pidfd_open(host_pid)
        poll.register(host, select.POLLIN)
    except (AttributeError, OSError):
        host = -1
    begun = b""
    while True:
        ready = [descriptor for descriptor, _ in poll.poll()]
        if 0 not in ready:
            return groups
        data = os.read(0, 65536)
        if not data:
            return groups
        *lines, begun = (begun + data).split(b"\n")
        for line in lines:
            if line.startswith(b"+"):
                groups.add(int(line[1:]))
            else:
                groups.discard(int(line[1:]))


def processes() -> list[str]:
    try:
        return [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []  # no Linux: the groups are all that can be known


def kill_marked(pid: int, marker: bytes) -> bool:
    """Whether the process carries the marker; it then gets SIGKILL."""
    if not is_marked(pid, marker):
        return False
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        return False
    try:
        # Read again: only now is it sure that the signal meets the process that was looked at.
        if is_marked(pid, marker):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            return True
    except OSError:
        pass
    finally:
        os.close(descriptor)
    return False


def is_marked(pid: int, marker: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            environ = file.read()
    except OSError:  # ended, or another user's
        return False
    return environ.startswith(marker) or b"\0" + marker in environ


main()
