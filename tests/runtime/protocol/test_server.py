"""The server connection, and what the two ends make of each other."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.protocol import (
    LEGACY_VERSIONS,
    MODERN_VERSION,
    Answered,
    Asked,
    CallToolResult,
    CancelRequested,
    ClientConnection,
    Era,
    Failed,
    Ignored,
    Implementation,
    JsonRpcError,
    ListToolsResult,
    LocalProtocolError,
    Notified,
    Opened,
    Progressed,
    Send,
    ServerConnection,
    State,
    result_from_wire,
)

KEY = "io.modelcontextprotocol/"
ENVELOPE = {KEY + "protocolVersion": MODERN_VERSION, KEY + "clientCapabilities": {}}
INFO = {"name": "s", "version": "1"}


def server() -> ServerConnection:
    return ServerConnection(INFO, {"tools": {}}, "be kind")


def line(**members: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **members}).encode()


def ask(connection: ServerConnection, id: Any, method: str, params: Any = None) -> Any:
    members = {} if params is None else {"params": params}
    [event] = connection.receive(line(id=id, method=method, **members))
    return event


def told(event: Any) -> dict[str, Any]:
    assert isinstance(event, Send)
    message: dict[str, Any] = json.loads(event.data)
    return message


def initialize(version: Any = LEGACY_VERSIONS[0]) -> dict[str, Any]:
    return {"protocolVersion": version, "capabilities": {}, "clientInfo": INFO}


def modern() -> ServerConnection:
    connection = server()
    ask(connection, "first", "server/discover", {"_meta": ENVELOPE})
    return connection


def legacy() -> ServerConnection:
    connection = server()
    ask(connection, "first", "initialize", initialize())
    return connection


def test_discover_is_answered_validly_and_binds_to_the_modern_era(official):
    connection = server()
    event = ask(connection, 1, "server/discover", {"_meta": ENVELOPE})
    message = official(MODERN_VERSION).check_line(event.data, answers="server/discover")
    assert message["result"]["supportedVersions"] == [MODERN_VERSION]
    assert message["result"]["_meta"] == {KEY + "serverInfo": INFO}
    assert (connection.era, connection.version) == (Era.MODERN, MODERN_VERSION)


@pytest.mark.parametrize(
    ("offered", "spoken"),
    [*((v, v) for v in LEGACY_VERSIONS), (MODERN_VERSION, LEGACY_VERSIONS[0]), ("1999", LEGACY_VERSIONS[0])],
)
def test_initialize_is_answered_validly_and_binds_to_the_legacy_era(offered, spoken, official):
    connection = server()
    event = ask(connection, 1, "initialize", initialize(offered))
    message = official(spoken).check_line(event.data, answers="initialize")
    assert message["result"]["protocolVersion"] == connection.version == spoken
    assert connection.era is Era.LEGACY


@pytest.mark.parametrize("method", ["tools/call", "server/discover"])
def test_a_version_that_is_not_spoken_is_named_and_binds_to_nothing(method, official):
    connection = server()
    event = ask(connection, 1, method, {"_meta": {**ENVELOPE, KEY + "protocolVersion": "2027-01-01"}})
    official(MODERN_VERSION).check("UnsupportedProtocolVersionError", told(event))
    assert told(event)["error"]["data"] == {"supported": [MODERN_VERSION], "requested": "2027-01-01"}
    assert connection.era is None
    assert "result" in told(ask(connection, 2, "initialize", initialize()))


@pytest.mark.parametrize(
    ("state", "method", "params", "code"),
    [
        (server, "tools/list", None, -32602),
        (server, "tools/list", {"_meta": None}, -32602),
        (server, "tools/list", {"_meta": []}, -32602),
        (server, "tools/list", [], -32602),
        (server, "tools/list", {"_meta": {KEY + "protocolVersion": MODERN_VERSION}}, -32602),
        (server, "tools/list", {"_meta": {**ENVELOPE, KEY + "clientCapabilities": []}}, -32602),
        (server, "server/discover", None, -32602),
        (server, "initialize", {}, -32602),
        (server, "initialize", initialize(20251125), -32602),
        (modern, "initialize", initialize(), -32022),
        (modern, "initialize", {}, -32022),
        (modern, "ping", {"_meta": ENVELOPE}, -32601),
        (modern, "ping", None, -32602),
        (modern, "logging/setLevel", {"_meta": ENVELOPE}, -32601),
        (legacy, "initialize", initialize(), -32600),
        (legacy, "tools/list", {"_meta": ENVELOPE}, -32600),
    ],
)
def test_what_an_era_does_not_allow_is_refused_with_its_code(state, method, params, code):
    connection = state()
    message = told(ask(connection, 7, method, params))
    assert (message["id"], message["error"]["code"]) == (7, code)
    assert not connection.pending


def test_ping_is_answered_before_and_after_initialize():
    for connection in (server(), legacy()):
        assert told(ask(connection, 1, "ping")) == {"jsonrpc": "2.0", "id": 1, "result": {}}


@pytest.mark.parametrize("state", [modern, legacy])
def test_an_id_in_use_is_refused_and_free_again_after_the_answer(state):
    connection = state()
    params = {"_meta": ENVELOPE} if state is modern else {}
    assert isinstance(ask(connection, 1, "tools/list", params), Asked)
    assert told(ask(connection, 1, "tools/list", params))["error"]["code"] == -32600
    assert isinstance(ask(connection, "1", "tools/list", params), Asked)
    assert dict(connection.pending) == {1: "tools/list", "1": "tools/list"}
    assert connection.answer(1, {"tools": []})
    assert isinstance(ask(connection, 1, "tools/list", params), Asked)


def test_what_cannot_be_spelled_leaves_the_request_to_be_answered_otherwise():
    connection = legacy()
    ask(connection, 1, "tools/call", {"name": "t"})
    with pytest.raises(TypeError):
        connection.answer(1, {"content": object()})
    assert connection.fail(1, JsonRpcError(-32603, "no"))


def test_a_cancelled_request_gets_no_answer_and_no_progress():
    connection = legacy()
    ask(connection, 1, "tools/call", {"name": "t", "_meta": {"progressToken": "p"}})
    cancelled = line(method="notifications/cancelled", params={"requestId": 1, "reason": "enough"})
    assert connection.receive(cancelled) == [CancelRequested(1, "enough")]
    assert connection.answer(1, {}) is connection.fail(1, JsonRpcError(0, "")) is None
    assert connection.progress(1, 0.5) is None
    assert isinstance(connection.receive(cancelled)[0], Ignored)


@pytest.mark.parametrize("params", [None, {}, {"requestId": None}, {"requestId": [1]}, {"requestId": 5}, [1]])
def test_a_cancellation_of_nothing_is_ignored(params):
    connection = legacy()
    ask(connection, 1, "tools/list")
    message = line(method="notifications/cancelled", **({} if params is None else {"params": params}))
    assert isinstance(connection.receive(message)[0], Ignored)
    assert dict(connection.pending) == {1: "tools/list"}


def test_other_notifications_are_passed_on_and_answers_ignored():
    connection = legacy()
    assert connection.receive(line(method="notifications/initialized")) == [Notified("notifications/initialized", None)]
    assert isinstance(connection.receive(line(id=1, result={}))[0], Ignored)


def test_only_a_legacy_client_is_notified_unasked(official):
    data = legacy().notify("notifications/tools/list_changed")
    official(LEGACY_VERSIONS[0]).check_line(data)
    for connection in (modern(), server()):
        with pytest.raises(LocalProtocolError):
            connection.notify("notifications/tools/list_changed")


def test_progress_is_told_to_who_asked_for_it(official):
    connection = legacy()
    ask(connection, 1, "tools/call", {"name": "t", "_meta": {"progressToken": 0}})
    ask(connection, 2, "tools/call", {"name": "t"})
    message = official(LEGACY_VERSIONS[0]).check_line(connection.progress(1, 1, 2.5, "half"))
    assert message["params"] == {"progressToken": 0, "progress": 1, "total": 2.5, "message": "half"}
    assert connection.progress(2, 1) is None


def test_a_results_own_meta_and_hints_win():
    connection = modern()
    ask(connection, 1, "tools/list", {"_meta": ENVELOPE})
    own = {"tools": [], "ttlMs": 5, "_meta": {"a": 1}}
    message = json.loads(connection.answer(1, own))
    assert message["result"] == {
        "resultType": "complete",
        "ttlMs": 5,
        "cacheScope": "public",
        "tools": [],
        "_meta": {KEY + "serverInfo": INFO, "a": 1},
    }


REQUESTS = st.sampled_from(
    [
        ("initialize", initialize()),
        ("server/discover", {"_meta": ENVELOPE}),
        ("ping", {}),
        ("tools/list", {}),
        ("tools/list", {"_meta": ENVELOPE}),
        ("tools/call", {"name": "t", "_meta": {**ENVELOPE, "progressToken": 1}}),
        ("tools/call", [1]),
        ("x", {"_meta": {KEY + "protocolVersion": "2027-01-01"}}),
    ]
)


@given(
    st.lists(
        st.tuples(st.integers(1, 4), REQUESTS)
        | st.binary(max_size=30)
        | st.integers(1, 4).map(
            lambda id: line(method="notifications/cancelled", params={"requestId": id, "reason": 5})
        ),
        max_size=15,
    )
)
def test_no_sequence_of_messages_breaks_the_server(script):
    """Each request is refused, answered, or pending until it is answered or cancelled: never anything else."""
    connection = server()
    for step in script:
        before = dict(connection.pending)
        if isinstance(step, bytes):
            [event] = connection.receive(step)
            assert isinstance(event, Ignored | CancelRequested)
            continue
        id, (method, params) = step
        event = ask(connection, id, method, params)
        if isinstance(event, Asked):
            assert id not in before
            assert connection.pending[id] == method
        else:
            assert told(event)["id"] == id
            assert dict(connection.pending) == before
    for id in list(connection.pending):
        assert json.loads(connection.answer(id, {}))["id"] == id
    assert not connection.pending


# The two ends together


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("call"), st.booleans()),
        st.tuples(st.just("list"), st.none() | st.text(max_size=2)),
        st.tuples(st.sampled_from(["answer", "fail", "progress", "cancel"]), st.integers(0, 3)),
    ),
    max_size=20,
)


@pytest.mark.parametrize("era", ["modern", "legacy", "auto"])
@given(script=STEPS)
def test_client_and_server_understand_each_other(era, script, official):
    """Each line of either end is valid in its revision, and each request ends as its server ended it, once."""
    client, peer = ClientConnection(Implementation(name="c", version="0"), era=era), server()
    version = LEGACY_VERSIONS[0] if era == "legacy" else MODERN_VERSION
    judge = official(version)
    open_line = client.open()
    judge.check_line(open_line)
    [send] = peer.receive(open_line)
    judge.check_line(send.data, answers="initialize" if era == "legacy" else "server/discover")
    *sends, opened = client.receive(send.data)
    assert isinstance(opened, Opened)
    for initialized in sends:
        judge.check_line(initialized.data)
        assert isinstance(peer.receive(initialized.data)[0], Notified)
    assert client.state is State.OPEN
    expected: list[Any] = []
    seen: list[Any] = []

    def to_client(data: bytes | None, method: str) -> None:
        assert data is not None
        judge.check_line(data, answers=method)
        seen.extend(client.receive(data))

    for step, detail in script:
        if step in ("call", "list"):
            id, data = client.call_tool("t", {"x": 1}, progress=detail) if step == "call" else client.list_tools(detail)
            judge.check_line(data)
            [asked] = peer.receive(data)
            assert (asked.id, asked.method) == (id, client.pending[id])
            continue
        if len(client.pending) <= detail:
            continue
        id, method = list(client.pending.items())[detail]
        if step == "answer":
            wire = {"content": []} if method == "tools/call" else {"tools": []}
            to_client(peer.answer(id, wire), method)
            expected.append((Answered, id))
        elif step == "fail":
            to_client(peer.fail(id, JsonRpcError(-32602, "no", [id])), method)
            expected.append((Failed, id))
        elif step == "progress":
            if (report := peer.progress(id, 0.5)) is not None:
                to_client(report, method)
                expected.append((Progressed, id))
        else:
            cancel = client.cancel(id, "enough")
            judge.check_line(cancel)
            assert peer.receive(cancel) == [CancelRequested(id, "enough")]
    assert [(type(event), event.id) for event in seen] == expected
    assert dict(client.pending) == dict(peer.pending)
    for event in seen:
        if isinstance(event, Answered):
            cl = CallToolResult if b"content" in bytes(event.result) else ListToolsResult
            result_from_wire(cl, event.result)
