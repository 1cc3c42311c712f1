"""A small HTTP/1.1 server on a real socket, whose every answer a test scripts."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import h11
import trio
from attrs import define, field, frozen

from runtime.tasks import beside


@frozen
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@define(eq=False)
class Reply:
    """The answer to one request, said step by step."""

    _stream: trio.SocketStream
    _http: h11.Connection
    begun: bool = field(default=False, init=False)

    async def head(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        self.begun = True
        await self._send(h11.Response(status_code=status, headers=list((headers or {}).items())))

    async def data(self, data: bytes) -> None:
        await self._send(h11.Data(data=data))

    async def end(self) -> None:
        await self._send(h11.EndOfMessage())

    async def whole(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        await self.head(status, {"Content-Length": str(len(body)), **(headers or {})})
        await self.data(body)
        await self.end()

    async def json(self, value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        await self.whole(status, body, {"Content-Type": "application/json", **(headers or {})})

    async def stream(self, headers: Mapping[str, str] | None = None) -> None:
        """Begins an event stream."""
        await self.head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked", **(headers or {})})

    async def event(self, value: Any, *, id: str | None = None, event: str | None = None) -> None:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        head = (b"" if id is None else f"id: {id}\n".encode()) + (
            b"" if event is None else f"event: {event}\n".encode()
        )
        await self.data(head + b"data: " + data + b"\n\n")

    async def hung_up(self) -> None:
        """Waits until the client has gone, or has broken its connection off."""
        try:
            while await self._stream.receive_some(65536):
                pass
        except trio.BrokenResourceError:
            pass

    async def abort(self) -> None:
        """Breaks the connection off."""
        await trio.aclose_forcefully(self._stream)

    async def _send(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data:
            await self._stream.send_all(data)


class Dies(Exception):
    """Raised by a script to break its connection off."""


Script = Callable[[Asked, Reply], Awaitable[None]]


@define(eq=False)
class HttpServer:
    """Answers as its script says. An answer that the script has not ended is ended for it."""

    script: Script
    port: int
    asked: list[Asked] = field(factory=list, init=False)
    connections: int = field(default=0, init=False)  # open now
    accepted: int = field(default=0, init=False)  # ever
    refuses_to_read: bool = field(default=False, init=False)  # from the next connection on
    _changed: trio.lowlevel.ParkingLot = field(factory=trio.lowlevel.ParkingLot, init=False)
    _serving: trio.CancelScope = field(factory=trio.CancelScope, init=False)
    _stopped: trio.Event = field(factory=trio.Event, init=False)

    async def stop(self) -> None:
        """When it returns, nobody is there any more."""
        self._serving.cancel()
        await self._stopped.wait()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    def of(self, method: str) -> list[Asked]:
        """The POSTs that carried messages of a JSON-RPC method."""
        return [asked for asked in self.asked if asked.method == "POST" and asked.json.get("method") == method]

    async def until(self, condition: Callable[[], object]) -> None:
        """Waits until something has made a condition true: a request, a connection, an end."""
        while not condition():
            await self._changed.park()

    async def _listen(self, listener: trio.SocketListener) -> None:
        with self._serving:
            await trio.serve_listeners(self._serve, [listener])
        listener.socket.close()
        self._stopped.set()

    async def _serve(self, stream: trio.SocketStream) -> None:
        self.connections += 1
        self.accepted += 1
        self._changed.unpark_all()
        try:
            if self.refuses_to_read:
                await trio.sleep_forever()
            http = h11.Connection(h11.SERVER, max_incomplete_event_size=1024 * 1024)
            while await self._exchange(stream, http):
                http.start_next_cycle()
        except (trio.BrokenResourceError, trio.ClosedResourceError, h11.RemoteProtocolError, Dies):
            pass
        finally:
            self.connections -= 1
            self._changed.unpark_all()
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(stream)

    async def _exchange(self, stream: trio.SocketStream, http: h11.Connection) -> bool:
        """Whether another may follow."""
        head: h11.Request | None = None
        body = []
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data(await stream.receive_some(65536))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                return False
        assert head is not None
        headers = {name.decode(): value.decode("latin-1") for name, value in head.headers}
        asked = Asked(head.method.decode(), head.target.decode(), headers, b"".join(body))
        self.asked.append(asked)
        self._changed.unpark_all()
        reply = Reply(stream, http)
        await self.script(asked, reply)
        if not reply.begun:
            await reply.whole(500)
        if http.our_state is h11.SEND_BODY:
            await reply.end()
        return http.our_state is h11.DONE and http.their_state is h11.DONE


@asynccontextmanager
async def open_http_server(script: Script) -> AsyncIterator[HttpServer]:
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    server = HttpServer(script, listener.socket.getsockname()[1])
    async with beside(partial(server._listen, listener)):
        yield server
