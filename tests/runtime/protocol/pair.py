"""A client and a server connection that talk to each other, and what must be true of both at every moment.

What either writes waits in a queue until it is delivered, so that answers, cancellations and questions cross each other
in every way. The model beside them knows which request waits for what; it is this simple because it sees both ends.
"""

import json
from math import inf
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from runtime.protocol import (
    Acknowledged,
    Answered,
    Asked,
    CancelRequested,
    Era,
    Failed,
    Ignored,
    InputRequired,
    JsonRpcError,
    ListChanged,
    ListenEnded,
    Progressed,
    Send,
    ServerConnection,
    State,
    TimedOut,
)
from tests.runtime.protocol.judged import ALL, client, sent

OFFERS = {"tools": {"listChanged": True}, "resources": {"subscribe": True, "listChanged": True}, "prompts": {}}
FORM = {"mode": "form", "message": "Name?", "requestedSchema": {"type": "object", "properties": {}}}

CHOICES = ("auto", "modern", "legacy")
ERAS = ((Era.MODERN,), (Era.LEGACY,), (Era.MODERN, Era.LEGACY))


def _can(choice: str, eras: tuple[Era, ...]) -> bool:
    return choice == "auto" or Era(choice) in eras


class Pair(RuleBasedStateMachine):
    make: Any = staticmethod(client)
    """What makes the client: one whose lines are judged."""

    def __init__(self) -> None:
        super().__init__()
        self.client: Any = None
        self.server: Any = None
        self.to_server: list[bytes] = []
        self.to_client: list[bytes] = []
        self.last: bytes = b""  # what the client was given last
        self.now = 0.0
        self.said = 0  # by the server; each of its answers is another
        self.waiting: dict[Any, str] = {}  # {id: method} of what the client waits for, as it should be
        self.truth: dict[Any, Any] = {}  # {id: what the server has answered}
        self.tokens: set[Any] = set()  # of requests that asked for progress
        self.asked_back: dict[Any, Any] = {}  # {id: the server's state}
        self.deadlines: dict[Any, tuple[float, float, float]] = {}
        self.questions: dict[Any, str] = {}  # {id: method} of the server's, known to the client

    # -- the queues

    def write(self, data: bytes | None) -> None:
        if data is not None:
            self.to_server.append(data)

    def say(self, data: bytes | None) -> None:
        if data is not None:
            self.to_client.append(data)

    @initialize(
        speak=st.sampled_from([(choice, eras) for choice in CHOICES for eras in ERAS if _can(choice, eras)]),
        slow=st.booleans(),
        remembered=st.sampled_from([None, Era.MODERN, Era.LEGACY]),
    )
    def open(self, speak: tuple[str, tuple[Era, ...]], slow: bool, remembered: Era | None) -> None:
        choice, eras = speak
        self.client = self.make(choice, ALL, remembered=remembered)
        self.server = ServerConnection({"name": "s", "version": "1"}, OFFERS, eras=eras)
        self.write(self.client.open())
        if slow and self.client.probing:
            self.write(self.client.probe_expired())
        while self.to_server or self.to_client:
            while self.to_server:
                self.hear_server(self.server.receive(self.to_server.pop(0)))
            while self.to_client:
                for event in self.client.receive(self.to_client.pop(0), self.now):
                    if isinstance(event, Send):
                        self.write(event.data)
        assert self.client.state is State.OPEN
        assert self.client.era is self.server.era
        assert self.client.version == self.server.version

    def is_modern(self) -> bool:
        return self.client.era is Era.MODERN

    def is_legacy(self) -> bool:
        return self.client.era is Era.LEGACY

    # -- the client's driver

    @rule(
        method=st.sampled_from(["call_tool", "read_resource", "list_tools"]),
        progress=st.booleans(),
        timeout=st.tuples(st.integers(1, 5), st.none() | st.integers(1, 9)) | st.none(),
    )
    def ask(self, method: str, progress: bool, timeout: tuple[int, int | None] | None) -> None:
        if method == "list_tools":
            id, data = self.client.list_tools()
        else:
            id, data = getattr(self.client, method)("x", progress=progress)
        self.asked(id, data)
        if progress and method != "list_tools":
            self.tokens.add(id)
        if timeout is not None:
            patience, at_most = timeout
            self.client.set_timeout(id, self.now, patience, at_most)
            limit = inf if at_most is None else self.now + at_most
            self.deadlines[id] = (patience, limit, min(self.now + patience, limit))

    @precondition(is_modern)
    @rule()
    def listen(self) -> None:
        self.asked(*self.client.listen({"toolsListChanged": True}))

    def asked(self, id: Any, data: bytes) -> None:
        assert id not in self.truth
        assert id not in self.waiting
        self.write(data)
        self.waiting[id] = sent(data)["method"]

    @precondition(lambda self: self.waiting or self.asked_back)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        id = data.draw(st.sampled_from([*self.waiting, *self.asked_back]))
        said = self.client.cancel(id)
        assert (said is not None) is (id in self.waiting)
        self.asked_back.pop(id, None)
        self.settled(id)
        self.write(said)

    @precondition(lambda self: self.asked_back)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        id = data.draw(st.sampled_from([*self.asked_back]))
        state = self.asked_back.pop(id)
        new_id, said = self.client.retry(id, {"who": {"action": "decline"}})
        self.asked(new_id, said)
        params = sent(said)["params"]
        assert params["requestState"] == state
        assert params["_meta"].get("progressToken") == (new_id if id in self.tokens else None)
        if id in self.tokens:
            self.tokens.add(new_id)

    @precondition(lambda self: self.questions)
    @rule(data=st.data(), refuses=st.booleans())
    def reply(self, data: st.DataObject, refuses: bool) -> None:
        id = data.draw(st.sampled_from([*self.questions]))
        del self.questions[id]
        said = self.client.refuse(id, JsonRpcError(-1, "no")) if refuses else self.client.answer(id, {"roots": []})
        assert said is not None
        self.write(said)

    @precondition(lambda self: self.deadlines)
    @rule(seconds=st.integers(1, 4))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds
        late = {id for id, (_, _, until) in self.deadlines.items() if until <= self.now}
        told = set()
        for event in self.client.expire(self.now):
            if isinstance(event, TimedOut):
                told.add(event.id)
            else:
                self.write(event.data)
        assert told == late
        for id in late:
            self.settled(id)

    def settled(self, id: Any) -> str | None:
        self.deadlines.pop(id, None)
        return self.waiting.pop(id, None)

    # -- delivery

    @precondition(lambda self: self.to_server)
    @rule()
    def to_the_server(self) -> None:
        self.hear_server(self.server.receive(self.to_server.pop(0)))

    @precondition(lambda self: self.to_client)
    @rule()
    def to_the_client(self) -> None:
        self.last = self.to_client.pop(0)
        [event] = self.client.receive(self.last, self.now)
        self.hear(event)

    @precondition(lambda self: self.to_server or self.to_client)
    @rule()
    def all_is_delivered(self) -> None:
        while self.to_server or self.to_client:
            while self.to_server:
                self.to_the_server()
            while self.to_client:
                self.to_the_client()

    @precondition(lambda self: b'"id"' in self.last and b'"method"' not in self.last)
    @rule()
    def the_same_answer_once_more(self) -> None:
        [event] = self.client.receive(self.last, self.now)
        assert isinstance(event, Ignored)

    def hear_server(self, events: list[Any]) -> None:
        for event in events:
            if isinstance(event, Send):
                self.say(event.data)

    def hear(self, event: Any) -> None:
        match event:
            case Answered(id, result):
                assert self.settled(id) is not None
                assert json.loads(bytes(result))["said"] == self.truth.pop(id)
            case Failed(id, error):
                assert self.settled(id) is not None
                assert error.code == self.truth.pop(id)
            case ListenEnded(id):
                assert self.settled(id) == "subscriptions/listen"
            case InputRequired(id):
                assert self.settled(id) in ("tools/call", "resources/read")
                self.asked_back[id] = self.truth.pop(id)
            case Progressed(id):
                assert id in self.waiting
                assert id in self.tokens
                if id in self.deadlines:
                    patience, limit, until = self.deadlines[id]
                    self.deadlines[id] = (patience, limit, max(until, min(self.now + patience, limit)))
            case Asked(id, method):
                self.questions[id] = method
            case CancelRequested(id):
                assert self.questions.pop(id, None) is not None
            case Acknowledged(id) | ListChanged(_, int() as id):
                assert self.waiting.get(id) == "subscriptions/listen"
            case Send(data):
                self.write(data)
            case ListChanged() | Ignored():
                pass
            case _:
                raise AssertionError(event)

    # -- the server's driver

    def pick(self, data: st.DataObject) -> Any:
        return data.draw(st.sampled_from([*self.server.pending]))

    @precondition(lambda self: self.server.pending)
    @rule(data=st.data(), fails=st.booleans())
    def server_answers(self, data: st.DataObject, fails: bool) -> None:
        id = self.pick(data)
        listens = self.server.pending[id] == "subscriptions/listen"
        self.said += 1
        self.truth[id] = self.said
        if fails:
            self.say(self.server.fail(id, JsonRpcError(self.said, "no")))
        else:
            self.say(self.server.answer(id, {} if listens else {"said": self.said}))

    @precondition(lambda self: self.server.pending)
    @rule(data=st.data())
    def server_reports_progress(self, data: st.DataObject) -> None:
        self.said += 1
        self.say(self.server.progress(self.pick(data), self.said))

    @precondition(lambda self: self.is_modern() and self.server.pending)
    @rule(data=st.data())
    def server_asks_back(self, data: st.DataObject) -> None:
        id = self.pick(data)
        if self.server.pending[id] in ("tools/call", "resources/read"):
            self.said += 1
            self.truth[id] = f"state {self.said}"
            who = {"who": {"method": "elicitation/create", "params": FORM}}
            self.say(self.server.require_input(id, who, self.truth[id]))

    @precondition(lambda self: self.is_modern() and self.server.pending)
    @rule(data=st.data())
    def server_acknowledges(self, data: st.DataObject) -> None:
        self.say(self.server.acknowledge(self.pick(data)))

    @precondition(is_modern)
    @rule()
    def server_ends_listeners_by_cancelling(self) -> None:
        """As servers may, though ours does it by a result."""
        for id in [id for id, method in self.server.pending.items() if method == "subscriptions/listen"]:
            self.server.answer(id, {})
            self.say(b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%d}}' % id)

    @rule()
    def servers_tools_change(self) -> None:
        for each in self.server.changed("tools"):
            self.say(each)

    @precondition(lambda self: self.is_legacy() and self.server.pending)
    @rule(data=st.data())
    def server_asks(self, data: st.DataObject) -> None:
        self.say(self.server.ask(self.pick(data), "roots/list")[1])

    @precondition(lambda self: self.is_legacy() and self.server.asked)
    @rule(data=st.data())
    def server_withdraws(self, data: st.DataObject) -> None:
        self.say(self.server.withdraw(data.draw(st.sampled_from([*self.server.asked]))))

    # -- what is always true

    @invariant()
    def the_client_waits_for_what_it_should(self) -> None:
        if self.client is not None:
            assert self.client.pending == self.waiting
            assert set(self.client.asked_back) == set(self.asked_back)
            assert self.client.asked == self.questions
            assert self.client.next_timeout == min((d for _, _, d in self.deadlines.values()), default=None)

    def teardown(self) -> None:
        """When all is delivered, both ends agree on what is open."""
        if self.client is None:
            return
        self.all_is_delivered()
        self.the_client_waits_for_what_it_should()
        assert set(self.client.pending) == set(self.server.pending)
        assert set(self.client.asked) == set(self.server.asked)
