"""Where a journal is written, as the runtime sees it: anything that can do these few things will do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, final

from attrs import frozen

from runtime.errors import GreenroomError
from runtime.journal.events import Event
from runtime.journal.records import Entry, Host, Service
from runtime.value import Value


@final
class Noted(NamedTuple):
    """An event on its way into the store: the ``number``-th of its host, ``at`` in seconds since 1970."""

    number: int
    at: float
    event: Event


@final
@frozen(repr=False)
class Batch(Value):
    """What goes into the store together, or not at all: events, and the servers to which something happened."""

    events: Sequence[Noted]
    services: Iterable[Service] = ()


class StoreFailed(GreenroomError):
    """What was to be written or read could not be; nothing of it was."""


class Store(Protocol):
    """Holds what the journals of many hosts write. Called in worker threads, its writing half by one at a time.

    Each method may raise `StoreFailed`, after which it is to be opened again before anything else is written.
    """

    @property
    def host(self) -> Host:
        """Who writes."""

    def open(self) -> tuple[str, ...]:
        """Make ready to write, whatever was before.

        Return the ids of hosts that were found to have been killed, and whose rows have been put to rights.
        """

    def write(self, batch: Batch) -> None:
        """Write durably: what is written when this returns survives the death of the process.

        Numbers that have been written already are passed over.
        """

    def history(self, server: str | None, limit: int, since: float) -> Sequence[Entry]:
        """Return events of hosts of our configuration, newest first: of one server or all, not older than ``since``.

        May run beside the writing.
        """

    def close(self) -> None:
        """The host is done: say so, and let go of everything. One that is not open has nothing to say."""
