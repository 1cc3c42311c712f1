"""How servers are, or last were, told from the journal: without a host to ask, and without starting anything."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, final

from runtime.config import RuntimeConfig
from runtime.host.journalling import journal_directory, source_of
from runtime.journal.store import StoreFailed
from runtime.servers import State

if TYPE_CHECKING:
    from runtime.journal.lookback import Seen


@final
class Remembered(dict[str, "Seen | None"]):
    """What is known of each server by its name; None: nothing. Printed as a table."""

    @property
    def running(self) -> bool:
        """Whether a host of theirs lives, so that some of this is how it is and not how it was."""
        return any(seen is not None and seen.running for seen in self.values())

    @property
    def ready(self) -> bool:
        """Whether all of them are, now."""
        return all(
            seen is not None and seen.running and seen.service.state == State.READY.value for seen in self.values()
        )

    def __str__(self) -> str:
        from runtime.console.render import plain

        return plain(self)


def remembered(config: RuntimeConfig) -> Remembered:
    """Return what the journal knows of a configuration's servers. Raises `StoreFailed` where it cannot be read."""
    from runtime.journal.lookback import look_back
    from runtime.journal.sqlite import FILE
    from runtime.transports.lock import has_ended

    directory = journal_directory(config)
    if directory is None:
        raise StoreFailed("this configuration keeps no journal")
    known: Mapping[str, Seen] = {}
    if (directory / FILE).exists():
        known = look_back(directory / FILE, source_of(config), lambda host: has_ended(host.lock, host.pid))
    return Remembered({name: known.get(name) for name in config.servers})


def whence(known: Remembered) -> str:
    """Say where the answer is from."""
    if not any(known.values()):
        return "no host of this configuration is running, and the journal knows of none that was"
    hosts = {seen.host.pid for seen in known.values() if seen is not None and seen.running}
    if hosts:
        return f"from the journal: a host of this configuration is running, pid {', '.join(map(str, sorted(hosts)))}"
    return "from the journal: no host of this configuration is running, and this is how it was left"


def as_json(known: Remembered) -> dict[str, Any]:
    """Return the same for programs."""
    return {name: None if seen is None else _json(seen) for name, seen in known.items()}


def _json(seen: Seen) -> dict[str, Any]:
    service, host = seen.service, seen.host
    return {
        "state": service.state,
        "running": seen.running,
        "pid": service.pid,
        "endpoint": service.endpoint,
        "incarnation": service.incarnation,
        "restarts": service.restarts,
        "start_up_ms": service.start_up_ms,
        "seen": datetime.fromtimestamp(service.updated).astimezone().isoformat(timespec="seconds"),
        "host": {"id": host.id, "pid": host.pid},
        "last_error": seen.trouble,
    }
