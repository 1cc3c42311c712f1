"""The guard: ends what a host started, once the host is gone. Run by ``guard.py``; standard library only.

``python guard_process.py HOST_ID HOST_PID < PIPE``; the pipe says ``+GROUP`` and ``-GROUP``, a line each, and
``.`` for an end in good order. When it ends, or the host does, each group still named gets SIGKILL, and then
whatever carries the host's marker in its environment, until nothing carries it. It has a session of its own and
ignores what a terminal or a service manager sends to everybody: it must outlive the host, and ends by itself
right after it.
"""

import os
import select
import sys
import time

try:
    # Without the enumerations that `signal` puts round it: they take as long to make as the interpreter to start.
    import _signal as signal  # type: ignore[import-not-found]
except ImportError:
    import signal

# A child that was being born when the host was killed carries the marker only from its exec on, and the child of
# one that forked while we looked is found in the next look.
LOOKS = 5
PAUSE = 0.05


def main() -> None:
    host_id, host_pid = sys.argv[1], int(sys.argv[2])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    groups, announced = groups_at_the_end(host_pid)
    for group in groups:
        try:  # noqa: SIM105 - contextlib is not worth its import here
            os.killpg(group, signal.SIGKILL)
        except OSError:
            pass  # it has ended meanwhile
    marker = b"GREENROOM_HOST=" + host_id.encode() + b";"
    for _ in range(LOOKS):
        found = [name for name in processes() if kill_marked(int(name), marker)]
        if announced and not found:
            break
        time.sleep(PAUSE)


def groups_at_the_end(host_pid: int) -> tuple[set[int], bool]:
    """Reads the pipe until it ends or the host does; the groups not taken back, and whether the end was announced."""
    groups: set[int] = set()
    poll = select.poll()
    poll.register(0, select.POLLIN)
    try:  # noqa: SIM105
        # A child that the host forked without exec (multiprocessing) holds the pipe open beyond the host's end.
        poll.register(os.pidfd_open(host_pid), select.POLLIN)
    except (AttributeError, OSError):
        pass  # then the pipe alone must tell
    begun = b""
    while True:
        data = os.read(0, 65536) if any(descriptor == 0 for descriptor, _ in poll.poll()) else b""
        if not data:
            return groups, False
        *lines, begun = (begun + data).split(b"\n")
        for line in lines:
            if line == b".":
                return groups, True
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
