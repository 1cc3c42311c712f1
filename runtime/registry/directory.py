"""The directory: an immutable snapshot of all catalogs, read without asking anybody."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, final

from msgspec import Struct

if TYPE_CHECKING:
    from runtime.protocol import Prompt, Resource, ResourceTemplate, Tool

_WORD = re.compile(r"[^\W_]+")


@final
class ToolEntry(Struct, frozen=True, repr_omit_defaults=True):
    """A tool and the server that has it."""

    server: str
    tool: Tool

    @property
    def name(self) -> str:
        """The tool's name, as the server calls it."""
        return self.tool.name


@final
class ResourceEntry(Struct, frozen=True, repr_omit_defaults=True):
    """A resource and the server that has it."""

    server: str
    resource: Resource

    @property
    def uri(self) -> str:
        """What it is read by."""
        return self.resource.uri


@final
class ResourceTemplateEntry(Struct, frozen=True, repr_omit_defaults=True):
    """Resources by a pattern of their URIs, and the server that has them."""

    server: str
    template: ResourceTemplate

    @property
    def uri_template(self) -> str:
        """The pattern, one of RFC 6570."""
        return self.template.uri_template


@final
class PromptEntry(Struct, frozen=True, repr_omit_defaults=True):
    """A prompt and the server that has it."""

    server: str
    prompt: Prompt

    @property
    def name(self) -> str:
        """The prompt's name, as the server calls it."""
        return self.prompt.name


NOTHING: Mapping[str, Any] = MappingProxyType({})


@final
class Catalog(Struct, frozen=True, repr_omit_defaults=True):
    """What one incarnation of a server lists."""

    server: str
    incarnation: int
    tools: Mapping[str, Tool] = NOTHING
    resources: Mapping[str, Resource] = NOTHING  # by URI
    resource_templates: Mapping[str, ResourceTemplate] = NOTHING  # by pattern
    prompts: Mapping[str, Prompt] = NOTHING
    flaws: Mapping[str, tuple[str, ...]] = NOTHING  # {kind of list: what of it could not be had}


@final
class Directory(Struct, frozen=True, repr_omit_defaults=True):
    """All catalogs at one moment; each change is a new directory with the next ``version``."""

    version: int = 0
    catalogs: Mapping[str, Catalog] = NOTHING

    def with_catalog(self, catalog: Catalog) -> Directory:
        """Return the next directory, in which ``catalog`` replaces what its server had."""
        return self._next({**self.catalogs, catalog.server: catalog})

    def without(self, server: str) -> Directory:
        """Return the next directory, which does not know ``server``; this one if it never did."""
        if server not in self.catalogs:
            return self
        return self._next({name: catalog for name, catalog in self.catalogs.items() if name != server})

    def _next(self, catalogs: Mapping[str, Catalog]) -> Directory:
        return Directory(self.version + 1, MappingProxyType(dict(catalogs)))

    def tools(self, server: str | None = None) -> tuple[ToolEntry, ...]:
        """Return the tools of one server, or of all, by server in the order they came."""
        return tuple(ToolEntry(each.server, tool) for each in self._of(server) for tool in each.tools.values())

    def resources(self, server: str | None = None) -> tuple[ResourceEntry, ...]:
        """Return the resources of one server, or of all."""
        return tuple(
            ResourceEntry(each.server, found) for each in self._of(server) for found in each.resources.values()
        )

    def resource_templates(self, server: str | None = None) -> tuple[ResourceTemplateEntry, ...]:
        """Return the resource templates of one server, or of all."""
        return tuple(
            ResourceTemplateEntry(each.server, found)
            for each in self._of(server)
            for found in each.resource_templates.values()
        )

    def prompts(self, server: str | None = None) -> tuple[PromptEntry, ...]:
        """Return the prompts of one server, or of all."""
        return tuple(PromptEntry(each.server, found) for each in self._of(server) for found in each.prompts.values())

    def _of(self, server: str | None) -> Iterable[Catalog]:
        return self.catalogs.values() if server is None else [c for c in (self.catalogs.get(server),) if c]

    def discover(self, query: str, limit: int | None = None) -> tuple[ToolEntry, ...]:
        """Return the tools that fit a query best, best first; none that fits none of its words."""
        words = _words(query)
        scored = [(_score(entry, words), -place, entry) for place, entry in enumerate(self.tools())]
        found = sorted((item for item in scored if item[0] > 0), key=lambda item: item[:2], reverse=True)
        return tuple(entry for _, _, entry in found[:limit])


EMPTY = Directory()


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


def _score(entry: ToolEntry, words: list[str]) -> float:
    """Weigh a word by where it is found: in a name most, in prose least; a beginning counts half of a whole."""
    tool = entry.tool
    properties = tool.input_schema.get("properties")
    places = (
        (8.0, _words(f"{tool.name} {tool.title or ''}")),
        (4.0, [entry.server.lower(), *_words(entry.server)]),
        (2.0, _words(" ".join(properties)) if isinstance(properties, Mapping) else []),
        (1.0, _words(tool.description or "")),
    )
    return sum(_fit(word, weight, found) for word in words for weight, found in places)


def _fit(word: str, weight: float, found: list[str]) -> float:
    if word in found:
        return weight
    if len(word) > 2 and any(other.startswith(word) for other in found):
        return weight / 2
    return 0.0
