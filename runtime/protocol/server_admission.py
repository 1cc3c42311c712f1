"""What a request must bring along to be admitted: an envelope of a revision that is spoken, and objects for objects.

MCP 2026-07-28, basic/index: ``_meta``; basic/versioning.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from . import codes
from .jsonrpc import JsonRpcError
from .versions import CLIENT_CAPABILITIES, LEGACY_VERSIONS, LOG_LEVEL, MODERN_VERSION, PROTOCOL_VERSION, Era

__all__ = ["LOG_LEVELS", "Refused", "check_envelope", "check_era", "invalid", "object_in", "versions_data"]

LOG_LEVELS: Final = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
"""By severity, the least first (RFC 5424)."""


class Refused(Exception):
    """Becomes the answer of the request in hand."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.error = JsonRpcError(code, message, data)


def invalid(reason: str) -> Refused:
    return Refused(codes.INVALID_PARAMS, f"Invalid params: {reason}")


def object_in(params: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = params.get(name)
    if value is None:
        return {}
    if type(value) is not dict:
        raise invalid(f"{name} must be an object")
    return value


def check_envelope(meta: Mapping[str, Any], eras: Collection[Era]) -> None:
    """Refuse an envelope that is none, or of a revision that is not spoken."""
    version = meta[PROTOCOL_VERSION]
    if not isinstance(version, str):
        raise invalid(f"_meta: {PROTOCOL_VERSION} must be a string")
    check_era(Era.MODERN, eras, version)
    if version != MODERN_VERSION:
        raise Refused(
            codes.UNSUPPORTED_VERSION, f"Unsupported protocol version: {version}", versions_data(version, eras)
        )
    if not isinstance(meta.get(CLIENT_CAPABILITIES), dict):
        raise invalid(f"_meta lacks {CLIENT_CAPABILITIES}")
    if (level := meta.get(LOG_LEVEL)) is not None and level not in LOG_LEVELS:
        raise invalid(f"_meta: {LOG_LEVEL} must be one of {', '.join(LOG_LEVELS)}")


def check_era(era: Era, eras: Collection[Era], version: Any) -> None:
    """Refuse an era that is not spoken; ``version`` is the one asked for."""
    if era not in eras:
        spoken = MODERN_VERSION if era is Era.LEGACY else LEGACY_VERSIONS[0]
        raise Refused(codes.UNSUPPORTED_VERSION, f"This server speaks {spoken}", versions_data(version, eras))


def versions_data(requested: Any, eras: Collection[Era] = (Era.MODERN,)) -> dict[str, Any]:
    supported = [MODERN_VERSION] if Era.MODERN in eras else list(LEGACY_VERSIONS)
    return {"supported": supported, "requested": requested if isinstance(requested, str) else ""}
