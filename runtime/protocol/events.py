"""Events that both ends of a connection report.

They are msgspec structs: a connection makes one of each line, and a struct is made five times as fast as an attrs
class, its class fifteen times.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from .errors import WireError
from .jsonrpc import JsonRpcError, RequestId

__all__ = ["Answered", "Asked", "CancelRequested", "Event", "Failed", "Ignored", "Invalid", "Notified", "Send"]


class Event(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """Base of what a connection reports. A raw part of an event holds the line that it came with in memory."""


class Asked(Event, frozen=True):
    """The peer's request, to be answered by whoever drives the connection; ``params`` is decoded JSON."""

    id: RequestId
    method: str
    params: Mapping[str, Any]


class CancelRequested(Event, frozen=True):
    """The peer no longer waits for what it asked: stop the work. Nothing more is sent for it."""

    id: RequestId
    reason: str | None


class Answered(Event, frozen=True):
    """The result of a request of this side, raw: `result_from_wire` gives it its type."""

    id: RequestId
    result: Raw


class Failed(Event, frozen=True):
    """A request of this side that the peer answered with an error."""

    id: RequestId
    error: JsonRpcError


class Invalid(Event, frozen=True):
    """A request of this side was answered with what is no answer to it; there will be no other."""

    id: RequestId
    error: WireError


class Notified(Event, frozen=True):
    method: str
    params: Raw | None


class Send(Event, frozen=True):
    """Bytes that the driver must write, in this order."""

    data: bytes


class Ignored(Event, frozen=True):
    """A line that changes nothing: noise, an answer nobody waits for. Count it; it is never fatal."""

    reason: str
    line: str
    """The start of the line, printable."""
