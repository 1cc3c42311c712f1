"""What the rooms of the host share: what is known of each server, and the way to the actors that serve all of them."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from typing import TYPE_CHECKING, final

from attrs import define, field

import actors
from runtime.errors import (
    GreenroomError,
    RuntimeClosed,
    ServerEjected,
    ServerFailed,
    ServerNotFound,
    ServerStopped,
)
from runtime.journal import Feed
from runtime.registry import EMPTY
from runtime.servers import Record, State, child_name

if TYPE_CHECKING:
    from runtime.config import RuntimeConfig, ServerSpec, Window
    from runtime.host.admission import Admission
    from runtime.journal.chronicle import Chronicle
    from runtime.registry import Directory


@final
@define(eq=False, repr=False)
class House:
    """The memory of one runtime. Names are resolved here, and a name that is none is told by a `ServerNotFound`."""

    config: RuntimeConfig  # what the fleet is made of now; of the host, what it was opened on
    feed: Feed
    records: dict[str, Record] = field(factory=dict, init=False)  # in the order of the configuration
    directory: Directory = field(default=EMPTY, init=False)
    closed: bool = field(default=False, init=False)
    admission: Admission = field(init=False)
    chronicle: Chronicle = field(init=False)
    system: actors.System = field(init=False)
    registry: actors.Ref = field(init=False)
    cache: actors.Ref = field(init=False)

    def record_of(self, spec: ServerSpec, window: Window, after: tuple[Record, ...]) -> Record:
        """Begin to remember a server, or tell the one that is remembered by its name what it is to be."""
        if (record := self.records.get(spec.name)) is None:
            record = self.records[spec.name] = Record(spec, window, after)
        else:
            record.respecify(spec, window, after)
        return record

    def close(self) -> None:
        """The tree is about to be stopped: nothing is done with it any more, and nobody waits for anything of it."""
        self.closed = True
        for record in self.records.values():
            record.move(State.STOPPED)
            record.watched.end()
        self.feed.close()

    # -- names

    def known(self, server: str, caller: str | None = None) -> Record:
        """Return a server that something is to be done with. Raises `ServerNotFound`, `RuntimeClosed`."""
        if self.closed:
            raise RuntimeClosed
        return self.named(server, caller)

    def named(self, server: str, caller: str | None = None) -> Record:
        """Return a server that is only looked at. Raises `ServerNotFound` with those that ``caller`` may see."""
        try:
            return self.records[server]
        except (KeyError, TypeError):
            raise ServerNotFound(str(server), self.admission.servers(caller)) from None

    @property
    def fleet(self) -> actors.SupervisorRef:
        """The supervisor of all islands."""
        return self.system.supervisor("fleet")

    def above(self, name: str) -> str:
        """Return the path of the supervisor that a server, where it has no group its island, is a child of."""
        group = self._group_of(name)
        return "fleet" if group is None else f"{self.above(group)}/{child_name(group)}"

    def island(self, name: str) -> str:
        """Return the child of the fleet that holds a server: itself, or its outermost group."""
        group = self._group_of(name)
        return name if group is None else self.island(group)

    def members(self, island: str) -> Iterable[str]:
        """Return the servers of an island, at any depth."""
        if island not in self.config.groups:
            return [island]
        return [name for member in self.config.groups[island].servers for name in self.members(member)]

    def _group_of(self, member: str) -> str | None:
        return next((name for name, group in self.config.groups.items() if member in group.servers), None)


def why_down(record: Record) -> GreenroomError:
    """Say what whoever wants something of a server that is down is to be told."""
    if record.gone:
        return ServerStopped(record.name, gone=True)
    if isinstance(record.last_error, ServerFailed) and record.last_error.lasting:
        return copy(record.last_error)  # of its own, for a raised error collects where it was raised
    if record.state is State.EJECTED:
        return ServerEjected(record.name, record.window.intensity, record.window.period, record.last_error)
    return ServerStopped(record.name)
