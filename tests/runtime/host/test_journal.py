"""What a runtime writes down, and what the next one finds."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import define, field

import runtime
from runtime.config import load
from runtime.host import open_over
from runtime.journal import ServerReady, ServerStarting, ServerStopped, reading
from runtime.journal.journal import Flush
from runtime.journal.own_events import HostsLost, JournalFailed
from runtime.journal.records import Entry, Host
from runtime.journal.store import Batch
from runtime.transports.lock import has_ended
from tests.fakes import Fleet, good

NOTES = {"notes": {"python": "runtime.builtin.notes:server"}}


def configuration(directory: Path, **journal: Any) -> dict[str, Any]:
    return {"mcpServers": NOTES, "journal": {"path": str(directory), **journal}, "sweep": False}


async def test_a_runtime_finds_in_its_history_what_happened_in_those_before_it(tmp_path):
    for _ in range(2):
        async with runtime.open_runtime(configuration(tmp_path)):
            pass
    async with runtime.open_runtime(configuration(tmp_path)) as host:
        history = await host.history("notes")
        assert [type(entry.event) for entry in history] == 3 * [ServerReady, ServerStarting]
        assert len({entry.host for entry in history}) == 3
        assert str(history[0]).split("  ")[1:] == ["notes", history[0].told]
        assert await host.history("notes", limit=1) == history[:1]
        assert await host.history(since=history[1].at) == history[:2]
        assert await host.history(since=datetime.now(UTC) + timedelta(1)) == []
        assert await host.history("nobody") == []
        with pytest.raises(ValueError, match="limit must be at least 1; got 0"):
            await host.history(limit=0)


async def test_servers_are_written_down_as_they_are_and_as_stopped_when_the_runtime_has_closed(tmp_path):
    path = tmp_path / "journal.sqlite3"
    async with runtime.open_runtime(configuration(tmp_path)) as host:
        await host._house.system["services/journal"].ask(Flush())
        (open_host,) = reading.hosts(path)
        (service,) = reading.services(path, open_host.id)
        assert (service.state, service.incarnation, open_host.closed) == ("ready", 1, None)
        assert service.start_up_ms is not None
        assert not has_ended(open_host.lock, open_host.pid)
    assert [file.name for file in tmp_path.iterdir()] == ["journal.sqlite3"]
    (closed,) = reading.hosts(path)
    (service,) = reading.services(path, closed.id)
    assert service.state == "stopped"
    assert closed.closed is not None
    assert has_ended(closed.lock, closed.pid)


async def test_a_server_that_is_stopped_last_of_all_is_still_written_down(tmp_path):
    async with runtime.open_runtime(configuration(tmp_path)) as host:
        await host.stop("notes")
    (last, *_) = reading.history(tmp_path / "journal.sqlite3", None, 9, 0.0)
    assert isinstance(last.event, ServerStopped)


async def test_a_runtime_that_is_cancelled_or_fails_closes_its_journal_all_the_same(tmp_path):
    with trio.CancelScope() as scope:
        async with runtime.open_runtime(configuration(tmp_path)):
            scope.cancel()
            await trio.lowlevel.checkpoint()
    with pytest.raises(ZeroDivisionError):
        async with runtime.open_runtime(configuration(tmp_path)):
            raise ZeroDivisionError
    hosts = reading.hosts(tmp_path / "journal.sqlite3")
    assert [(host.closed is not None, host.lost) for host in hosts] == 2 * [(True, False)]
    assert [each.state for host in hosts for each in reading.services(tmp_path / "journal.sqlite3", host.id)] == [
        "stopped",
        "stopped",
    ]


HOST = """
import json, sys, trio, runtime
from runtime.journal.journal import Flush

async def main():
    async with runtime.open_runtime(json.loads(sys.argv[1])) as host:
        await host._house.system["services/journal"].ask(Flush())
        print("written", flush=True)
        await trio.sleep_forever()

trio.run(main)
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another host of the same configuration, which has written its first events."""
    command = [sys.executable, "-c", HOST, json.dumps(configuration(tmp_path))]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


async def test_what_a_killed_host_has_left_is_put_to_rights_by_the_next_and_told_of(tmp_path, other):
    config = configuration(tmp_path)
    (living,) = reading.hosts(tmp_path / "journal.sqlite3")
    async with runtime.open_runtime(config) as host:
        await host._house.system["services/journal"].ask(Flush())
        assert not [event for event in host.recent_events() if isinstance(event, HostsLost)]
    other.kill()
    other.wait()
    async with runtime.open_runtime(config) as host:
        await host._house.system["services/journal"].ask(Flush())
        assert [event.hosts for event in host.recent_events() if isinstance(event, HostsLost)] == [(living.id,)]
    (service,) = reading.services(tmp_path / "journal.sqlite3", living.id)
    assert (service.state, service.pid) == ("lost", None)


async def test_a_journal_that_cannot_be_written_keeps_nothing_from_working(tmp_path):
    (tmp_path / "file").touch()
    async with runtime.open_runtime(configuration(tmp_path / "file")) as host:
        await host._house.system["services/journal"].ask(Flush())
        assert not (await host.call("notes", "search_notes")).is_error
        failed = [event for event in host.recent_events() if isinstance(event, JournalFailed)]
        assert len(failed) == 1
        assert {entry.name for entry in await host.history()} >= {"journal_failed", "starting"}


async def test_without_a_journal_nothing_is_written_and_the_last_events_are_remembered(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with runtime.open_runtime({"mcpServers": NOTES, "journal": False, "sweep": False}) as host:
        assert [entry.name for entry in await host.history("notes")] == ["ready", "starting"]
    assert list(tmp_path.iterdir()) == []


async def test_by_default_the_journal_is_in_the_users_state_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with runtime.open_runtime({"mcpServers": NOTES, "sweep": False}):
        pass
    assert (tmp_path / "greenroom" / "journal" / "journal.sqlite3").stat().st_mode & 0o777 == 0o600


async def test_the_journal_is_a_service_that_comes_back_alone(autojump_clock):
    async with Fleet({"a": good}).open() as host:
        services = host._house.system
        before = services["services/registry"].incarnation
        services["services/journal"].kill()
        await services["services/journal"].ask(Flush())
        assert services["services/journal"].incarnation == 2
        assert services["services/registry"].incarnation == before
        assert [entry.name for entry in await host.history("a")] == ["ready", "starting"]


async def test_a_configuration_is_the_same_wherever_it_is_named_from_and_another_one_is_not(tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mcp.json").write_text(json.dumps(configuration(tmp_path / "journal")))
    for directory, path in (("a", "mcp.json"), ("b", "mcp.json"), (".", "a/mcp.json")):
        monkeypatch.chdir(tmp_path / directory)
        async with runtime.open_runtime(path) as host:
            history = await host.history("notes")
    assert len({entry.host for entry in history}) == 2


@define(eq=False)
class Broken:
    """A store with a mistake in it."""

    host: Host = field(factory=lambda: Host("ours", 1, "", "", 0.0))

    def open(self) -> tuple[str, ...]:
        raise ZeroDivisionError

    def write(self, batch: Batch) -> None:
        raise ZeroDivisionError

    def history(self, server: str | None, limit: int, since: float) -> Sequence[Entry]:
        return ()

    def close(self) -> None:
        return None


async def test_a_journal_that_crashes_again_and_again_takes_nobody_with_it(autojump_clock):
    fleet = Fleet({"a": good})
    config = load({"mcpServers": {"a": {"command": "scripted"}}})
    async with open_over(fleet.open_link, config, store=Broken()) as host:
        registry = host._house.system["services/registry"]
        journal = host._house.system["services/journal"]
        while journal.incarnation < 14:  # noqa: ASYNC110 - in small steps, for the clock does not wait for threads
            await trio.sleep(0.1)
        assert (registry.incarnation, host.status()["a"].incarnation) == (1, 1)
        assert [entry.name for entry in await host.history("a")] == ["ready", "starting"]
