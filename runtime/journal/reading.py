"""What can be read from a journal: by the runtime that writes it, and by whoever comes when none is running."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from runtime.journal.coding import decoded
from runtime.journal.records import Entry, Host, Service
from runtime.journal.schema import check
from runtime.journal.store import StoreFailed

PATIENCE = 1.0  # seconds that a locked database is waited for

_HISTORY = """
SELECT at, host, number, server, name, told, fields FROM events
WHERE at >= :since {narrower} ORDER BY at DESC, number DESC LIMIT :limit
"""
_OF_SERVER = "AND server = :server"
_OF_SOURCE = "AND host IN (SELECT id FROM hosts WHERE source = :source)"
_HOST = "id, hosts.pid, lock, source, opened, closed, lost"
_SERVICE = "server, state, services.pid, endpoint, restarts, incarnation, start_up_ms, host, updated"
_HOSTS = f"SELECT {_HOST} FROM hosts ORDER BY opened DESC LIMIT ?"
_SERVICES = f"SELECT {_SERVICE} FROM services WHERE host = ? ORDER BY server"
_SEEN = f"SELECT {_SERVICE}, {_HOST} FROM services JOIN hosts ON host = id WHERE source = ?"
_TROUBLE = """
SELECT told FROM events WHERE host = ? AND server = ? AND name = 'crashed' ORDER BY number DESC LIMIT 1
"""


def history(path: Path, server: str | None, limit: int, since: float, source: str | None = None) -> Sequence[Entry]:
    """Return events, newest first, not older than ``since``: of one server or all, of one configuration or all.

    Raises `StoreFailed`.
    """
    asked = {"server": server, "limit": limit, "since": since, "source": source}
    narrower = f"{_OF_SERVER if server is not None else ''} {_OF_SOURCE if source is not None else ''}"
    with reading(path) as database:
        return [_entry(*row) for row in database.execute(_HISTORY.format(narrower=narrower), asked)]


def hosts(path: Path, limit: int = 100) -> Sequence[Host]:
    """Return the hosts that have written, the last opened first. Raises `StoreFailed`.

    Whether one that is not closed lives is to be asked of its lock.
    """
    with reading(path) as database:
        return [_host(*row) for row in database.execute(_HOSTS, (limit,))]


def services(path: Path, host: str) -> Sequence[Service]:
    """Return the servers of a host as they were last seen. Raises `StoreFailed`."""
    with reading(path) as database:
        return [Service(*row) for row in database.execute(_SERVICES, (host,))]


def seen(database: sqlite3.Connection, source: str) -> Sequence[tuple[Service, Host]]:
    """Return all that the hosts of a configuration have seen of its servers."""
    return [(Service(*row[:9]), _host(*row[9:])) for row in database.execute(_SEEN, (source,))]


def trouble(database: sqlite3.Connection, service: Service) -> str | None:
    """Return what a server last failed of under that host. None: it has not."""
    row = database.execute(_TROUBLE, (service.host, service.server)).fetchone()
    return None if row is None else str(row[0])


def _host(id: str, pid: int, lock: str, source: str, opened: float, closed: float | None, lost: int) -> Host:
    return Host(id, pid, lock, source, opened, closed, bool(lost))


def _entry(at: float, host: str, number: int, server: str, name: str, told: str, fields: str | None) -> Entry:
    return Entry(at, host, number, server, name, told, decoded(name, fields))


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a connection of its own: it neither waits for who writes nor holds them up. Raises `StoreFailed`."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=PATIENCE)) as database:
            check(database)
            yield database
    except sqlite3.Error as error:
        raise StoreFailed(f"{path} cannot be read: {error}") from error
