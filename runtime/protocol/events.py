"""Events that both ends of a connection report."""

from __future__ import annotations

from attrs import frozen
from msgspec import Raw

__all__ = ["Ignored", "Notified", "Send"]


@frozen
class Notified:
    method: str
    params: Raw | None


@frozen
class Send:
    """Bytes that the driver must write, in this order."""

    data: bytes


@frozen
class Ignored:
    """A line that changes nothing: noise, an answer nobody waits for. Count it; it is never fatal."""

    reason: str
    line: str
    """The start of the line, printable."""
