"""What happens to the journal itself. None of it keeps a server from its work."""

from __future__ import annotations

from typing import ClassVar, final

from runtime.errors import counted
from runtime.journal.events import Event


@final
class JournalFailed(Event, frozen=True):
    """The journal cannot be written; until it can, events are kept in memory. Told once, however long that lasts."""

    name: ClassVar[str] = "journal_failed"
    reason: str

    def told(self) -> str:
        return f"the journal cannot be written, and goes on in memory: {self.reason}"


@final
class JournalRestored(Event, frozen=True):
    """The journal can be written again, with what was kept in memory meanwhile."""

    name: ClassVar[str] = "journal_restored"

    def told(self) -> str:
        return "the journal can be written again"


@final
class EventsUnwritten(Event, frozen=True):
    """So many events came while the journal could not be written, and were more than memory was to hold."""

    name: ClassVar[str] = "events_unwritten"
    count: int

    def told(self) -> str:
        return f"{counted(self.count, 'event')} were not written into the journal"


@final
class HostsLost(Event, frozen=True):
    """The journal held hosts open that have been killed; it has been corrected."""

    name: ClassVar[str] = "hosts_lost"
    hosts: tuple[str, ...]

    def told(self) -> str:
        return f"{counted(len(self.hosts), 'host')} had ended without a word: {', '.join(self.hosts)}"
