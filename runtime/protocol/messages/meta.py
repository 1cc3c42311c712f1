"""What MCP itself says in ``_meta``: for those who want it typed. The messages keep ``_meta`` as it came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field

from ..versions import CLIENT_CAPABILITIES, CLIENT_INFO, LOG_LEVEL, PROTOCOL_VERSION, SERVER_INFO, SUBSCRIPTION_ID
from .part import Part, part

if TYPE_CHECKING:
    from .capabilities import ClientCapabilities
    from .lifecycle import Implementation
    from .logging import LoggingLevel

__all__ = ["NotificationMeta", "RequestMeta", "ResultMeta"]


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
