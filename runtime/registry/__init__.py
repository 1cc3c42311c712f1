"""Which tools there are: catalogs of servers, kept by an actor, published as an immutable directory."""

from runtime.registry.directory import EMPTY, Catalog, Directory, ToolEntry
from runtime.registry.registry import CatalogFetched, CatalogGone, Published, Registry

__all__ = ["EMPTY", "Catalog", "CatalogFetched", "CatalogGone", "Directory", "Published", "Registry", "ToolEntry"]
