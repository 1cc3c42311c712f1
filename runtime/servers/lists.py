"""What a server lists: tools, resources, resource templates, prompts, each page by page and item by item.

One malformed item is left out and told, and so is a list that cannot be had; only without its tools, which are what
servers are for, a server has no start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, final

import trio
from attrs import define, field, frozen

import runtime.protocol as protocol
from runtime.errors import HandshakeRefused
from runtime.protocol import Era, Paging, ServerCapabilities, Tool, WireError
from runtime.protocol.codes import METHOD_NOT_FOUND
from runtime.registry import Catalog
from runtime.servers.conversation import Conversation
from runtime.servers.pending import Refused

Kind: TypeAlias = Literal["tools", "resources", "resource_templates", "prompts"]

_METHODS: Mapping[Kind, str] = {
    "tools": "tools/list",
    "resources": "resources/list",
    "resource_templates": "resources/templates/list",
    "prompts": "prompts/list",
}
_PAGES: Mapping[Kind, str] = {
    "tools": "ListToolsResult",
    "resources": "ListResourcesResult",
    "resource_templates": "ListResourceTemplatesResult",
    "prompts": "ListPromptsResult",
}
_IDENTITY: Mapping[Kind, Callable[[Any], str]] = {
    "tools": lambda tool: tool.name,
    "resources": lambda resource: resource.uri,
    "resource_templates": lambda template: template.uri_template,
    "prompts": lambda prompt: prompt.name,
}


@final
@frozen
class Listed:
    """One list: its items by what they are called, and what is wrong with it."""

    items: Mapping[str, Any] = MappingProxyType({})
    flaws: tuple[str, ...] = ()


def declared(capabilities: ServerCapabilities) -> frozenset[Kind]:
    """Return the lists that a server has."""
    kinds: set[Kind] = set()
    if capabilities.tools is not None:
        kinds.add("tools")
    if capabilities.resources is not None:
        kinds |= {"resources", "resource_templates"}
    if capabilities.prompts is not None:
        kinds.add("prompts")
    return frozenset(kinds)


async def fetch(conversation: Conversation, kinds: Iterable[Kind]) -> Mapping[Kind, Listed]:
    """Fetch lists, all at once. Raises `HandshakeRefused` where the tools cannot be had."""
    found: dict[Kind, Listed] = {}
    missing: list[HandshakeRefused] = []

    async def one(kind: Kind) -> None:
        try:
            found[kind] = await _pages(conversation, kind)
        except (Refused, WireError) as error:
            reason = str(error) if isinstance(error, Refused) else f"{_METHODS[kind]}: {error}"
            if kind == "tools":
                missing.append(conversation.refused(reason))
            elif kind == "resource_templates" and isinstance(error, Refused) and error.code == METHOD_NOT_FOUND:
                found[kind] = Listed()  # the capability is that of resources, and need not mean templates
            else:
                found[kind] = Listed(flaws=(conversation.link.hide(reason),))

    async with trio.open_nursery() as nursery:
        for kind in kinds:
            nursery.start_soon(one, kind)
    for error in missing:
        raise error
    return found


async def _pages(conversation: Conversation, kind: Kind) -> Listed:
    """Raises `Refused` or `WireError`: it cannot be had, or not as a whole."""
    method = _METHODS[kind]
    page_type: Any = getattr(protocol, _PAGES[kind])
    items: dict[str, Any] = {}
    flaws: list[str] = []
    pages = Paging()
    while not pages.done:
        answer = await conversation.ask(method, {} if pages.cursor is None else {"cursor": pages.cursor})
        page, faults = protocol.items_from_wire(page_type, answer)
        flaws += [f"{method}: {fault}" for fault in faults]
        for item in getattr(page, kind):
            if kind == "tools" and (why := _unfit(conversation, item)) is not None:
                flaws.append(f"tool {item.name!r}: {why}")
            else:
                items[_IDENTITY[kind](item)] = item
        pages.turn(page.next_cursor)
    return Listed(MappingProxyType(items), tuple(map(conversation.link.hide, flaws)))


def _unfit(conversation: Conversation, tool: Tool) -> str | None:
    """Say why a tool must not be used: over HTTP a modern one may have its arguments mirrored in headers, wrongly."""
    if not conversation.link.speaks_http or conversation.connection.era is not Era.MODERN:
        return None
    from runtime.transports.headers import invalid_annotation

    return invalid_annotation(tool.input_schema)


@final
@define(eq=False, repr=False)
class Lists:
    """The lists of one server as they were fetched last, and which of them are out of date."""

    _conversation: Conversation
    _kinds: frozenset[Kind] = field(default=frozenset(), init=False)  # that there are
    _listed: dict[Kind, Listed] = field(factory=dict, init=False)
    _changed: set[Kind] = field(factory=set, init=False)  # since they were fetched
    _news: trio.Event = field(factory=trio.Event, init=False)

    def expect(self, capabilities: ServerCapabilities) -> None:
        """The server has said what it has: all of that is to be fetched."""
        self._kinds = declared(capabilities)
        self.change(*self._kinds)

    def change(self, *kinds: Kind) -> None:
        """Note that these are out of date."""
        self._changed |= self._kinds.intersection(kinds)
        self._news.set()

    def change_all(self) -> None:
        """Note that everything is out of date."""
        self.change(*self._kinds)

    async def wait_changed(self) -> None:
        """Wait until something is."""
        await self._news.wait()

    async def fetch(self) -> None:
        """Fetch what is out of date; what changes meanwhile is so again. Raises `HandshakeRefused`."""
        changed, self._changed, self._news = self._changed, set(), trio.Event()
        self._listed |= await fetch(self._conversation, changed)

    def catalog(self, server: str, incarnation: int) -> Catalog:
        """Return all of it."""
        items = {kind: listed.items for kind, listed in self._listed.items()}
        flaws: dict[str, tuple[str, ...]] = {
            kind: listed.flaws for kind, listed in self._listed.items() if listed.flaws
        }
        return Catalog(server, incarnation, **items, flaws=MappingProxyType(flaws))
