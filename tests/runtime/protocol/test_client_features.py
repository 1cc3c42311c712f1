"""What a client asks for, is asked and is told, in both eras."""

import json

import pytest
from msgspec import Raw

from runtime.protocol import (
    LEGACY_VERSIONS,
    MODERN_VERSION,
    Acknowledged,
    Answered,
    Asked,
    CancelRequested,
    ClientCapabilities,
    ElicitationCompleted,
    Failed,
    Ignored,
    InputRequest,
    InputRequired,
    Invalid,
    JsonRpcError,
    ListChanged,
    ListenEnded,
    LocalProtocolError,
    Logged,
    Notified,
    Progressed,
    ResourceUpdated,
    Send,
    TaskCreated,
    TaskUpdated,
    UnexpectedResultType,
)
from runtime.protocol.messages import PromptReference, SubscriptionFilter
from tests.runtime.protocol.judged import (
    ALL,
    KEY,
    error,
    heard,
    legacy,
    line,
    modern,
    notification,
    result,
    sent,
)

BOTH = pytest.mark.parametrize("opened", [modern, legacy])
TASKS = "io.modelcontextprotocol/tasks"
FORM = {
    "mode": "form",
    "message": "Name?",
    "requestedSchema": {"type": "object", "properties": {"n": {"type": "string"}}},
}
URL = {"mode": "url", "message": "Pay", "url": "https://pay.example", "elicitationId": "e1"}
SAID = {"type": "text", "text": "!"}
SAMPLE = {"messages": [{"role": "user", "content": SAID}], "maxTokens": 10}


def declared(message):
    return message["params"]["_meta"][KEY + "clientCapabilities"]


# Asking


@pytest.mark.parametrize("version", [*LEGACY_VERSIONS, MODERN_VERSION])
def test_every_request_is_valid_in_every_revision_that_has_it(version):
    connection = modern(ALL) if version == MODERN_VERSION else legacy(ALL, version)
    connection.call_tool("t", {"a": 1}, progress=True, tasks=True)
    for listing in ("list_tools", "list_resources", "list_resource_templates", "list_prompts"):
        getattr(connection, listing)()
        getattr(connection, listing)("cursor")
    connection.read_resource("file:///a", progress=True)
    connection.get_prompt("p")
    connection.get_prompt("p", {"language": "fr"}, meta={"traceparent": "00-1-2-01"})
    connection.complete({"type": "ref/resource", "uri": "file:///{name}"}, "name", "a")
    connection.complete(PromptReference(name="p"), "language", "f", {"tone": "mild"})
    connection.set_log_level("warning")
    connection.roots_changed()
    if version == MODERN_VERSION:
        connection.listen({"toolsListChanged": True})
    else:
        connection.subscribe("file:///a")
        connection.unsubscribe("file:///a")
        connection.ping()
    asked = [message["method"] for message in connection.written[2 if connection.era.value == "legacy" else 1 :]]
    assert asked[0] == "tools/call"
    assert asked[1:9:2] == ["tools/list", "resources/list", "resources/templates/list", "prompts/list"]
    assert asked[9:14] == ["resources/read"] + ["prompts/get"] * 2 + ["completion/complete"] * 2
    assert asked[14:] == (
        ["subscriptions/listen"]
        if version == MODERN_VERSION
        else [
            "logging/setLevel",
            "notifications/roots/list_changed",
            "resources/subscribe",
            "resources/unsubscribe",
            "ping",
        ]
    )


def test_what_an_era_lacks_is_not_sent():
    for ask in ("ping", "subscribe", "unsubscribe"):
        with pytest.raises(LocalProtocolError, match="modern era has none"):
            getattr(modern(), ask)(*([] if ask == "ping" else ["file:///a"]))
    for ask, about in (("listen", {}), ("get_task", "t"), ("cancel_task", "t")):
        with pytest.raises(LocalProtocolError, match="legacy era has none"):
            getattr(legacy(), ask)(about)
    assert modern().roots_changed() is None


def test_a_modern_server_hears_of_the_log_level_with_every_request():
    connection = modern()
    assert KEY + "logLevel" not in sent(connection.list_tools()[1])["params"]["_meta"]
    assert connection.set_log_level("debug") is None
    for _, data in (connection.list_tools(), connection.call_tool("t", progress=True), connection.request("m")):
        assert sent(data)["params"]["_meta"][KEY + "logLevel"] == "debug"


def test_an_own_log_level_wins():
    connection = modern()
    connection.set_log_level("debug")
    _, data = connection.request("m", meta={KEY + "logLevel": "error"})
    assert sent(data)["params"]["_meta"][KEY + "logLevel"] == "error"


# Being told


@pytest.mark.parametrize("kind", ["tools", "prompts", "resources"])
@BOTH
def test_a_changed_list_is_told_by_its_kind(opened, kind):
    assert opened().receive(line(method=f"notifications/{kind}/list_changed")) == [ListChanged(kind)]


def test_what_legacy_servers_tell():
    connection = legacy()
    assert connection.receive(notification("notifications/resources/updated", uri="file:///a")) == [
        ResourceUpdated("file:///a")
    ]
    assert connection.receive(notification("notifications/elicitation/complete", elicitationId="e")) == [
        ElicitationCompleted("e")
    ]


@pytest.mark.parametrize("data", ["text", 1, None, {"a": [1]}])
@BOTH
def test_a_log_message_may_be_any_value(opened, data):
    logged = notification("notifications/message", level="info", data=data)
    assert opened().receive(logged) == [Logged("info", None, data)]
    named = notification("notifications/message", level="info", data=data, logger="db")
    assert opened().receive(named) == [Logged("info", "db", data)]


@pytest.mark.parametrize(
    "data",
    [
        notification("notifications/resources/updated"),
        notification("notifications/resources/updated", uri=1),
        notification("notifications/message", level="info"),
        notification("notifications/message", level=1, data=1),
        notification("notifications/cancelled"),
        notification("notifications/elicitation/complete"),
        notification("notifications/subscriptions/acknowledged", notifications={}),
        notification("notifications/tasks"),
        line(method="notifications/tools/list_changed", params=[]),
        line(method="notifications/message"),
    ],
)
@BOTH
def test_a_notification_that_is_not_as_it_must_be_is_ignored(opened, data):
    [event] = opened().receive(data)
    assert isinstance(event, Ignored)
    assert event.reason.startswith("notifications/")


# Subscriptions


def listening(connection, filter=None):
    id, _ = connection.listen(
        filter or SubscriptionFilter(tools_list_changed=True, resource_subscriptions=("file:///a",))
    )
    return id


def test_a_subscription_is_asked_for_in_wire_names():
    connection = modern()
    listening(connection)
    assert connection.written[-1]["params"]["notifications"] == {
        "toolsListChanged": True,
        "resourceSubscriptions": ["file:///a"],
    }


def test_the_honoured_part_of_a_subscription_is_told():
    connection = modern()
    id = listening(connection)
    acknowledged = heard(id, "notifications/subscriptions/acknowledged", notifications={"toolsListChanged": True})
    assert connection.receive(acknowledged) == [Acknowledged(id, SubscriptionFilter(tools_list_changed=True))]
    assert id in connection.pending


def test_several_subscriptions_are_told_apart():
    connection = modern()
    one, other = listening(connection), listening(connection)
    assert connection.receive(heard(other, "notifications/tools/list_changed")) == [ListChanged("tools", other)]
    assert connection.receive(heard(one, "notifications/resources/updated", uri="u")) == [ResourceUpdated("u", one)]
    connection.cancel(one)
    [late] = connection.receive(heard(one, "notifications/tools/list_changed"))
    assert isinstance(late, Ignored)
    assert connection.receive(heard(other, "notifications/prompts/list_changed")) == [ListChanged("prompts", other)]


@pytest.mark.parametrize("stranger", [99, "2", 3])
def test_news_for_no_subscription_is_ignored(stranger):
    connection = modern()
    assert (listening(connection), connection.call_tool("t")[0]) == (2, 3)
    for data in (
        heard(stranger, "notifications/tools/list_changed"),
        heard(stranger, "notifications/resources/updated", uri="u"),
        heard(stranger, "notifications/subscriptions/acknowledged", notifications={}),
        heard(stranger, "notifications/tasks", taskId="t"),
    ):
        [event] = connection.receive(data)
        assert isinstance(event, Ignored)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (lambda id: result(id, {"resultType": "complete", "_meta": {KEY + "subscriptionId": id}}), None),
        (lambda id: result(id, {}), None),
        (lambda id: notification("notifications/cancelled", requestId=id, reason="going down"), "going down"),
        (lambda id: notification("notifications/cancelled", requestId=id), None),
    ],
    ids=["result", "bare result", "cancelled", "cancelled without a reason"],
)
def test_a_server_may_end_a_subscription_in_either_way(how, reason):
    connection = modern()
    id = listening(connection)
    assert connection.receive(how(id)) == [ListenEnded(id, reason)]
    assert not connection.pending
    assert isinstance(connection.receive(how(id))[0], Ignored)


def test_a_refused_subscription_has_failed():
    connection = modern()
    id = listening(connection)
    assert connection.receive(error(id, -32601)) == [Failed(id, JsonRpcError(-32601, "no"))]


def test_a_server_cannot_cancel_what_only_a_client_may():
    connection = modern()
    id, _ = connection.call_tool("t")
    [event] = connection.receive(notification("notifications/cancelled", requestId=id))
    assert isinstance(event, Ignored)
    assert id in connection.pending


# Rounds of input_required


def asking_back(id, requests=None, state=None, **more):
    body = {"resultType": "input_required", **more}
    if requests is not None:
        body["inputRequests"] = requests
    if state is not None:
        body["requestState"] = state
    return result(id, body)


WHO = {"who": {"method": "elicitation/create", "params": FORM}}
ANN = {"action": "accept", "content": {"n": "Ann"}}


@pytest.mark.parametrize(
    "ask",
    [
        lambda c: c.call_tool("t", {"a": [1, {"b": None}]}, meta={"traceparent": "00-1-2-01"}),
        lambda c: c.get_prompt("p", {"x": "y"}),
        lambda c: c.read_resource("file:///a"),
        lambda c: c.request("tools/call", Raw(b'{"name": "t", "new": 1e400}')),
    ],
    ids=["tool", "prompt", "resource", "raw"],
)
def test_a_request_is_said_again_with_what_the_server_wants_to_know(ask):
    connection = modern(ALL)
    id, first = ask(connection)
    [event] = connection.receive(asking_back(id, WHO, "s1"))
    assert isinstance(event, InputRequired)
    assert (event.id, event.requests) == (id, {"who": InputRequest("elicitation/create", FORM)})
    assert (connection.pending, connection.asked_back) == ({}, (id,))
    again, data = connection.retry(id, {"who": ANN})
    said, before = sent(data), sent(first)
    assert (again, said["id"]) == (id + 1, id + 1)
    assert said["method"] == before["method"]
    assert said["params"].pop("inputResponses") == {"who": ANN}
    assert said["params"].pop("requestState") == "s1"
    assert said["params"] == before["params"]
    assert list(connection.pending) == [again]
    assert isinstance(connection.receive(result(again, {"resultType": "complete", "content": []}))[0], Answered)


def test_the_servers_state_travels_back_byte_for_byte():
    connection = modern()
    id, _ = connection.call_tool("t")
    spelled = rb'"\u0041\/\ud83d\ude00 \u007f\\ A"'
    connection.receive(
        b'{"jsonrpc":"2.0","id":2,"result":{"requestState" : ' + spelled + b',"resultType":"input_required"}}'
    )
    _, data = connection.retry(id, {})
    assert b'"requestState":' + spelled + b"}" in data


def test_a_server_that_only_sheds_load_gets_no_answers():
    connection = modern()
    id, _ = connection.call_tool("t")
    [event] = connection.receive(asking_back(id, None, "later"))
    assert event.requests == {}
    said = sent(connection.retry(id, {})[1])["params"]
    assert said["requestState"] == "later"
    assert "inputResponses" not in said


def test_each_round_brings_its_own_state_and_answers():
    connection = modern(ALL)
    id, _ = connection.call_tool("t", progress=True)
    connection.receive(asking_back(id, WHO, "s1"))
    second, data = connection.retry(id, {"who": ANN})
    assert sent(data)["params"]["_meta"]["progressToken"] == second
    connection.receive(asking_back(second, {"roots": {"method": "roots/list"}}))
    third, data = connection.retry(second, {"roots": {"roots": []}})
    said = sent(data)["params"]
    assert said["inputResponses"] == {"roots": {"roots": []}}
    assert "requestState" not in said
    assert said["_meta"]["progressToken"] == third
    progress = notification("notifications/progress", progressToken=third, progress=1)
    assert connection.receive(progress) == [Progressed(third, 1, None, None)]


def test_a_retry_needs_every_answer_and_a_question():
    connection = modern(ALL)
    id, _ = connection.call_tool("t")
    with pytest.raises(LocalProtocolError, match="not asked back"):
        connection.retry(id, {})
    connection.receive(asking_back(id, WHO))
    with pytest.raises(LocalProtocolError, match="no answer for who"):
        connection.retry(id, {})
    with pytest.raises(TypeError):
        connection.retry(id, {"who": {"x": object()}})
    connection.retry(id, {"who": ANN})
    with pytest.raises(LocalProtocolError, match="not asked back"):
        connection.retry(id, {"who": ANN})


def test_who_will_not_answer_gives_up_and_nothing_is_sent():
    connection = modern(ALL)
    id, _ = connection.call_tool("t")
    connection.receive(asking_back(id, WHO))
    assert connection.cancel(id) is None
    assert connection.asked_back == ()


@pytest.mark.parametrize(
    ("capabilities", "asked", "told"),
    [
        (ClientCapabilities(), WHO["who"], "Method not found"),
        (ClientCapabilities(elicitation={"url": {}}), WHO["who"], "'form' is not offered"),
        (ClientCapabilities(elicitation={}), {"method": "elicitation/create", "params": URL}, "'url' is not offered"),
        (ClientCapabilities(sampling={}), {"method": "roots/list"}, "Method not found"),
        (
            ClientCapabilities(sampling={}),
            {"method": "sampling/createMessage", "params": {**SAMPLE, "tools": []}},
            "tools is not offered",
        ),
        (ALL, {"method": "tools/list"}, "Method not found"),
    ],
)
def test_a_server_may_not_want_to_know_what_nobody_offered(capabilities, asked, told):
    connection = modern(capabilities)
    id, _ = connection.call_tool("t")
    [event] = connection.receive(asking_back(id, {"k": asked}))
    assert isinstance(event, Invalid)
    assert (event.error.path, told in event.error.reason) == ("inputRequests.k", True)
    assert not connection.pending
    assert not connection.asked_back


def test_what_counts_is_what_the_request_itself_declared():
    connection = modern()
    id, _ = connection.call_tool("t", meta={KEY + "clientCapabilities": {"elicitation": {}}})
    assert isinstance(connection.receive(asking_back(id, WHO))[0], InputRequired)


@pytest.mark.parametrize(
    "body",
    [
        {"resultType": "input_required"},
        {"resultType": "input_required", "requestState": 5},
        {"resultType": "input_required", "inputRequests": []},
        {"resultType": "input_required", "inputRequests": {"k": {"method": 5}}},
        {"resultType": "input_required", "inputRequests": {"k": {"method": "roots/list", "params": []}}},
        {"resultType": "half", "content": []},
        {"resultType": 5},
        {"resultType": "task", "taskId": "t"},
    ],
)
def test_what_is_no_result_ends_its_request(body):
    connection = modern(ALL)
    id, _ = connection.call_tool("t")
    [event] = connection.receive(result(id, body))
    assert isinstance(event, Invalid)
    assert event.id == id
    assert not connection.pending
    assert not connection.asked_back


def test_only_some_requests_may_be_asked_back():
    connection = modern(ALL)
    id, _ = connection.list_tools()
    [event] = connection.receive(asking_back(id, WHO))
    assert isinstance(event.error, UnexpectedResultType)
    assert event.error.result_type == "input_required"


def test_words_of_an_extension_are_for_whoever_declared_it():
    connection = modern()
    meta = {KEY + "clientCapabilities": {"extensions": {"com.example/draft": {}}}}
    id, _ = connection.call_tool("t", meta=meta)
    assert isinstance(connection.receive(result(id, {"resultType": "draft"}))[0], Answered)


@pytest.mark.parametrize(
    "body",
    [
        b'{"content":[],"structuredContent":{"resultType":"input_required"}}',
        b'{"resultType" : "complete","content":[{"type":"text","text":"\\"resultType\\":\\"input_required\\""}]}',
        b'{"structuredContent":{"resultType":"complete"},"content":[]}',
        b'{"content":[],"resultType":"complete","structuredContent":{"resultType":"task"}}',
        b'{"resultType":null,"content":[]}',
        b'{"content":[]}',
    ],
)
def test_a_complete_result_is_told_from_one_that_speaks_of_others(body):
    connection = modern()
    id, _ = connection.call_tool("t")
    [event] = connection.receive(b'{"jsonrpc":"2.0","id":%d,"result":%b}' % (id, body))
    assert isinstance(event, Answered)
    assert bytes(event.result) == body


def test_a_nested_complete_does_not_hide_what_is_not():
    connection = modern()
    id, _ = connection.call_tool("t")
    body = b'{"structuredContent":{"resultType":"complete"},"resultType":"input_required","requestState":"s"}'
    [event] = connection.receive(b'{"jsonrpc":"2.0","id":%d,"result":%b}' % (id, body))
    assert isinstance(event, InputRequired)


@pytest.mark.parametrize("more", [{}, {"error": None}])
@pytest.mark.parametrize(("opened", "told"), [(modern, InputRequired), (legacy, Answered)])
def test_only_modern_results_have_a_type(opened, told, more):
    connection = opened(ALL)
    id, _ = connection.call_tool("t")
    body = {"resultType": "input_required", "inputRequests": WHO}
    assert isinstance(connection.receive(line(id=id, result=body, **more))[0], told)


# Tasks


def test_a_task_is_welcome_only_where_it_was_said():
    connection = modern(ALL)
    assert "extensions" not in declared(sent(connection.call_tool("t")[1]))
    id, data = connection.call_tool("t", tasks=True)
    assert declared(sent(data))["extensions"] == {TASKS: {}}
    assert declared(sent(data))["roots"] == {"listChanged": True}
    created = result(id, {"resultType": "task", "taskId": "x", "status": "working", "pollIntervalMs": 50})
    [event] = connection.receive(created)
    assert isinstance(event, TaskCreated)
    assert (event.id, event.task_id, event.poll_interval_ms) == (id, "x", 50)
    assert id not in connection.pending


def test_a_task_is_looked_after_with_its_extension_declared():
    connection = modern()
    for _, data in (
        connection.get_task("x"),
        connection.update_task("x", {"who": ANN}),
        connection.cancel_task("x"),
        connection.listen({"taskIds": ["x"]}),
    ):
        assert declared(sent(data))["extensions"] == {TASKS: {}}
    assert [message["method"] for message in connection.written[1:]] == [
        "tasks/get",
        "tasks/update",
        "tasks/cancel",
        "subscriptions/listen",
    ]
    state = {"resultType": "complete", "taskId": "x", "status": "input_required", "inputRequests": WHO}
    assert isinstance(connection.receive(result(2, state))[0], Answered)


def test_a_tasks_state_is_told_to_who_listens():
    connection = modern()
    id = listening(connection, {"taskIds": ["x"]})
    [event] = connection.receive(heard(id, "notifications/tasks", taskId="x", status="working"))
    assert isinstance(event, TaskUpdated)
    assert (event.task_id, event.listen, json.loads(bytes(event.params))["status"]) == ("x", id, "working")


def test_a_callers_own_extensions_stay_declared_beside_tasks():
    connection = modern()
    meta = {KEY + "clientCapabilities": {"sampling": {}, "extensions": {"com.example/x": {"y": 1}}}}
    _, data = connection.call_tool("t", tasks=True, meta=meta)
    assert declared(sent(data)) == {"sampling": {}, "extensions": {"com.example/x": {"y": 1}, TASKS: {}}}
    assert meta[KEY + "clientCapabilities"]["extensions"] == {"com.example/x": {"y": 1}}


def test_a_legacy_server_hears_nothing_of_the_extension():
    assert "_meta" not in sent(legacy().call_tool("t", tasks=True)[1])["params"]


# Being asked (legacy)


@pytest.mark.parametrize(
    ("method", "params", "answer"),
    [
        ("roots/list", {}, {"roots": [{"uri": "file:///"}]}),
        (
            "sampling/createMessage",
            SAMPLE,
            {"role": "assistant", "content": SAID, "model": "m"},
        ),
        ("elicitation/create", FORM, ANN),
        ("elicitation/create", {"message": "Name?", "requestedSchema": FORM["requestedSchema"]}, ANN),
        ("elicitation/create", URL, {"action": "decline"}),
    ],
)
@pytest.mark.parametrize("id", [1, "1", 2**70])
def test_what_is_offered_is_asked_and_answered(id, method, params, answer):
    connection = legacy(ALL, "2025-11-25")
    assert connection.receive(line(id=id, method=method, params=params)) == [Asked(id, method, params)]
    assert connection.asked == {id: method}
    assert sent(connection.answer(id, answer)) == {"jsonrpc": "2.0", "id": id, "result": answer}
    assert connection.answer(id, answer) is None
    assert not connection.asked


def test_a_request_of_the_server_can_be_refused():
    connection = legacy(ALL)
    connection.receive(line(id="r", method="roots/list"))
    assert sent(connection.refuse("r", JsonRpcError(-1, "not now")))["error"] == {"code": -1, "message": "not now"}
    assert connection.refuse("r", JsonRpcError(-1, "not now")) is None


def test_an_answer_that_cannot_be_spelled_leaves_the_question_open():
    connection = legacy(ALL)
    connection.receive(line(id=1, method="roots/list"))
    with pytest.raises(TypeError):
        connection.answer(1, {"roots": object()})
    assert connection.answer(1, {"roots": []}) is not None


@pytest.mark.parametrize(
    ("capabilities", "method", "params", "code"),
    [
        (ClientCapabilities(), "roots/list", {}, -32601),
        (ClientCapabilities(), "sampling/createMessage", SAMPLE, -32601),
        (ClientCapabilities(), "elicitation/create", FORM, -32601),
        (ClientCapabilities(sampling={}), "sampling/createMessage", {**SAMPLE, "tools": []}, -32602),
        (ClientCapabilities(elicitation={"url": {}}), "elicitation/create", FORM, -32602),
        (ClientCapabilities(elicitation={}), "elicitation/create", URL, -32602),
        (ALL, "elicitation/create", {**FORM, "mode": ["form"]}, -32602),
        (ALL, "tasks/list", {}, -32601),
        (ALL, "roots/list", [1], -32602),
    ],
)
def test_what_is_not_offered_is_refused_at_once(capabilities, method, params, code):
    connection = legacy(capabilities, "2025-11-25")
    [event] = connection.receive(line(id=7, method=method, params=params))
    assert isinstance(event, Send)
    assert (sent(event.data)["id"], sent(event.data)["error"]["code"]) == (7, code)
    assert not connection.asked


def test_a_modern_server_is_refused_whatever_it_asks():
    [event] = modern(ALL).receive(line(id=7, method="roots/list"))
    assert sent(event.data)["error"]["code"] == -32601


def test_two_open_requests_of_a_server_have_two_ids():
    connection = legacy(ALL)
    connection.receive(line(id=7, method="roots/list"))
    [event] = connection.receive(line(id=7, method="roots/list"))
    assert sent(event.data)["error"]["code"] == -32600
    assert isinstance(connection.receive(line(id="7", method="roots/list"))[0], Asked)
    connection.answer(7, {"roots": []})
    assert isinstance(connection.receive(line(id=7, method="roots/list"))[0], Asked)


def test_a_server_may_cancel_what_it_asked():
    connection = legacy(ALL)
    connection.receive(line(id=7, method="roots/list"))
    cancelled = notification("notifications/cancelled", requestId=7, reason="never mind")
    assert connection.receive(cancelled) == [CancelRequested(7, "never mind")]
    assert connection.answer(7, {"roots": []}) is None
    assert isinstance(connection.receive(cancelled)[0], Ignored)


def test_a_flood_of_questions_is_refused():
    connection = legacy(ALL)
    events = [connection.receive(line(id=id, method="roots/list"))[0] for id in range(200)]
    assert [isinstance(event, Asked) for event in events] == [True] * 128 + [False] * 72
    assert sent(events[-1].data)["error"]["code"] == -32603


# Batches


def batch(*lines):
    return b"[" + b",".join(lines) + b"]"


def test_a_batch_is_understood_where_its_revision_has_them():
    connection = legacy(ALL, "2025-03-26")
    one, other = connection.call_tool("t")[0], connection.call_tool("t")[0]
    events = connection.receive(
        batch(
            result(other, {"content": []}),
            notification("notifications/message", level="info", data=1),
            line(id=1, method="roots/list"),
            b"17",
            b"[]",
            line(id=2, method="ping"),
            error(one, -32603),
        )
    )
    assert [type(event) for event in events] == [Answered, Logged, Asked, Ignored, Ignored, Send, Failed]


@pytest.mark.parametrize("version", [version for version in LEGACY_VERSIONS if version != "2025-03-26"])
def test_a_batch_is_noise_in_every_other_revision(version):
    connection = legacy(ALL, version)
    id, _ = connection.call_tool("t")
    [event] = connection.receive(batch(result(id, {})))
    assert isinstance(event, Ignored)
    assert id in connection.pending


@pytest.mark.parametrize("data", [b"[]", b"[", b"[1,", b"[[1]]", b"\xff["])
def test_a_batch_of_nothing_is_ignored(data):
    events = legacy(ALL, "2025-03-26").receive(data)
    assert [type(event) for event in events] == [Ignored]


def test_what_is_told_unasked_and_unknown_is_handed_on():
    [event] = legacy().receive(notification("notifications/tasks/status", taskId="t"))
    assert isinstance(event, Notified)
