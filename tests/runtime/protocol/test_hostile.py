"""What no peer should send, at either end: nothing waits for ever, is raised, or passes for what it is not."""

import json
from math import inf, nan
from typing import Any

import pytest
from msgspec import Raw

from runtime.protocol import (
    Answered,
    Asked,
    Failed,
    Ignored,
    InputRequired,
    Invalid,
    Opened,
    OpenFailed,
    Send,
    ServerConnection,
    State,
)
from runtime.protocol.versions import CLIENT_CAPABILITIES, TASKS
from tests.runtime.protocol.judged import ALL, INITIALIZED, client, legacy, line, modern, result

NO_ANSWERS = [
    b'"error":"boom"',
    b'"error":{"code":"E_FAIL","message":"m"}',
    b'"error":{"code":-32000.0,"message":"m"}',
    b'"error":{"code":1,"message":["m"]}',
    b'"error":{"code":%s,"message":"m"}' % (b"9" * 5000),
    b'"error":{"code":1,"message":"m"},"result":{}',
    b'"error":null',
]


def answer(id: int, body: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","id":%d,%s}' % (id, body)


def greeted(version: str = "2025-11-25") -> ServerConnection:
    server = ServerConnection({"name": "s", "version": "1"}, {"tools": {}})
    greeting = {"protocolVersion": version, "capabilities": {"roots": {}}, "clientInfo": {"name": "c", "version": "1"}}
    server.receive(line(id=0, method="initialize", params=greeting))
    return server


def asked(**meta: Any) -> ServerConnection:
    server = greeted()
    server.receive(line(id=1, method="tools/call", params={"name": "t", "_meta": meta}))
    return server


@pytest.mark.parametrize("body", NO_ANSWERS)
@pytest.mark.parametrize("opened", [modern, legacy])
def test_a_request_that_is_answered_with_no_answer_is_over(opened, body):
    connection = opened()
    id, _ = connection.call_tool("t")
    [event] = connection.receive(answer(id, body))
    assert isinstance(event, Invalid)
    assert event.id == id
    assert not connection.pending


@pytest.mark.parametrize("body", NO_ANSWERS)
def test_a_question_that_is_answered_with_no_answer_is_over(body):
    server = asked()
    id, _ = server.ask(1, "roots/list")
    [event] = server.receive(answer(id, body))
    assert isinstance(event, Invalid)
    assert event.id == id
    assert not server.asked


@pytest.mark.parametrize("body", NO_ANSWERS)
def test_a_probe_that_is_answered_with_no_answer_was_for_a_legacy_server(body):
    connection = client()
    connection.open()
    [event] = connection.receive(answer(1, body))
    assert json.loads(event.data)["method"] == "initialize"
    *_, opened = connection.receive(result(2, INITIALIZED))
    assert isinstance(opened, Opened)


@pytest.mark.parametrize("body", NO_ANSWERS)
def test_an_initialize_that_is_answered_with_no_answer_has_failed(body):
    connection = client("legacy")
    connection.open()
    [event] = connection.receive(answer(1, body))
    assert isinstance(event, OpenFailed)
    assert connection.state is State.FAILED


@pytest.mark.parametrize("body", NO_ANSWERS)
def test_no_answer_to_what_nobody_asked_is_ignored(body):
    for connection in (modern(), legacy(), asked()):
        [event] = connection.receive(answer(99, body))
        assert isinstance(event, Ignored)


def test_a_result_type_in_escapes_is_read_as_what_it_is():
    connection = modern(ALL)
    id, _ = connection.call_tool("t")
    hidden = rb'{"result\u0054ype":"input_required","requestState":"s","x":{"resultType":"complete"}}'
    [event] = connection.receive(answer(id, b'"result":' + hidden))
    assert isinstance(event, InputRequired)


def test_escapes_in_a_result_are_no_harm():
    connection = modern()
    id, _ = connection.call_tool("t")
    [event] = connection.receive(answer(id, rb'"result":{"content":[],"x":"\u0041"}'))
    assert isinstance(event, Answered)


def test_all_that_has_a_timeout_can_be_given_up_at_once():
    connection = legacy()
    ids = [connection.call_tool("t")[0] for _ in range(2)]
    connection.set_timeout(ids[0], 0, 5)
    connection.set_timeout(ids[1], 0, inf)
    connection.expire(inf)
    assert not connection.pending


@pytest.mark.parametrize("depth", [2, 50, 333, 334, 900])
def test_batches_in_batches_are_not_taken_apart(depth):
    nested = b"[" * depth + b"]" * depth
    for connection in (greeted("2025-03-26"), legacy(version="2025-03-26")):
        [event] = connection.receive(nested)
        assert isinstance(event, Ignored)


def test_half_a_surrogate_pair_spoils_no_batch():
    connection = legacy(version="2025-03-26")
    ids = [connection.call_tool("t")[0] for _ in range(2)]
    batch = b",".join(answer(id, rb'"error":{"code":1,"message":"cut \ud83d"}') for id in ids)
    assert all(isinstance(event, Failed) for event in connection.receive(b"[%s]" % batch))


def test_progress_that_json_cannot_tell_is_not_told(official):
    server = asked(progressToken="p")
    for value in (nan, inf, -inf):
        assert server.progress(1, value) is None
    told = official("2025-11-25").check_line(server.progress(1, 0, nan))
    assert told["params"] == {"progressToken": "p", "progress": 0}
    assert server.progress(1, 10**400) is not None


@pytest.mark.parametrize(
    "request_line",
    [
        b'{"jsonrpc":"2.0","id":5,"method":7}',
        b'{"jsonrpc":"2.0","id":5,"method":{},"params":{}}',
        b'{"id":5,"method":"tools/list"}',
        b'{"jsonrpc":"1.0","id":5,"method":"tools/list"}',
        b'{"jsonrpc":2.0,"id":5,"method":"tools/list"}',
    ],
)
def test_a_request_with_an_id_is_answered_whatever_is_wrong_with_it(official, request_line):
    server = greeted()
    [event] = server.receive(request_line)
    assert isinstance(event, Send)
    refusal = official("2025-11-25").check_line(event.data)
    assert (refusal["id"], refusal["error"]["code"]) == (5, -32600)
    assert server.receive(line(id=5, method="tools/list")) == [Asked(5, "tools/list", {})]
    [twice] = server.receive(request_line)
    assert isinstance(twice, Ignored)  # that id waits for a proper answer


@pytest.mark.parametrize("noise", [b'{"id":5,"level":"info"}', b'{"method":7}', b'{"id":null,"method":7}', b"{"])
def test_what_asks_nothing_is_not_answered(noise):
    [event] = greeted().receive(noise)
    assert isinstance(event, Ignored)


@pytest.mark.parametrize("extensions", [None, {"x/y": {}}])
def test_tasks_are_declared_beside_whatever_another_has_declared(extensions):
    capabilities = Raw(json.dumps({"roots": {}, "extensions": extensions}).encode())
    _, said = modern().call_tool("t", tasks=True, meta={CLIENT_CAPABILITIES: capabilities})
    declared = json.loads(said)["params"]["_meta"][CLIENT_CAPABILITIES]
    assert declared == {"roots": {}, "extensions": {**(extensions or {}), TASKS: {}}}
