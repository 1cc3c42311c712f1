"""A server's log."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from .part import Params, part

__all__ = ["LoggingLevel", "LoggingMessage", "SetLevelParams"]

LoggingLevel: TypeAlias = Literal[
    "debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"
]  # as in RFC 5424


@part
class SetLevelParams(Params):
    """``logging/setLevel`` (legacy): this level and all above it."""

    level: LoggingLevel


@part
class LoggingMessage(Params):
    """``notifications/message``; ``data`` is any JSON."""

    level: LoggingLevel
    data: Any
    logger: str | None = None
