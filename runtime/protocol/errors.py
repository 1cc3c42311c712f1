"""What goes wrong between two peers, as exceptions with fields.

Split by who must act: :class:`InvalidMessage` and :class:`WireError` blame the peer, :class:`HandshakeFailed`
says that the two cannot agree, :class:`LocalProtocolError` is a bug of the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, final

from attrs import define

if TYPE_CHECKING:
    from .jsonrpc import JsonRpcError

__all__ = [
    "HandshakeFailed",
    "InvalidMessage",
    "LocalProtocolError",
    "MissingCapability",
    "ProtocolError",
    "UnexpectedResultType",
    "UnknownMethod",
    "WireError",
]

EXCERPT = 200
"""Bytes of a bad line that a report shows."""


def excerpt(line: bytes | bytearray | memoryview) -> str:
    """The start of ``line`` as printable text, at most `EXCERPT` bytes of it."""
    head = bytes(line[:EXCERPT]).decode("utf-8", "backslashreplace")
    return head + ("…" if len(line) > EXCERPT else "")


class ProtocolError(Exception):
    """Base of all errors of the protocol layer."""


@final
@define(repr=False)
class InvalidMessage(ProtocolError):
    """A line that is no JSON-RPC 2.0 message: noise, a batch, a broken envelope.

    Not raised for a proper message with wrong contents: that is a `WireError`.
    """

    reason: str
    line: str
    """The start of the line, printable."""
    answers: int | str | None = None
    """The request that this would have been the answer to, where its id can be read: there will be no other."""
    asks: int | str | None = None
    """The id of the request that this would have been, where it can be read: its sender waits for an answer."""

    def __str__(self) -> str:
        return f"not a JSON-RPC message: {self.reason}: {self.line!r}"


@define(repr=False)
class WireError(ProtocolError):
    """A value that does not have the shape its MCP type demands."""

    type: str
    """The MCP type that was expected, as the specification calls it."""
    path: str
    """Where, in the wire's own names: ``tools[3].inputSchema``; empty for the value itself."""
    reason: str

    def __str__(self) -> str:
        return f"invalid {self.type}: {self.path or 'value'} {self.reason}"


@final
@define(repr=False)
class UnexpectedResultType(WireError):
    """A modern result whose ``resultType`` asks for something that was never offered to the server."""

    result_type: str


@final
@define(repr=False)
class UnknownMethod(ProtocolError):
    """A method that a revision of MCP does not have."""

    method: str
    version: str

    def __str__(self) -> str:
        return f"MCP {self.version} has no method {self.method!r}"


@final
@define(repr=False)
class HandshakeFailed(ProtocolError):
    """The server can be reached but no common revision or no valid greeting was found.

    Silence is not this: the driver holds the clock.
    """

    method: str
    """The request that settled it: ``server/discover`` or ``initialize``."""
    reason: str
    error: JsonRpcError | None = None
    """The server's own error, where it sent one."""
    supported: tuple[str, ...] = ()
    """The revisions that the server named."""

    def __str__(self) -> str:
        told = f": {self.error}" if self.error is not None else ""
        versions = f" (the server supports {', '.join(self.supported)})" if self.supported else ""
        return f"{self.method}: {self.reason}{told}{versions}"


@final
@define(repr=False)
class LocalProtocolError(ProtocolError):
    """This side asked for something that the connection's state or era does not allow; nothing was sent."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@final
@define(repr=False)
class MissingCapability(ProtocolError):
    """The client did not declare what it would need to be asked this; nothing was sent."""

    method: str
    required: Mapping[str, Any]
    """The capabilities that are missing, as ``ClientCapabilities`` in wire names."""

    def __str__(self) -> str:
        (feature, modes), *_ = self.required.items()
        which = f" ({', '.join(modes)})" if modes else ""
        return f"{self.method}: this client did not offer {feature}{which}"
