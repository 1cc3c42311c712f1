"""What the journal gives back: events of any host, servers as they were last seen, and the hosts themselves."""

from __future__ import annotations

from datetime import datetime
from typing import final

from attrs import frozen

from runtime.journal.events import Event
from runtime.value import Value


@final
@frozen(repr=False)
class Entry(Value):
    """An event as it was written down: ``at`` in seconds since 1970, the ``number``-th of its ``host``.

    ``event`` is the event itself; None: it was written by another version, of whose events only the words are known.
    """

    at: float
    host: str
    number: int
    server: str
    name: str
    told: str
    event: Event | None

    def __str__(self) -> str:
        when = datetime.fromtimestamp(self.at).isoformat(" ", "milliseconds")
        return "  ".join(part for part in (when, self.server, self.told) if part)


@final
@frozen(repr=False)
class Service(Value):
    """A server of a host, as it was last seen: at ``updated``, in seconds since 1970.

    ``state`` is one of the server's states, or ``lost``: its host was killed and could not say what became of it.
    ``start_up_ms`` is how long its last start took until it was ready.
    """

    server: str
    state: str
    pid: int | None = None
    endpoint: str | None = None
    restarts: int = 0
    incarnation: int = 0
    start_up_ms: float | None = None
    host: str = ""
    updated: float = 0.0


@final
@frozen(repr=False)
class Host(Value):
    """A runtime that writes, or wrote, into the journal. Times in seconds since 1970; ``closed`` None: it is open.

    ``lock`` is the file that it holds a lock on while it lives; empty: it has none. ``lost``: it was killed, and
    ``closed`` is when that was found out. ``source`` names its configuration.
    """

    id: str
    pid: int
    lock: str
    source: str
    opened: float
    closed: float | None = None
    lost: bool = False
