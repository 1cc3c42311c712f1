"""The registry actor: it takes catalogs in, one after another, and publishes the directory that they make."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from attrs import define, frozen

import actors
from runtime.journal import Feed, ListFlawed, PromptsChanged, ResourcesChanged, ToolsChanged
from runtime.registry.directory import Catalog, Directory


@final
@frozen(repr=False)
class CatalogFetched(actors.Ask[None]):
    """What an incarnation lists, when it is ready and whenever they have changed; answered when they are published."""

    catalog: Catalog


@final
@frozen(repr=False)
class CatalogGone(actors.Tell):
    """The server is no longer part of the fleet."""

    server: str


@final
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
        if new := _new_flaws(known, catalog):
            self.feed.publish(ListFlawed(self.feed.now(), catalog.server, new))
        if known is not None:
            for change, kinds in _CHANGES:
                before = {name: item for kind in kinds for name, item in getattr(known, kind).items()}
                after = {name: item for kind in kinds for name, item in getattr(catalog, kind).items()}
                if before != after:
                    added = tuple(name for name in after if name not in before)
                    removed = tuple(name for name in before if name not in after)
                    self.feed.publish(change(self.feed.now(), catalog.server, added, removed))


_CHANGES = (
    (ToolsChanged, ("tools",)),
    (ResourcesChanged, ("resources", "resource_templates")),
    (PromptsChanged, ("prompts",)),
)


def _new_flaws(known: Catalog | None, catalog: Catalog) -> tuple[str, ...]:
    before = {flaw for flaws in known.flaws.values() for flaw in flaws} if known is not None else set()
    return tuple(flaw for flaws in catalog.flaws.values() for flaw in flaws if flaw not in before)
