"""A server reached by a WebSocket: one JSON-RPC message in each text frame, subprotocol ``mcp``.

No revision of MCP defines this transport; it is what the SDKs of the legacy era spoke. To the connection above it is
a pipe like stdio: one connection, its era chosen by the first request, cancellation by a message.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias, final
from urllib.parse import urlsplit, urlunsplit

import h11
import trio
from attrs import define, field, frozen
from trio_websocket import ConnectionClosed, ConnectionRejected, WebSocketConnection, wrap_client_stream
from wsproto.utilities import LocalProtocolError

from actors.exits import leaves
from runtime.tasks import beside

from . import LineTooLong, NotSent, Transport, Unauthorized, Unreachable
from .queues import Inbox, Outbox

__all__ = ["WebSocketStatistics", "WebSocketTimeouts", "WebSocketTransport", "open_websocket"]

MESSAGE_LIMIT = 64 * 1024 * 1024
OUTGOING_LIMIT = 4 * 1024 * 1024
INCOMING_LIMIT = 4 * 1024 * 1024

_Stream: TypeAlias = "trio.SocketStream | trio.SSLStream[trio.SocketStream]"
Headers: TypeAlias = Mapping[str, str] | Callable[[], Mapping[str, str]]

_TOO_BIG = 1009  # RFC 6455, 7.4.1
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[\t -~\x80-\xff]*")
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
    """The channel to the server at ``url``, for as long as the block; it connects meanwhile, and sends what waits.

    ``headers`` go with the handshake; a function is asked for them then. What `receive` raises at the end of all:
    `Unreachable` and `Unauthorized` when there never was a connection, `LineTooLong` for a message of more than
    ``message_limit`` bytes, `trio.BrokenResourceError` for a peer that answers no ping, else `trio.EndOfChannel`.
    """
    transport = WebSocketTransport(
        url,
        headers or {},
        timeouts or WebSocketTimeouts(),
        message_limit,
        verify,
        Inbox(incoming_limit),
        Outbox(outgoing_limit),
    )
    async with beside(transport._run):
        try:
            yield transport
        finally:
            with trio.CancelScope(shield=True):
                await transport.aclose()


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

    _url: str
    _headers: Headers
    _times: WebSocketTimeouts
    _message_limit: int
    _verify: ssl.SSLContext | None
    _inbox: Inbox
    _outbox: Outbox[_Line]
    _connection: WebSocketConnection | None = field(default=None, init=False)
    # Shielded: whoever is cancelled still says goodbye, and `aclose`, which ends this, is always called.
    _running: trio.CancelScope = field(factory=lambda: trio.CancelScope(shield=True), init=False)
    _stopped: trio.Event = field(factory=trio.Event, init=False)
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
            if self._connection is not None:
                with trio.move_on_after(self._times.close), suppress(ConnectionClosed, LocalProtocolError):
                    await self._connection.aclose()
            self._running.cancel()
            await self._stopped.wait()
        finally:
            self._running.cancel()
            self._closed.set()

    def _end(self, error: trio.BrokenResourceError | trio.EndOfChannel) -> None:
        """The peer has ended it, or is taken to have."""
        self._inbox.end(error)
        self._outbox.end(trio.BrokenResourceError, str(error) or "the server has ended the connection")

    async def _run(self) -> None:
        try:
            with self._running:
                # The stream is ours to close: the library leaves it open when the peer is gone.
                async with await self._connect() as stream:
                    await self._talk(stream)
        except* ConnectionRejected as rejected:
            for refusal in leaves(rejected):
                assert isinstance(refusal, ConnectionRejected)
                self._end(_refusal(refusal, _shown(self._url)))
        except* NotSent as failed:
            for failure in leaves(failed):
                self._end(Unreachable(_shown(self._url), str(failure)))
        except* h11.LocalProtocolError:  # the library tries to answer what is no HTTP, and may not
            self._end(Unreachable(_shown(self._url), "what it answered to the handshake is none"))
        finally:
            self._stopped.set()

    async def _connect(self) -> _Stream:
        url = urlsplit(self._url)
        secure = url.scheme in ("wss", "https")
        host, port = url.hostname or "", url.port or (443 if secure else 80)
        try:
            with trio.fail_after(self._times.connect):
                if not secure:
                    return await trio.open_tcp_stream(host, port)
                context = self._verify or ssl.create_default_context()
                stream = await trio.open_ssl_over_tcp_stream(host, port, ssl_context=context, https_compatible=True)
                try:
                    await stream.do_handshake()
                except BaseException:
                    await trio.aclose_forcefully(stream)
                    raise
                return stream
        except trio.TooSlowError:
            raise NotSent("no connection in time") from None
        except OSError as error:
            raise NotSent(str(error)) from error
        except trio.BrokenResourceError as error:  # of TLS, which its cause tells more of
            raise NotSent(str(error.__cause__ or error)) from error

    async def _talk(self, stream: _Stream) -> None:
        async with trio.open_nursery() as nursery:
            self._connection = await self._shake_hands(nursery, stream)
            nursery.start_soon(self._write, self._connection)
            nursery.start_soon(self._ping, self._connection)
            await self._read(self._connection)
            if self._closing:
                await trio.sleep_forever()  # `aclose` needs the library's own task for its goodbye, then cancels this
            nursery.cancel_scope.cancel()

    async def _shake_hands(self, nursery: trio.Nursery, stream: _Stream) -> WebSocketConnection:
        url = urlsplit(self._url)
        headers = _encoded(self._headers() if callable(self._headers) else self._headers)
        with trio.CancelScope() as waiting, suppress(ConnectionClosed):
            waiting.deadline = trio.current_time() + self._times.connect
            return await wrap_client_stream(
                nursery,
                _Watched(stream, waiting.cancel),  # type: ignore[arg-type] # it takes any stream
                url.netloc.rpartition("@")[2],
                urlunsplit(("", "", url.path or "/", url.query, "")),
                subprotocols=["mcp"],
                extra_headers=headers,
                message_queue_size=_HELD,
                max_message_size=self._message_limit,
                receive_buffer_size=65536,
            )
        late = trio.current_time() >= waiting.deadline
        raise NotSent("no answer to the handshake in time" if late else "it hung up on the handshake")

    async def _write(self, connection: WebSocketConnection) -> None:
        with suppress(ConnectionClosed, LocalProtocolError):  # the reader says so
            while True:
                line = await self._outbox.take()
                await connection.send_message(line.data.removesuffix(b"\n").decode())
                self._outbox.release(line.size)

    async def _read(self, connection: WebSocketConnection) -> None:
        try:
            while True:
                message = await connection.get_message()
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

    async def _ping(self, connection: WebSocketConnection) -> None:
        if self._times.ping is None:
            return
        with suppress(ConnectionClosed, LocalProtocolError):  # the reader says so
            while True:
                await trio.sleep(self._times.ping)
                free, stalls = not self._inbox.full, self._inbox.stalls
                with trio.move_on_after(self._times.pong):
                    await connection.ping()
                    continue
                if free and self._inbox.stalls == stalls:  # else the pong may stand behind what nobody here received
                    self._end(trio.BrokenResourceError(f"no answer to a ping within {self._times.pong:g} s"))
                    self._running.cancel()


@final
@frozen(eq=False)
class _Watched(trio.abc.Stream):
    """A stream that says when the peer has ended it: before its handshake is done, the library waits on."""

    _stream: trio.abc.Stream
    _tell: Callable[[], object]

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        try:
            data = await self._stream.receive_some(max_bytes)
        except trio.BrokenResourceError:
            self._tell()
            raise
        if not data:
            self._tell()
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    try:
        encoded = [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]
    except UnicodeEncodeError:
        encoded = [(b"", b"")]
    if not all(_NAME.fullmatch(name) and _VALUE.fullmatch(value) for name, value in encoded):
        raise NotSent("a header is not one that HTTP can carry")  # which, and what is in it, may be secret
    return encoded


def _shown(url: str) -> str:
    """The address without what may be secret in it."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _refusal(error: ConnectionRejected, address: str) -> Unauthorized | Unreachable:
    if error.status_code not in (401, 403):
        return Unreachable(address, f"HTTP {error.status_code}")
    challenge = dict(error.headers or ()).get(b"www-authenticate")
    return Unauthorized(error.status_code, None if challenge is None else challenge.decode("latin-1"))
