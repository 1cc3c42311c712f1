"""How the servers of a configuration are, or last were, as far as the journal knows: for who has no host to ask."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import final

from attrs import evolve, frozen

from runtime.journal import reading
from runtime.journal.records import Host, Service
from runtime.value import Value

_DOWN = ("stopped", "ejected")


@final
@frozen(repr=False)
class Seen(Value):
    """A server as it was last seen, and by which host; ``running``: that host lives, and so this is how it is.

    ``trouble`` is what it last failed of there.
    """

    service: Service
    host: Host
    running: bool
    trouble: str | None = None


def look_back(path: Path, source: str, ended: Callable[[Host], bool]) -> Mapping[str, Seen]:
    """Return what is known of each server of a configuration, by name. Raises `StoreFailed`.

    ``ended`` says of a host that is not closed whether it has ended all the same.
    """
    with reading.reading(path) as database:
        known = latest(reading.seen(database, source), ended)
        return {name: evolve(seen, trouble=reading.trouble(database, seen.service)) for name, seen in known.items()}


def latest(seen: Iterable[tuple[Service, Host]], ended: Callable[[Host], bool]) -> Mapping[str, Seen]:
    """Choose for each server who knows it best: a host that runs, and of several the one that saw it last."""
    best: dict[str, Seen] = {}
    asked: dict[str, bool] = {}  # so that each host is looked at once
    for service, host in seen:
        if host.id not in asked:
            asked[host.id] = host.closed is None and not ended(host)
        this = Seen(service, host, asked[host.id])
        if not this.running and host.closed is None and service.state not in _DOWN:  # nobody has noticed yet
            this = evolve(this, service=evolve(service, state="lost", pid=None))
        known = best.get(service.server)
        if known is None or (known.running, known.service.updated) < (this.running, this.service.updated):
            best[service.server] = this
    return best
