"""How two peers find each other: who they are, what they offer, which revision they speak."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field

from ..versions import CLIENT_CAPABILITIES, CLIENT_INFO, LOG_LEVEL, PROTOCOL_VERSION, SERVER_INFO, SUBSCRIPTION_ID
from .part import CacheableResult, Params, Part, Result, part

if TYPE_CHECKING:
    from .capabilities import ClientCapabilities, ServerCapabilities
    from .icons import Icon
    from .logging import LoggingLevel

__all__ = [
    "DiscoverResult",
    "Implementation",
    "InitializeParams",
    "InitializeResult",
    "NotificationMeta",
    "RequestMeta",
    "ResultMeta",
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


@part
class RequestMeta(Part):
    """What MCP itself says in a request's ``_meta``; in the legacy era no more than the progress token."""

    progress_token: int | str | None = None
    protocol_version: str | None = field(default=None, metadata={"wire": PROTOCOL_VERSION})
    client_capabilities: ClientCapabilities | None = field(default=None, metadata={"wire": CLIENT_CAPABILITIES})
    client_info: Implementation | None = field(default=None, metadata={"wire": CLIENT_INFO})
    log_level: LoggingLevel | None = field(default=None, metadata={"wire": LOG_LEVEL})


@part
class ResultMeta(Part):
    """What MCP itself says in a result's ``_meta`` (modern)."""

    server_info: Implementation | None = field(default=None, metadata={"wire": SERVER_INFO})
    subscription_id: int | str | None = field(default=None, metadata={"wire": SUBSCRIPTION_ID})
    """The id of the ``subscriptions/listen`` that this result ends."""


@part
class NotificationMeta(Part):
    """What MCP itself says in a notification's ``_meta`` (modern)."""

    subscription_id: int | str | None = field(default=None, metadata={"wire": SUBSCRIPTION_ID})
    """The id of the ``subscriptions/listen`` to which the notification belongs."""
