"""A runtime that opens ends what a dead one has left, unless it is told not to."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

import runtime
from tests.processes import ended


@pytest.fixture
def orphan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, marker_variable: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process whose host has died: its lock is free."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    lock = tmp_path / "greenroom" / "hosts" / "dead.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    marker = f"dead;incarnation=1;spawn=1;lock={lock};server=files"
    with subprocess.Popen(["sleep", "1000"], env={marker_variable: marker}, start_new_session=True) as process:
        yield process
        process.kill()


async def test_orphans_of_a_dead_host_are_ended_while_a_runtime_is_open(orphan):
    with trio.fail_after(10):
        async with runtime.open_runtime({"mcpServers": {}}):
            await ended([orphan.pid])


async def test_without_the_sweep_they_are_left_alone(orphan):
    async with runtime.open_runtime({"mcpServers": {}, "sweep": False}):
        await trio.testing.wait_all_tasks_blocked(0.05)
    assert orphan.poll() is None


async def test_a_runtime_that_closes_at_once_is_not_held_up_by_the_sweep(orphan):
    """What it has begun goes on without it."""
    with trio.fail_after(10):
        async with runtime.open_runtime({"mcpServers": {}}, wait="none"):
            pass
        await ended([orphan.pid])
