"""The channel over a WebSocket, beside what every transport promises."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import pytest
import trio
import trio_websocket
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest

from runtime.transports import LineTooLong, NotSent, Unauthorized, Unreachable
from runtime.transports.websocket import WebSocketTimeouts, WebSocketTransport, open_websocket

Serve = Callable[[WebSocketConnection], Awaitable[None]]


@asynccontextmanager
async def listening(serve: Callable[[WebSocketRequest], Awaitable[None]]) -> AsyncIterator[str]:
    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(trio_websocket.serve_websocket, serve, "127.0.0.1", 0, None))
        yield f"ws://127.0.0.1:{server.port}"
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def talking(serve: Serve, **options: Any) -> AsyncIterator[WebSocketTransport]:
    async def accept(request: WebSocketRequest) -> None:
        with suppress(ConnectionClosed):
            await serve(await request.accept(subprotocol="mcp"))

    options.setdefault("timeouts", WebSocketTimeouts(close=0.2))
    with trio.fail_after(5):
        async with listening(accept) as url, open_websocket(url, **options) as transport:
            yield transport


async def test_the_handshake_asks_for_mcp_and_carries_path_query_and_headers():
    requests = []

    async def serve(request: WebSocketRequest) -> None:
        requests.append(request)
        connection = await request.accept(subprotocol="mcp")
        await connection.send_message("{}")

    with trio.fail_after(5):
        async with listening(serve) as url:
            async with open_websocket(url + "/a/mcp?key=1", headers=lambda: {"Authorization": "Bearer x"}) as transport:
                assert await transport.receive() == b"{}"
    [request] = requests
    assert request.path == "/a/mcp?key=1"
    assert list(request.proposed_subprotocols) == ["mcp"]
    assert (b"authorization", b"Bearer x") in request.headers


async def test_what_is_sent_before_there_is_a_connection_goes_when_there_is_one():
    async def serve(connection: WebSocketConnection) -> None:
        for _ in range(3):
            await connection.send_message(await connection.get_message())

    async with talking(serve) as transport:
        for n in range(3):
            transport.send_nowait(b'{"id":%d}\n' % n)
        assert [await transport.receive() for _ in range(3)] == [b'{"id":0}', b'{"id":1}', b'{"id":2}']


async def test_a_message_may_come_in_bytes_and_over_several_lines():
    async def serve(connection: WebSocketConnection) -> None:
        await connection.send_message(b'{\n"id":\r\n1}')

    async with talking(serve) as transport:
        assert await transport.receive() == b'{ "id":  1}'


@pytest.mark.parametrize("status", [401, 403, 404, 500])
async def test_a_refused_handshake_is_the_end_and_says_why(status):
    async def serve(request: WebSocketRequest) -> None:
        await request.reject(status, extra_headers=[(b"WWW-Authenticate", b"Bearer")], body=b"no")

    with trio.fail_after(5):
        async with listening(serve) as url, open_websocket(url) as transport:
            with pytest.raises(Unauthorized if status < 404 else Unreachable) as refused:
                await transport.receive()
            if isinstance(refused.value, Unauthorized):
                assert (refused.value.status, refused.value.challenge) == (status, "Bearer")
            else:
                assert str(status) in str(refused.value)
            with pytest.raises(trio.BrokenResourceError):
                transport.send_nowait(b"{}\n")


@pytest.mark.parametrize("kind", ["nobody", "no name", "silent", "hangs up", "speaks HTTP", "bad header", "no TLS"])
async def test_who_cannot_be_reached_is_named_without_what_is_secret(kind):
    async def serve(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        if kind == "speaks HTTP":
            await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        if kind not in ("hangs up", "no TLS"):
            await trio.sleep_forever()

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
            port = listener.socket.getsockname()[1]
            if kind == "nobody":
                await listener.aclose()
            else:
                nursery.start_soon(trio.serve_listeners, serve, [listener])
            host = "nobody.invalid" if kind == "no name" else "127.0.0.1"
            headers = {"X-Key": "hush\nhush"} if kind == "bad header" else {}
            url = f"{'wss' if kind == 'no TLS' else 'ws'}://user:hush@{host}:{port}/mcp?key=hush"
            timeouts = WebSocketTimeouts(connect=0.2 if kind in ("silent", "hangs up") else 4)
            async with open_websocket(url, headers=headers, timeouts=timeouts) as transport:
                with pytest.raises(Unreachable) as failed:
                    await transport.receive()
            assert f"{host}:{port}/mcp cannot be reached: " in str(failed.value)
            assert "hush" not in str(failed.value) + repr(failed.value)
            assert "sub-exception" not in str(failed.value)
            nursery.cancel_scope.cancel()


async def test_headers_that_are_not_for_whoever_listens_are_not_sent():
    async def serve(connection: WebSocketConnection) -> None:
        pytest.fail("it was told")

    def refuse() -> dict[str, str]:
        raise NotSent("somebody else listens")

    async with talking(serve, headers=refuse) as transport:
        with pytest.raises(Unreachable, match="somebody else listens"):
            await transport.receive()


@pytest.mark.parametrize("text", ["x" * 2000, "é" * 600])
async def test_a_message_past_the_limit_ends_the_connection_with_its_name(text):
    async def serve(connection: WebSocketConnection) -> None:
        await connection.send_message("{}")
        await connection.send_message(text)
        await connection.get_message()

    async with talking(serve, message_limit=1000) as transport:
        assert await transport.receive() == b"{}"
        with pytest.raises(LineTooLong, match="1000 bytes"):
            await transport.receive()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "hung up"),
        (b"", "hung up"),
        (b"HTTP/1.1 101 Swit", "hung up"),
        (b"HTTP/1.1 404 No\r\n\r\n", "hung up"),
        (b"\0\1\2\n\r\n\r\n", "is none"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "is none"),
    ],
)
async def test_a_handshake_that_is_not_answered_as_one_ends_at_once(answer, reason):
    async def serve(stream: trio.SocketStream) -> None:
        if answer is not None:
            await stream.receive_some(65536)
            await stream.send_all(answer)
        await stream.aclose()

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            [listener] = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
            port = listener.socket.getsockname()[1]
            async with open_websocket(f"ws://127.0.0.1:{port}/?key=hush") as transport:
                with pytest.raises(Unreachable, match=reason) as refused:
                    await transport.receive()
                assert "hush" not in str(refused.value)
            nursery.cancel_scope.cancel()


async def test_a_peer_that_answers_no_ping_is_taken_for_gone():
    async def serve(stream: trio.SocketStream) -> None:
        with trio.CancelScope(shield=True), trio.move_on_after(5):  # it answers the handshake, and no more
            accepted = trio_websocket.wrap_server_stream
            async with trio.open_nursery() as nursery:
                request = await accepted(nursery, stream)
                await request.accept(subprotocol="mcp")
                nursery.cancel_scope.cancel()
            await gone.wait()

    gone = trio.Event()
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
            nursery.start_soon(trio.serve_listeners, serve, [listener])
            url = f"ws://127.0.0.1:{listener.socket.getsockname()[1]}"
            async with open_websocket(url, timeouts=WebSocketTimeouts(ping=0.02, pong=0.05, close=0.1)) as transport:
                with pytest.raises(trio.BrokenResourceError, match="ping"):
                    await transport.receive()
                gone.set()
            nursery.cancel_scope.cancel()


async def test_a_peer_is_not_blamed_for_pongs_that_stand_behind_what_nobody_receives():
    async def serve(connection: WebSocketConnection) -> None:
        for n in range(100):
            await connection.send_message(f'{{"id":{n},"text":"{"x" * 10_000}"}}')
        await connection.get_message()

    timeouts = WebSocketTimeouts(ping=0.01, pong=0.3, close=0.2)
    async with talking(serve, timeouts=timeouts, incoming_limit=20_000) as transport:
        await trio.sleep(0.4)
        assert transport.statistics().received_bytes < 60_000
        for n in range(100):
            assert (await transport.receive()).startswith(b'{"id":%d,' % n)


async def test_whoever_is_cancelled_still_says_goodbye():
    async def serve(connection: WebSocketConnection) -> None:
        await connection.send_message("{}")
        try:
            await connection.get_message()
        except ConnectionClosed as closed:
            codes.append(closed.reason.code)
        said.set()

    codes: list[int] = []
    said = trio.Event()

    async def accept(request: WebSocketRequest) -> None:
        await serve(await request.accept(subprotocol="mcp"))

    with trio.fail_after(5):
        async with listening(accept) as url:
            with trio.CancelScope() as host:
                async with open_websocket(url, timeouts=WebSocketTimeouts(close=2)) as transport:
                    await transport.receive()
                    host.cancel()
                    start = trio.current_time()
                    await trio.sleep_forever()
            assert trio.current_time() - start < 1  # it was answered, and no patience was spent
            await said.wait()
    assert codes == [1000]
