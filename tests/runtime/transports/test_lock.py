"""Whether another host has ended, asked of its lock."""

import subprocess
import sys

import pytest

from runtime.transports.guard import open_guard
from runtime.transports.lock import HostLock, has_ended


def test_a_host_that_holds_its_lock_lives_and_one_that_has_let_go_of_it_has_ended(tmp_path):
    lock = HostLock.take(tmp_path, "a")
    assert not has_ended(str(lock.path), 0)
    lock.release()
    assert has_ended(str(lock.path), 0)
    assert lock.path.exists()
    seized = HostLock.seize(lock.path, "a")
    assert seized is not None, "asking leaves the lock to others"
    assert not has_ended(str(lock.path), 0)
    seized.remove()
    assert has_ended(str(lock.path), 0)


def test_a_host_without_a_lock_has_ended_with_its_process():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert not has_ended("", process.pid)
    assert has_ended("", process.pid)


def test_of_a_lock_that_cannot_be_looked_at_nobody_can_tell(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "link.lock").symlink_to(tmp_path / "file")
    assert not has_ended(str(tmp_path / "file" / "a.lock"), 0)
    assert not has_ended(str(tmp_path / "link.lock"), 0)


async def test_a_guard_takes_its_hosts_lock_once_for_whoever_asks_first(tmp_path):
    async with open_guard("a", locks=tmp_path) as guard:
        assert list(tmp_path.iterdir()) == []
        held = guard.hold()
        assert held == guard.marker("files", 1).lock == guard.hold() == str(tmp_path / "a.lock")
        assert not has_ended(held, 0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("locks", ["file", "file/below"])
async def test_a_guard_that_cannot_have_a_lock_goes_without(tmp_path, locks):
    (tmp_path / "file").touch()
    async with open_guard("a", locks=tmp_path / locks) as guard:
        assert guard.hold() == guard.marker().lock == ""
