"""Servers that are reached by a URL: somebody else's, and HTTP servers of our own, as real processes."""

from __future__ import annotations

import json
import os
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio_websocket

import runtime
from runtime import CallInterrupted, CallRefused, NotAuthorized, ResourceChanged, Sent, ServerError, State
from runtime.config import load
from runtime.journal import ServerReady, ServerStep
from runtime.protocol import Era
from runtime.transports.owned import OwnedServer
from runtime.transports.ports import Holder, PortTaken, Whose
from tests.http_server import Asked, Dies, Reply, open_http_server

SERVER = str(Path(__file__).parents[2] / "servers" / "over_http.py")
CERTIFICATE = Path(SERVER).with_name("localhost.pem")  # with its key; for localhost, until 2126
HINTS = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
SECRET = "Bearer hush-hush"


def tool(name: str, **properties: Any) -> dict[str, Any]:
    return {"name": name, "inputSchema": {"type": "object", "properties": properties}}


class Modern:
    """A modern server's answers; a test changes them."""

    def __init__(self) -> None:
        self.results: dict[str, Any] = {
            "server/discover": {**HINTS, "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}},
            "tools/list": {**HINTS, "tools": [tool("echo")]},
            "tools/call": {"resultType": "complete", "content": [{"type": "text", "text": "well"}]},
        }
        self.status = 200

    async def __call__(self, asked: Asked, reply: Reply) -> None:
        if self.status != 200:
            await reply.whole(self.status)
            return
        result = self.results[asked.json["method"]]
        if result is None:
            raise Dies
        await reply.json({"jsonrpc": "2.0", "id": asked.json["id"], "result": result})


def config(**server: Any) -> dict[str, Any]:
    return {"mcpServers": {"far": server}, "journal": False, "sweep": False}


@asynccontextmanager
async def opened(config: Any) -> AsyncIterator[runtime.Runtime]:
    """A runtime, in good time."""
    with trio.fail_after(20):
        async with runtime.open_runtime(config) as host:
            yield host


async def test_a_server_is_called_by_its_url_with_the_headers_that_are_configured():
    async with open_http_server(Modern()) as server:
        headers = {"Authorization": SECRET, "X-Team": "green"}
        async with opened(config(url=server.url, headers=headers)) as host:
            assert (await host.call("far", "echo", {"n": 1})).text == "well"
            status = host.status()["far"]
            assert (status.state, status.era, status.pid) == (State.READY, Era.MODERN, None)
            assert {asked.headers["authorization"] for asked in server.asked} == {SECRET}
            [call] = server.of("tools/call")
            assert (call.headers["x-team"], call.headers["mcp-name"]) == ("green", "echo")
            shown = [str(host.config), repr(host.config), str(host.tree()), repr(status)]
            assert not [text for text in shown if "hush-hush" in text]


async def test_a_tool_that_must_not_be_used_over_http_is_left_out_and_told():
    modern = Modern()
    bad = tool("bad", n={"type": "number", "x-mcp-header": "N"})
    modern.results["tools/list"] = {**HINTS, "tools": [bad, tool("echo")]}
    async with open_http_server(modern) as server, opened(config(url=server.url)) as host:
        assert [entry.name for entry in host.tools()] == ["echo"]
        [flaw] = host.status()["far"].flaws
        assert flaw.startswith("tool 'bad': x-mcp-header")


@pytest.mark.parametrize("status", [401, 403])
async def test_a_server_that_does_not_let_us_in_is_down_with_what_to_do_and_costs_no_restarts(status):
    modern = Modern()
    modern.status = status
    async with open_http_server(modern) as server, opened(config(url=server.url)) as host:
        assert host.status()["far"].state is State.STOPPED  # as soon as it is open
        with pytest.raises(NotAuthorized, match=rf"HTTP {status}.*\"Authorization\".*reload\('far'\)"):
            await host.call("far", "echo")
        assert (host.status()["far"].state, host.status()["far"].restarts) == (State.STOPPED, 0)
        asked = len(server.asked)
        modern.status = 200
        with pytest.raises(NotAuthorized):
            await host.call("far", "echo")
        assert len(server.asked) == asked
        await host.reload("far")
        assert (await host.call("far", "echo")).text == "well"


async def test_credentials_that_run_out_bring_it_down():
    modern = Modern()
    async with open_http_server(modern) as server, opened(config(url=server.url)) as host:
        modern.status = 401
        with pytest.raises(ServerError, match="HTTP 401"):
            await host.call("far", "echo")
        with pytest.raises(NotAuthorized):
            await host.call("far", "echo")


async def test_what_fails_on_the_way_costs_one_call():
    modern = Modern()
    async with open_http_server(modern) as server, opened(config(url=server.url)) as host:
        answer, modern.results["tools/call"] = modern.results["tools/call"], None
        with pytest.raises(CallInterrupted) as interrupted:
            await host.call("far", "echo")
        assert interrupted.value.sent is Sent.UNKNOWN
        assert "is cut off" in str(interrupted.value)
        modern.status = 503
        with pytest.raises(ServerError, match="the server answered with HTTP 503"):
            await host.call("far", "echo")
        modern.status, modern.results["tools/call"] = 200, answer
        assert (await host.call("far", "echo")).text == "well"
        assert host.status()["far"].restarts == 0
        await server.stop()
        with pytest.raises(CallRefused) as refused:
            await host.call("far", "echo")
        assert refused.value.sent is Sent.NOT_SENT


async def test_a_server_that_repeats_what_it_was_told_in_confidence_is_quoted_without():
    async def repeats(asked: Asked, reply: Reply) -> None:
        told = f"unknown: {asked.headers['authorization']}, or rather hush-hush, of {asked.path}"
        error = {"code": -32603, "message": told}
        await reply.json({"jsonrpc": "2.0", "id": asked.json["id"], "error": error})

    async with open_http_server(repeats) as server:
        url, headers = f"{server.url}?key=a-long-key", {"Authorization": SECRET}
        async with opened(config(url=url, headers=headers, window={"intensity": 0})) as host:
            with pytest.raises(runtime.ServerEjected) as ejected:
                await host.call("far", "echo")
            shown = [str(ejected.value), str(host.tree()), repr(host.status()), *map(str, host.recent_events())]
            assert "unknown: ***, or rather ***, of /mcp?***" in shown[0]
            assert not [text for text in shown if "hush-hush" in text or "a-long-key" in text]


async def test_an_address_where_nobody_is_is_named_as_such():
    window = {"intensity": 0, "period": 60}
    async with opened(config(url="http://127.0.0.1:9/mcp", window=window)) as host:
        with pytest.raises(runtime.ServerEjected, match=r"cannot be reached at http://127\.0\.0\.1:9"):
            await host.call("far", "echo")


async def test_a_killed_connection_is_made_again():
    async with open_http_server(Modern()) as server, opened(config(url=server.url)) as host:
        await host.kill("far")
        assert (await host.call("far", "echo")).text == "well"
        assert host.status()["far"].incarnation == 2


class Legacy:
    """A legacy server with sessions and all that must be told to a new one; it forgets its session when it is told to.

    ``tools`` are what it lists.
    """

    def __init__(self) -> None:
        self.session = 0
        self.forgotten = False
        self.tools = [tool("echo")]
        self.heard: list[tuple[int, str, Any]] = []  # (session, method, params)

    async def __call__(self, asked: Asked, reply: Reply) -> None:
        if asked.method != "POST":
            await reply.whole(405)
            return
        message = asked.json
        method, params = message["method"], message.get("params", {})
        if method == "initialize":
            self.session += 1
            self.forgotten = False
            offers: dict[str, Any] = {"tools": {}, "logging": {}, "resources": {"subscribe": True}}
            info = {"name": "far", "version": "1"}
            result: Any = {"protocolVersion": "2025-06-18", "capabilities": offers, "serverInfo": info}
        elif self.forgotten or "mcp-session-id" not in asked.headers:
            await reply.whole(404 if self.forgotten else 400)
            return
        else:
            result = {
                "tools/list": {"tools": self.tools},
                "resources/list": {"resources": []},
                "resources/templates/list": {"resourceTemplates": []},
                "tools/call": {"content": [{"type": "text", "text": "well"}]},
            }.get(method, {})
        self.heard.append((self.session, method, params))
        if "id" not in message:
            await reply.whole(202)
        else:
            answer = {"jsonrpc": "2.0", "id": message["id"], "result": result}
            await reply.json(answer, headers={"Mcp-Session-Id": f"session-{self.session}"})


async def test_a_server_that_has_forgotten_its_session_is_told_again_and_its_lists_are_fetched():
    legacy = Legacy()
    async with (
        open_http_server(legacy) as server,
        opened(config(url=server.url)) as host,
        host.subscribe("far", "notes://one") as changes,
    ):
        assert host.status()["far"].era is Era.LEGACY
        await host.set_log_level("far", "warning")
        legacy.forgotten, legacy.tools = True, [tool("echo"), tool("more")]
        assert (await host.call("far", "echo")).text == "well"
        assert await changes.receive() == ResourceChanged("far", "notes://one", missed=True)
        told = [(method, params) for session, method, params in legacy.heard if session == 2]
        assert ("logging/setLevel", {"level": "warning"}) in told
        assert ("resources/subscribe", {"uri": "notes://one"}) in told
        async with host.events() as events:
            while [entry.name for entry in host.tools()] != ["echo", "more"]:
                await events.receive()
        status = host.status()["far"]
        assert (status.incarnation, status.restarts, legacy.session) == (1, 0, 2)


@asynccontextmanager
async def websocket_server(
    modern: Modern, secret: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[str, list[trio_websocket.WebSocketRequest]]]:
    """A modern server's answers over WebSockets: its url, and whoever has connected."""
    requests: list[trio_websocket.WebSocketRequest] = []

    async def serve(request: trio_websocket.WebSocketRequest) -> None:
        requests.append(request)
        connection = await request.accept(subprotocol="mcp")
        with suppress(trio_websocket.ConnectionClosed):
            while True:
                asked = json.loads(await connection.get_message())
                if "id" not in asked:
                    continue
                result = modern.results[asked["method"]]
                if result is None:
                    await connection.aclose()
                await connection.send_message(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}))

    async with trio.open_nursery() as nursery:
        listen = partial(trio_websocket.serve_websocket, serve, "127.0.0.1", 0, secret)
        server = await nursery.start(listen)
        yield f"{'ws' if secret is None else 'wss'}://localhost:{server.port}/mcp", requests
        nursery.cancel_scope.cancel()


async def test_a_server_behind_a_websocket_is_called_and_reached_again_when_it_has_hung_up():
    modern = Modern()
    async with websocket_server(modern) as (url, requests):
        async with opened(config(url=url, headers={"Authorization": SECRET})) as host:
            assert (await host.call("far", "echo", {"n": 1})).text == "well"
            assert (host.status()["far"].era, host.status()["far"].pid) == (Era.MODERN, None)
            assert (b"authorization", SECRET.encode()) in requests[0].headers
            answer, modern.results["tools/call"] = modern.results["tools/call"], None
            with pytest.raises(CallInterrupted) as interrupted:
                await host.call("far", "echo")
            assert interrupted.value.sent is Sent.UNKNOWN
            modern.results["tools/call"] = answer
            assert (await host.call("far", "echo")).text == "well"
            assert (host.status()["far"].incarnation, len(requests)) == (2, 2)


# -- certificates


def in_secret() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


@asynccontextmanager
async def https_server(modern: Modern) -> AsyncIterator[str]:
    """A modern server's answers behind TLS: its url."""

    async def serve(stream: trio.SocketStream) -> None:
        there = trio.SSLStream(stream, in_secret(), server_side=True, https_compatible=True)
        async with there, await trio.open_tcp_stream("127.0.0.1", plain.port) as here, trio.open_nursery() as passing:
            passing.start_soon(pass_on, there, here, passing.cancel_scope)
            passing.start_soon(pass_on, here, there, passing.cancel_scope)

    async def pass_on(source: trio.abc.Stream, sink: trio.abc.Stream, over: trio.CancelScope) -> None:
        with suppress(trio.BrokenResourceError):  # who does not trust us hangs up
            async for data in source:
                await sink.send_all(data)
        over.cancel()

    async with open_http_server(modern) as plain, trio.open_nursery() as nursery:
        [listener] = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        yield f"https://localhost:{listener.socket.getsockname()[1]}/mcp"
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("scheme", ["https", "wss"])
async def test_a_certificate_is_trusted_where_the_configuration_says_so(scheme):
    modern = Modern()
    async with https_server(modern) if scheme == "https" else websocket_server(modern, in_secret()) as found:
        url = found if isinstance(found, str) else found[0]
        async with opened(config(url=url, ca=str(CERTIFICATE))) as host:
            assert (await host.call("far", "echo")).text == "well"
        async with opened(config(url=url, window={"intensity": 0})) as host:
            with pytest.raises(runtime.ServerEjected, match=r"localhost:\d+/mcp: .*certificate verify failed"):
                await host.call("far", "echo")


async def test_certificates_that_are_no_longer_there_are_named(tmp_path):
    file = tmp_path / "ca.pem"
    file.write_bytes(CERTIFICATE.read_bytes())
    loaded = load(config(url="https://localhost:9/mcp", ca=str(file), window={"intensity": 0}))
    file.unlink()
    async with opened(loaded) as host:
        with pytest.raises(runtime.ServerEjected, match=r"cannot be read from .*ca\.pem: No such file"):
            await host.call("far", "echo")


# -- HTTP servers of our own


def owned(**keys: Any) -> dict[str, Any]:
    env = {"KEY": "a-long-key", **keys.pop("env", {})}
    command = {"command": sys.executable, "args": ["-I", "-S", SERVER], "env": env, "stop_timeout": 0.5}
    return config(**command, url="http://127.0.0.1:{port}/mcp", **keys)


async def test_a_server_of_our_own_is_started_called_and_stopped():
    async with opened(owned()) as host:
        assert (await host.call("far", "echo", {"n": 1})).text == '{"n": 1}'
        pid = host.status()["far"].pid
        assert pid is not None
        os.kill(pid, 0)
        steps = [event.told() for event in host.recent_events() if isinstance(event, ServerStep)]
        assert steps[0].startswith("port ")
        assert steps[-1].startswith("answers after ")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_its_port_stays_over_restarts_and_its_last_words_are_kept_without_secrets():
    def port(host: runtime.Runtime) -> list[str]:
        return [e.said.split()[1] for e in host.recent_events() if isinstance(e, ServerStep) and "is free" in e.said]

    async with opened(owned()) as host, host.events() as events:
        with pytest.raises(CallInterrupted) as interrupted:
            await host.call("far", "die")
        assert interrupted.value.sent is Sent.UNKNOWN
        while not isinstance(await events.receive(), ServerReady):
            pass
        await host.call("far", "echo")
        error = host.status()["far"].last_error
        assert "ended with exit code 3" in str(error)
        assert "| dying, and the key is ***" in str(error)
        await host.kill("far")
        await host.refresh("far")
        first, *others = port(host)
        assert others == [first, first]


async def test_it_gets_its_headers_and_may_refuse_them():
    async with opened(owned(env={"DEMANDS": SECRET}, headers={"Authorization": SECRET})) as host:
        assert (await host.call("far", "echo")).text == "{}"
    async with opened(owned(env={"DEMANDS": SECRET})) as host:
        with pytest.raises(NotAuthorized):
            await host.call("far", "echo")
        assert host.status()["far"].restarts == 0


async def test_its_headers_are_kept_from_whoever_else_listens_at_its_port(monkeypatch):
    def taken(server: OwnedServer) -> None:
        raise PortTaken("127.0.0.1", 4711, Holder(7, "stranger", Whose.FOREIGN))

    made = owned(headers={"Authorization": SECRET}, env={"DEMANDS": SECRET}, window={"intensity": 0})
    async with opened(made) as host:
        assert (await host.call("far", "echo")).text == "{}"
        monkeypatch.setattr(OwnedServer, "check", taken)
        with pytest.raises(runtime.ServerEjected, match="ended with SIGKILL while it was ready"):
            await host.call("far", "echo")  # which the server would have answered


async def test_it_must_have_the_tools_that_are_required():
    async with opened(owned(required_tools=["echo", "more"], window={"intensity": 0})) as host:
        with pytest.raises(runtime.ServerEjected, match="does not list the tools that its required_tools demand: more"):
            await host.call("far", "echo")


async def test_one_that_dies_at_its_start_or_never_answers_is_named_as_such():
    for code, seconds, words in [
        ("import sys; sys.exit('no licence')", 20, "ended with exit code 1 while it was starting"),
        ("import time; time.sleep(60)", 0.5, "no answer to a request to http"),
    ]:
        made = owned(start_timeout=seconds)
        made["mcpServers"]["far"]["args"] = ["-I", "-S", "-c", code]
        async with opened(made) as host:
            error = host.status()["far"].last_error
            assert words in str(error)
            assert ("no licence" in str(error)) is (seconds == 20)
