"""The tree under a runtime: the specs that it is made of, and what its supervisors tell about it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from math import inf
from typing import TYPE_CHECKING, final

from attrs import define, field

import actors
from actors import ActorCrashed, ActorStopped, Backoff, ChildSpec, RestartWindow, SupervisorSpec, Verdict
from runtime.cache import Cache, Forget
from runtime.errors import in_short
from runtime.host.house import House
from runtime.journal import ServerCrashed
from runtime.journal import ServerEjected as EjectedEvent
from runtime.journal import ServerStopped as StoppedEvent
from runtime.registry import CatalogFetched, CatalogGone, Registry
from runtime.servers import Handlers, Record, Services, State, fleet_specs, island_spec

if TYPE_CHECKING:
    from runtime.registry import Catalog, Directory
    from runtime.servers import OpenLink

WINDOW = RestartWindow(intensity=10, period=60.0)

JOURNAL_BACKOFF = Backoff(first=0.5, cap=30.0)
"""So slow that the journal alone never spends the window: what happens is worth writing down, not dying for."""


@final
@define(eq=False, repr=False)
class Tree:
    """Makes the specs, and turns what becomes of their children into what is known of servers, and into events."""

    _house: House
    _open_link: OpenLink
    _handlers: Handlers
    leave: Callable[[str], object] = lambda server: None
    """Told of a server that will not be at its address again: its port is another's to have."""
    _services: Services = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._services = Services(self._open_link, self._house.feed, self._take_catalog, self.is_down, self._handlers)

    # -- what it is made of

    def specs(self) -> tuple[SupervisorSpec, ...]:
        """Return the children of the root: the services first, for the fleet speaks to them."""
        return (
            SupervisorSpec("services", self._service_specs(), window=WINDOW),
            SupervisorSpec("fleet", self.islands, window=WINDOW, concurrent_stop=True),
        )

    def islands(self, only: Collection[str] | None = None) -> tuple[SupervisorSpec, ...]:
        """Return the specs of the islands of the configuration as it is now, or of those of these names."""
        return fleet_specs(self._house.config, self._house.record_of, self._services, only)

    def island(self, record: Record) -> SupervisorSpec:
        """Return the spec of a further server."""
        return island_spec(record, self._services)

    def _service_specs(self) -> tuple[ChildSpec, ...]:
        from runtime.journal.journal import open_journal

        house = self._house

        def registry() -> Registry:
            house.registry = actors.context().ref
            registry = Registry(house.directory, self._publish, house.feed)
            for record in house.records.values():  # what one before it was told, and could not publish any more
                known = record.catalog
                registry.receive(CatalogGone(record.name) if known is None else CatalogFetched(known))
            return registry

        def cache() -> Cache:
            house.cache = actors.context().ref
            return Cache(house.config.cache.entries_per_tool)

        # None is bounded: who speaks to them is, and what they are told may not get lost.
        return (
            ChildSpec("journal", partial(open_journal, house.chronicle), capacity=inf, backoff=JOURNAL_BACKOFF),
            ChildSpec("registry", registry, capacity=inf),
            ChildSpec("cache", cache, capacity=inf),
        )

    def _publish(self, directory: Directory) -> None:
        self._house.directory = directory

    async def _take_catalog(self, catalog: Catalog) -> None:
        self._house.cache.tell(Forget(catalog.server))
        with suppress(ActorCrashed, ActorStopped):  # the next registry begins with what the records hold
            await self._house.registry.ask(CatalogFetched(catalog))

    # -- what it tells

    def observe(self, event: actors.TreeEvent) -> None:
        """Take in what the supervisors do."""
        match event:
            case actors.ChildExited(path, _, _, decided):
                for record in self._house.records.values():
                    at = record.ref.path if record.ref is not None else ""
                    if at == path:
                        self._server_exited(record, event)
                    elif at.startswith(f"{path}/") and decided is not Verdict.RESTART:
                        self.is_down(record, State.EJECTED)
            case actors.ChildStarted("fleet"):
                self._forget_spawned()

    def _server_exited(self, record: Record, event: actors.ChildExited) -> None:
        feed = self._house.feed
        restarts = event.verdict is Verdict.RESTART
        reason = str(event.reason)
        if isinstance(event.reason, actors.Crashed):
            record.last_error = event.reason.exception
            reason = in_short(record.last_error)
        if restarts or not isinstance(event.reason, actors.Normal | actors.Shutdown):
            delay = event.delay if restarts else None
            feed.publish(ServerCrashed(feed.now(), record.name, record.incarnation, reason, delay))
        if restarts:
            record.restarts += 1
        elif event.verdict is not None:
            self.is_down(record, State.STOPPED)

    def is_down(self, record: Record, state: State) -> None:
        """Note that a server stays down, and forget what it listed and answered."""
        if record.state is state:
            return
        record.catalog = None
        record.move(state)
        feed, name, window = self._house.feed, record.name, record.window
        now, ejected = feed.now(), state is State.EJECTED
        feed.publish(EjectedEvent(now, name, window.intensity, window.period) if ejected else StoppedEvent(now, name))
        self._house.registry.tell(CatalogGone(name))
        self._house.cache.tell(Forget(name))

    def _forget_spawned(self) -> None:
        """A fleet that is started again begins with the configuration's servers: who was spawned is gone."""
        house = self._house
        for record in [record for name, record in house.records.items() if name not in house.config.servers]:
            self.forget(record)

    def forget(self, record: Record) -> None:
        """Note that a server is gone for good, and tell all who wait for something of it."""
        record.gone = True
        self.is_down(record, State.STOPPED)
        record.watched.end()
        del self._house.records[record.name]
