"""What a sweep ends, and all that it must leave alone. The orphans are real processes; so is a host that was killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import trio

from runtime.transports import proc
from runtime.transports.environment import Marker
from runtime.transports.guard import open_guard
from runtime.transports.lock import HostLock, locks_directory
from runtime.transports.stdio import open_stdio
from runtime.transports.sweep import Orphan, end_orphan, marker_of, sweep, sweep_orphans

HOST = """
import os, sys, trio
from runtime.transports import environment
environment.MARKER_VARIABLE = sys.argv[1]
from runtime.transports.guard import open_guard
from runtime.transports.stdio import StdioCommand, open_stdio

async def main():
    async with open_guard() as guard:
        marker = guard.marker("files", 1)
        async with open_stdio(StdioCommand(sys.argv[2:], dict(os.environ)), guard=guard, marker=marker):
            print(guard.pid, flush=True)
            await trio.sleep_forever()

trio.run(main)
"""
DETACHED = "(setsid sleep 1001 &) ; sleep 1002 & exec sleep 1003"

SWEEP = """
import sys
from pathlib import Path
from runtime.transports import sweep

sweep._ENTRY = sys.argv[2].encode() + b"="
print(sweep.sweep(Path(sys.argv[1])))
"""
Start = Callable[..., int]


@pytest.fixture
def locks(state_directory: Path) -> Path:
    directory = state_directory / "hosts"
    directory.mkdir(parents=True)
    return directory


@pytest.fixture
def start(command, marker_variable) -> Iterator[Start]:
    """Starts a process that leads a session, as a host's child does; it is reaped only at the end."""
    started = []

    def start(marker: Marker | None, *argv: str, env: Mapping[str, str] | None = None, user: int | None = None) -> int:
        variables = {**command.env, **(env or {}), **({} if marker is None else {marker_variable: str(marker)})}
        run = argv or ("sleep", "1000")
        process = subprocess.Popen(run, env=variables, start_new_session=True, user=user)
        started.append(process)
        return process.pid

    yield start
    for process in started:
        process.kill()
        process.wait()


def dead(locks: Path, host_id: str = "dead", server: str = "files") -> Marker:
    """The marker of a host that was killed: its lock is there, and free."""
    path = locks / f"{host_id}.lock"
    path.touch(0o600)
    return Marker(host_id, server, 2, 7, str(path))


@pytest.fixture
def host(command, locks, marker_variable) -> Iterator[subprocess.Popen[bytes]]:
    """A host with one child, which has started two more; its first line is its guard's id."""
    env = {**command.env, "XDG_STATE_HOME": str(locks.parent.parent)}
    with subprocess.Popen(
        [sys.executable, "-c", HOST, marker_variable, "sh", "-c", DETACHED], env=env, stdout=subprocess.PIPE
    ) as host:
        yield host


async def test_the_orphans_of_a_killed_host_whose_guard_was_killed_are_ended(command, locks, host):
    with trio.fail_after(20):
        guard = int(await trio.to_thread.run_sync(host.stdout.readline))
        await command.until_living(lambda living: "sleep 1003 " in living.values())
        living = await command.until_living(lambda living: len(living) == 5)
        orphans = living.keys() - {host.pid, guard}
        assert await sweep_orphans() == ()
        assert orphans < command.living().keys(), "a living host's children are its own"
        os.kill(guard, signal.SIGSTOP)
        host.kill()
        host.wait()
        os.kill(guard, signal.SIGKILL)
        await command.until_living(lambda living: living.keys() == orphans)
        swept = await sweep_orphans()
        assert {orphan.pid for orphan in swept} == orphans
        assert {(orphan.program, orphan.marker and orphan.marker.server) for orphan in swept} == {("sleep", "files")}
        assert command.living() == {}
        assert list(locks.iterdir()) == []


def test_with_an_orphan_goes_who_is_in_its_session(command, locks, start):
    leader = start(dead(locks), "sh", "-c", "env -i sleep 1000 & exec sleep 1000")
    with_it = [pid for pid in proc.pids() if proc.session(pid) == leader]
    while len(with_it) < 2:
        with_it = [pid for pid in proc.pids() if proc.session(pid) == leader]
    assert {orphan.pid for orphan in sweep(locks)} == set(with_it)
    assert not any(map(proc.living, with_it))


def test_the_session_of_somebody_else_is_left_alone_though_a_carrier_is_in_it(locks, start, marker_variable):
    """Who looks into a server's trouble copies its environment to a terminal."""
    terminal = start(None, "sh", "-c", f"{marker_variable}='{dead(locks)}' sleep 1000 & exec sleep 1000")
    while not (carriers := [pid for pid in proc.pids() if proc.session(pid) == terminal and marker_of(pid)]):
        pass
    assert [orphan.pid for orphan in sweep(locks)] == carriers
    assert proc.living(terminal)


@pytest.fixture
def held(locks: Path) -> Iterator[Marker]:
    lock = HostLock.take(locks, "held")
    yield Marker("held", "files", 1, 1, str(lock.path))
    lock.remove()


def test_what_a_living_host_started_is_left_alone(locks, start, held):
    child = start(held)
    assert sweep(locks) == ()
    assert proc.living(child)
    assert Path(held.lock).exists()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.unlink(),
        lambda path: (path.unlink(), path.mkdir()),
        lambda path: (path.unlink(), path.symlink_to("/etc/hostname")),
        lambda path: (path.unlink(), os.mkfifo(path)),
        lambda path: path.write_text("somebody's data"),
        lambda path: os.chown(path, 65534, 65534) if os.getuid() == 0 else path.chmod(0),
    ],
    ids=["missing", "a directory", "a link", "a pipe", "not empty", "not ours"],
)
def test_a_lock_that_cannot_be_told_to_be_free_counts_as_held(locks, start, spoil):
    marker = dead(locks)
    child = start(marker)
    spoil(Path(marker.lock))
    assert sweep(locks) == ()
    assert proc.living(child)


@pytest.mark.parametrize(
    "value",
    [
        "dead;incarnation=1;server=files",  # of a host that could not make a lock
        "other;incarnation=1;spawn=1;lock={lock};server=files",  # whose lock is another's
        "dead;incarnation=1;spawn=1;lock=dead.lock;server=files",  # which could be anywhere
        "{lock}",
        "",
    ],
)
def test_a_marker_that_says_too_little_is_no_reason_to_end_anybody(locks, start, value, monkeypatch, marker_variable):
    monkeypatch.chdir(locks)
    lock = dead(locks).lock
    child = start(None, env={marker_variable: value.format(lock=lock)})
    assert sweep(locks) == ()
    assert proc.living(child)


def test_who_carries_no_marker_is_left_alone_whatever_else_it_has_in_its_environment(locks, start, marker_variable):
    marker = dead(locks)
    child = start(None, env={f"NOT_{marker_variable}": str(marker), "TEXT": f"\n{marker_variable}={marker}"})
    assert sweep(locks) == ()
    assert proc.living(child)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start a process of another user")
def test_another_users_process_is_left_alone(locks, start):
    child = start(dead(locks), user=65534)
    assert marker_of(child) is None
    assert sweep(locks) == ()
    assert proc.living(child)


def test_who_carries_a_dead_hosts_marker_ends_nobody_of_it(locks, command, start, marker_variable):
    """We were started by an orphan, then: to end our own kin is not for us to decide."""
    marker = dead(locks)
    kin = start(marker)
    env = {**command.env, marker_variable: str(marker)}
    run = [sys.executable, "-c", SWEEP, locks, marker_variable]
    ran = subprocess.run(run, env=env, stdout=subprocess.PIPE, check=True, start_new_session=True)
    assert ran.stdout == b"()\n"
    assert proc.living(kin)


def test_an_id_that_was_recycled_between_the_look_and_the_signal_is_spared(start):
    """The second look is through the handle: it is of whom the signal would meet."""
    looks = []

    def meant(pid: int) -> bool:
        looks.append(pid)
        return False

    child = start(None)
    assert not proc.signal_checked(child, signal.SIGKILL, meant)
    assert looks == [child]
    assert proc.living(child)


def test_one_who_has_ended_since_the_handle_was_opened_is_not_signalled(start, monkeypatch):
    """Its id may be another's by then, of which the handle knows nothing."""
    child = start(None)

    def meant(pid: int) -> bool:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return True

    assert not proc.signal_checked(child, signal.SIGKILL, meant)


def test_a_lock_of_a_host_of_which_nothing_is_left_is_forgotten_with_its_files(locks, held):
    dead(locks)
    (locks / "dead-1.session").touch()
    (locks / "held-1.session").touch()
    assert sweep(locks) == ()
    assert {path.name for path in locks.iterdir()} == {"held.lock", "held-1.session"}


def test_a_host_that_dies_while_one_looks_is_not_forgotten_before_what_it_left(locks, start, monkeypatch):
    host = HostLock.take(locks, "dying")
    left = []

    def look() -> list[int]:
        found = pids()
        if not left:
            left.append(start(Marker("dying", "files", 1, 1, str(host.path))))
            host.release()
        return found

    pids = proc.pids
    with monkeypatch.context() as patch:
        patch.setattr(proc, "pids", look)
        assert sweep(locks) == ()
    assert [orphan.pid for orphan in sweep(locks)] == left


def test_two_sweeps_at_once_do_not_meet(locks, start):
    marker = dead(locks)
    child = start(marker)
    other = HostLock.seize(marker.lock, "dead")
    assert sweep(locks) == ()
    assert proc.living(child)
    other.release()
    assert [orphan.pid for orphan in sweep(locks)] == [child]


def test_a_single_orphan_can_be_ended_with_its_host(locks, start, held):
    orphan, kin, child = start(dead(locks)), start(dead(locks, server="other")), start(held)
    assert end_orphan(orphan)
    assert not proc.living(kin)
    assert not end_orphan(child)
    assert not end_orphan(os.getpid())
    assert proc.living(child)


async def test_a_sweep_without_a_state_directory_finds_what_its_markers_name(locks, start, monkeypatch):
    child = start(dead(locks, server=""))
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.delenv("HOME")
    assert await sweep_orphans() == (Orphan(child, "sleep", Marker("dead", "", 2, 7, str(locks / "dead.lock"))),)


# The lock


async def test_a_host_holds_its_lock_from_its_first_child_to_its_end(command, locks):
    async with open_guard("ab12") as guard:
        assert list(locks.iterdir()) == []
        async with open_stdio(command("cat"), guard=guard):
            (path,) = locks.iterdir()
            assert path.name == "ab12.lock"
            assert path.stat().st_mode & 0o777 == 0o600
            assert HostLock.seize(path, "ab12") is None
    assert list(locks.iterdir()) == []


async def test_a_host_that_cannot_lock_works_and_its_marker_names_no_lock(command, tmp_path):
    (tmp_path / "file").touch()
    async with open_guard("ab12", locks=tmp_path / "file") as guard:
        assert guard.marker("files", 1) == Marker("ab12", "files", 1, 1)
        async with open_stdio(command("cat"), guard=guard) as transport:
            await transport.send(b"{}\n")
            assert await transport.receive() == b"{}"


def test_where_no_child_is_started_there_is_nothing_to_lock(monkeypatch):
    assert locks_directory() is not None
    monkeypatch.setattr("runtime.transports.lock.os.name", "nt")
    assert locks_directory() is None


def test_a_lock_that_could_not_be_taken_leaves_nothing(locks, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(OSError, match="No locks"):
        HostLock.take(locks, "ab12")
    assert list(locks.iterdir()) == []
