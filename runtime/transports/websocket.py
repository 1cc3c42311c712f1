"""A server reached by a WebSocket: one JSON-RPC message in each text frame, subprotocol ``mcp``.

No revision of MCP defines this transport; it is what the SDKs of the legacy era spoke. To the connection above it is
a pipe like stdio: one connection, its era chosen by the first request, cancellation by a message.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias, final
from urllib.parse import urlsplit

import trio
from attrs import define, field, frozen
from trio_websocket import (
    ConnectionClosed,
    ConnectionRejected,
    HandshakeError,
    WebSocketConnection,
    open_websocket_url,
)
from wsproto.utilities import LocalProtocolError

from runtime.tasks import beside

from . import LineTooLong, Transport, Unauthorized, Unreachable
from .queues import Inbox, Outbox

__all__ = ["WebSocketStatistics", "WebSocketTimeouts", "WebSocketTransport", "open_websocket"]

MESSAGE_LIMIT = 64 * 1024 * 1024
OUTGOING_LIMIT = 4 * 1024 * 1024
INCOMING_LIMIT = 4 * 1024 * 1024

Headers: TypeAlias = Mapping[str, str] | Callable[[], Mapping[str, str]]

_TOO_BIG = 1009  # RFC 6455, 7.4.1
_HELD = 4  # messages that the library holds for us


@final
@frozen
class WebSocketTimeouts:
    """Seconds."""

    connect: float = 10.0
    ping: float | None = 20.0
    """Between two pings; None: none are sent."""
    pong: float = 20.0
    """For the answer to one; a peer that lets it pass is taken for gone."""
    close: float = 2.0
    """For the closing handshake."""


@final
@frozen
class WebSocketStatistics:
    """``queued_bytes`` wait to be written, ``senders_waiting`` tasks wait in `send` for room among them, and
    ``received_bytes`` wait to be received."""

    queued_bytes: int
    senders_waiting: int
    received_bytes: int


@asynccontextmanager
async def open_websocket(
    url: str,
    *,
    headers: Headers | None = None,
    timeouts: WebSocketTimeouts | None = None,
    message_limit: int = MESSAGE_LIMIT,
    outgoing_limit: int = OUTGOING_LIMIT,
    incoming_limit: int = INCOMING_LIMIT,
    verify: ssl.SSLContext | None = None,
) -> AsyncIterator[WebSocketTransport]:
    """Connects, and yields the channel for as long as the block.

    Raises `Unreachable` or `Unauthorized`. `receive` raises `LineTooLong` for a message of more than
    ``message_limit`` bytes, which ends the connection.
    """
    times = timeouts or WebSocketTimeouts()
    given = headers() if callable(headers) else headers or {}
    where = urlsplit(url)._replace(query="", fragment="")
    address = where._replace(netloc=where.netloc.rpartition("@")[2]).geturl()
    connected = False
    try:
        async with open_websocket_url(
            url,
            ssl_context=verify,
            subprotocols=["mcp"],
            extra_headers=[(name.encode(), value.encode("latin-1")) for name, value in given.items()],
            message_queue_size=_HELD,
            max_message_size=message_limit,
            connect_timeout=times.connect,
            disconnect_timeout=times.close,
            receive_buffer_size=65536,
        ) as connection:
            connected = True
            transport = WebSocketTransport(
                connection, times, message_limit, Inbox(incoming_limit), Outbox(outgoing_limit)
            )
            async with beside(transport._write, transport._read, transport._ping):
                try:
                    yield transport
                finally:
                    with trio.CancelScope(shield=True):
                        await transport.aclose()
    except ConnectionRejected as error:
        if connected:
            raise
        if error.status_code in (401, 403):
            challenge = dict(error.headers or ()).get(b"www-authenticate")
            said = None if challenge is None else challenge.decode("latin-1")
            raise Unauthorized(error.status_code, said) from error
        raise Unreachable(address, f"HTTP {error.status_code}") from error
    except HandshakeError as error:
        if connected:
            raise
        reason = str(error.__cause__ or error) or "no connection in time"
        raise Unreachable(address, reason) from error


@final
@frozen
class _Line:
    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)


@final
@define(eq=False, repr=False)
class WebSocketTransport(Transport):
    """The channel to a server behind a WebSocket. Made by `open_websocket`."""

    _connection: WebSocketConnection
    _times: WebSocketTimeouts
    _message_limit: int
    _inbox: Inbox
    _outbox: Outbox[_Line]
    _closing: bool = field(default=False, init=False)
    _closed: trio.Event = field(factory=trio.Event, init=False)

    def statistics(self) -> WebSocketStatistics:
        return WebSocketStatistics(self._outbox.size, self._outbox.senders_waiting, self._inbox.size)

    def send_nowait(self, message: bytes) -> None:
        self._outbox.put_nowait(_Line(message))

    async def send(self, message: bytes) -> None:
        await self._outbox.put(_Line(message))

    async def receive(self) -> bytes:
        return await self._inbox.receive()

    async def receive_batch(self) -> list[bytes]:
        return await self._inbox.receive_batch()

    async def aclose(self) -> None:
        """Says goodbye and waits a moment for the answer; cancelled, it does not."""
        if self._closing:
            await self._closed.wait()
            return
        self._closing = True
        try:
            self._inbox.close()
            self._outbox.end(trio.ClosedResourceError, "this transport was closed")
            with trio.move_on_after(self._times.close), suppress(ConnectionClosed, LocalProtocolError):
                await self._connection.aclose()
        finally:
            self._closed.set()

    def _end(self, error: Exception) -> None:
        """The peer has ended it, or is taken to have."""
        self._inbox.end(error)
        self._outbox.end(trio.BrokenResourceError, "the peer has ended the connection")

    async def _write(self) -> None:
        with suppress(ConnectionClosed, LocalProtocolError):  # the reader says so
            while True:
                line = await self._outbox.take()
                await self._connection.send_message(line.data.removesuffix(b"\n").decode())
                self._outbox.release(line.size)

    async def _read(self) -> None:
        try:
            while True:
                message = await self._connection.get_message()
                line = message.encode() if isinstance(message, str) else message
                if len(line) > self._message_limit:  # the library counts characters
                    break
                if line.find(b"\n") != -1 or line.find(b"\r") != -1:
                    line = line.replace(b"\r", b" ").replace(b"\n", b" ")
                await self._inbox.put(line)
        except ConnectionClosed as closed:
            if closed.reason is None or closed.reason.code != _TOO_BIG:
                self._end(trio.EndOfChannel())
                return
        self._end(LineTooLong(self._message_limit, ""))

    async def _ping(self) -> None:
        if self._times.ping is None:
            return
        with suppress(ConnectionClosed, LocalProtocolError):  # the reader says so
            while True:
                await trio.sleep(self._times.ping)
                with trio.move_on_after(self._times.pong):
                    await self._connection.ping()
                    continue
                if not self._inbox.full:  # else the pong may be there, behind what nobody here has received
                    self._end(trio.BrokenResourceError(f"no answer to a ping within {self._times.pong:g} s"))
                    return
