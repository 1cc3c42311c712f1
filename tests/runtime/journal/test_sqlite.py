"""The journal's store in SQLite: what is written is there, whoever dies, and what cannot be written is told."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from attrs import evolve

from runtime.journal import ServerCrashed, ServerReady, ServerStopped, reading
from runtime.journal.records import Host, Service
from runtime.journal.sqlite import SqliteStore
from runtime.journal.store import Batch, Noted, StoreFailed

DAY = 86400.0
NOW = 1_000 * DAY


def host(id: str = "ours", opened: float = NOW, source: str = "mcp.json") -> Host:
    return Host(id, 4321, f"/locks/{id}.lock", source, opened)


Make = Callable[..., SqliteStore]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes stores of one directory; they are closed at the end."""
    with ExitStack() as made:

        def make(**options: object) -> SqliteStore:
            given: dict[str, object] = {"host": host(), "ended": lambda _: False, "clock": lambda: NOW, **options}
            store = SqliteStore(tmp_path / "journal", **given)  # type: ignore[arg-type]
            made.callback(store.close)
            return store

        yield make


@pytest.fixture
def store(make: Make) -> SqliteStore:
    store = make()
    store.open()
    return store


def stopped(*numbers: int, server: str = "files", since: float = NOW) -> Batch:
    return Batch([Noted(number, since + number, ServerStopped(float(number), server)) for number in numbers])


def numbers(store: SqliteStore, server: str | None = None, limit: int = 100, since: float = 0.0) -> list[int]:
    return [entry.number for entry in store.history(server, limit, since)]


def asked(store: SqliteStore, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(store.path)) as database:
        return database.execute(sql).fetchall()


# -- what is written


def test_history_is_newest_first_of_one_server_or_all_and_of_a_time(store):
    store.write(stopped(1, 2, 3))
    store.write(stopped(4, 5, server="search"))
    assert numbers(store) == [5, 4, 3, 2, 1]
    assert numbers(store, "files") == [3, 2, 1]
    assert numbers(store, limit=2) == [5, 4]
    assert numbers(store, since=NOW + 2) == [5, 4, 3, 2]
    assert numbers(store, "files", since=NOW + 3) == [3]
    assert numbers(store, "nobody") == []


def test_of_events_of_one_moment_the_last_comes_first(store):
    store.write(Batch([Noted(number, NOW, ServerStopped(0.0, "files")) for number in (1, 2, 3)]))
    assert numbers(store) == [3, 2, 1]


def test_what_comes_back_is_what_went_in(store):
    crashed = ServerCrashed(1.5, "files", 2, "exit code 1", None)
    store.write(Batch([Noted(1, NOW, crashed)]))
    (entry,) = store.history(None, 1, 0.0)
    assert entry.event == crashed
    assert (entry.at, entry.host, entry.server, entry.name) == (NOW, "ours", "files", "crashed")
    assert str(entry).endswith("  files  crashed: exit code 1")


def test_an_event_that_is_written_twice_is_there_once(store):
    store.write(stopped(1, 2))
    store.write(stopped(2, 3))
    assert numbers(store) == [3, 2, 1]


def test_half_a_character_in_what_a_server_says_is_written_all_the_same(store):
    store.write(Batch([Noted(1, NOW, ServerCrashed(0.0, "a\udcff", 1, "said \ud800", None))]))
    (entry,) = store.history("a\\udcff", 1, 0.0)
    assert entry.told == "crashed: said \\ud800"


def test_a_server_is_as_it_was_last_seen_and_keeps_its_start_up_time(store):
    ready = Service("files", "ready", 17, "http://127.0.0.1:1", 0, 1, 12.5)
    store.write(Batch([], [ready]))
    store.write(Batch([], [evolve(ready, state="backing_off", pid=None, restarts=1, start_up_ms=None)]))
    (found,) = reading.services(store.path, "ours")
    assert found == Service("files", "backing_off", None, "http://127.0.0.1:1", 1, 1, 12.5, "ours", NOW)


def test_the_files_are_their_owners_alone(store):
    store.write(stopped(1))
    files = sorted(store.directory.iterdir())
    assert [file.name for file in files] == ["journal.sqlite3", "journal.sqlite3-shm", "journal.sqlite3-wal"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(store.directory.stat().st_mode) == 0o700


# -- how much is kept


def test_no_more_events_are_kept_than_were_asked_for(make):
    store = make(events=30)
    store.open()
    for number in range(1, 101):
        store.write(stopped(number))
    kept = numbers(store)
    assert kept[0] == 100
    assert 30 <= len(kept) <= 33
    store.open()
    assert numbers(store) == list(range(100, 70, -1))


def test_nothing_is_kept_longer_than_was_asked_for(make):
    now = [NOW]
    store = make(days=2, clock=lambda: now[0], host=host(opened=NOW))
    store.open()
    store.write(stopped(1))
    now[0] += 2 * DAY
    store.write(stopped(2, since=now[0]))
    store.close()
    now[0] += 10
    later = make(days=2, clock=lambda: now[0], host=host("later", now[0]))
    later.open()
    assert numbers(later) == [2]
    assert [each.id for each in reading.hosts(later.path)] == ["later", "ours"]
    now[0] += 3 * DAY
    later.open()
    assert numbers(later) == []
    assert [each.id for each in reading.hosts(later.path)] == ["later"]


# -- several hosts


def test_a_host_that_closes_says_so_and_its_servers_are_stopped(make):
    store = make()
    store.open()
    store.write(Batch([], [Service("files", "ready", 17), Service("search", "ejected")]))
    store.close()
    (closed,) = reading.hosts(store.path)
    assert (closed.closed, closed.lost) == (NOW, False)
    found = {each.server: (each.state, each.pid) for each in reading.services(store.path, "ours")}
    assert found == {"files": ("stopped", None), "search": ("ejected", None)}


def test_of_a_host_that_was_killed_the_rows_are_corrected_and_of_a_living_one_left_alone(make):
    for id in ("dead", "living"):
        other = make(host=host(id))
        other.open()
        other.write(Batch(stopped(1).events, [Service("files", "ready", 17), Service("search", "stopped")]))
    store = make(ended=lambda host: host.id == "dead" and host.lock == "/locks/dead.lock")
    assert store.open() == ("dead",)
    assert store.open() == ()
    hosts = {each.id: (each.closed, each.lost) for each in reading.hosts(store.path)}
    assert hosts == {"dead": (NOW, True), "living": (None, False), "ours": (None, False)}
    states = {id: [(each.state, each.pid) for each in reading.services(store.path, id)] for id in hosts}
    assert states["dead"] == [("lost", None), ("stopped", None)]
    assert states["living"] == [("ready", 17), ("stopped", None)]
    assert {entry.host for entry in store.history(None, 9, 0.0)} == {"dead", "living"}


def test_history_is_that_of_its_configuration_over_all_its_hosts(make):
    for id, source in (("earlier", "mcp.json"), ("other", "other.json"), ("ours", "mcp.json")):
        store = make(host=host(id, source=source))
        store.open()
        store.write(stopped(1))
    assert {entry.host for entry in store.history(None, 9, 0.0)} == {"earlier", "ours"}
    assert {entry.host for entry in reading.history(store.path, "files", 9, 0.0)} == {"earlier", "other", "ours"}


WRITER = """
import sys
from pathlib import Path
from itertools import count
from runtime.journal import ServerReady
from runtime.journal.records import Host, Service
from runtime.journal.sqlite import SqliteStore
from runtime.journal.store import Batch, Noted

store = SqliteStore(Path(sys.argv[1]), Host("killed", 1, "", "", 0.0), lambda host: False)
store.open()
for first in count(1, 50):
    events = [Noted(n, store.clock(), ServerReady(0.0, "files", n, "1", n, 0.1)) for n in range(first, first + 50)]
    store.write(Batch(events, [Service("files", "ready", first)]))
    print(first + 49, flush=True)
"""


@pytest.mark.parametrize("acknowledged", [1, 7, 40])
def test_a_host_that_is_killed_while_it_writes_leaves_all_it_had_written_and_no_broken_row(
    tmp_path, acknowledged, make
):
    with subprocess.Popen([sys.executable, "-c", WRITER, tmp_path / "journal"], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        for _ in range(acknowledged):
            writer.stdout.readline()
        writer.kill()
        last = ([50 * acknowledged] + [int(line) for line in writer.stdout])[-1]
    store = make(ended=lambda _: True, clock=lambda: 0.0, host=host(source=""))
    assert store.open() == ("killed",)
    assert asked(store, "PRAGMA integrity_check") == [("ok",)]
    entries = store.history(None, 1_000_000, 0.0)
    assert [entry.number for entry in entries] == list(range(len(entries), 0, -1))
    assert len(entries) in (last, last + 50), "of the batch that it died of all is there, or nothing"
    assert all(isinstance(entry.event, ServerReady) and entry.event.tools == entry.number for entry in entries)
    (service,) = reading.services(store.path, "killed")
    assert service.state == "lost"


# -- what cannot be written


def test_a_full_disk_fails_the_write_whole_and_the_next_opening_finds_what_was_before(store):
    store.write(stopped(1))
    pages = asked(store, "PRAGMA page_count")[0][0]
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreFailed, match=r"journal.sqlite3: database or disk is full"):
        store.write(stopped(*range(2, 5000)))
    store.open()
    store.write(stopped(5000))
    assert numbers(store) == [5000, 1]


def test_a_database_that_another_holds_locked_fails_the_write(store, monkeypatch):
    monkeypatch.setattr(reading, "PATIENCE", 0.0)
    store.open()
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreFailed, match="database is locked"):
            store.write(stopped(1))
    store.open()
    store.write(stopped(1))
    assert numbers(store) == [1]


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_corrupt_database_fails_the_opening_and_is_left_as_it_is(content, make):
    store = make()
    store.directory.mkdir()
    store.path.write_bytes(content)
    with pytest.raises(StoreFailed):
        store.open()
    with pytest.raises(StoreFailed):
        store.history(None, 1, 0.0)
    assert store.path.read_bytes() == content


def test_the_database_of_a_later_version_is_not_touched(store):
    with closing(sqlite3.connect(store.path)) as database:
        database.execute("PRAGMA user_version = 2")
    with pytest.raises(StoreFailed, match="it is of version 2, and this program writes version 1"):
        store.open()


def test_a_directory_that_cannot_be_made_fails_the_opening(tmp_path, make):
    (tmp_path / "journal").write_text("a file")
    with pytest.raises(StoreFailed, match="File exists"):
        make().open()


def test_a_file_that_was_removed_fails_the_write_and_is_made_again_by_the_next_opening(store):
    store.write(stopped(1))
    for file in store.directory.iterdir():
        file.unlink()
    with pytest.raises(StoreFailed, match="No such file"):
        store.write(stopped(2))
    store.open()
    store.write(stopped(2))
    assert numbers(store) == [2]
    assert [each.id for each in reading.hosts(store.path)] == ["ours"]


def test_a_journal_that_was_never_written_cannot_be_read_and_is_not_made_by_reading(tmp_path):
    with pytest.raises(StoreFailed, match="cannot be read"):
        reading.history(tmp_path / "journal.sqlite3", None, 1, 0.0)
    assert list(tmp_path.iterdir()) == []


def test_a_journal_can_be_read_when_nobody_has_it_open(make):
    store = make()
    store.open()
    store.write(stopped(1))
    store.close()
    assert [file.name for file in store.directory.iterdir()] == ["journal.sqlite3"]
    assert [entry.number for entry in reading.history(store.path, None, 9, 0.0)] == [1]
