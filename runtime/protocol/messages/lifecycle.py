"""How two peers find each other: who they are, what they offer, which revision they speak."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .part import CacheableResult, Params, Part, Result, part

if TYPE_CHECKING:
    from .capabilities import ClientCapabilities, ServerCapabilities
    from .icons import Icon

__all__ = [
    "DiscoverResult",
    "Implementation",
    "InitializeParams",
    "InitializeResult",
]


@part
class Implementation(Part):
    """Who a peer says it is. For display only: never decide by it."""

    name: str
    version: str
    title: str | None = None
    description: str | None = None
    website_url: str | None = None
    icons: tuple[Icon, ...] | None = None

    def __str__(self) -> str:
        return f"{self.title or self.name} {self.version}"


@part
class DiscoverResult(CacheableResult):
    """The answer to ``server/discover`` (modern)."""

    supported_versions: tuple[str, ...]
    capabilities: ServerCapabilities
    instructions: str | None = None


@part
class InitializeParams(Params):
    """``initialize`` (legacy)."""

    protocol_version: str
    capabilities: ClientCapabilities
    client_info: Implementation


@part
class InitializeResult(Result):
    """The answer to ``initialize`` (legacy)."""

    protocol_version: str
    capabilities: ServerCapabilities
    server_info: Implementation
    instructions: str | None = None
