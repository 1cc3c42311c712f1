"""The tables of the journal's database, and how a database comes to have them."""

from __future__ import annotations

import sqlite3

VERSION = 1

_TABLES = """
CREATE TABLE hosts (
    id TEXT PRIMARY KEY,
    pid INTEGER NOT NULL,
    lock TEXT NOT NULL,              -- path; empty: it has none
    source TEXT NOT NULL,            -- of its configuration
    opened REAL NOT NULL,            -- seconds since 1970, as all times here
    closed REAL,
    lost INTEGER NOT NULL DEFAULT 0  -- it was killed, and closed by another
) WITHOUT ROWID;
CREATE TABLE services (
    host TEXT NOT NULL,
    server TEXT NOT NULL,
    state TEXT NOT NULL,
    pid INTEGER,
    endpoint TEXT,
    restarts INTEGER NOT NULL,
    incarnation INTEGER NOT NULL,
    start_up_ms REAL,
    updated REAL NOT NULL,
    PRIMARY KEY (host, server)
) WITHOUT ROWID;
CREATE TABLE events (
    host TEXT NOT NULL,
    number INTEGER NOT NULL,         -- counted by its host
    at REAL NOT NULL,
    server TEXT NOT NULL,
    name TEXT NOT NULL,
    told TEXT NOT NULL,
    fields TEXT                      -- JSON
);
CREATE UNIQUE INDEX events_once ON events (host, number);
CREATE INDEX events_by_server ON events (server, at);
CREATE INDEX events_by_time ON events (at);
"""


def prepare(connection: sqlite3.Connection) -> None:
    """Give a database that is new its tables. Raises `sqlite3.Error`, also for one of a later version than ours."""
    if _version(connection) == 0:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        if _version(connection) == 0:  # nobody was quicker
            for statement in _TABLES.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    check(connection)


def check(connection: sqlite3.Connection) -> None:
    """Raise `sqlite3.DatabaseError` for a database that is not one of ours, or of another version."""
    if (found := _version(connection)) != VERSION:
        raise sqlite3.DatabaseError(f"it is of version {found}, and this program writes version {VERSION}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
