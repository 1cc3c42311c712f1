"""The journal's store in SQLite: one file for all hosts of a user, in WAL mode.

A commit is durable against the death of the process, SIGKILL included: what is in the log is found by whoever opens the
file next. It is not synced to the disk, which would take a hundred times as long, so that a power cut may cost the last
commits, never the file.

A connection that failed is dropped, and the next write begins with a new one: nothing is mended in place.

What takes long to import is imported where it is used, which is in a worker thread.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, final

from attrs import define, field

from runtime.journal.coding import encoded, plain
from runtime.journal.events import Event
from runtime.journal.records import Entry, Host, Service
from runtime.journal.store import Batch, StoreFailed

if TYPE_CHECKING:
    import sqlite3

FILE = "journal.sqlite3"
_DAY = 86400.0

_ENROL = """
INSERT INTO hosts (id, pid, lock, source, opened) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET closed = NULL, lost = 0
"""
_EVENT = "INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?, ?)"
_SERVICE = """
INSERT INTO services (host, server, state, pid, endpoint, restarts, incarnation, start_up_ms, updated)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (host, server) DO UPDATE SET state = excluded.state, pid = excluded.pid, endpoint = excluded.endpoint,
restarts = excluded.restarts, incarnation = excluded.incarnation, updated = excluded.updated,
start_up_ms = coalesce(excluded.start_up_ms, start_up_ms)
"""
_CLOSE = "UPDATE hosts SET closed = ?, lost = ? WHERE id = ?"
_LEAVE = """
UPDATE services SET state = ?, pid = NULL, updated = ? WHERE host = ? AND state NOT IN ('stopped', 'ejected')
"""
_TOO_OLD = "DELETE FROM events WHERE at < ?"
_TOO_MANY = "DELETE FROM events WHERE at <= (SELECT at FROM events ORDER BY at DESC LIMIT 1 OFFSET ?)"
_NOTHING_LEFT = "DELETE FROM hosts WHERE closed IS NOT NULL AND id NOT IN (SELECT host FROM events)"
_OF_NOBODY = "DELETE FROM services WHERE host NOT IN (SELECT id FROM hosts)"


@final
@define(eq=False, repr=False)
class SqliteStore:
    """A store in ``directory``, which is made where it is missing, for its owner alone.

    ``events`` and ``days`` are how much is kept, of all hosts together. ``ended`` says of another host whether it has.
    """

    directory: Path
    host: Host
    ended: Callable[[Host], bool]
    events: int = 100_000
    days: float = 30.0
    clock: Callable[[], float] = time.time
    _connection: sqlite3.Connection | None = field(default=None, init=False)
    _file: os.stat_result | None = field(default=None, init=False)  # what the connection was opened on
    _unpruned: int = field(default=0, init=False)  # events written since the last pruning

    @property
    def path(self) -> Path:
        """The file itself."""
        return self.directory / FILE

    def open(self) -> tuple[str, ...]:
        """Do what `Store.open` promises."""
        import sqlite3

        from runtime.journal.reading import PATIENCE
        from runtime.journal.schema import prepare

        with self._failing():
            self._disconnect()
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(FileExistsError):
                # SQLite gives its other files the same mode. One that exists is never opened here: closing it would
                # let go of the locks that other connections of this process hold on it.
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            # Used by one thread at a time, but not always by the same.
            self._connection = sqlite3.connect(
                self.path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
            )
            self._file = os.stat(self.path)
            prepare(self._connection)
            self._connection.execute("PRAGMA synchronous = NORMAL")
            with self._transaction() as database:
                host = self.host
                database.execute(_ENROL, (host.id, host.pid, host.lock, plain(host.source), host.opened))
            lost = self._reconcile()
            self._prune()
            return lost

    def write(self, batch: Batch) -> None:
        """Do what `Store.write` promises."""
        with self._failing():
            self._check_file()
            rows = [self._row(*noted) for noted in batch.events]  # the lock is held for no longer than it takes
            with self._transaction() as database:
                database.executemany(_EVENT, rows)
                database.executemany(_SERVICE, map(self._service_row, batch.services))
            self._unpruned += len(rows)
            if self._unpruned >= max(1, min(1000, self.events // 10)):
                self._prune()

    def history(self, server: str | None, limit: int, since: float) -> Sequence[Entry]:
        """Do what `Store.history` promises."""
        from runtime.journal import reading

        return reading.history(self.path, server, limit, since, self.host.source)

    def close(self) -> None:
        """Do what `Store.close` promises."""
        if self._connection is None:
            return
        with self._failing():
            now = self.clock()
            with self._transaction() as database:
                database.execute(_LEAVE, ("stopped", now, self.host.id))
                database.execute(_CLOSE, (now, False, self.host.id))
            self._disconnect()

    def _reconcile(self) -> tuple[str, ...]:
        """Close the hosts that were killed. Who lives is left alone."""
        assert self._connection is not None
        open_hosts = self._connection.execute(
            "SELECT id, pid, lock, source, opened FROM hosts WHERE closed IS NULL AND id != ?", (self.host.id,)
        )
        lost = [host.id for host in [Host(*row) for row in open_hosts] if self.ended(host)]
        if lost:
            now = self.clock()
            with self._transaction() as database:
                database.executemany(_LEAVE, [("lost", now, id) for id in lost])
                database.executemany(_CLOSE, [(now, True, id) for id in lost])
        return tuple(lost)

    def _prune(self) -> None:
        too_old = self.clock() - self.days * _DAY
        with self._transaction() as database:
            database.execute(_TOO_OLD, (too_old,))
            database.execute(_TOO_MANY, (self.events,))
            database.execute(_NOTHING_LEFT)
            database.execute(_OF_NOBODY)
        self._unpruned = 0

    def _row(self, number: int, at: float, event: Event) -> tuple[object, ...]:
        server, told = plain(event.server), plain(event.told())
        return self.host.id, number, at, server, event.name, told, encoded(event)

    def _service_row(self, service: Service) -> tuple[object, ...]:
        last = (service.restarts, service.incarnation, service.start_up_ms, self.clock())
        endpoint = None if service.endpoint is None else plain(service.endpoint)
        return self.host.id, plain(service.server), service.state, service.pid, endpoint, *last

    # -- the connection

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        assert self._connection is not None
        self._connection.execute("BEGIN IMMEDIATE")
        yield self._connection
        self._connection.execute("COMMIT")  # what raises before it drops the connection, and the transaction with it

    @contextmanager
    def _failing(self) -> Iterator[None]:
        import sqlite3

        try:
            yield
        except (sqlite3.Error, OSError) as error:
            self._disconnect()
            told = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise StoreFailed(f"{self.path}: {told}") from error

    def _disconnect(self) -> None:
        import sqlite3

        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error), closing(connection):
                pass

    def _check_file(self) -> None:
        """Raise `OSError` unless our file is still the one of its name: what is in a removed one nobody reads."""
        assert self._file is not None
        if not os.path.samestat(self._file, os.stat(self.path)):
            raise FileNotFoundError("it was replaced by another")
