"""The channel over HTTP, against a server whose every answer is scripted."""

import gzip
import json
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from runtime.transports import NO_ANSWER, NOT_SENT, Unauthorized, Unreachable, http
from runtime.transports.http import HttpTimeouts, HttpTransport, Way, open_http
from tests.http_server import Asked, Dies, HttpServer, Reply, Script, open_http_server

VERSION = "io.modelcontextprotocol/protocolVersion"
META = {VERSION: "2026-07-28"}


def modern(id: int | str, method: str = "tools/list", **params: Any) -> bytes:
    return legacy(id, method, **params, _meta=META)


def legacy(id: int | str, method: str, **params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).encode() + b"\n"


def notification(method: str, **params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": params}).encode() + b"\n"


def result(asked: Asked | int | str, **result: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": asked.json["id"] if isinstance(asked, Asked) else asked, "result": result}


def progress(n: int) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": n}}


@asynccontextmanager
async def talking(script: Script, **options: Any) -> AsyncIterator[tuple[HttpTransport, HttpServer]]:
    """A server and the channel to it; nothing here may take longer than five seconds."""
    options.setdefault("timeouts", HttpTimeouts(close=0.2))
    with trio.fail_after(5):
        async with open_http_server(script) as server, open_http(server.url, **options) as transport:
            yield transport, server


async def next_message(transport: HttpTransport) -> Any:
    return json.loads(await transport.receive())


async def echo(asked: Asked, reply: Reply) -> None:
    """Answers a request with its own parameters, takes what is no request, and offers no other stream."""
    if asked.method != "POST":
        await reply.whole(405)
    elif "id" in asked.json and "method" in asked.json:
        await reply.json(result(asked, **asked.json["params"]))
    else:
        await reply.whole(202)


# Modern requests


async def test_a_modern_request_says_in_headers_what_it_is():
    async with talking(echo) as (transport, server):
        for line in (
            modern(1, "server/discover"),
            modern(2, "tools/call", name="read", arguments={}),
            modern(3, "resources/read", uri="file:///é"),
            modern(4, "prompts/get", name=" padded"),
            modern(5, "tasks/get", taskId="7"),
            modern(6, "completion/complete", name="not its name"),
        ):
            await transport.send(line)
            await transport.receive()
        assert {asked.headers["mcp-protocol-version"] for asked in server.asked} == {"2026-07-28"}
        assert [(asked.headers["mcp-method"], asked.headers.get("mcp-name")) for asked in server.asked] == [
            ("server/discover", None),
            ("tools/call", "read"),
            ("resources/read", "=?base64?ZmlsZTovLy/DqQ==?="),
            ("prompts/get", "=?base64?IHBhZGRlZA==?="),
            ("tasks/get", "7"),
            ("completion/complete", None),
        ]
        accepted = {asked.headers["accept"] for asked in server.asked}
        assert accepted == {"application/json, text/event-stream"}
        assert transport.way is Way.MODERN


async def test_an_answer_may_be_a_stream_that_says_more_before_it():
    async def script(asked: Asked, reply: Reply) -> None:
        await reply.stream()
        await reply.data(b": keep alive\r\n\r\n")
        for n in range(3):
            await reply.event(progress(n))
        await reply.event(json.dumps(result(asked), indent=1).encode().replace(b"\n", b"\ndata: "))

    async with talking(script) as (transport, _):
        await transport.send(modern(1))
        assert [(await next_message(transport))["params"]["progress"] for _ in range(3)] == [0, 1, 2]
        answer = await transport.receive()
        assert b"\n" not in answer
        assert json.loads(answer) == result(1)


async def test_an_answer_counts_though_its_stream_never_ends(monkeypatch):
    async def script(asked: Asked, reply: Reply) -> None:
        await reply.stream()
        await reply.event(result(asked))
        await reply.hung_up()

    monkeypatch.setattr(http, "_ENDING", 0.02)
    async with talking(script) as (transport, server):
        await transport.send(modern(1))
        assert await next_message(transport) == result(1)
        await server.until(lambda: not server.connections)


async def test_what_a_tool_wants_mirrored_is_known_once_its_list_has_passed():
    schema = {
        "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "deep": {"properties": {"count": {"type": "integer", "x-mcp-header": "Count"}}},
            "dry": {"type": "boolean", "x-mcp-header": "Dry"},
            "other": {"type": "string"},
        }
    }

    async def script(asked: Asked, reply: Reply) -> None:
        if asked.json["method"] == "tools/list":
            listed = schema if asked.json["id"] == 2 else {}
            await reply.json(result(asked, tools=[{"name": "query", "inputSchema": listed}]))
        else:
            await reply.json(result(asked))

    async with talking(script) as (transport, server):
        call = {"region": "eu", "deep": {"count": 7}, "dry": False, "other": "x"}
        for line in (
            modern(1, "tools/call", name="query", arguments=call),
            modern(2),
            modern(3, "tools/call", name="query", arguments=call),
            modern(4, "tools/call", name="query", arguments={"region": "é", "dry": None, "deep": 5}),
            modern(5, "tools/call", name="other", arguments=call),
            modern(6),
            modern(7, "tools/call", name="query", arguments=call),
        ):
            await transport.send(line)
            await transport.receive()
        mirrored = [{k: v for k, v in asked.headers.items() if "param" in k} for asked in server.asked]
        assert mirrored == [
            {},
            {},
            {"mcp-param-region": "eu", "mcp-param-count": "7", "mcp-param-dry": "false"},
            {"mcp-param-region": "=?base64?w6k=?="},
            {},
            {},
            {},
        ]


@pytest.mark.parametrize("helps", [True, False])
async def test_a_call_with_the_wrong_headers_is_made_once_more_with_what_the_list_says(helps):
    tools = [{"name": "query", "inputSchema": {"properties": {"region": {"type": "string", "x-mcp-header": "Region"}}}}]

    async def script(asked: Asked, reply: Reply) -> None:
        match asked.json:
            case {"method": "tools/list", "params": {"cursor": "2", "_meta": _}}:
                await reply.json(result(asked, tools=tools))
            case {"method": "tools/list", "params": {"_meta": _}}:
                await reply.json(result(asked, tools=[], nextCursor="2"))
            case _ if helps and "mcp-param-region" in asked.headers:
                await reply.json(result(asked))
            case _:
                error = {"code": -32020, "message": "mismatch"}
                await reply.json({"jsonrpc": "2.0", "id": asked.json["id"], "error": error}, 400)

    async with talking(script) as (transport, server):
        await transport.send(modern(1, "tools/call", name="query", arguments={"region": "eu"}))
        answer = await next_message(transport)
        assert answer["id"] == 1
        assert ("result" in answer) == helps
        assert len(server.of("tools/call")) == 2
        assert len(server.of("tools/list")) == 2
        assert transport.statistics().received_bytes == 0  # what the transport asked itself stays inside


async def test_a_cancelled_modern_request_is_an_exchange_closed_and_nothing_posted():
    async def script(asked: Asked, reply: Reply) -> None:
        if asked.json["method"] == "tools/list":
            await echo(asked, reply)
            return
        await reply.stream()
        await reply.event(progress(1))
        await reply.hung_up()
        hung_up.set()

    hung_up = trio.Event()
    async with talking(script) as (transport, server):
        await transport.send(modern(1, "tools/call", name="slow"))
        await transport.receive()
        await transport.send(notification("notifications/cancelled", requestId=1))
        await hung_up.wait()
        await transport.send(notification("notifications/cancelled", requestId=1))  # late: nobody is told
        await transport.send(modern(2))
        assert (await next_message(transport))["id"] == 2
        assert [asked.json["method"] for asked in server.asked] == ["tools/call", "tools/list"]


async def test_a_modern_server_that_asks_is_posted_no_answer():
    async def script(asked: Asked, reply: Reply) -> None:
        await reply.stream()
        await reply.event({"jsonrpc": "2.0", "id": "q", "method": "roots/list"})
        await reply.event(result(asked))

    async with talking(script) as (transport, server):
        for id in (1, 2):
            await transport.send(modern(id))
            assert (await next_message(transport))["method"] == "roots/list"
            assert (await next_message(transport))["id"] == id
            answer = {"jsonrpc": "2.0", "id": "q", "error": {"code": -32601, "message": "Method not found"}}
            transport.send_nowait(json.dumps(answer).encode() + b"\n")
        assert [asked.json["method"] for asked in server.asked] == ["tools/list", "tools/list"]


async def test_an_id_may_be_used_again_while_the_stream_of_its_first_use_still_ends(monkeypatch):
    async def script(asked: Asked, reply: Reply) -> None:
        await reply.stream()
        await reply.event(result(asked) if asked.json["method"] == "tools/list" else progress(1))
        await reply.hung_up()

    monkeypatch.setattr(http, "_ENDING", 0.02)
    async with talking(script) as (transport, server):
        await transport.send(modern(1))
        await transport.receive()
        await transport.send(modern(1, "tools/call", name="slow"))
        await transport.receive()
        await server.until(lambda: server.connections == 1)
        await transport.send(notification("notifications/cancelled", requestId=1))
        await server.until(lambda: server.connections == 0)


async def test_a_subscription_is_one_long_stream_that_takes_no_turn():
    async def script(asked: Asked, reply: Reply) -> None:
        if asked.json["method"] == "subscriptions/listen":
            await reply.stream()
            await reply.event({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged"})
            await changed.wait()
            await reply.event({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
            await reply.event(result(asked))
        else:
            await echo(asked, reply)

    changed = trio.Event()
    async with talking(script, exchanges=1) as (transport, _):
        await transport.send(modern("sub", "subscriptions/listen"))
        assert (await next_message(transport))["method"] == "notifications/subscriptions/acknowledged"
        await transport.send(modern(1))
        assert (await next_message(transport))["id"] == 1
        changed.set()
        assert (await next_message(transport))["method"] == "notifications/tools/list_changed"
        assert await next_message(transport) == result("sub")


async def test_no_more_requests_than_allowed_are_under_way_and_each_has_its_turn():
    async def script(asked: Asked, reply: Reply) -> None:
        await go.wait()
        await echo(asked, reply)

    go = trio.Event()
    async with talking(script, exchanges=3) as (transport, server):
        for id in range(10):
            transport.send_nowait(modern(id))
        await server.until(lambda: len(server.asked) == 3)
        await trio.testing.wait_all_tasks_blocked()
        assert (transport.statistics().exchanges, transport.statistics().parked) == (3, 7)
        await transport.send(notification("notifications/cancelled", requestId=5))
        assert transport.statistics().parked == 6
        go.set()
        assert {(await next_message(transport))["id"] for _ in range(9)} == {*range(10)} - {5}
        assert len(server.asked) == 9
        assert transport.statistics().queued_bytes == 0


async def test_calls_one_after_the_other_share_one_connection():
    async with talking(echo) as (transport, server):
        for id in range(5):
            await transport.send(modern(id))
            await transport.receive()
        assert server.accepted == 1


# What HTTP says of a request


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, b"Not Found", {"code": 404, "message": "HTTP 404", "data": {"status": 404, "body": "Not Found"}}),
        (503, b"", {"code": 503, "message": "HTTP 503", "data": {"status": 503}}),
        (400, b'{"error":"invalid_token"}', {"code": 400}),
        (404, {"id": 1, "error": {"code": -32601, "message": "no"}}, {"code": -32601, "message": "no"}),
        (400, {"id": None, "error": {"code": -32000, "message": "no"}}, {"code": -32000, "message": "no"}),
        (400, {"id": "server-error", "error": {"code": -32600, "message": "no"}}, {"code": -32600}),
        (200, {"id": None, "error": {"code": -32700, "message": "no"}}, {"code": -32700}),
        (400, {"error": {"code": -32022, "message": "no", "data": {"supported": ["x"]}}}, {"code": -32022}),
        (200, {"id": 2, "result": {}}, {"code": NO_ANSWER}),
        (200, {"id": "1", "result": {}}, {"code": NO_ANSWER}),
        (200, b"{garbage", {"code": NO_ANSWER}),
        (200, b"", {"code": NO_ANSWER}),
        (302, b"", {"code": 302}),
    ],
)
async def test_every_failure_of_http_answers_the_request_it_met(status, body, error):
    async def script(asked: Asked, reply: Reply) -> None:
        await reply.json(body if isinstance(body, bytes) else {"jsonrpc": "2.0", **body}, status)

    async with talking(script) as (transport, _):
        await transport.send(modern(1))
        while (answer := await next_message_or_garbage(transport)).get("id") != 1 or "error" not in answer:
            pass
        assert error.items() <= answer["error"].items()


async def next_message_or_garbage(transport: HttpTransport) -> dict[str, Any]:
    try:
        return await next_message(transport)
    except ValueError:
        return {}


@pytest.mark.parametrize("kind", ["accepted", "html", "dies", "half a body", "stream without it", "half an event"])
async def test_a_request_without_an_answer_is_answered_with_an_error(kind):
    async def script(asked: Asked, reply: Reply) -> None:
        match kind:
            case "accepted":
                await reply.whole(202)
            case "html":
                await reply.whole(200, b"<p>", {"Content-Type": "text/html"})
            case "dies":
                raise Dies
            case "half a body":
                await reply.head(200, {"Content-Type": "application/json", "Content-Length": "99"})
                await reply.data(b'{"jsonrpc":"2.0",')
                raise Dies
            case "stream without it":
                await reply.stream()
                await reply.event(progress(1))
            case "half an event":
                await reply.stream()
                await reply.data(b"data: " + json.dumps(result(asked)).encode() + b"\n")
                raise Dies

    async with talking(script) as (transport, _):
        await transport.send(modern("x"))
        answer = await next_message(transport)
        while "error" not in answer:
            answer = await next_message(transport)
        assert (answer["id"], answer["error"]["code"]) == ("x", NO_ANSWER)
        assert answer["error"]["data"]["reason"]


async def test_who_was_never_reached_ends_the_connection_and_who_was_fails_the_request_alone():
    async with open_http_server(echo) as server:
        url = server.url
    with trio.fail_after(5):
        async with open_http(url) as transport:
            await transport.send(modern(1))
            with pytest.raises(Unreachable, match=r"127\.0\.0\.1"):
                await transport.receive()
            with pytest.raises(trio.BrokenResourceError):
                await transport.send(modern(2))
    with trio.fail_after(5):
        async with open_http_server(echo) as server, open_http(server.url) as transport:
            await transport.send(modern(1))
            await transport.receive()
            await server.stop()
            await transport.send(modern(2))
            answer = await next_message(transport)
            assert (answer["id"], answer["error"]["code"]) == (2, NOT_SENT)


async def test_401_answers_its_request_and_ends_the_connection_with_the_challenge():
    async def script(asked: Asked, reply: Reply) -> None:
        if asked.json["id"] == 1:
            await echo(asked, reply)
            return
        await reply.whole(401, b"", {"WWW-Authenticate": 'Bearer resource_metadata="https://x"'})

    async with talking(script) as (transport, _):
        await transport.send(modern(1))
        await transport.receive()
        await transport.send(modern(2))
        assert (await next_message(transport))["error"]["code"] == 401
        with pytest.raises(Unauthorized) as refused:
            await transport.receive()
        assert refused.value.status == 401
        assert refused.value.challenge == 'Bearer resource_metadata="https://x"'


async def test_403_is_about_everything_at_first_and_about_one_request_later():
    async def script(asked: Asked, reply: Reply) -> None:
        await (reply.whole(403) if asked.json["id"] == 2 else echo(asked, reply))

    async with talking(script) as (transport, _):
        for id in (1, 2, 3):
            await transport.send(modern(id))
            assert (await next_message(transport)).get("error", {}).get("code") == (403 if id == 2 else None)
    async with talking(script) as (transport, _):
        await transport.send(modern(2))
        await transport.receive()
        with pytest.raises(Unauthorized):
            await transport.receive()


async def test_a_redirect_within_the_origin_is_followed_and_remembered():
    async def script(asked: Asked, reply: Reply) -> None:
        if asked.path == "/mcp":
            await reply.whole(307, b"", {"Location": "/mcp/"})
        else:
            await echo(asked, reply)

    async with talking(script) as (transport, server):
        for id in (1, 2):
            await transport.send(modern(id))
            assert await next_message(transport) == result(id, _meta=META)
        assert [asked.path for asked in server.asked] == ["/mcp", "/mcp/", "/mcp/"]


async def test_requests_that_are_redirected_together_go_where_each_was_told():
    async def script(asked: Asked, reply: Reply) -> None:
        if asked.path == "/mcp":
            await server.until(lambda: len(server.asked) >= 3)
            await reply.whole(307, b"", {"Location": "v2/mcp"})
        else:
            await (echo(asked, reply) if asked.path == "/v2/mcp" else reply.whole(404))

    async with talking(script) as (transport, server):
        for id in (1, 2, 3):
            await transport.send(modern(id))
        assert {(await next_message(transport))["result"]["_meta"][VERSION] for _ in range(3)} == {"2026-07-28"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_another_origin_is_refused_and_nothing_goes_there(status):
    async def script(asked: Asked, reply: Reply) -> None:
        await reply.whole(status, b"", {"Location": f"{other.url}?key=hush"})

    async with (
        open_http_server(echo) as other,
        talking(script, headers={"Authorization": "Bearer x"}) as (transport, _),
    ):
        await transport.send(modern(1))
        error = (await next_message(transport))["error"]
        assert (error["code"], other.accepted) == (status, 0)
        assert error["message"] == f"HTTP {status}: a redirect to {other.url} is not followed"


@pytest.mark.parametrize("location", ["", "http://h:port/"])
async def test_a_redirect_to_no_address_is_told_as_such(location):
    async def script(asked: Asked, reply: Reply) -> None:
        await reply.whole(307, b"", {"Location": location})

    async with talking(script) as (transport, _):
        await transport.send(modern(1))
        error = (await next_message(transport))["error"]
        assert error["message"] == "HTTP 307: a redirect to nowhere is not followed"


async def test_a_server_that_redirects_in_circles_is_left():
    async def script(asked: Asked, reply: Reply) -> None:
        await reply.whole(307, b"", {"Location": "/round"})

    async with talking(script) as (transport, server):
        await transport.send(modern(1))
        assert (await next_message(transport))["error"]["code"] == 307
        assert len(server.asked) < 6


@pytest.mark.parametrize("kind", ["json", "gzip", "deflate", "event", "endless event", "error"])
async def test_an_answer_past_the_limit_is_lost_alone_whatever_it_was_compressed_to(kind):
    big = json.dumps(result(1, text="x" * 1_000_000)).encode()

    async def script(asked: Asked, reply: Reply) -> None:
        if asked.json["id"] == 2:
            await echo(asked, reply)
            return
        match kind:
            case "json":
                await reply.json(big)
            case "gzip":
                await reply.json(gzip.compress(big), headers={"Content-Encoding": "gzip"})
            case "deflate":
                await reply.json(zlib.compress(big), headers={"Content-Encoding": "deflate"})
            case "event":
                await reply.stream()
                await reply.event(big)
            case "endless event":
                await reply.stream()
                for _ in range(100):
                    await reply.data(b"data: " + b"x" * 1000 + b"\n")
                await reply.hung_up()
            case "error":
                await reply.json(big, 500)

    async with talking(script, message_limit=50_000) as (transport, _):
        for id in (1, 2):
            await transport.send(modern(id))
            answer = await next_message(transport)
            assert answer["id"] == id
            assert ("error" in answer) == (id == 1)
            if id == 1:
                assert "50000" in answer["error"]["message"]


@pytest.mark.parametrize("coding", ["gzip, gzip", "br", "what"])
async def test_only_a_coding_that_was_asked_for_is_read(coding):
    """Two on top of each other make gigabytes of a few kilobytes, which would keep everybody waiting to be unpacked."""

    async def script(asked: Asked, reply: Reply) -> None:
        if asked.json["id"] == 1:
            twice = gzip.compress(gzip.compress(json.dumps(result(asked)).encode()))
            await reply.json(twice, headers={"Content-Encoding": coding})
        else:
            await echo(asked, reply)

    async with talking(script) as (transport, _):
        await transport.send(modern(1))
        assert (await next_message(transport))["error"]["code"] == NO_ANSWER
        await transport.send(modern(2))
        assert (await next_message(transport))["id"] == 2


async def test_what_is_sent_has_the_configured_headers_and_never_one_of_ours_from_there():
    tokens = iter(["one", "two"])
    headers = {"X-Team": "a", "content-TYPE": "text/plain", "Accept": "no", "Mcp-Session-Id": "forged", "mcp-name": "x"}

    def with_token() -> dict[str, str]:
        return {**headers, "Authorization": f"Bearer {next(tokens)}"}

    async with talking(echo, headers=with_token) as (transport, server):
        for id in (1, 2):
            await transport.send(modern(id, "tools/call", name="a"))
            await transport.receive()
        assert [asked.headers["authorization"] for asked in server.asked] == ["Bearer one", "Bearer two"]
        for asked in server.asked:
            assert asked.headers["x-team"] == "a"
            assert asked.headers["content-type"] == "application/json"
            assert asked.headers["mcp-name"] == "a"
            assert "mcp-session-id" not in asked.headers


@pytest.mark.parametrize("value", ["hush\0hush", "hush é", "hush\r\nX-Other: hush"])
async def test_an_error_shows_nothing_of_a_secret_header_or_address(value):
    with trio.fail_after(5):
        async with open_http_server(echo) as server:
            url = server.url.replace("http://", "http://user:hush@") + "?key=hush"
            async with open_http(url, headers={"X": value}) as transport:
                await transport.send(modern(1))
                with pytest.raises(Unreachable) as refused:
                    await transport.receive()
                assert "hush" not in str(refused.value)
                assert "hush" not in repr(refused.value)
                assert "hush" not in repr(transport)


async def test_a_secret_address_is_in_nobodys_log(caplog):
    """Many programs have the library that carries the requests tell of each in their logs, with its whole address."""
    caplog.set_level("DEBUG")
    with trio.fail_after(5):
        async with open_http_server(echo) as server:
            url = server.url.replace("http://", "http://user:hush@") + "?key=hush"
            async with open_http(url, headers={"X": "hush"}) as transport:
                await transport.send(modern(1, "tools/call", name="hush"))
                await transport.receive()
    assert "hush" not in caplog.text


async def test_what_is_no_message_is_refused_to_the_caller():
    async with talking(echo) as (transport, _):
        with pytest.raises(ValueError, match="JSON-RPC"):
            transport.send_nowait(b"nonsense\n")
        await transport.send(modern(1))
        assert (await next_message(transport))["id"] == 1


# The legacy session


def session(first: Script = echo, *, unknown: int = 404) -> Script:
    """A legacy server with sessions, numbered from 1; `first` sees every request that is well addressed.

    ``unknown`` is the status by which it refuses the others.
    """
    ids = iter(range(1, 100))
    living: set[str] = set()

    async def script(asked: Asked, reply: Reply) -> None:
        if asked.method == "POST" and asked.json.get("method") == "initialize":
            living.clear()
            living.add(id := f"session-{next(ids)}")
            version = {"protocolVersion": "2025-06-18"}
            await reply.json(result(asked, **version), headers={"Mcp-Session-Id": id})
        elif asked.headers.get("mcp-session-id") not in living:
            await reply.json({"jsonrpc": "2.0", "id": None, "error": {"code": -32001, "message": "gone"}}, unknown)
        elif asked.method == "POST" and asked.json.get("method") == "forget":
            living.clear()
            await reply.json(result(asked))
        elif asked.method == "DELETE":
            living.clear()
            await reply.whole(204)
        else:
            await first(asked, reply)

    return script


async def greet(transport: HttpTransport) -> None:
    await transport.send(legacy(0, "initialize", protocolVersion="2025-11-25"))
    assert (await next_message(transport))["id"] == 0
    await transport.send(notification("notifications/initialized"))


async def test_a_legacy_session_is_named_in_every_request_and_ended_at_the_end():
    async with talking(session()) as (transport, server):
        await greet(transport)
        await transport.send(legacy(1, "ping"))
        assert (await next_message(transport))["id"] == 1
        await server.until(lambda: any(asked.method == "GET" for asked in server.asked))
        assert transport.way is Way.LEGACY
        await transport.aclose()
        first, *others = server.asked
        assert "mcp-session-id" not in first.headers
        assert "mcp-protocol-version" not in first.headers
        assert {asked.headers["mcp-session-id"] for asked in others} == {"session-1"}
        assert {asked.headers["mcp-protocol-version"] for asked in others} == {"2025-06-18"}
        assert not any("mcp-method" in asked.headers for asked in server.asked)
        assert others[-1].method == "DELETE"


async def test_a_server_that_lets_no_session_be_ended_delays_the_end_no_longer_than_allowed():
    async def script(asked: Asked, reply: Reply) -> None:
        if asked.method == "DELETE":
            await trio.sleep_forever()
        headers = {"Mcp-Session-Id": "s"} if asked.method == "POST" and asked.json["method"] == "initialize" else {}
        await (reply.whole(202) if asked.json.get("id") is None else reply.json(result(asked), headers=headers))

    async with talking(script, timeouts=HttpTimeouts(close=0.05)) as (transport, server):
        await transport.send(legacy(0, "initialize"))
        await transport.receive()
        await transport.aclose()
        assert server.asked[-1].method == "DELETE"


@pytest.mark.parametrize("status", [202, 400])
async def test_an_acknowledgement_that_drips_for_ever_holds_up_nobody_for_longer_than_allowed(status):
    async def script(asked: Asked, reply: Reply) -> None:
        if asked.method == "POST" and asked.json["method"] == "notifications/initialized":
            await reply.head(status, {"Transfer-Encoding": "chunked", "Content-Type": "application/json"})
            await reply.data(b"{")
            await reply.hung_up()
        else:
            await echo(asked, reply)

    async with talking(session(script), timeouts=HttpTimeouts(acknowledge=0.05, close=0.2)) as (transport, _):
        await greet(transport)
        await transport.send(legacy(1, "ping"))
        assert (await next_message(transport))["id"] == 1


async def test_a_stream_where_an_acknowledgement_is_due_holds_up_nobody():
    async def script(asked: Asked, reply: Reply) -> None:
        if asked.method == "POST" and asked.json["method"] == "notifications/initialized":
            await reply.stream()
            await reply.hung_up()
        else:
            await echo(asked, reply)

    async with talking(session(script)) as (transport, _):
        await greet(transport)
        await transport.send(legacy(1, "ping"))
        assert (await next_message(transport))["id"] == 1


async def test_nothing_overtakes_the_end_of_the_handshake():
    async def script(asked: Asked, reply: Reply) -> None:
        if asked.method == "POST" and asked.json["method"] == "early":
            await server.until(lambda: server.of("notifications/initialized"))
        elif asked.method == "POST" and asked.json["method"] == "notifications/initialized":
            with trio.move_on_after(0.1):  # for whoever would overtake it
                await server.until(lambda: server.of("ping"))
            assert not server.of("ping")
        await echo(asked, reply)

    async with talking(session(script)) as (transport, server):
        await transport.send(legacy(0, "initialize"))
        await transport.receive()
        await transport.send(legacy(9, "early"))  # its end in the meantime is no leave to go
        await server.until(lambda: server.of("early"))
        await transport.send(notification("notifications/initialized"))
        for id in (1, 2, 3):
            transport.send_nowait(legacy(id, "ping"))
        assert {(await next_message(transport))["id"] for _ in range(4)} == {1, 2, 3, 9}


@pytest.mark.parametrize(("status", "asked_again"), [(405, False), (404, False), (400, False), (503, True)])
async def test_a_second_stream_that_is_not_offered_is_asked_for_once(status, asked_again, monkeypatch):
    async def script(asked: Asked, reply: Reply) -> None:
        await (reply.whole(status) if asked.method == "GET" else echo(asked, reply))

    monkeypatch.setattr(http, "_PAUSE", 0.005)
    async with talking(session(script)) as (transport, server):
        await greet(transport)
        with trio.move_on_after(0.1) as waited:
            await server.until(lambda: len([asked for asked in server.asked if asked.method == "GET"]) > 1)
        assert waited.cancelled_caught is not asked_again


async def test_what_the_server_says_unasked_comes_by_a_stream_of_its_own_which_goes_on_where_it_broke_off():
    async def script(asked: Asked, reply: Reply) -> None:
        if asked.method != "GET":
            await echo(asked, reply)
            return
        await reply.stream()
        match asked.headers.get("last-event-id"):
            case None:
                await reply.data(b"retry: 1\n\n")
                await reply.event({"jsonrpc": "2.0", "id": "s", "method": "roots/list"}, id="a")
                raise Dies
            case "a":
                await reply.event({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}, id="b")
            case "b":
                await reply.hung_up()

    async with talking(session(script)) as (transport, server):
        await greet(transport)
        assert (await next_message(transport))["method"] == "roots/list"
        await transport.send(b'{"jsonrpc":"2.0","id":"s","result":{"roots":[]}}\n')
        assert (await next_message(transport))["method"] == "notifications/tools/list_changed"
        await server.until(lambda: len([asked for asked in server.asked if asked.method == "GET"]) == 3)


async def test_a_server_that_wants_no_pause_between_its_streams_is_given_one():
    async def script(asked: Asked, reply: Reply) -> None:
        if asked.method == "GET":
            await reply.stream()
            await reply.data(b"retry: 0\n\n")
            await reply.event(progress(1), id=str(len(server.asked)))
        else:
            await echo(asked, reply)

    async with talking(session(script)) as (transport, server):
        await greet(transport)
        start = trio.current_time()
        for _ in range(4):
            await transport.receive()
        assert trio.current_time() - start > 3 * http._SHORTEST_PAUSE


@pytest.mark.parametrize("refused", ["request", "notification"])
async def test_a_forgotten_session_is_begun_anew_and_the_message_it_refused_is_posted_again(refused):
    renewals = []

    def renewed() -> None:
        renewals.append(transport.statistics().sessions)
        transport.send_nowait(legacy(90, "resources/subscribe", uri="x"))

    async with talking(session(), on_renewed=renewed) as (transport, server):
        await greet(transport)
        await transport.send(legacy(1, "forget"))
        await transport.receive()
        asked = legacy(2, "tools/list") if refused == "request" else notification("notifications/roots/list_changed")
        await transport.send(asked)
        ids = {2, 90} if refused == "request" else {90}
        assert {(await next_message(transport))["id"] for _ in ids} == ids
        assert renewals == [2]
        posted = [asked.json["method"] for asked in server.asked if asked.method == "POST"][3:]
        again = posted[0]
        assert posted[:3] == [again, "initialize", "notifications/initialized"]
        assert sorted(posted[3:]) == sorted([again, "resources/subscribe"])
        assert server.of(again)[-1].headers["mcp-session-id"] == "session-2"
        assert server.of("initialize")[0].body == server.of("initialize")[1].body


async def test_many_that_meet_a_forgotten_session_begin_one_new_one():
    async with talking(session()) as (transport, server):
        await greet(transport)
        await transport.send(legacy(1, "forget"))
        await transport.receive()
        for id in range(2, 12):
            transport.send_nowait(legacy(id, "ping"))
        assert {(await next_message(transport))["id"] for _ in range(10)} == {*range(2, 12)}
        assert len(server.of("initialize")) == 2


@pytest.mark.parametrize("kind", ["refuses", "hangs"])
async def test_a_session_that_cannot_be_begun_anew_is_tried_for_once_for_all_that_ask(kind):
    async def script(asked: Asked, reply: Reply) -> None:
        if asked.method == "POST" and asked.json.get("method") == "initialize" and len(server.of("initialize")) > 1:
            await server.until(lambda: len(server.of("ping")) == 10)
            await trio.testing.wait_all_tasks_blocked(0.01)
            await (reply.whole(503) if kind == "refuses" else reply.hung_up())
        else:
            await serve(asked, reply)

    serve = session()
    async with talking(script, timeouts=HttpTimeouts(acknowledge=0.1, close=0.2)) as (transport, server):
        await greet(transport)
        await transport.send(legacy(1, "forget"))
        await transport.receive()
        for id in range(2, 12):
            transport.send_nowait(legacy(id, "ping"))
        assert {(await next_message(transport))["error"]["code"] for _ in range(10)} == {-32001}
        assert len(server.of("initialize")) == 2
        await transport.send(legacy(12, "tools/list"))  # and again by whoever asks later
        await transport.receive()
        assert len(server.of("initialize")) == 3


async def test_a_session_may_be_forgotten_in_the_words_of_a_bad_request():
    """So say, against the specification, the many servers that took after an example of the TypeScript SDK."""
    async with talking(session(unknown=400)) as (transport, server):
        await greet(transport)
        await transport.send(legacy(1, "forget"))
        await transport.receive()
        await transport.send(legacy(2, "tools/list"))
        assert await next_message(transport) == result(2)
        assert [asked.json["method"] for asked in server.asked if asked.method == "POST"][3:] == [
            "tools/list",
            "ping",
            "initialize",
            "notifications/initialized",
            "tools/list",
        ]


async def test_a_bad_request_within_a_session_that_is_known_is_one():
    async def script(asked: Asked, reply: Reply) -> None:
        await (reply.whole(400) if b"tools/call" in asked.body else echo(asked, reply))

    async with talking(session(script)) as (transport, server):
        await greet(transport)
        await transport.send(legacy(1, "tools/call", name="t"))
        answer = await next_message(transport)
        assert (answer["id"], answer["error"]["code"]) == (1, 400)
        assert (len(server.of("tools/call")), len(server.of("initialize"))) == (1, 1)


@pytest.mark.parametrize("answers", [True, False], ids=["in time", "never"])
async def test_the_stream_for_what_the_server_asks_is_open_before_it_is_asked_anything(answers, monkeypatch):
    """Else it may drop its questions, and the call that they belong to is never answered."""
    opened_at = 0.0

    async def script(asked: Asked, reply: Reply) -> None:
        nonlocal opened_at
        if asked.method != "GET":
            await echo(asked, reply)
            return
        if answers:
            await trio.sleep(0.05)
            opened_at = trio.current_time()
            await reply.stream()
        await reply.hung_up()

    monkeypatch.setattr(http, "_LISTENING", 3.0 if answers else 0.1)
    async with talking(session(script)) as (transport, server):
        await greet(transport)
        start = trio.current_time()
        await transport.send(legacy(1, "tools/call", name="t"))
        await transport.receive()
        assert [asked.method for asked in server.asked].index("GET") == 2
        if answers:
            assert start < opened_at < trio.current_time()
        else:
            assert trio.current_time() - start < 1


async def test_a_session_that_is_forgotten_for_ever_refuses_the_request():
    async def script(asked: Asked, reply: Reply) -> None:
        if asked.method == "POST" and asked.json["method"] == "ping":
            await reply.whole(404)
        else:
            await echo(asked, reply)

    async with talking(session(script)) as (transport, server):
        await greet(transport)
        await transport.send(legacy(1, "ping"))
        answer = await next_message(transport)
        assert (answer["id"], answer["error"]["code"]) == (1, 404)
        assert (len(server.of("ping")), len(server.of("initialize"))) == (2, 2)


async def test_a_legacy_answer_whose_stream_broke_off_is_fetched_after_the_pause_the_server_asked_for():
    async def script(asked: Asked, reply: Reply) -> None:
        if asked.method == "GET" and (last := asked.headers.get("last-event-id")):
            await reply.stream()
            if last == "1":
                await reply.event(progress(2), id="2")
                raise Dies
            await reply.event(result(7, done=last), id="3")
        elif asked.method == "GET":
            await reply.whole(405)
        elif asked.json["method"] == "tools/call":
            await reply.stream()
            await reply.data(b"id: 0\nretry: 20\ndata:\n\n")
            await reply.event(progress(1), id="1")
        else:
            await echo(asked, reply)

    async with talking(session(script)) as (transport, server):
        await greet(transport)
        start = trio.current_time()
        await transport.send(legacy(7, "tools/call", name="slow"))
        assert [(await next_message(transport))["params"]["progress"] for _ in range(2)] == [1, 2]
        assert await next_message(transport) == result(7, done="2")
        assert trio.current_time() - start >= 0.04
        assert len(server.of("tools/call")) == 1


@pytest.mark.parametrize("id", ["é", "x" * 1_000_000, "\x01"], ids=["not ASCII", "endless", "control"])
async def test_an_event_id_that_no_header_can_carry_is_none(id):
    async def script(asked: Asked, reply: Reply) -> None:
        if asked.method == "POST" and asked.json["method"] == "tools/call":
            await reply.stream()
            await reply.event(progress(1), id=id)
        else:
            await echo(asked, reply)

    async with talking(session(script)) as (transport, _):
        await greet(transport)
        await transport.send(legacy(7, "tools/call", name="slow"))
        await transport.receive()
        answer = await next_message(transport)
        assert (answer["id"], answer["error"]["code"]) == (7, NO_ANSWER)


@pytest.mark.parametrize("kind", ["no ids", "refused", "gone"])
async def test_a_legacy_answer_that_cannot_be_fetched_is_lost(kind):
    async def script(asked: Asked, reply: Reply) -> None:
        if asked.method == "GET" and "last-event-id" in asked.headers:
            await reply.whole(400 if kind == "refused" else 404)
        elif asked.method == "POST" and asked.json["method"] == "tools/call":
            await reply.stream()
            await reply.data(b"retry: 1\n\n")
            await reply.event(progress(1), id=None if kind == "no ids" else "1")
        else:
            await echo(asked, reply)

    async with talking(session(script)) as (transport, _):
        await greet(transport)
        await transport.send(legacy(7, "tools/call", name="slow"))
        await transport.receive()
        answer = await next_message(transport)
        assert (answer["id"], answer["error"]["code"]) == (7, NO_ANSWER)


async def test_a_legacy_cancellation_is_posted_and_then_its_exchange_is_closed():
    async def script(asked: Asked, reply: Reply) -> None:
        if asked.method == "POST" and asked.json["method"] == "tools/call":
            await reply.stream()
            await reply.event(progress(1))
            await reply.hung_up()
            assert len(server.of("notifications/cancelled")) == 1
            hung_up.set()
        else:
            await echo(asked, reply)

    hung_up = trio.Event()
    async with talking(session(script)) as (transport, server):
        await greet(transport)
        await transport.send(legacy(7, "tools/call", name="slow"))
        await transport.receive()
        await transport.send(notification("notifications/cancelled", requestId=7))
        await hung_up.wait()


@pytest.mark.parametrize("status", [400, 500])
async def test_a_cancelled_request_is_over_though_the_server_will_not_hear_of_it(status):
    async def script(asked: Asked, reply: Reply) -> None:
        if asked.method == "POST" and asked.json["method"] == "tools/call":
            await reply.hung_up()
        elif asked.method == "POST" and asked.json["method"] == "notifications/cancelled":
            await reply.whole(status)
        else:
            await echo(asked, reply)

    async with talking(session(script), exchanges=1) as (transport, server):
        await greet(transport)
        await transport.send(legacy(7, "tools/call", name="slow"))
        await server.until(lambda: server.of("tools/call"))
        await transport.send(notification("notifications/cancelled", requestId=7))
        await transport.send(legacy(8, "ping"))
        assert (await next_message(transport))["id"] == 8


async def test_a_legacy_request_that_is_cancelled_before_its_turn_is_never_posted():
    async def script(asked: Asked, reply: Reply) -> None:
        if asked.method == "POST" and asked.json["method"] == "tools/call":
            await go.wait()
        await echo(asked, reply)

    go = trio.Event()
    async with talking(session(script), exchanges=1) as (transport, server):
        await greet(transport)
        for id in (1, 2, 3):
            await transport.send(legacy(id, "tools/call", name="slow"))
        await server.until(lambda: server.of("tools/call"))
        await transport.send(notification("notifications/cancelled", requestId=2))
        go.set()
        assert [(await next_message(transport))["id"] for _ in range(2)] == [1, 3]
        assert [asked.json["id"] for asked in server.of("tools/call")] == [1, 3]
        assert not server.of("notifications/cancelled")


async def test_what_needs_no_answer_gives_nobody_a_turn():
    async def script(asked: Asked, reply: Reply) -> None:
        if asked.method == "POST" and asked.json["method"] == "tools/call":
            await go.wait()
        await echo(asked, reply)

    go = trio.Event()
    async with talking(session(script), exchanges=2) as (transport, server):
        await greet(transport)
        for id in range(6):
            await transport.send(legacy(id, "tools/call", name="slow"))
        await server.until(lambda: len(server.of("tools/call")) == 2)
        for _ in range(3):
            await transport.send(notification("notifications/roots/list_changed"))
        await server.until(lambda: len(server.of("notifications/roots/list_changed")) == 3)
        await trio.testing.wait_all_tasks_blocked(0.02)
        assert len(server.of("tools/call")) == 2
        go.set()
        assert {(await next_message(transport))["id"] for _ in range(6)} == {*range(6)}


async def test_a_server_that_asks_and_asks_and_takes_no_answer_gets_few_connections():
    async def script(asked: Asked, reply: Reply) -> None:
        if asked.method == "POST" and "method" not in asked.json:
            await reply.hung_up()
        elif asked.method == "POST" and asked.json["method"] == "tools/call":
            await reply.stream()
            for n in range(100):
                await reply.event({"jsonrpc": "2.0", "id": n, "method": "ping"})
            await reply.hung_up()
        else:
            await echo(asked, reply)

    async with talking(session(script)) as (transport, server):
        await greet(transport)
        await transport.send(legacy(1, "tools/call", name="asks"))
        for _ in range(100):
            id = (await next_message(transport))["id"]
            await transport.send(json.dumps({"jsonrpc": "2.0", "id": id, "result": {}}).encode() + b"\n")
        await server.until(lambda: server.connections > http.ERRANDS)
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert server.connections <= http.ERRANDS + 2
        await transport.send(legacy(2, "ping"))
        assert (await next_message(transport))["id"] == 2


async def test_an_answer_to_the_server_passes_while_all_turns_are_taken():
    async def script(asked: Asked, reply: Reply) -> None:
        if asked.method == "POST" and asked.json.get("method") == "tools/call":
            await reply.stream()
            await reply.event({"jsonrpc": "2.0", "id": "ask", "method": "elicitation/create"})
            await answered.wait()
            await reply.event(result(asked))
        else:
            if asked.method == "POST" and asked.json.get("id") == "ask":
                answered.set()
            await echo(asked, reply)

    answered = trio.Event()
    async with talking(session(script), exchanges=1) as (transport, _):
        await greet(transport)
        await transport.send(legacy(1, "tools/call", name="asks"))
        await transport.send(legacy(2, "ping"))
        assert (await next_message(transport))["id"] == "ask"
        await transport.send(b'{"jsonrpc":"2.0","id":"ask","result":{}}\n')
        assert [(await next_message(transport))["id"] for _ in range(2)] == [1, 2]


async def test_the_messages_of_a_batch_are_received_one_by_one():
    async def script(asked: Asked, reply: Reply) -> None:
        await reply.json([progress(1), result(asked)])

    async with talking(script) as (transport, _):
        await transport.send(legacy(1, "ping"))
        assert [await next_message(transport) for _ in range(2)] == [progress(1), result(1)]


# HTTP+SSE, and finding out


def old(endpoint: str = "/messages?session=1", status: int = 405) -> Script:
    """An HTTP+SSE server that echoes; a POST to where its stream is meets `status`."""
    streams: list[Reply] = []

    async def script(asked: Asked, reply: Reply) -> None:
        if asked.method == "GET":
            await reply.stream()
            await reply.event(endpoint.encode(), event="endpoint")
            streams.append(reply)
            await reply.hung_up()
        elif asked.path == "/messages?session=1":
            await reply.whole(202, b"Accepted")
            if asked.json["method"] == "die":
                await streams[-1].data(b"data: {")
                await streams[-1].end()
            elif "id" in asked.json:
                await streams[-1].event(result(asked, protocolVersion="2024-11-05"), event="message")
        else:
            await reply.whole(status, b"no")

    return script


async def test_http_and_sse_posts_to_the_endpoint_and_hears_by_the_stream_in_order():
    async with talking(old(), type="sse") as (transport, server):
        for id in range(20):
            transport.send_nowait(legacy(id, "ping"))
        assert [(await next_message(transport))["id"] for _ in range(20)] == [*range(20)]
        assert [asked.method for asked in server.asked[:2]] == ["GET", "POST"]
        assert [asked.json["id"] for asked in server.asked[1:]] == [*range(20)]
        assert transport.way is Way.SSE


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_an_sse_server_may_redirect_to_its_stream(status):
    async def script(asked: Asked, reply: Reply) -> None:
        await (reply.whole(status, b"", {"Location": "/sse/"}) if asked.path == "/mcp" else serve(asked, reply))

    serve = old()
    async with talking(script, type="sse") as (transport, server):
        await transport.send(legacy(1, "ping"))
        assert (await next_message(transport))["id"] == 1
        assert [asked.path for asked in server.asked] == ["/mcp", "/sse/", "/messages?session=1"]


async def test_the_end_of_its_stream_is_the_end_of_an_sse_connection():
    async with talking(old(), type="sse") as (transport, _):
        await transport.send(legacy(1, "die"))
        for _ in range(2):
            with pytest.raises(trio.EndOfChannel):
                await transport.receive()
        with pytest.raises(trio.BrokenResourceError):
            await transport.send(legacy(2, "ping"))


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:1/messages", "https://example.org/x", "//example.org", "http://[", "http:////x["]
)
async def test_an_endpoint_of_another_origin_is_refused(endpoint):
    async with talking(old(endpoint), type="sse") as (transport, server):
        await transport.send(legacy(1, "ping"))
        with pytest.raises(Unreachable, match="origin"):
            await transport.receive()
        assert [asked.method for asked in server.asked] == ["GET"]


@pytest.mark.parametrize("kind", ["not found", "unauthorized", "no stream", "no endpoint", "ends", "silent"])
async def test_an_sse_server_that_names_no_endpoint_is_none(kind):
    async def script(asked: Asked, reply: Reply) -> None:
        match kind:
            case "not found":
                await reply.whole(404)
            case "unauthorized":
                await reply.whole(401, b"", {"WWW-Authenticate": "Bearer"})
            case "no stream":
                await reply.whole(200, b"hello", {"Content-Type": "text/html"})
            case "no endpoint":
                await reply.stream()
                await reply.event(progress(1))
            case "ends":
                await reply.stream()
            case "silent":
                await reply.stream()
                await reply.hung_up()

    timeouts = HttpTimeouts(acknowledge=0.05 if kind == "silent" else 30, close=0.2)
    async with talking(script, type="sse", timeouts=timeouts) as (transport, _):
        await transport.send(legacy(1, "ping"))
        with pytest.raises(Unauthorized if kind == "unauthorized" else Unreachable):
            await transport.receive()


@pytest.mark.parametrize("status", [400, 404, 405])
async def test_an_address_that_takes_no_initialize_is_tried_for_sse_and_remembered(status):
    ways: dict[str, Way] = {}
    async with talking(old(status=status), ways=ways) as (transport, server):
        await transport.send(modern(0, "server/discover"))
        assert (await next_message(transport))["error"]["code"] == status
        await transport.send(legacy(1, "initialize"))
        assert (await next_message(transport))["id"] == 1
        await transport.send(notification("notifications/initialized"))
        await transport.send(legacy(2, "ping"))
        assert (await next_message(transport))["id"] == 2
        assert ways == {server.url: Way.SSE}
        async with open_http(server.url, ways=ways) as second:
            await second.send(legacy(1, "initialize"))
            assert (await next_message(second))["id"] == 1
        assert [asked.method for asked in server.asked[-2:]] == ["GET", "POST"]


@pytest.mark.parametrize(("status", "code"), [(400, -32022), (404, -32021), (500, -1), (403, -1)])
async def test_a_modern_error_and_any_other_status_are_no_reason_to_try_sse(status, code):
    async def script(asked: Asked, reply: Reply) -> None:
        if asked.json["method"] == "ping":
            await echo(asked, reply)
            return
        await reply.json({"jsonrpc": "2.0", "error": {"code": code, "message": "no"}}, status)

    async with talking(script) as (transport, server):
        await transport.send(legacy(0, "ping"))
        await transport.receive()
        await transport.send(legacy(1, "initialize"))
        assert (await next_message(transport))["error"]["code"] == code
        assert {asked.method for asked in server.asked} == {"POST"}


async def test_a_way_that_proves_wrong_is_forgotten_and_found_anew():
    async with talking(session()) as (_, server):
        ways = {server.url: Way.SSE}
        async with open_http(server.url, ways=ways) as transport:
            await transport.send(legacy(0, "ping"))
            assert (await next_message(transport))["error"]["code"] == -32001
            assert ways == {}
            await greet(transport)
            assert ways == {server.url: Way.LEGACY}


async def test_the_way_is_kept_by_address_without_what_is_secret_in_it():
    ways: dict[str, Way] = {}
    with trio.fail_after(5):
        async with open_http_server(echo) as server:
            url = server.url.replace("http://", "http://user:hush@") + "?key=hush"
            async with open_http(url, ways=ways) as transport:
                await transport.send(modern(1))
                await transport.receive()
            assert server.asked[0].path == "/mcp?key=hush"
            assert ways == {server.url: Way.MODERN}


# Bounds


async def test_a_failure_of_tls_is_told_in_its_own_words():
    async with open_http_server(echo) as server, open_http(server.url.replace("http:", "https:")) as transport:
        with trio.fail_after(5):
            await transport.send(modern(1))
            with pytest.raises(Unreachable, match=r"cannot be reached: \[SSL: "):
                await transport.receive()


async def test_a_server_that_takes_nothing_costs_no_more_than_the_bound():
    async with talking(echo, outgoing_limit=10_000) as (transport, server):
        server.refuses_to_read = True
        sent = 0
        with pytest.raises(trio.WouldBlock):
            while True:
                transport.send_nowait(modern(sent, "tools/call", name="x" * 1000))
                sent += 1
        assert 5 < sent < 12
        assert transport.statistics().queued_bytes <= 10_000
        with trio.move_on_after(0.02) as waited:
            await transport.send(modern(99, "tools/call", name="x" * 1000))
        assert waited.cancelled_caught
        assert transport.statistics().senders_waiting == 0
        await transport.send(notification("notifications/cancelled", requestId=0))
        await transport.send(modern(100))  # there is room again


@pytest.mark.parametrize("kind", ["json", "events"])
async def test_answers_that_are_never_complete_hold_no_more_together_than_two_messages_may(kind):
    async def script(asked: Asked, reply: Reply) -> None:
        headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
        await (reply.head(200, headers) if kind == "json" else reply.stream())
        await reply.data(b"data: " + b"x" * 40_000)
        if asked.json["id"] >= 4:  # one more, now that there is room
            await reply.data(b"\n\n")
            return
        await reply.hung_up()

    async with talking(script, message_limit=50_000) as (transport, server):
        for id in range(3):
            await transport.send(modern(id))
        answer = await next_message(transport)
        assert "not complete" in answer["error"]["message"]
        for id in {0, 1, 2} - {answer["id"]}:
            await transport.send(notification("notifications/cancelled", requestId=id))
        await server.until(lambda: not server.connections)
        for id in (4, 5, 6):  # nothing of the others counts any more
            await transport.send(modern(id))
            while (answer := await next_message_or_garbage(transport)).get("id") != id:
                pass
            assert "not complete" not in answer["error"]["message"]


async def test_a_stream_is_read_no_further_than_the_bound_while_nobody_receives():
    said = 0

    async def script(asked: Asked, reply: Reply) -> None:
        nonlocal said
        await reply.stream()
        for _ in range(400):
            await reply.event({"jsonrpc": "2.0", "method": "x", "params": {"text": "x" * 100_000}})
            said += 1
        await reply.event(result(asked))

    async with talking(script, incoming_limit=100_000) as (transport, _):
        await transport.send(modern(1))
        for _ in range(10):
            await transport.receive()
        before = -1
        while before != said:  # until the sockets are full
            before = said
            await trio.sleep(0.05)
        assert said < 200
        assert transport.statistics().received_bytes < 400_000
        for _ in range(390):
            await transport.receive()
        assert await next_message(transport) == result(1)
