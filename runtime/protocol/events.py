"""Events that both ends of a connection report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen
from msgspec import Raw

from runtime.value import Value

from .jsonrpc import JsonRpcError, RequestId

__all__ = ["Answered", "Asked", "Failed", "Ignored", "Notified", "Send"]


@frozen(repr=False)
class Asked(Value):
    """The peer's request, to be answered by whoever drives the connection; ``params`` is decoded JSON."""

    id: RequestId
    method: str
    params: Mapping[str, Any]


@frozen(repr=False)
class Answered(Value):
    """The result of a request of this side, raw: `result_from_wire` gives it its type."""

    id: RequestId
    result: Raw


@frozen(repr=False)
class Failed(Value):
    """A request of this side that the peer answered with an error."""

    id: RequestId
    error: JsonRpcError


@frozen(repr=False)
class Notified(Value):
    method: str
    params: Raw | None


@frozen(repr=False)
class Send(Value):
    """Bytes that the driver must write, in this order."""

    data: bytes


@frozen(repr=False)
class Ignored(Value):
    """A line that changes nothing: noise, an answer nobody waits for. Count it; it is never fatal."""

    reason: str
    line: str
    """The start of the line, printable."""
