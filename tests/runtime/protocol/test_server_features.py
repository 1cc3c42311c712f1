"""What a server can tell and ask its client, in the words of the client's revision."""

import json
from typing import Any

import pytest

from runtime.protocol import (
    LEGACY_VERSIONS,
    MODERN_VERSION,
    Answered,
    Asked,
    CacheHint,
    CancelRequested,
    Era,
    Failed,
    Ignored,
    JsonRpcError,
    LevelSet,
    LocalProtocolError,
    MissingCapability,
    Send,
    ServerConnection,
    ServerState,
    codes,
)
from runtime.protocol.server_state import REFUSALS, TRANSITIONS, Met

KEY = "io.modelcontextprotocol/"
INFO = {"name": "s", "version": "1"}
ALL = {
    "tools": {"listChanged": True},
    "prompts": {"listChanged": True},
    "resources": {"listChanged": True, "subscribe": True},
    "completions": {},
    "logging": {},
}
FORM = {"mode": "form", "message": "Name?", "requestedSchema": {"type": "object", "properties": {}}}
URL = {"mode": "url", "message": "Sign in", "url": "https://example.org/", "elicitationId": "e1"}


class Talk:
    """A client of one revision that has every line it is sent judged by its schema."""

    def __init__(self, judge: Any, version: str, *, offers: Any = None, **options: Any) -> None:
        self.judge, self.version, self.modern = judge(version), version, version == MODERN_VERSION
        self.offers = {"elicitation": {}} if offers is None else offers
        self.server = ServerConnection(INFO, options.pop("capabilities", ALL), **options)
        self.ids = 0
        if not self.modern:
            params = {"protocolVersion": version, "capabilities": self.offers, "clientInfo": INFO}
            [hello] = self.tell(id="hello", method="initialize", params=params)
            self.hear(hello.data, "initialize")
            self.tell(method="notifications/initialized")

    def tell(self, **members: Any) -> list[Any]:
        return self.server.receive(json.dumps({"jsonrpc": "2.0", **members}).encode())

    def ask(self, method: str, params: Any = None, *, id: Any = None, meta: Any = None) -> list[Any]:
        self.ids += 1
        envelope = {KEY + "protocolVersion": MODERN_VERSION, KEY + "clientCapabilities": self.offers}
        meta = {**(envelope if self.modern else {}), **(meta or {})}
        return self.tell(id=self.ids if id is None else id, method=method, params={**(params or {}), "_meta": meta})

    def asked(self, method: str, params: Any = None, **options: Any) -> Any:
        [event] = self.ask(method, params, **options)
        assert isinstance(event, Asked), event
        return event.id

    def refused(self, method: str, params: Any = None, **options: Any) -> dict[str, Any]:
        [event] = self.ask(method, params, **options)
        error: dict[str, Any] = self.hear(event.data)["error"]
        return error

    def hear(self, line: bytes | None, answers: str | None = None) -> Any:
        assert line is not None
        return self.judge.check_line(line, answers=answers)

    def result(self, id: Any, method: str, result: Any) -> Any:
        return self.hear(self.server.answer(id, result), method)["result"]


@pytest.fixture(params=[MODERN_VERSION, *LEGACY_VERSIONS])
def version(request) -> str:
    return request.param


@pytest.fixture(params=LEGACY_VERSIONS)
def old(request) -> str:
    return request.param


@pytest.fixture
def talk(official):
    return lambda version, **options: Talk(official, version, **options)


def test_every_state_knows_what_to_do_with_whatever_a_client_comes_with():
    for state in ServerState:
        ways, refusals = set(TRANSITIONS[state]), set(REFUSALS[state])
        assert not ways & refusals
        assert ways | refusals | ({Met.INITIALIZED} - ways) == set(Met)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tools/list", {}),
        ("prompts/list", {}),
        ("resources/list", {}),
        ("resources/templates/list", {}),
        ("resources/read", {"uri": "a:b"}),
        ("prompts/get", {"name": "p"}),
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "a", "value": ""}}),
        ("x/of-an-extension", {}),
    ],
)
def test_what_is_offered_is_asked_of_the_driver_and_what_is_not_does_not_exist(method, params, version, talk):
    talk(version).asked(method, params)
    bare = talk(version, capabilities={})
    if method.startswith("x/"):
        bare.asked(method, params)
    else:
        assert bare.refused(method, params)["code"] == codes.METHOD_NOT_FOUND


def test_a_method_of_the_other_era_does_not_exist(version, talk):
    client = talk(version)
    others = (
        ("ping", "initialize", "logging/setLevel", "resources/subscribe", "resources/unsubscribe")
        if client.modern
        else ("server/discover", "subscriptions/listen")
    )
    for method in others:
        assert client.refused(method, {"uri": "a:b"})["code"] == codes.METHOD_NOT_FOUND


@pytest.mark.parametrize(
    ("method", "result"),
    [
        ("tools/list", {"tools": []}),
        ("prompts/list", {"prompts": []}),
        ("resources/list", {"resources": []}),
        ("resources/templates/list", {"resourceTemplates": []}),
        ("resources/read", {"contents": [{"uri": "a:b", "text": ""}]}),
        ("prompts/get", {"messages": []}),
        ("completion/complete", {"completion": {"values": []}}),
        ("tools/call", {"content": []}),
    ],
)
def test_a_result_is_dressed_for_its_era_and_a_driver_need_not_know_it(method, result, version, talk):
    client = talk(version, hints={"tools/list": CacheHint(60_000, "public")})
    told = client.result(client.asked(method), method, result)
    if not client.modern:
        assert told == result
        worn = {"resultType": "complete", "ttlMs": 1, "cacheScope": "public", **result}
        assert client.result(client.asked(method), method, worn) == result
        return
    assert told["resultType"] == "complete"
    hinted = "list" in method or method == "resources/read"
    assert ("ttlMs" in told, "cacheScope" in told) == (hinted, hinted)
    if method == "tools/list":
        assert (told["ttlMs"], told["cacheScope"]) == (60_000, "public")
    if method == "resources/read":
        assert (told["ttlMs"], told["cacheScope"]) == (0, "private")


def test_the_result_of_a_retry_is_not_to_be_kept(talk):
    client = talk(MODERN_VERSION, hints={"resources/read": CacheHint(60_000, "public")})
    fresh, retry = {"uri": "a:b"}, {"uri": "a:b", "requestState": "s"}
    for params, ttl in ((fresh, 60_000), (retry, 0)):
        told = client.result(client.asked("resources/read", params), "resources/read", {"contents": []})
        assert told["ttlMs"] == ttl


def test_structured_content_that_an_older_client_cannot_take_is_left_to_the_text(version, talk):
    client = talk(version)
    for structured in ([1], "a", 5, None):
        result = {"content": [{"type": "text", "text": "1"}], "structuredContent": structured}
        told = client.result(client.asked("tools/call"), "tools/call", result)
        assert ("structuredContent" in told) == client.modern
    told = client.result(client.asked("tools/call"), "tools/call", {"content": [], "structuredContent": {"a": 1}})
    assert told["structuredContent"] == {"a": 1}


def test_schemas_that_an_older_client_cannot_take_are_left_out_or_spelled(version, talk):
    client = talk(version)
    tools = [
        {
            "name": "t",
            "inputSchema": {"type": "object", "properties": {"a": True, "b": False, "c": {}}, "$defs": {"x": True}},
            "outputSchema": {"type": "array"},
        },
        {"name": "u", "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"}},
    ]
    first, second = client.result(client.asked("tools/list"), "tools/list", {"tools": tools})["tools"]
    assert second == tools[1]
    if client.modern:
        assert first == tools[0]
    else:
        assert "outputSchema" not in first
        assert first["inputSchema"]["properties"] == {"a": {}, "b": {"not": {}}, "c": {}}
        assert first["inputSchema"]["$defs"] == {"x": True}


LINK = {"type": "resource_link", "uri": "a:b", "name": "n"}
SOUND = {"type": "audio", "data": "aGk=", "mimeType": "audio/wav"}


def test_content_that_came_after_a_revision_is_told_as_text(version, talk):
    client = talk(version)
    content = client.result(client.asked("tools/call"), "tools/call", {"content": [LINK, SOUND]})["content"]
    message = {"role": "user", "content": LINK}
    [prompt] = client.result(client.asked("prompts/get"), "prompts/get", {"messages": [message]})["messages"]
    text = {"type": "text", "text": "[resource_link] n a:b"}
    assert content[0] == prompt["content"] == (LINK if version >= "2025-06-18" else text)
    assert (content[1] == SOUND) == (version >= "2025-03-26")


def test_a_missing_resource_has_the_code_of_its_era(version, talk):
    client = talk(version)
    error = JsonRpcError(codes.RESOURCE_NOT_FOUND, "not there", {"uri": "a:b"})
    told = client.hear(client.server.fail(client.asked("resources/read", {"uri": "a:b"}), error))["error"]
    assert told == {
        "code": codes.INVALID_PARAMS if client.modern else codes.RESOURCE_NOT_FOUND,
        "message": "not there",
        "data": {"uri": "a:b"},
    }


VISITS = {"elicitations": [URL, {**URL, "elicitationId": "e2"}]}


@pytest.mark.parametrize("offers", [{}, {"elicitation": {"url": {}}}])
def test_pages_to_be_visited_first_are_an_error_or_a_question_as_the_era_has_it(version, offers, talk):
    client = talk(version, offers=offers)
    error = JsonRpcError(codes.URL_ELICITATION_REQUIRED, "Sign in first", VISITS)
    told = client.hear(client.server.fail(client.asked("tools/call"), error))
    if not client.modern:
        assert told["error"]["code"] == codes.URL_ELICITATION_REQUIRED
    elif offers:
        visit = {"method": "elicitation/create", "params": {k: v for k, v in URL.items() if k != "elicitationId"}}
        assert told["result"]["inputRequests"] == {"e1": visit, "e2": visit}
    else:
        assert told["error"]["data"] == {"requiredCapabilities": {"elicitation": {"url": {}}}}
    assert not client.server.pending


@pytest.mark.parametrize("data", [None, 5, {}, {"elicitations": 5}, {"elicitations": [5]}, {"elicitations": [FORM]}])
def test_the_legacy_code_for_pages_to_visit_never_reaches_a_modern_client(data, talk):
    client = talk(MODERN_VERSION)
    for method in ("tools/call", "tools/list"):
        error = JsonRpcError(codes.URL_ELICITATION_REQUIRED, "Sign in first", data)
        assert client.hear(client.server.fail(client.asked(method), error))["error"]["code"] == codes.INTERNAL_ERROR


# -- before the greeting


def test_before_the_greeting_only_ping_is_answered(official):
    server = ServerConnection(INFO, ALL)
    for method, answered in (("tools/list", False), ("ping", True), ("notifications/initialized", None)):
        members = {"id": 1} if answered is not None else {}
        [event] = server.receive(json.dumps({"jsonrpc": "2.0", "method": method, **members}).encode())
        if answered is not None:
            assert ("result" in json.loads(event.data)) is answered
    assert server.state is ServerState.UNBOUND


def test_a_greeted_client_is_told_nothing_before_it_has_spoken_again():
    server = ServerConnection(INFO, ALL)
    params = {"protocolVersion": LEGACY_VERSIONS[0], "capabilities": {}, "clientInfo": INFO}
    server.receive(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}).encode())
    assert server.state is ServerState.GREETED
    assert server.changed("tools") == []
    server.receive(b'{"jsonrpc":"2.0","id":2,"method":"ping"}')
    assert server.state is ServerState.GREETED
    server.receive(b'{"jsonrpc":"2.0","id":3,"method":"tools/list"}')
    assert server.state is ServerState.LEGACY
    assert len(server.changed("tools")) == 1


@pytest.mark.parametrize(("era", "first"), [(Era.MODERN, "initialize"), (Era.LEGACY, "server/discover")])
def test_a_server_of_one_era_names_its_versions_to_the_other(era, first, official):
    server = ServerConnection(INFO, ALL, eras={era})
    envelope = {KEY + "protocolVersion": MODERN_VERSION, KEY + "clientCapabilities": {}}
    params = {"protocolVersion": "2025-11-25"} if first == "initialize" else {"_meta": envelope}
    [event] = server.receive(json.dumps({"jsonrpc": "2.0", "id": 1, "method": first, "params": params}).encode())
    error = official(MODERN_VERSION).check_line(event.data)["error"]
    spoken = [MODERN_VERSION] if era is Era.MODERN else list(LEGACY_VERSIONS)
    assert (error["code"], error["data"]["supported"]) == (codes.UNSUPPORTED_VERSION, spoken)
    assert server.era is None


def test_a_batch_is_taken_by_the_one_revision_that_has_them(version, talk):
    client = talk(version)
    batch = [
        {"jsonrpc": "2.0", "id": "a", "method": "tools/list"},
        {"jsonrpc": "2.0", "method": "notifications/x"},
        {"jsonrpc": "2.0", "id": "b", "method": "tools/list", "params": []},
        5,
    ]
    events = client.server.receive(b" " + json.dumps(batch).encode())
    if version != "2025-03-26":
        assert [type(event) for event in events] == [Ignored]
        return
    assert [type(event).__name__ for event in events] == ["Asked", "Notified", "Send", "Ignored"]
    for broken in (b"[]", b"[", b'[{"jsonrpc"'):
        assert [type(event) for event in client.server.receive(broken)] == [Ignored]


# -- what the server asks


def test_a_legacy_client_is_asked_what_it_declared_and_its_answer_is_an_event(old, talk):
    client = talk(old, offers={"elicitation": {}, "sampling": {}, "roots": {}})
    call = client.asked("tools/call", {"name": "t"})
    sampling = {"messages": [], "maxTokens": 5}
    questions = [("sampling/createMessage", sampling), ("roots/list", None)]
    if old >= "2025-06-18":
        questions.append(("elicitation/create", {k: v for k, v in FORM.items() if k != "mode"}))
    ids = []
    for method, params in questions:
        id, line = client.server.ask(call, method, params)
        assert client.hear(line)["method"] == method
        ids.append(id)
    assert list(client.server.asked) == ids
    first, second, *_ = ids
    [answered] = client.tell(id=first, result={"a": 1})
    assert isinstance(answered, Answered)
    assert (answered.id, bytes(answered.result)) == (first, b'{"a": 1}')
    assert client.tell(id=second, error={"code": -1, "message": "no"}) == [Failed(second, JsonRpcError(-1, "no"))]
    for late in (first, second, "x", 99):
        assert isinstance(client.tell(id=late, result={})[0], Ignored)


@pytest.mark.parametrize(
    ("offers", "method", "params", "required"),
    [
        ({}, "roots/list", {}, {"roots": {}}),
        ({}, "sampling/createMessage", {}, {"sampling": {}}),
        ({"sampling": {}}, "sampling/createMessage", {"tools": []}, {"sampling": {"tools": {}}}),
        ({"sampling": {"tools": {}}}, "sampling/createMessage", {"tools": []}, None),
        ({}, "elicitation/create", FORM, {"elicitation": {"form": {}}}),
        ({"elicitation": {}}, "elicitation/create", FORM, None),
        ({"elicitation": {"url": {}}}, "elicitation/create", FORM, {"elicitation": {"form": {}}}),
        ({"elicitation": {"form": {}}}, "elicitation/create", URL, {"elicitation": {"url": {}}}),
        ({"elicitation": {"form": {}, "url": {}}}, "elicitation/create", URL, None),
        ({"roots": True}, "roots/list", {}, {"roots": {}}),
        ({"sampling": 1}, "sampling/createMessage", {"tools": []}, {"sampling": {"tools": {}}}),
        ({"elicitation": 1.5}, "elicitation/create", FORM, {"elicitation": {"form": {}}}),
        ({"elicitation": "url"}, "elicitation/create", URL, {"elicitation": {"url": {}}}),
    ],
)
@pytest.mark.parametrize("spoken", [MODERN_VERSION, LEGACY_VERSIONS[0]])
def test_who_did_not_declare_a_capability_is_not_asked_for_it(offers, method, params, required, spoken, talk):
    client = talk(spoken, offers=offers)
    call = client.asked("tools/call", {"name": "t"})
    assert client.server.may_ask(call, method, params) is (required is None)
    if required is None:
        return
    with pytest.raises(MissingCapability) as missing:
        if client.modern:
            client.server.require_input(call, {"k": {"method": method, "params": params}})
        else:
            client.server.ask(call, method, params)
    assert missing.value.required == required
    assert call in client.server.pending
    assert not client.server.asked


def test_a_question_can_be_withdrawn_until_it_is_answered(talk):
    client = talk(LEGACY_VERSIONS[0])
    id, _ = client.server.ask(client.asked("tools/call"), "elicitation/create", FORM)
    cancelled = client.hear(client.server.withdraw(id, "enough"))
    assert cancelled["params"] == {"requestId": id, "reason": "enough"}
    assert client.server.withdraw(id) is None
    assert isinstance(client.tell(id=id, result={})[0], Ignored)


def test_only_a_legacy_client_is_asked_and_only_for_a_request_that_waits(version, talk):
    client = talk(version)
    if client.modern:
        with pytest.raises(LocalProtocolError):
            client.server.ask(client.asked("tools/call"), "elicitation/create", FORM)
        with pytest.raises(LocalProtocolError):
            client.server.ping()
    else:
        with pytest.raises(LocalProtocolError):
            client.server.ask("nothing", "elicitation/create", FORM)
        with pytest.raises(LocalProtocolError):
            client.server.require_input(client.asked("tools/call"), {})
        assert client.hear(client.server.ping()[1])["method"] == "ping"


@pytest.mark.parametrize("method", ["tools/call", "prompts/get", "resources/read"])
def test_a_modern_request_is_answered_by_asking_and_asked_again(method, talk):
    client = talk(MODERN_VERSION, offers={"elicitation": {"form": {}, "url": {}}})
    requests = {
        "who": {"method": "elicitation/create", "params": FORM},
        "where": {"method": "elicitation/create", "params": URL},
    }
    id = client.asked(method)
    result = client.hear(client.server.require_input(id, requests, "state"), "input_required")["result"]
    assert (result["resultType"], result["requestState"]) == ("input_required", "state")
    assert result["inputRequests"]["who"] == requests["who"]
    assert "elicitationId" not in result["inputRequests"]["where"]["params"]
    assert "ttlMs" not in result
    assert not client.server.pending
    [retry] = client.ask(method, {"inputResponses": {"who": {"action": "decline"}}, "requestState": "state"})
    assert retry.params["inputResponses"] == {"who": {"action": "decline"}}
    only_state = client.hear(client.server.require_input(retry.id, {}, "s"), "input_required")["result"]
    assert "inputRequests" not in only_state
    assert client.server.require_input(retry.id, {}, "s") is None


def test_what_a_retry_brings_must_have_its_shape_and_other_requests_cannot_ask(talk):
    client = talk(MODERN_VERSION)
    for broken in ({"inputResponses": [1]}, {"requestState": 5}):
        assert client.refused("tools/call", broken)["code"] == codes.INVALID_PARAMS
    with pytest.raises(LocalProtocolError):
        client.server.require_input(client.asked("tools/list"), {}, "s")


# -- progress, log


def test_progress_that_does_not_increase_is_none(version, talk):
    client = talk(version)
    id = client.asked("tools/call", meta={"progressToken": "p"})
    assert client.hear(client.server.progress(id, 0))["params"]["progress"] == 0
    assert client.server.progress(id, 0) is None
    assert client.server.progress(id, 0.5)
    assert client.server.progress(id, 0.25) is None


def test_a_legacy_client_is_told_all_until_it_sets_a_level(old, talk):
    client = talk(old)
    assert client.hear(client.server.log("debug", {"a": 1}, "here"))["params"] == {
        "level": "debug",
        "data": {"a": 1},
        "logger": "here",
    }
    send, event = client.ask("logging/setLevel", {"level": "warning"})
    client.hear(send.data, "ping")
    assert event == LevelSet("warning")
    assert client.server.log("notice", "x") is None
    assert client.server.log("warning", "x")
    assert client.refused("logging/setLevel", {"level": "loud"})["code"] == codes.INVALID_PARAMS
    assert talk(old, capabilities={"tools": {}}).server.log("emergency", "x") is None


def test_a_modern_client_is_told_what_it_asks_for_with_each_request(talk):
    client = talk(MODERN_VERSION)
    quiet = client.asked("tools/call")
    loud = client.asked("tools/call", meta={KEY + "logLevel": "error"})
    assert client.server.log("emergency", "x") is None
    assert client.server.log("emergency", "x", id=quiet) is None
    assert client.server.log("warning", "x", id=loud) is None
    assert client.hear(client.server.log("error", [1], id=loud))["method"] == "notifications/message"
    client.server.answer(loud, {"content": []})
    assert client.server.log("error", [1], id=loud) is None
    assert client.refused("tools/call", meta={KEY + "logLevel": "loud"})["code"] == codes.INVALID_PARAMS


# -- subscriptions


def test_a_legacy_client_hears_of_lists_and_of_the_resources_it_subscribed_to(old, talk):
    client = talk(old)
    for kind in ("tools", "prompts", "resources"):
        assert [client.hear(line)["method"] for line in client.server.changed(kind)] == [
            f"notifications/{kind}/list_changed"
        ]
    id = client.asked("resources/subscribe", {"uri": "a:b"})
    assert client.server.updated("a:b") == []  # it is no subscriber before it has its answer
    client.result(id, "ping", {})
    assert client.server.subscribed == {"a:b"}
    [line] = client.server.updated("a:b")
    assert client.hear(line)["params"] == {"uri": "a:b"}
    assert client.server.updated("a:c") == []
    client.asked("resources/unsubscribe", {"uri": "a:b"})
    assert client.server.updated("a:b") == []
    for method in ("resources/subscribe", "resources/unsubscribe"):
        assert client.refused(method, {"uri": 5})["code"] == codes.INVALID_PARAMS
    failed = client.asked("resources/subscribe", {"uri": "a:d"})
    client.server.fail(failed, JsonRpcError(codes.RESOURCE_NOT_FOUND, "no"))
    assert client.server.subscribed == frozenset()


def test_who_unsubscribes_before_the_subscription_is_answered_is_no_subscriber_after_it(old, talk):
    client = talk(old)
    subscribe = client.asked("resources/subscribe", {"uri": "a:b"})
    unsubscribe = client.asked("resources/unsubscribe", {"uri": "a:b"})
    client.result(subscribe, "ping", {})
    client.result(unsubscribe, "ping", {})
    assert client.server.updated("a:b") == []
    assert client.server.subscribed == frozenset()


def test_what_is_not_offered_is_not_told(version, talk):
    client = talk(version, capabilities={"tools": {}, "resources": {}})
    if client.modern:
        wish = {"toolsListChanged": True, "promptsListChanged": True, "resourceSubscriptions": ["a:b"]}
        ack = client.hear(client.server.acknowledge(client.asked("subscriptions/listen", {"notifications": wish})))
        assert ack["params"]["notifications"] == {}
    else:
        assert client.refused("resources/subscribe", {"uri": "a:b"})["code"] == codes.METHOD_NOT_FOUND
    assert client.server.changed("tools") == client.server.changed("prompts") == client.server.updated("a:b") == []


@pytest.mark.parametrize(("one", "other"), [(7, "7"), ("a", 0)])
def test_listeners_hear_what_each_wished_under_their_own_id(one, other, talk):
    client = talk(MODERN_VERSION)
    wishes = {
        one: {
            "toolsListChanged": True,
            "promptsListChanged": False,
            "resourceSubscriptions": ["a:b"],
            "taskIds": ["t"],
        },
        other: {"resourcesListChanged": True, "toolsListChanged": True},
    }

    def subscription(line: bytes) -> Any:
        return client.hear(line)["params"]["_meta"][KEY + "subscriptionId"]

    for id, wish in wishes.items():
        client.asked("subscriptions/listen", {"notifications": wish}, id=id)
        assert client.server.changed("resources") == []  # nothing before the acknowledgement
        ack = client.hear(client.server.acknowledge(id))
        assert ack["method"] == "notifications/subscriptions/acknowledged"
        assert ack["params"]["_meta"] == {KEY + "subscriptionId": id}
        honoured = {name: value for name, value in wish.items() if value and name != "taskIds"}
        assert ack["params"]["notifications"] == honoured
        assert client.server.acknowledge(id) is None
    heard = [subscription(line) for line in client.server.changed("tools")]
    assert [(type(id), id) for id in heard] == [(type(id), id) for id in (one, other)]
    assert [subscription(line) for line in client.server.changed("resources")] == [other]
    assert [subscription(line) for line in client.server.updated("a:b")] == [one]
    assert client.server.changed("prompts") == client.server.updated("a:c") == []
    assert client.tell(method="notifications/cancelled", params={"requestId": one}) == [CancelRequested(one, None)]
    assert client.server.updated("a:b") == []
    [end] = client.server.end_listeners()
    result = client.hear(end, "subscriptions/listen")
    assert (result["id"], result["result"]["_meta"][KEY + "subscriptionId"]) == (other, other)
    assert not client.server.pending


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"notifications": []},
        {"notifications": {"toolsListChanged": 1}},
        {"notifications": {"resourceSubscriptions": "a:b"}},
        {"notifications": {"resourceSubscriptions": [1]}},
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(params, talk):
    assert talk(MODERN_VERSION).refused("subscriptions/listen", params)["code"] == codes.INVALID_PARAMS


def test_what_a_client_can_make_a_server_remember_is_bounded(talk):
    client = talk(LEGACY_VERSIONS[0], limit=3)
    for n in range(3):
        client.result(client.asked("resources/subscribe", {"uri": f"a:{n}"}), "ping", {})
    assert client.refused("resources/subscribe", {"uri": "a:9"})["code"] == codes.INTERNAL_ERROR
    for _ in range(3):
        client.asked("tools/call")
    assert client.refused("tools/call")["code"] == codes.INTERNAL_ERROR
    modern = talk(MODERN_VERSION, limit=3)
    wish = {"resourceSubscriptions": [f"a:{n}" for n in range(4)]}
    assert modern.refused("subscriptions/listen", {"notifications": wish})["code"] == codes.INTERNAL_ERROR


def test_who_the_client_is_and_what_it_offers_is_known_for_each_request(version, talk):
    client = talk(version, offers={"roots": {}})
    id = client.asked("tools/call", meta={KEY + "clientInfo": INFO})
    assert client.server.client_capabilities(id) == {"roots": {}}
    assert client.server.client_info(id) == INFO
    assert isinstance(client.ask("tools/call", id=id)[0], Send)
