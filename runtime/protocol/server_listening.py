"""What a listener wishes to be told, and what of it is promised (MCP 2026-07-28, ``subscriptions/listen``)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from .jsonrpc import RequestId, encode_notification
from .server_admission import invalid
from .versions import SUBSCRIPTION_ID

__all__ = ["LISTS", "check_wish", "frame", "honoured"]

LISTS = {"tools": "toolsListChanged", "prompts": "promptsListChanged", "resources": "resourcesListChanged"}
"""What a wish calls the changes of each list."""

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def check_wish(params: Mapping[str, Any]) -> None:
    """Refuse a wish that is none."""
    if type(wish := params.get("notifications")) is not dict:
        raise invalid("notifications must be an object")
    for name in LISTS.values():
        if not isinstance(wish.get(name), bool | None):
            raise invalid(f"notifications.{name} must be true or false")
    uris = wish.get("resourceSubscriptions", [])
    if type(uris) is not list or not all(isinstance(uri, str) for uri in uris):
        raise invalid("notifications.resourceSubscriptions must be an array of strings")


def honoured(wish: Mapping[str, Any], capabilities: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a wish that the capabilities promise to fulfil."""
    offered = {kind: capabilities.get(kind) or _NOTHING for kind in LISTS}
    kept: dict[str, Any] = {
        name: True for kind, name in LISTS.items() if wish.get(name) and offered[kind].get("listChanged")
    }
    if wish.get("resourceSubscriptions") and offered["resources"].get("subscribe"):
        kept["resourceSubscriptions"] = wish["resourceSubscriptions"]
    return kept


def frame(id: RequestId, method: str, params: Mapping[str, Any]) -> bytes:
    """One of the notifications that belong to a listener."""
    return encode_notification(method, {**params, "_meta": {SUBSCRIPTION_ID: id}})
