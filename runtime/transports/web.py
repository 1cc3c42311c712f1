"""One HTTP request at a time, to one origin: what httpx2 does for the transports, and its errors in their words.

Nothing is ever sent to another origin than the one that was configured: no redirect leads there, so no header,
token or argument does.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from math import inf
from typing import TypeAlias, final
from urllib.request import getproxies

import httpx2
import trio
from attrs import define, field, frozen

from runtime.version import VERSION

from . import NotSent
from .events import EventStream, ServerSentEvent

__all__ = ["Headers", "HttpTimeouts", "Lost", "TooLarge", "Web", "address_of", "open_web"]

Headers: TypeAlias = Mapping[str, str] | Callable[[], Mapping[str, str]]
"""Sent with every request; a function is asked for each, for tokens that are renewed."""

KEPT_CONNECTIONS = 64
KEPT_FOR = 4.0  # seconds a connection is kept unused: less than the five after which most servers close it

_TOGETHER = 2  # times the limit of one message is what all that are not complete may hold
_EXCERPT = 64 * 1024  # bytes of an answer that is no message which are read, to be shown
_CODINGS = ("identity", "gzip", "deflate")
_OURS = frozenset({"accept", "accept-encoding", "content-length", "content-type", "mcp-session-id", "last-event-id"})


@final
@frozen
class HttpTimeouts:
    """Seconds; None: as long as it takes. A request's own deadline is its caller's affair, and no stream has one."""

    connect: float | None = 10.0
    """For the connection, TLS included."""
    write: float | None = 30.0
    """For one piece of a message to be taken, so that a server that reads slowly has all the time it needs."""
    answer: float | None = None
    """Until the head of the answer to a request."""
    acknowledge: float | None = 30.0
    """Until a notification or a response is taken, and until a server that speaks HTTP+SSE names its endpoint."""
    close: float = 2.0
    """For saying goodbye."""


class Lost(Exception):
    """It was sent, or begun, and no answer came, or not all of it."""


class TooLarge(Lost):
    """The answer is larger than what is taken."""


def address_of(url: str) -> str:
    """An address without what may be secret in it: user, query and fragment."""
    parsed = httpx2.URL(url)
    return str(parsed.copy_with(username=None, password=None, query=None, fragment=None)).rstrip("?")


@final
@define(eq=False, repr=False)
class Web:
    """Asks one origin. Made by `open_web`."""

    _client: httpx2.AsyncClient
    _url: httpx2.URL
    _headers: Headers
    timeouts: HttpTimeouts
    _message_limit: int
    _held: int = field(default=0, init=False)  # bytes of answers that are not complete
    reached: bool = field(default=False, init=False)
    """Whether anybody has answered yet, whatever it was."""

    @property
    def address(self) -> str:
        return address_of(str(self._url))

    @asynccontextmanager
    async def ask(
        self,
        method: str,
        headers: Mapping[str, str],
        content: bytes | None = None,
        *,
        patience: float | None = None,
        at: httpx2.URL | None = None,
    ) -> AsyncIterator[httpx2.Response]:
        """One exchange: yields the head of the answer, at most ``patience`` seconds after the request.

        Raises `NotSent` or `Lost`, from the block too, where it reads the body.
        """
        given = self._headers() if callable(self._headers) else self._headers
        every = {name: value for name, value in given.items() if name.lower() not in _OURS}
        with _in_our_words():
            request = self._client.build_request(method, at or self._url, headers={**every, **headers}, content=content)
            response = await self._head(request, patience)
            self.reached = True
            try:
                yield response
            finally:
                await response.aclose()

    async def _head(self, request: httpx2.Request, patience: float | None) -> httpx2.Response:
        if patience is None:
            return await self._client.send(request, stream=True, follow_redirects=False)
        with trio.move_on_after(patience):
            return await self._client.send(request, stream=True, follow_redirects=False)
        raise Lost(f"none within {patience:g} s")

    def move(self, url: str) -> None:
        """From now on all goes there, where not said otherwise."""
        self._url = httpx2.URL(url)

    def redirected(self, response: httpx2.Response) -> str:
        """Where an answer redirects to within this origin; empty: nowhere."""
        target = self.same_origin(response.headers.get("location", ""), response.url)
        return "" if target is None else str(target)

    def same_origin(self, reference: str, base: httpx2.URL | None = None) -> httpx2.URL | None:
        """The address that a reference of the server's means, if it is of this origin."""
        try:
            target = (base or self._url).join(reference)
        except (httpx2.InvalidURL, ValueError):
            return None
        return target.copy_with(fragment=None) if reference and _origin(target) == _origin(self._url) else None

    def target(self, response: httpx2.Response) -> str:
        """The address that a redirect names, for people; empty: none."""
        location = response.headers.get("location", "")
        try:
            return address_of(str(response.url.join(location))) if location else ""
        except (httpx2.InvalidURL, ValueError):
            return ""

    async def body(self, response: httpx2.Response) -> bytes:
        """The whole body, decompressed. Raises `Lost`; `TooLarge` past the limit."""
        parts, size = [], 0
        try:
            with _in_our_words():
                async with _pieces(response) as pieces:
                    async for piece in pieces:
                        size += len(piece)
                        if size > self._message_limit:
                            raise TooLarge(f"it is larger than {self._message_limit} bytes")
                        self._hold(len(piece))
                        parts.append(piece)
            return b"".join(parts)
        finally:
            self._held -= sum(map(len, parts))

    def _hold(self, size: int) -> None:
        """Counts what is begun and not complete, in all answers together: each alone may be within its limit."""
        if self._held + size > _TOGETHER * self._message_limit:
            raise TooLarge(
                f"with others that are not complete it is larger than {_TOGETHER * self._message_limit} bytes"
            )
        self._held += size

    async def excerpt(self, response: httpx2.Response) -> bytes:
        """The body, or as much of it as is worth showing and comes in time."""
        read = b""
        patience = inf if self.timeouts.acknowledge is None else self.timeouts.acknowledge
        with trio.move_on_after(patience), suppress(Lost), _in_our_words():
            async with _pieces(response) as pieces:
                async for piece in pieces:
                    read += piece
                    if len(read) > _EXCERPT:
                        break
        return read[:_EXCERPT]

    async def events(self, response: httpx2.Response, stream: EventStream) -> AsyncGenerator[ServerSentEvent, None]:
        """The events of a body, until it ends. Raises `Lost`; `TooLarge` for an event past the limit."""
        held = 0
        try:
            with _in_our_words():
                async with _pieces(response) as pieces:
                    async for piece in pieces:
                        for event in stream.feed(piece):
                            yield event
                        if stream.failure is not None:
                            raise TooLarge(str(stream.failure))
                        self._hold(stream.size - held)
                        held = stream.size
        finally:
            self._held -= held


@asynccontextmanager
async def _pieces(response: httpx2.Response) -> AsyncIterator[AsyncIterator[bytes]]:
    """The pieces of a body, decompressed, of which not all need be taken.

    Where httpx2 is left between two pieces it leaves generators of its own unfinished, for the garbage collector to
    complain of. So it is not left: it goes on until it has to wait, and there it is cancelled.
    """
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding not in _CODINGS:  # one on top of another, say, makes gigabytes of a few kilobytes
        raise Lost(f"it is encoded as {coding[:100]!r}, which nobody asked for")
    pieces = response.aiter_bytes()
    try:
        yield pieces
    finally:
        if not response.is_closed:
            with trio.CancelScope() as at_once, suppress(httpx2.RequestError):
                at_once.cancel()
                async for _ in pieces:
                    pass


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)


@contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except (httpx2.LocalProtocolError, httpx2.UnsupportedProtocol, UnicodeEncodeError):
        # Its text would quote the header, which may be a secret.
        raise NotSent("a header or the address is not one that HTTP can carry") from None
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError) as error:
        raise NotSent(_said(error) or "no connection in time") from error
    except httpx2.TimeoutException as error:
        raise Lost("the server took no more of the message") from error
    except httpx2.RequestError as error:
        raise Lost(_said(error) or type(error).__name__) from error


def _said(error: BaseException | None) -> str:
    """What an error says, or what it comes of: of a failure of TLS nothing but its last cause has words."""
    while error is not None and not str(error):
        error = error.__cause__ or error.__context__
    return "" if error is None else str(error)


@asynccontextmanager
async def open_web(
    url: str, headers: Headers, timeouts: HttpTimeouts, message_limit: int, verify: ssl.SSLContext | bool = True
) -> AsyncIterator[Web]:
    """The connections to one origin, for as long as the block."""
    address = httpx2.URL(url)
    if address.scheme == "http" and not getproxies():
        verify = False  # there is no TLS, and to load the certificates takes longer than a call
    async with httpx2.AsyncClient(
        verify=verify,
        headers={"Accept-Encoding": "gzip, deflate", "User-Agent": f"greenroom/{VERSION}"},
        timeout=httpx2.Timeout(None, connect=timeouts.connect, write=timeouts.write),
        limits=httpx2.Limits(max_keepalive_connections=KEPT_CONNECTIONS, keepalive_expiry=KEPT_FOR),
    ) as client:
        with _discreet(address):
            yield Web(client, address, headers, timeouts, message_limit)


@contextmanager
def _discreet(address: httpx2.URL) -> Iterator[None]:
    """Has httpx2, which logs the url of every request, leave out what may be secret in those of one origin."""

    def shorten(record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                address_of(str(value))
                if isinstance(value, httpx2.URL) and _origin(value) == _origin(address)
                else value
                for value in record.args
            )
        return True

    log = logging.getLogger("httpx2")
    log.addFilter(shorten)
    try:
        yield
    finally:
        log.removeFilter(shorten)
