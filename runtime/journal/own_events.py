"""What happens to the journal itself. None of it keeps a server from its work."""

from __future__ import annotations

from typing import ClassVar, final

from attrs import frozen

from runtime.errors import counted
from runtime.journal.events import Event


@final
@frozen(repr=False)
class JournalFailed(Event):
    """The journal cannot be written; until it can, events are kept in memory. Told once, however long that lasts."""

    name: ClassVar[str] = "journal_failed"
    reason: str

    def told(self) -> str:
        return f"the journal cannot be written, and goes on in memory: {self.reason}"


@final
@frozen(repr=False)
class JournalRestored(Event):
    """The journal can be written again, with what was kept in memory meanwhile."""

    name: ClassVar[str] = "journal_restored"

    def told(self) -> str:
        return "the journal can be written again"


@final
@frozen(repr=False)
class EventsUnwritten(Event):
    """So many events came while the journal could not be written, and were more than memory was to hold."""

    name: ClassVar[str] = "events_unwritten"
    count: int

    def told(self) -> str:
        return f"{counted(self.count, 'event')} were not written into the journal"


@final
@frozen(repr=False)
class HostsLost(Event):
    """The journal held hosts open that have been killed; it has been corrected."""

    name: ClassVar[str] = "hosts_lost"
    hosts: tuple[str, ...]

    def told(self) -> str:
        return f"{counted(len(self.hosts), 'host')} had ended without a word: {', '.join(self.hosts)}"
