"""Where a runtime writes what happens, and what it writes of its servers."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from runtime.journal.chronicle import MEMORY, Chronicle
from runtime.journal.records import Host, Service

if TYPE_CHECKING:
    from runtime.config import Reach, RuntimeConfig
    from runtime.host.house import House
    from runtime.journal.store import Store
    from runtime.servers import Record
    from runtime.transports.guard import Guard


def store_for(config: RuntimeConfig, guard: Guard) -> Store | None:
    """Return the store that the configuration asks for. None: there is none, or nowhere to put it."""
    from runtime.journal.sqlite import SqliteStore
    from runtime.transports.lock import has_ended

    rules = config.journal
    if rules is None or (directory := journal_directory(config)) is None:
        return None
    host = Host(guard.host_id, os.getpid(), guard.hold(), source_of(config), time.time())
    return SqliteStore(directory, host, lambda other: has_ended(other.lock, other.pid), rules.events, rules.days)


def journal_directory(config: RuntimeConfig) -> Path | None:
    """Return where the journal of a configuration is. None: it keeps none, or the environment does not say where."""
    from runtime.config import reveal
    from runtime.state import state_directory

    if config.journal is None:
        return None
    if config.journal.path is not None:
        return Path(reveal(config.journal.path))
    state = state_directory()
    return None if state is None else state / "journal"


def source_of(config: RuntimeConfig) -> str:
    """Return what the journal knows a configuration by, so that another one's servers are never taken for its.

    It is its file, wherever it was named from; of one that is given in code, where the program runs.
    """
    if config.source != attrs.fields(type(config)).source.default:
        return os.path.abspath(config.source)
    try:
        return f"{config.source} {os.getcwd()}"
    except FileNotFoundError:  # somebody has removed it
        return config.source


def chronicle_of(house: House, store: Store | None) -> Chronicle:
    """Return what takes down all that happens; it keeps as much as the configuration says, or memory may hold."""
    rules = house.config.journal
    kept = MEMORY if store is not None or rules is None else min(MEMORY, rules.events)
    return Chronicle(house.feed, store, partial(services, house.records), kept)


def services(records: Mapping[str, Record], names: Iterable[str]) -> Iterator[Service]:
    """Say how servers are, as the journal has it."""
    for name in names:
        if (record := records.get(name)) is not None:
            now = record.status()
            endpoint = endpoint_of(record.spec.reach)
            yield Service(name, now.state.value, now.pid, endpoint, now.restarts, now.incarnation)


def endpoint_of(reach: Reach) -> str | None:
    """Return the URL of a server that has one; what of it is secret is not told."""
    from runtime.config import Owned, Remote

    match reach:
        case Remote():
            return str(reach.url)
        case Owned():
            return str(reach.remote.url)
        case _:
            return None
