"""The way to an endpoint: Streamable HTTP, HTTP+SSE or a WebSocket, whoever runs what is there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, final

import trio
from attrs import define, field

from runtime.config import reveal
from runtime.errors import ServerUnreachable
from runtime.servers.secrets import Secrets
from runtime.transports import Transport
from runtime.transports.framing import Noise

if TYPE_CHECKING:
    from ssl import SSLContext

    from runtime.config import Remote, Secret, ServerSpec
    from runtime.config.secret import Text
    from runtime.servers.link import Link
    from runtime.transports.http import Way
    from runtime.transports.web import Headers

_SPARE = 8  # exchanges beside those of calls: our own requests, and subscriptions


@final
@define(eq=False, repr=False)
class RemoteLink:
    """The connection to a server that somebody else runs: cut, there is nothing left of it that were ours."""

    transport: Transport
    speaks_http: bool
    _secrets: Secrets
    _renewal: Renewal
    _cut: trio.Event = field(factory=trio.Event, init=False)
    pid: int | None = field(default=None, init=False)
    remote: bool = field(default=True, init=False)
    ended_well: bool = field(default=True, init=False)  # as far as can be told

    def kill(self) -> None:
        self._cut.set()

    def when_renewed(self, tell: Callable[[], object]) -> None:
        self._renewal.tell = tell

    async def wait_exit(self) -> str:
        await self._cut.wait()
        return "was cut off"

    def stderr(self) -> tuple[str, ...]:
        return ()

    def noise(self) -> Noise:
        return Noise(0, ())

    def hide(self, text: str) -> str:
        return self._secrets.hide(text)


@final
@define(eq=False, repr=False)
class Renewal:
    """Whom a transport tells that its server has begun a new session: known only once there is a link."""

    tell: Callable[[], object] = lambda: None

    def __call__(self) -> None:
        self.tell()


@asynccontextmanager
async def open_remote(spec: ServerSpec, reach: Remote, ways: MutableMapping[str, Way]) -> AsyncIterator[Link]:
    """Connect to an endpoint. Nothing is sent before the first message is, and all trouble is the transport's."""
    renewal = Renewal()
    async with open_endpoint(spec, reach, reveal(reach.url), revealed(reach.headers), ways, renewal) as transport:
        yield RemoteLink(transport, reach.type != "ws", Secrets.of(reach), renewal)


def open_endpoint(
    spec: ServerSpec, reach: Remote, url: str, headers: Headers, ways: MutableMapping[str, Way], renewal: Renewal
) -> AbstractAsyncContextManager[Transport]:
    """Open the transport that the configuration names, or whose turn it is to be tried."""
    trusted = None if reach.ca is None else _trusted(spec.name, reach, reach.ca)
    patience = reach.timeouts
    if reach.type == "ws":
        from runtime.transports.websocket import WebSocketTimeouts, open_websocket

        pinging = WebSocketTimeouts(patience.connect, patience.ping, patience.pong, patience.close)
        return open_websocket(url, headers=headers, timeouts=pinging, verify=trusted)
    from runtime.transports.http import EXCHANGES, HttpTimeouts, open_http

    posting = HttpTimeouts(patience.connect, patience.write, patience.answer, patience.acknowledge, patience.close)
    exchanges = max(EXCHANGES, spec.in_flight + _SPARE)
    return open_http(
        url,
        type=reach.type,
        headers=headers,
        timeouts=posting,
        ways=ways,
        on_renewed=renewal,
        exchanges=exchanges,
        verify=trusted or True,
    )


def _trusted(server: str, reach: Remote, ca: Text) -> SSLContext:
    """The certificates to trust. Raises `ServerUnreachable`: they cannot be read any more."""
    import ssl

    context = ssl.create_default_context()
    try:
        context.load_verify_locations(reveal(ca))
    except OSError as error:  # an SSLError is one
        reason = f"its certificates cannot be read from {ca}: {error.strerror}"
        raise ServerUnreachable(server, (), str(reach.url), reason) from error
    return context


def revealed(headers: Mapping[str, Secret]) -> Callable[[], Mapping[str, str]]:
    """Return what reveals headers, each time that they are sent and at no other (S9)."""
    return lambda: {name: value.reveal() for name, value in headers.items()}
