"""The client connection: finding the era, asking, being answered, surviving everything else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from runtime.protocol import (
    LEGACY_VERSIONS,
    MODERN_VERSION,
    Answered,
    ClientCapabilities,
    ClientConnection,
    Era,
    Failed,
    Ignored,
    Implementation,
    JsonRpcError,
    LocalProtocolError,
    Notified,
    Opened,
    OpenFailed,
    Progressed,
    Send,
    State,
)
from runtime.protocol.state import TRANSITIONS
from tests.runtime.protocol.judged import (
    DISCOVERED,
    INITIALIZED,
    KEY,
    ME,
    PATIENT,
    client,
    error,
    legacy,
    line,
    modern,
    result,
    sent,
)

BOTH = pytest.mark.parametrize("opened", [modern, legacy])


# Finding the era


def test_auto_asks_for_the_modern_era_first_and_validly(official):
    message = official(MODERN_VERSION).check_line(client().open())
    assert message["method"] == "server/discover"


def test_a_discover_result_opens_the_modern_era():
    connection = client()
    connection.open()
    assert connection.probing
    [opened] = connection.receive(result(1, DISCOVERED))
    assert opened.era is connection.era is Era.MODERN
    assert opened.version == connection.version == MODERN_VERSION
    assert opened.server_info == Implementation(name="s", version="1")
    assert opened.capabilities.tools.list_changed is True
    assert opened.capabilities.prompts is None
    assert opened.instructions == "be kind"
    assert not connection.probing


@pytest.mark.parametrize("info", [None, 5, {"name": "no version"}])
def test_a_server_that_does_not_say_who_it_is_is_no_worse_for_it(info):
    connection = client()
    connection.open()
    [opened] = connection.receive(result(1, {**DISCOVERED, "_meta": {KEY + "serverInfo": info}}))
    assert opened.server_info is None


@PATIENT
@given(st.integers(-40000, 40000).filter(lambda code: code not in (-32020, -32021, -32022)))
def test_any_error_that_is_not_modern_means_legacy(code):
    connection = client()
    connection.open()
    [send] = connection.receive(error(1, code))
    message = sent(send.data)
    assert message["method"] == "initialize"
    assert message["params"]["protocolVersion"] == LEGACY_VERSIONS[0]
    assert connection.state is State.INITIALIZING


@pytest.mark.parametrize(
    "answer",
    [
        error(None, -32600),
        result(1, {}),
        result(1, "what?"),
        result(1, {**DISCOVERED, "capabilities": None}),
        result(1, {**DISCOVERED, "supportedVersions": ["2025-11-25", "1999-01-01"]}),
        error(1, -32022, {"supported": ["2027-01-01", "2025-06-18"], "requested": MODERN_VERSION}),
    ],
    ids=["no id", "empty result", "no object", "half a result", "only legacy in common", "-32022 names legacy"],
)
def test_an_answer_that_leaves_only_the_legacy_way_takes_it(answer):
    connection = client()
    connection.open()
    [send] = connection.receive(answer)
    assert sent(send.data)["method"] == "initialize"


@pytest.mark.parametrize(
    ("answer", "supported"),
    [
        (error(1, -32022, {"supported": ["2027-01-01"], "requested": MODERN_VERSION}), ("2027-01-01",)),
        (error(1, -32022), ()),
        (error(1, -32022, {"supported": "2025-06-18"}), ()),
        (error(1, -32021, {"requiredCapabilities": {}}), ()),
        (error(1, -32020), ()),
        (result(1, {**DISCOVERED, "supportedVersions": ["2027-01-01"]}), ("2027-01-01",)),
    ],
)
def test_a_modern_server_that_refuses_is_not_asked_to_initialize(answer, supported):
    connection = client()
    connection.open()
    [failed] = connection.receive(answer)
    assert isinstance(failed, OpenFailed)
    assert (failed.error.method, failed.error.supported) == ("server/discover", supported)
    assert connection.state is State.FAILED


def test_the_legacy_handshake_ends_with_initialized_before_anything_else(official):
    connection = client("legacy")
    official(LEGACY_VERSIONS[0]).check_line(connection.open())
    [send, opened] = connection.receive(result(1, INITIALIZED))
    message = official("2025-06-18").check_line(send.data)
    assert message["method"] == "notifications/initialized"
    assert (opened.era, opened.version) == (Era.LEGACY, "2025-06-18")


@pytest.mark.parametrize("version", LEGACY_VERSIONS)
def test_every_legacy_revision_is_spoken(version):
    connection = client("legacy")
    connection.open()
    [_, opened] = connection.receive(result(1, {**INITIALIZED, "protocolVersion": version}))
    assert opened.version == version


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (error(1, -32602), "refused"),
        (error(1, -32022, {"supported": [MODERN_VERSION]}), "refused"),
        (result(1, {**INITIALIZED, "protocolVersion": MODERN_VERSION}), "no common revision"),
        (result(1, {**INITIALIZED, "serverInfo": {"name": "s"}}), "serverInfo.version is missing"),
    ],
)
def test_a_failed_initialize_says_why(answer, told):
    connection = client("legacy")
    connection.open()
    [failed] = connection.receive(answer)
    assert told in str(failed.error)
    assert str(failed.error).startswith("initialize: ")


def test_a_modern_client_never_falls_back():
    connection = client("modern")
    connection.open()
    assert not connection.probing
    [failed] = connection.receive(error(1, -32601))
    assert failed.error.error == JsonRpcError(-32601, "no")


def test_silence_at_the_probe_means_initialize_and_the_late_answer_is_ignored():
    connection = client()
    connection.open()
    message = sent(connection.probe_expired())
    assert (message["method"], message["id"]) == ("initialize", 2)
    [ignored] = connection.receive(result(1, DISCOVERED))
    assert ignored.reason == "late answer to request 1"
    [_, opened] = connection.receive(result(2, INITIALIZED))
    assert opened.era is Era.LEGACY


def test_a_slow_modern_server_is_probed_once_more():
    connection = client()
    connection.open()
    connection.probe_expired()
    connection.receive(result(1, DISCOVERED))
    [send] = connection.receive(error(2, -32022, {"supported": [MODERN_VERSION]}))
    message = sent(send.data)
    assert (message["method"], message["id"]) == ("server/discover", 3)
    assert not connection.probing  # no second way back to initialize
    [opened] = connection.receive(result(3, DISCOVERED))
    assert opened.era is Era.MODERN
    _, call = connection.call_tool("t")
    assert KEY + "protocolVersion" in sent(call)["params"]["_meta"]


def test_the_second_probe_is_the_last_try():
    connection = client()
    connection.open()
    connection.probe_expired()
    connection.receive(error(2, -32022))
    [failed] = connection.receive(error(3, -32601))
    assert failed.error.method == "server/discover"


@pytest.mark.parametrize("code", [-32601, -32602, -32000, 404])
def test_a_modern_server_may_refuse_initialize_with_any_code(code):
    """Whose probe met silence, because it started slowly."""
    connection = client()
    connection.open()
    connection.probe_expired()
    [send] = connection.receive(error(2, code))
    assert sent(send.data)["method"] == "server/discover"
    [opened] = connection.receive(result(3, DISCOVERED))
    assert opened.era is Era.MODERN


def test_a_legacy_server_that_refuses_is_heard_out_once_more_and_its_own_words_are_told():
    connection = client()
    connection.open()
    connection.probe_expired()
    connection.receive(error(2, -32000, "no licence"))
    [failed] = connection.receive(error(3, -32601))
    assert (failed.error.method, failed.error.error.data) == ("initialize", "no licence")


def test_who_is_remembered_as_legacy_is_greeted_first():
    connection = client(remembered=Era.LEGACY)
    assert sent(connection.open())["method"] == "initialize"
    assert not connection.probing
    [_, opened] = connection.receive(result(1, INITIALIZED))
    assert opened.era is Era.LEGACY


def test_who_is_legacy_no_more_is_probed_when_the_memory_fails():
    connection = client(remembered=Era.LEGACY)
    connection.open()
    [send] = connection.receive(error(1, -32601))
    assert sent(send.data)["method"] == "server/discover"
    [opened] = connection.receive(result(2, DISCOVERED))
    assert opened.era is Era.MODERN


def test_who_is_remembered_as_modern_is_probed_all_the_same():
    assert sent(client(remembered=Era.MODERN).open())["method"] == "server/discover"


@pytest.mark.parametrize("choice", ["modern", "legacy"])
@pytest.mark.parametrize("remembered", Era)
def test_a_choice_stands_above_memory(choice, remembered):
    first = {"modern": "server/discover", "legacy": "initialize"}[choice]
    connection = client(choice, remembered=remembered)
    assert sent(connection.open())["method"] == first
    [failed] = connection.receive(error(1, -32601))
    assert isinstance(failed, OpenFailed)


@pytest.mark.parametrize("status", [400, 401, 404, 405, 500, 1])
def test_what_http_makes_of_a_refused_probe_means_legacy(status):
    """A transport tells of a failed exchange by an error with a code that JSON-RPC does not reserve."""
    connection = client()
    connection.open()
    [send] = connection.receive(error(1, status))
    assert sent(send.data)["method"] == "initialize"


@pytest.mark.parametrize("era", ["auto", "modern"])
def test_a_server_that_refuses_a_revision_and_names_the_same_one_is_asked_once_more(official, era):
    refusal = {"supported": [MODERN_VERSION, 7], "requested": MODERN_VERSION}
    connection = client(era)
    connection.open()
    [send] = connection.receive(error(1, -32022, refusal))
    assert official(MODERN_VERSION).check_line(send.data)["method"] == "server/discover"
    second = client(era)
    second.open()
    second.receive(error(1, -32022, refusal))
    [opened] = connection.receive(result(2, DISCOVERED))
    assert isinstance(opened, Opened)
    [failed] = second.receive(error(2, -32022, refusal))
    assert isinstance(failed, OpenFailed)
    assert failed.error.supported == (MODERN_VERSION,)


def test_asked_once_more_it_may_turn_out_to_be_legacy():
    connection = client()
    connection.open()
    connection.receive(error(1, -32022, {"supported": [MODERN_VERSION]}))
    [send] = connection.receive(error(2, -32601))
    assert sent(send.data)["method"] == "initialize"


def test_how_long_a_discovery_holds_is_told():
    connection = client()
    connection.open()
    [opened] = connection.receive(result(1, DISCOVERED))
    assert (opened.ttl_ms, opened.cache_scope) == (60000, "public")


def test_an_initialize_refused_with_32022_is_not_reprobed_when_the_probe_was_answered():
    connection = client()
    connection.open()
    connection.receive(error(1, -32601))
    [failed] = connection.receive(error(2, -32022))
    assert isinstance(failed, OpenFailed)


def test_an_error_without_id_does_not_end_an_initialize():
    connection = client("legacy")
    connection.open()
    [ignored] = connection.receive(error(None, -32700))
    assert isinstance(ignored, Ignored)
    assert connection.state is State.INITIALIZING


@pytest.mark.parametrize("misuse", ["open", "probe_expired"])
@BOTH
def test_the_handshake_cannot_be_done_twice(opened, misuse):
    with pytest.raises(LocalProtocolError):
        getattr(opened(), misuse)()


def test_nothing_is_asked_before_the_connection_is_open():
    connection = client()
    with pytest.raises(LocalProtocolError, match="idle"):
        connection.list_tools()
    connection.open()
    with pytest.raises(LocalProtocolError, match="probing"):
        connection.call_tool("t")
    assert not connection.pending


def test_every_state_can_be_reached_and_only_the_ends_have_no_way_on():
    reached = {State.IDLE} | {state for ways in TRANSITIONS.values() for state in ways.values()}
    assert reached == set(State) == set(TRANSITIONS)
    assert {state for state, ways in TRANSITIONS.items() if not ways} == {State.OPEN, State.FAILED}


# Asking


@BOTH
def test_requests_are_valid_in_their_revision(opened, official):
    connection = opened()
    judge = official(connection.version)
    lines = [
        connection.call_tool("t", {"a": [1, None]})[1],
        connection.call_tool("t", progress=True)[1],
        connection.call_tool("t", Raw(b'{"a": 1}'), meta={"traceparent": "00-1-2-01"})[1],
        connection.list_tools()[1],
        connection.list_tools("next")[1],
        connection.cancel(2, "enough"),
        connection.cancel(3),
    ]
    methods = [judge.check_line(data)["method"] for data in lines]
    assert methods == ["tools/call"] * 3 + ["tools/list"] * 2 + ["notifications/cancelled"] * 2


def test_a_modern_request_carries_its_envelope():
    connection = ClientConnection(ME, ClientCapabilities(elicitation={"form": {}}), "modern")
    connection.open()
    connection.receive(result(1, DISCOVERED))
    _, data = connection.request("tools/list")
    assert sent(data)["params"]["_meta"] == {
        KEY + "protocolVersion": MODERN_VERSION,
        KEY + "clientInfo": {"name": "greenroom", "version": "0"},
        KEY + "clientCapabilities": {"elicitation": {"form": {}}},
    }


@pytest.mark.parametrize("params", [{"x": 1, "_meta": {"k": 1}}, Raw(b'{"x": 1, "_meta": {"k": 1}}')])
@pytest.mark.parametrize("progress", [False, True])
@BOTH
def test_the_callers_meta_joins_the_connections(opened, params, progress):
    connection = opened()
    id, data = connection.request("m", params, progress=progress)
    params = sent(data)["params"]
    assert params["x"] == 1
    assert params["_meta"]["k"] == 1
    assert (KEY + "protocolVersion" in params["_meta"]) is (connection.era is Era.MODERN)
    assert params["_meta"].get("progressToken") == (id if progress else None)


def test_the_callers_own_capabilities_win():
    _, data = modern().request("m", meta={KEY + "clientCapabilities": {"sampling": {}}})
    assert sent(data)["params"]["_meta"][KEY + "clientCapabilities"] == {"sampling": {}}


def test_a_legacy_request_without_params_has_none():
    assert sent(legacy().request("ping")[1]) == {"jsonrpc": "2.0", "id": 2, "method": "ping"}


def test_ping_is_legacy_only():
    assert sent(legacy().ping()[1])["method"] == "ping"
    with pytest.raises(LocalProtocolError, match="modern"):
        modern().ping()


@BOTH
@pytest.mark.parametrize("params", [b"[1]", b"5", b'{"_meta": 5}', b"{"])
def test_raw_params_that_are_no_object_are_refused(opened, params):
    connection = opened()
    with pytest.raises(LocalProtocolError, match="must be JSON objects"):
        connection.request("m", Raw(params), progress=True)
    assert not connection.pending


@BOTH
def test_arguments_that_cannot_be_spelled_leave_nothing_pending(opened):
    connection = opened()
    with pytest.raises(TypeError):
        connection.call_tool("t", {"x": object()}, progress=True)
    assert not connection.pending
    assert connection.call_tool("t")[0] == 2


# Being answered


@BOTH
def test_answers_find_their_requests_in_any_order(opened):
    connection = opened()
    ids = [connection.call_tool("t", {"n": n}, progress=n == 1)[0] for n in range(3)]
    assert list(connection.pending.items()) == [(id, "tools/call") for id in ids]
    assert connection.receive(error(ids[2], -32602, {"x": 1})) == [Failed(ids[2], JsonRpcError(-32602, "no", {"x": 1}))]
    for id in ids[1::-1]:
        [answer] = connection.receive(result(id, {"content": [], "n": id}))
        assert isinstance(answer, Answered)
        assert json.loads(bytes(answer.result)) == {"content": [], "n": id}
    assert not connection.pending


@BOTH
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (result(2, {}), "late answer to request 2"),
        (error(2, -1), "late answer to request 2"),
        (result(99, {}), "answer to 99, which was never asked"),
        (result("2", {}), "answer to '2', which was never asked"),
        (error(None, -32700), "answer to None, which was never asked"),
        (result(None, {}), "a result without an id"),
    ],
)
def test_an_answer_that_nobody_waits_for_is_ignored(opened, answer, reason):
    connection = opened()
    id, _ = connection.call_tool("t")
    connection.receive(result(id, {}))
    assert [event.reason for event in connection.receive(answer)] == [reason]


@BOTH
def test_one_request_is_answered_once(opened):
    connection = opened()
    id, _ = connection.call_tool("t")
    assert isinstance(connection.receive(error(id, -1))[0], Failed)
    assert isinstance(connection.receive(result(id, {}))[0], Ignored)


@BOTH
def test_an_error_of_null_is_none(opened):
    connection = opened()
    id, _ = connection.call_tool("t")
    [event] = connection.receive(line(id=id, result={"content": []}, error=None))
    assert isinstance(event, Answered)


@BOTH
def test_an_id_keeps_its_type(opened):
    connection = opened()
    id, _ = connection.call_tool("t")
    assert isinstance(connection.receive(result(str(id), {}))[0], Ignored)
    assert isinstance(connection.receive(result(id, {}))[0], Answered)


@BOTH
def test_a_cancelled_request_is_forgotten_and_its_answer_ignored(opened):
    connection = opened()
    id, _ = connection.call_tool("t", progress=True)
    assert sent(connection.cancel(id, "enough"))["params"] == {"requestId": id, "reason": "enough"}
    assert connection.cancel(id) is None
    assert isinstance(connection.receive(result(id, {}))[0], Ignored)
    progress = line(method="notifications/progress", params={"progressToken": id, "progress": 1})
    assert isinstance(connection.receive(progress)[0], Ignored)


def test_the_handshake_cannot_be_cancelled():
    connection = client("legacy")
    connection.open()
    assert connection.cancel(1) is None


@BOTH
def test_progress_reaches_the_request_that_asked_for_it(opened):
    connection = opened()
    asked, _ = connection.call_tool("t", progress=True)
    silent, _ = connection.call_tool("t")

    def report(**params):
        return connection.receive(line(method="notifications/progress", params=params))

    assert report(progressToken=asked, progress=0.5) == [Progressed(asked, 0.5, None, None)]
    assert report(progressToken=asked, progress=1, total=2, message="half", extra=1) == [
        Progressed(asked, 1, 2, "half")
    ]
    for params in (
        {"progressToken": silent, "progress": 1},
        {"progressToken": "x", "progress": 1},
        {"progressToken": asked},
        {"progressToken": asked, "progress": "1"},
    ):
        assert isinstance(report(**params)[0], Ignored)
    connection.receive(result(asked, {}))
    assert isinstance(report(progressToken=asked, progress=3)[0], Ignored)


@BOTH
def test_notifications_that_are_not_known_are_passed_on(opened):
    [event] = opened().receive(line(method="notifications/weather", params={"rain": 1}))
    assert isinstance(event, Notified)
    assert (event.method, bytes(event.params)) == ("notifications/weather", b'{"rain": 1}')


def test_notifications_before_the_handshake_are_ignored():
    connection = client()
    connection.open()
    assert isinstance(connection.receive(line(method="notifications/message", params={}))[0], Ignored)


@pytest.mark.parametrize("id", [1, "a", 2**70])
@BOTH
def test_every_request_of_a_server_is_answered(opened, id, official):
    connection = opened()
    judge = official(connection.version)
    for method, refused in (("ping", connection.era is Era.MODERN), ("roots/list", True)):
        [send] = connection.receive(line(id=id, method=method))
        message = judge.check_line(send.data)
        assert message["id"] == id
        assert message.get("result") == (None if refused else {})
        assert message.get("error", {}).get("code") == (-32601 if refused else None)


def test_a_server_may_ask_during_the_handshake():
    connection = client()
    connection.open()
    assert isinstance(connection.receive(line(id=1, method="ping"))[0], Send)
    assert isinstance(connection.receive(result(1, DISCOVERED))[0], Opened)


# Everything else


@BOTH
@PATIENT
@given(garbage=st.binary(max_size=60).filter(lambda line: b'"jsonrpc"' not in line))
def test_noise_is_ignored_and_harms_nothing(opened, garbage):
    connection = opened()
    id, _ = connection.call_tool("t")
    assert all(isinstance(event, Ignored) for event in connection.receive(garbage))
    assert isinstance(connection.receive(result(id, {}))[0], Answered)


MEMBERS = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0")},
    optional={
        "id": st.none() | st.integers(-1, 5) | st.text(max_size=2) | st.floats(),
        "method": st.none() | st.sampled_from(["ping", "initialize", "notifications/progress", "x"]),
        "params": st.none() | st.just([]) | st.fixed_dictionaries({}, optional={"progressToken": st.integers()}),
        "result": st.none() | st.sampled_from([{}, [], DISCOVERED, INITIALIZED]),
        "error": st.none() | st.sampled_from([{}, {"code": -32601}, {"code": -32022}, {"code": -32022, "data": 1}]),
    },
)


@PATIENT
@given(st.sampled_from(["auto", "modern", "legacy"]), st.lists(MEMBERS | st.just("silence"), max_size=12))
def test_no_sequence_of_messages_breaks_the_connection(era, script):
    """Whatever comes, in whatever state: events, never an exception; and open means able to ask."""
    connection = client(era)
    connection.open()
    for step in script:
        if step == "silence":
            if connection.probing:
                connection.probe_expired()
        else:
            connection.receive(json.dumps(step).encode())
        if connection.state is State.OPEN:
            id, _ = connection.call_tool("t", progress=True)
            assert id in connection.pending
    assert (connection.era is not None) is (connection.state is State.OPEN)
