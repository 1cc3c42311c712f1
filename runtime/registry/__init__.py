"""What servers list: catalogs, kept by an actor, published as an immutable directory."""

from runtime.registry.directory import (
    EMPTY,
    Catalog,
    Directory,
    PromptEntry,
    ResourceEntry,
    ResourceTemplateEntry,
    ToolEntry,
)
from runtime.registry.registry import CatalogFetched, CatalogGone, Published, Registry

__all__ = [
    "EMPTY",
    "Catalog",
    "CatalogFetched",
    "CatalogGone",
    "Directory",
    "PromptEntry",
    "Published",
    "Registry",
    "ResourceEntry",
    "ResourceTemplateEntry",
    "ToolEntry",
]
