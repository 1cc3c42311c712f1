"""What the journal knows of servers when there is nobody to ask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.journal import ServerCrashed
from runtime.journal.lookback import Seen, latest, look_back
from runtime.journal.records import Host, Service
from runtime.journal.sqlite import SqliteStore
from runtime.journal.store import Batch, Noted


def host(id: str, closed: float | None = None) -> Host:
    return Host(id, 1, "", "mcp.json", 0.0, closed)


def service(of: Host, state: str = "ready", updated: float = 1.0) -> tuple[Service, Host]:
    return Service("files", state, 17, host=of.id, updated=updated), of


def chosen(*seen: tuple[Service, Host], dead: tuple[str, ...] = ()) -> tuple[str, str, bool]:
    (found,) = latest(seen, lambda host: host.id in dead).values()
    return found.host.id, found.service.state, found.running


def test_a_host_that_runs_knows_best_and_else_the_one_that_saw_it_last():
    old, new, runs = host("old", 5.0), host("new", 9.0), host("runs")
    assert chosen(service(old, "stopped", 5.0), service(new, "ejected", 9.0)) == ("new", "ejected", False)
    assert chosen(service(new, "stopped", 9.0), service(runs, updated=1.0)) == ("runs", "ready", True)
    assert chosen(service(runs, updated=1.0), service(new, "stopped", 9.0)) == ("runs", "ready", True)
    assert chosen(service(runs, updated=1.0), service(host("other"), updated=2.0)) == ("other", "ready", True)


def test_of_a_host_that_has_died_unnoticed_what_ran_is_lost_and_what_was_down_is_down():
    assert chosen(service(host("dead")), dead=("dead",)) == ("dead", "lost", False)
    assert chosen(service(host("dead"), "ejected"), dead=("dead",)) == ("dead", "ejected", False)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """A journal that three hosts write: two of one configuration, the first of which is done."""
    stores = []
    for at, id, source in ((1.0, "earlier", "mcp.json"), (2.0, "other", "other.json"), (3.0, "ours", "mcp.json")):
        store = SqliteStore(tmp_path, Host(id, 1, "", source, at), lambda _: False, clock=lambda at=at: at)
        store.open()
        crashed = [Noted(n, at, ServerCrashed(0.0, "files", n, f"{id} {n}", None)) for n in (1, 2)]
        store.write(Batch(crashed if id != "ours" else (), [Service("files", "ready"), Service(f"of {id}", "ready")]))
        if id == "earlier":
            store.close()
        stores.append(store)
    yield tmp_path
    for store in stores:
        store.close()


def test_what_is_known_is_of_one_configuration_and_tells_what_went_wrong_there(directory):
    seen = look_back(directory / "journal.sqlite3", "mcp.json", lambda _: False)
    assert {name: (each.host.id, each.service.state, each.running) for name, each in seen.items()} == {
        "files": ("ours", "ready", True),
        "of earlier": ("earlier", "stopped", False),
        "of ours": ("ours", "ready", True),
    }
    assert seen["files"].trouble is None
    other = look_back(directory / "journal.sqlite3", "other.json", lambda _: True)["files"]
    assert isinstance(other, Seen)
    assert (other.trouble, other.service.state) == ("crashed: other 2", "lost")
    assert look_back(directory / "journal.sqlite3", "unheard of", lambda _: False) == {}
