"""Events that both ends of a connection report."""

from __future__ import annotations

from attrs import frozen
from msgspec import Raw

from runtime.value import Value

__all__ = ["Ignored", "Notified", "Send"]


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
