"""What every modern request says about its sender, in ``params._meta`` (MCP 2026-07-28, basic/index: ``_meta``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from .errors import LocalProtocolError
from .jsonrpc import MALFORMED, Body, RequestId, encode_json
from .messages import ClientCapabilities, Implementation
from .versions import CLIENT_CAPABILITIES, CLIENT_INFO, LOG_LEVEL, MODERN_VERSION, PROTOCOL_VERSION
from .wire import to_wire

__all__ = ["members_of", "modern_meta", "with_meta"]

_decode_members = msgspec.json.Decoder(dict[str, Raw] | None).decode


def modern_meta(info: Implementation, capabilities: ClientCapabilities, log_level: str | None = None) -> dict[str, Raw]:
    """The envelope, each value spelled already. No log level, no log messages."""
    values: dict[str, Any] = {
        PROTOCOL_VERSION: MODERN_VERSION,
        CLIENT_CAPABILITIES: to_wire(capabilities),
        CLIENT_INFO: to_wire(info),
    }
    if log_level is not None:
        values[LOG_LEVEL] = log_level
    return {key: Raw(encode_json(value)) for key, value in values.items()}


def members_of(body: Body | None) -> Mapping[str, Any]:
    """The members of a JSON object, decoded or not, each as raw as it came; null and None have none.

    Raises:
        LocalProtocolError: raw JSON that is no object.
    """
    if not isinstance(body, Raw):
        return body or {}
    try:
        return _decode_members(body) or {}
    except MALFORMED as error:
        raise LocalProtocolError(f"params and their _meta must be JSON objects: {error}") from None


def with_meta(
    params: Body | None, envelope: Mapping[str, Raw], meta: Mapping[str, Any] | None, token: RequestId | None
) -> Mapping[str, Any]:
    """``params`` with a ``_meta`` in which the envelope yields to their own keys, and those to ``meta``."""
    members = members_of(params)
    merged: dict[str, Any] = {**envelope, **members_of(members.get("_meta"))}
    if meta:
        merged.update(meta)
    if token is not None:
        merged["progressToken"] = token
    return {**members, "_meta": merged} if merged else members
