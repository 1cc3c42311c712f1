"""Both ends of a connection, led at random through all they can say to each other, in every revision."""

import json
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
)

from runtime.protocol import (
    LEGACY_VERSIONS,
    MODERN_VERSION,
    Acknowledged,
    Answered,
    Asked,
    CancelRequested,
    ClientCapabilities,
    ClientConnection,
    Era,
    Failed,
    Implementation,
    InputRequired,
    JsonRpcError,
    ListChanged,
    ListenEnded,
    Logged,
    Opened,
    Progressed,
    ResourceUpdated,
    Send,
    ServerConnection,
    State,
    from_wire,
)

from .conftest import Official

OFFERED = {
    "tools": {"listChanged": True},
    "prompts": {},
    "resources": {"subscribe": True, "listChanged": True},
    "completions": {},
    "logging": {},
}
DECLARED = {"elicitation": {"form": {}}, "sampling": {}}
RESULTS: dict[str, Any] = {
    "tools/call": {"content": [{"type": "text", "text": "t"}], "structuredContent": [1]},
    "tools/list": {"tools": [{"name": "t", "inputSchema": {"type": "object"}, "outputSchema": {"type": "array"}}]},
    "prompts/list": {"prompts": []},
    "prompts/get": {"messages": []},
    "resources/list": {"resources": []},
    "resources/templates/list": {"resourceTemplates": []},
    "resources/read": {"contents": [{"uri": "a:b", "text": ""}]},
    "completion/complete": {"completion": {"values": ["v"]}},
}
PARAMS: dict[str, Any] = {
    "tools/call": {"name": "t", "arguments": {}},
    "prompts/get": {"name": "p"},
    "resources/read": {"uri": "a:b"},
    "completion/complete": {"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "a", "value": ""}},
}
QUESTIONS: dict[str, Any] = {
    "elicitation/create": {"message": "?", "requestedSchema": {"type": "object", "properties": {}}},
    "sampling/createMessage": {"messages": [], "maxTokens": 1},
    "roots/list": {},
}
ANSWERS: dict[str, Any] = {
    "elicitation/create": {"action": "decline"},
    "sampling/createMessage": {"role": "assistant", "model": "m", "content": {"type": "text", "text": ""}},
}
ROUNDS = ("tools/call", "prompts/get", "resources/read")
LEVELS = ("debug", "warning", "emergency")


class TwoEnds(RuleBasedStateMachine):
    """Whatever is said, each line is valid, each end makes of it what the other meant, and both agree what is open."""

    requests = Bundle("requests")  # ids of the client's

    @initialize(version=st.sampled_from([MODERN_VERSION] * 4 + [*LEGACY_VERSIONS]))
    def meet(self, version: str) -> None:
        self.judge = Official(version)
        self.legacy = version != MODERN_VERSION
        self.server = ServerConnection({"name": "s", "version": "1"}, OFFERED)
        info = Implementation(name="c", version="0")
        era = "legacy" if self.legacy else "modern"
        self.client = ClientConnection(info, from_wire(ClientCapabilities, DECLARED), era=era)
        opening = self.client.open()
        if self.legacy:  # a client of ours offers the newest; this one is of another time
            message = json.loads(opening)
            message["params"]["protocolVersion"] = version
            opening = json.dumps(message).encode() + b"\n"
        *sends, opened = self.to_client(self.single(self.to_server(opening), Send).data, None)
        for send in sends:
            self.to_server(send.data)
        assert isinstance(opened, Opened)
        assert (opened.version, self.server.version, self.client.state) == (version, version, State.OPEN)
        self.log_level: str | None = None

    # -- how lines travel

    def to_server(self, line: bytes) -> list[Any]:
        self.judge.check_line(line)
        return self.server.receive(line)

    def to_client(self, line: bytes, answers: str | None) -> list[Any]:
        self.judge.check_line(line, answers=answers)
        return self.client.receive(line)

    @staticmethod
    def single(events: list[Any], kind: type) -> Any:
        [event] = events
        assert isinstance(event, kind), event
        return event

    def waits(self, id: Any) -> bool:
        return id in self.server.pending

    # -- what the client says

    @rule(target=requests, method=st.sampled_from([*RESULTS, *ROUNDS, *ROUNDS]), progress=st.booleans())
    def ask(self, method: str, progress: bool) -> Any:
        id, line = self.client.request(method, PARAMS.get(method), progress=progress)
        asked = self.single(self.to_server(line), Asked)
        assert (asked.id, asked.method) == (id, method)
        assert {key: value for key, value in asked.params.items() if key != "_meta"} == PARAMS.get(method, {})
        return id

    @rule(id=consumes(requests))
    def cancel(self, id: Any) -> None:
        line = self.client.cancel(id, "enough")
        if line is not None:
            assert self.to_server(line) == [CancelRequested(id, "enough")]
        assert not self.waits(id)

    @rule(level=st.sampled_from(LEVELS))
    def set_level(self, level: str) -> None:
        self.log_level = level
        if (set_level := self.client.set_log_level(level)) is not None:
            send, _ = self.to_server(set_level[1])
            self.single(self.to_client(send.data, "ping"), Answered)

    @precondition(lambda self: self.legacy)
    @rule(subscribe=st.booleans())
    def subscribe(self, subscribe: bool) -> None:
        _, line = self.client.subscribe("a:b") if subscribe else self.client.unsubscribe("a:b")
        asked = self.single(self.to_server(line), Asked)
        answer = self.server.answer(asked.id, {})
        assert answer is not None
        self.single(self.to_client(answer, "ping"), Answered)
        assert ("a:b" in self.server.subscribed) is subscribe

    @precondition(lambda self: not self.legacy)
    @rule(target=requests, tools=st.booleans(), uris=st.sampled_from([[], ["a:b"]]))
    def listen(self, tools: bool, uris: list[str]) -> Any:
        wish = {"toolsListChanged": tools, "promptsListChanged": True, "resourceSubscriptions": uris}
        id, line = self.client.listen(wish)
        self.single(self.to_server(line), Asked)
        acknowledgement = self.server.acknowledge(id)
        assert acknowledgement is not None
        heard = self.single(self.to_client(acknowledgement, None), Acknowledged)
        assert heard.filter.tools_list_changed == (True if tools else None)
        assert heard.filter.prompts_list_changed is None  # it is not offered
        return id

    # -- what the server says

    @rule(id=consumes(requests))
    def answer(self, id: Any) -> None:
        if not self.waits(id):
            assert self.server.answer(id, {}) is None
            return
        method = self.server.pending[id]
        line = self.server.answer(id, RESULTS.get(method, {}))
        assert line is not None
        ended = self.single(self.to_client(line, method), ListenEnded if "listen" in method else Answered)
        assert ended.id == id
        if method == "tools/call":
            assert ("structuredContent" in json.loads(bytes(ended.result))) is not self.legacy

    @rule(id=consumes(requests), code=st.sampled_from([-32602, -32002, -32603]))
    def fail(self, id: Any, code: int) -> None:
        if not self.waits(id):
            return
        line = self.server.fail(id, JsonRpcError(code, "no"))
        assert line is not None
        failed = self.single(self.to_client(line, None), Failed)
        assert failed.error.code == (-32602 if code == -32002 and not self.legacy else code)

    @rule(id=requests, step=st.floats(0, 5))
    def progress(self, id: Any, step: float) -> None:
        line = self.server.progress(id, step, 5)
        if line is not None:
            self.single(self.to_client(line, None), Progressed)

    @rule(id=requests, level=st.sampled_from(LEVELS))
    def log(self, id: Any, level: str) -> None:
        line = self.server.log(level, {"a": 1}, id=id)
        if line is not None:
            assert self.single(self.to_client(line, None), Logged).data == {"a": 1}
        if self.legacy:
            threshold = self.log_level or "debug"
            assert (line is not None) is (LEVELS.index(level) >= LEVELS.index(threshold))

    @rule()
    def change(self) -> None:
        listeners = 0
        for line in (*self.server.changed("tools"), *self.server.changed("prompts")):
            heard = self.single(self.to_client(line, None), ListChanged)
            assert heard.kind == "tools"
            listeners += 1
        assert listeners == 1 or not self.legacy
        for line in self.server.updated("a:b"):
            assert self.single(self.to_client(line, None), ResourceUpdated).uri == "a:b"

    @rule(target=requests, id=consumes(requests), method=st.sampled_from(list(QUESTIONS)))
    def question(self, id: Any, method: str) -> Any:
        """The client is asked in the way of its era, and answers; a modern one comes back under a new id."""
        if not self.waits(id) or self.server.pending[id] not in ROUNDS:
            return id
        if not self.server.may_ask(id, method, QUESTIONS[method]):
            assert method == "roots/list"
            return id
        if self.legacy:
            if method == "elicitation/create" and self.judge.version < "2025-06-18":
                return id
            asked_id, line = self.server.ask(id, method, QUESTIONS[method])
            asked = self.single(self.to_client(line, None), Asked)
            assert asked.params == QUESTIONS[method]
            answer = self.client.answer(asked.id, ANSWERS[method])
            assert answer is not None
            answered = self.single(self.to_server(answer), Answered)
            assert (answered.id, json.loads(bytes(answered.result))) == (asked_id, ANSWERS[method])
            return id
        state = f'"state" of {id} ✓'
        line = self.server.require_input(id, {"k": {"method": method, "params": QUESTIONS[method]}}, state)
        assert line is not None
        required = self.single(self.to_client(line, "input_required"), InputRequired)
        assert (required.id, required.requests["k"].method) == (id, method)
        new, again = self.client.retry(id, {"k": ANSWERS[method]})
        retried = self.single(self.to_server(again), Asked)
        assert retried.params["requestState"] == state
        assert retried.params["inputResponses"] == {"k": ANSWERS[method]}
        return new

    # -- what stays true

    @invariant()
    def both_know_what_is_open(self) -> None:
        if hasattr(self, "client"):
            assert dict(self.client.pending) == dict(self.server.pending)
            assert not self.server.asked
            assert self.server.era is (Era.LEGACY if self.legacy else Era.MODERN)


TestTwoEnds = TwoEnds.TestCase
TestTwoEnds.settings = settings(
    max_examples=250, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
