"""The registry actor: it takes catalogs in, one after another, and publishes the directory that they make."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from attrs import define, frozen

import actors
from runtime.journal import Feed, ToolsChanged
from runtime.registry.directory import Catalog, Directory


@final
@frozen(repr=False)
class CatalogFetched(actors.Ask[None]):
    """An incarnation's tools, when it is ready and whenever they have changed; answered when they are published."""

    catalog: Catalog


@final
@frozen(repr=False)
class CatalogGone(actors.Tell):
    """The server is no longer part of the fleet."""

    server: str


@final
@frozen(repr=False)
class Published(actors.Ask[None]):
    """Answered when all that the registry was told before is published."""


@final
@define(eq=False, repr=False)
class Registry:
    """Takes catalogs in and publishes after each. Starts from a directory: a crash of its own loses nothing."""

    directory: Directory
    publish: Callable[[Directory], None]
    feed: Feed

    def receive(self, message: CatalogFetched | CatalogGone | Published) -> None:
        """Take one change in; an older incarnation's catalog never replaces a newer one's (S3)."""
        match message:
            case CatalogFetched(catalog):
                self._take(catalog)
            case CatalogGone(server):
                self.directory = self.directory.without(server)
            case Published():
                return
        self.publish(self.directory)

    def _take(self, catalog: Catalog) -> None:
        known = self.directory.catalogs.get(catalog.server)
        if known is not None and known.incarnation > catalog.incarnation:
            return
        self.directory = self.directory.with_catalog(catalog)
        if known is not None and known.tools != catalog.tools:
            added = tuple(name for name in catalog.tools if name not in known.tools)
            removed = tuple(name for name in known.tools if name not in catalog.tools)
            self.feed.publish(ToolsChanged(self.feed.now(), catalog.server, added, removed))
