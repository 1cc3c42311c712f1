"""What servers ask of us: answered by handlers of the program's own, or at once where there is none."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from runtime import Declined, InputUnanswered, InvalidAnswer, State
from runtime.journal import HandlerFailed
from runtime.protocol import CreateMessageResult, ElicitFormParams, ElicitResult, ElicitUrlParams, Root, TextContent
from runtime.servers import Handlers
from tests.fakes import Fleet, echoed, serving, text

FORM = {"message": "Name?", "requestedSchema": {"type": "object", "properties": {"n": {"type": "string"}}}}
ELICIT = {"method": "elicitation/create", "params": {"mode": "form", **FORM}}
SAMPLE = {
    "method": "sampling/createMessage",
    "params": {"messages": [{"role": "user", "content": {"type": "text", "text": "hi"}}], "maxTokens": 5},
}


async def accept(server: str, params: Any) -> ElicitResult:
    return ElicitResult(action="accept", content={"n": server})


async def model(server: str, params: Any) -> CreateMessageResult:
    said = params.messages[0].content.text + "!"
    return CreateMessageResult(role="assistant", content=TextContent(text=said), model="m")


def answers(peer, *ids):
    """What was answered to the server's questions, by their ids."""
    found = {m["id"]: m.get("result", m.get("error")) for m in peer.heard if "method" not in m}
    return [found.get(id) for id in ids]


def ask(peer, id, method, params=None):
    peer.say(id=id, method=method, params=params or {})


# -- the legacy era


async def test_what_is_given_is_declared_and_nothing_else(autojump_clock):
    async def declared(handlers):
        fleet = Fleet({"a": serving(era="legacy"), "b": serving()})
        async with fleet.open(handlers=handlers):
            legacy = next(m for m in fleet.peer("a").heard if m.get("method") == "initialize")
            modern = fleet.peer("b").heard[0]["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"]
            assert legacy["params"]["capabilities"] == modern
            return set(modern) - {"extensions"}

    assert await declared(Handlers()) == set()
    assert await declared(Handlers(sampling=model)) == {"sampling"}
    assert await declared(Handlers(elicitation=accept, roots=["/tmp"])) == {"elicitation", "roots"}


async def test_a_legacy_server_is_answered_by_the_handlers(autojump_clock, tmp_path):
    fleet = Fleet({"a": serving(era="legacy")})
    places = [str(tmp_path), tmp_path / "x y", Root(uri="file:///else", name="else")]
    async with fleet.open(handlers=Handlers(model, accept, places)):
        peer = fleet.peer()
        ask(peer, "s", SAMPLE["method"], SAMPLE["params"])
        ask(peer, 7, "elicitation/create", FORM)
        ask(peer, 8, "roots/list")
        await trio.testing.wait_all_tasks_blocked()
        sampled, elicited, roots = answers(peer, "s", 7, 8)
        assert sampled == {"role": "assistant", "content": {"type": "text", "text": "hi!"}, "model": "m"}
        assert elicited == {"action": "accept", "content": {"n": "a"}}
        assert roots["roots"][:2] == [{"uri": f"file://{tmp_path}"}, {"uri": f"file://{tmp_path}/x%20y"}]
        assert roots["roots"][2] == {"uri": "file:///else", "name": "else"}


async def test_params_are_typed_by_their_mode(autojump_clock):
    met = []

    async def note(server, params):
        met.append(type(params))
        return ElicitResult(action="cancel")

    fleet = Fleet({"a": serving(era="legacy")})
    async with fleet.open(handlers=Handlers(elicitation=note)):
        ask(fleet.peer(), 1, "elicitation/create", FORM)
        url = {"mode": "url", "message": "Go", "url": "https://example.org/x", "elicitationId": "e"}
        ask(fleet.peer(), 2, "elicitation/create", url)
        await trio.testing.wait_all_tasks_blocked()
        assert set(met) == {ElicitFormParams, ElicitUrlParams}


async def test_without_a_handler_a_server_is_answered_at_once(autojump_clock):
    fleet = Fleet({"a": serving(era="legacy"), "b": serving()})
    async with fleet.open():
        for peer in (fleet.peer("a"), fleet.peer("b")):
            ask(peer, 1, "roots/list")
            ask(peer, 2, "elicitation/create", FORM)
            await trio.testing.wait_all_tasks_blocked()
            assert [error["code"] for error in answers(peer, 1, 2)] == [-32601, -32601]


async def test_questions_are_answered_beside_each_other_and_beside_calls(autojump_clock):
    go = trio.Event()

    async def slow(server, params):
        await go.wait()
        return await accept(server, params)

    fleet = Fleet(
        {"a": serving({"tools/call": lambda peer, request: peer.answer(request, echoed(request))}, era="legacy")}
    )
    async with fleet.open(handlers=Handlers(elicitation=slow, roots=[])) as host:
        ask(fleet.peer(), 1, "elicitation/create", FORM)
        ask(fleet.peer(), 2, "roots/list")
        assert (await host.call("a", "echo", {"x": 1})).text == '{"x":1}'
        await trio.testing.wait_all_tasks_blocked()
        assert answers(fleet.peer(), 1, 2) == [None, {"roots": []}]
        go.set()
        await trio.testing.wait_all_tasks_blocked()
        assert answers(fleet.peer(), 1) == [{"action": "accept", "content": {"n": "a"}}]


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (RuntimeError("secret"), -32603),
        (Declined("not today"), -1),
        ("no result", -32603),
        (
            CreateMessageResult(role="assistant", content=TextContent(text="?"), model="m", extra={"x": object()}),
            -32603,
        ),
    ],
    ids=["raises", "declines", "returns something else", "returns what JSON has not"],
)
async def test_a_handler_that_fails_answers_with_an_error_and_harms_nothing_else(outcome, code, autojump_clock):
    async def failing(server, params):
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    fleet = Fleet({"a": serving({"tools/call": text("well")}, era="legacy")})
    async with fleet.open(handlers=Handlers(sampling=failing)) as host:
        ask(fleet.peer(), 1, SAMPLE["method"], SAMPLE["params"])
        await trio.testing.wait_all_tasks_blocked()
        [error] = answers(fleet.peer(), 1)
        assert error["code"] == code
        assert "secret" not in error["message"]
        assert (await host.call("a", "echo")).text == "well"
        status = host.status()["a"]
        assert (status.state, status.incarnation) == (State.READY, 1)
        told = [event for event in host.recent_events() if isinstance(event, HandlerFailed)]
        assert [event.method for event in told] == ([] if code == -1 else ["sampling/createMessage"])


async def test_a_user_who_declines_a_form_has_answered(autojump_clock):
    async def decline(server, params):
        raise Declined("no")

    fleet = Fleet({"a": serving(era="legacy")})
    async with fleet.open(handlers=Handlers(elicitation=decline)):
        ask(fleet.peer(), 1, "elicitation/create", FORM)
        await trio.testing.wait_all_tasks_blocked()
        assert answers(fleet.peer(), 1) == [{"action": "decline"}]


async def test_params_that_are_none_are_refused_without_asking(autojump_clock):
    fleet = Fleet({"a": serving(era="legacy")})
    async with fleet.open(handlers=Handlers(sampling=model)):
        ask(fleet.peer(), 1, SAMPLE["method"], {"messages": 7})
        await trio.testing.wait_all_tasks_blocked()
        assert answers(fleet.peer(), 1)[0]["code"] == -32602


@pytest.mark.parametrize("how", ["by the server", "by its end", "by a stop"])
async def test_a_question_is_cancelled(how, autojump_clock):
    ended = trio.Event()

    async def endless(server, params):
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    fleet = Fleet({"a": serving(era="legacy")})
    async with fleet.open(handlers=Handlers(elicitation=endless)) as host:
        peer = fleet.peer()
        ask(peer, 1, "elicitation/create", FORM)
        await trio.testing.wait_all_tasks_blocked()
        match how:
            case "by the server":
                peer.notify("notifications/cancelled", requestId=1)
            case "by its end":
                peer.die()
            case "by a stop":
                await host.stop("a")
        with trio.fail_after(5):
            await ended.wait()
        assert answers(peer, 1) == [None]


# -- the modern era


def rounds(*steps):
    """A tool that goes through these steps, one for each time it is asked, and stays at the last."""
    heard = []

    def answer(peer, request):
        heard.append(request)
        step = steps[min(len(heard), len(steps)) - 1]
        step(peer, request) if callable(step) else peer.answer(request, step)

    return heard, answer


def wants(state=None, **requests):
    result = {"resultType": "input_required", "inputRequests": requests}
    return result if state is None else {**result, "requestState": state}


async def test_a_modern_call_that_asks_back_is_asked_again_with_all_answers_and_the_state_as_it_came(autojump_clock):
    state = "v1.\u2028 \\/ +=é"
    heard, tool = rounds(wants(state, who=ELICIT, what=SAMPLE), text("done"))
    fleet = Fleet({"a": serving({"tools/call": tool})})
    async with fleet.open(handlers=Handlers(model, accept)) as host:
        assert (await host.call("a", "echo", {"x": 1})).text == "done"
        first, second = heard
        assert second["id"] != first["id"]
        assert second["params"]["requestState"] == state
        assert second["params"]["inputResponses"]["who"] == {"action": "accept", "content": {"n": "a"}}
        assert second["params"]["inputResponses"]["what"]["content"]["text"] == "hi!"
        added = {"requestState", "inputResponses"}
        assert {k: v for k, v in second["params"].items() if k not in added} == first["params"]
        assert host.status()["a"].in_flight == 0


@pytest.mark.parametrize("method", ["resources/read", "prompts/get"])
async def test_a_resource_and_a_prompt_may_ask_back_too(method, autojump_clock):
    last = {"contents": []} if method == "resources/read" else {"messages": []}
    heard, ask_back = rounds(wants(who=ELICIT), wants("s", who=ELICIT), last)
    fleet = Fleet({"a": serving({method: ask_back})})
    async with fleet.open(handlers=Handlers(elicitation=accept)) as host:
        await (host.read_resource("a", "x") if method == "resources/read" else host.get_prompt("a", "greet"))
        assert ["requestState" in request["params"] for request in heard] == [False, False, True]


async def test_the_requests_of_a_round_are_answered_at_once_and_others_go_on(autojump_clock):
    both, asked = trio.Event(), []

    async def meet(server, params):
        asked.append(params.message)
        if len(asked) == 2:
            both.set()
        await both.wait()
        return ElicitResult(action="decline")

    _, tool = rounds(wants(a=ELICIT, b=ELICIT), text("done"))
    fleet = Fleet({"a": serving({"tools/call": tool, "resources/read": {"contents": []}})})
    async with fleet.open(handlers=Handlers(elicitation=meet)) as host:
        assert (await host.call("a", "echo")).text == "done"
        await host.read_resource("a", "x")


async def test_rounds_have_a_bound(autojump_clock):
    heard, tool = rounds(wants("s", who=ELICIT))
    async with Fleet({"a": serving({"tools/call": tool})}).open(handlers=Handlers(elicitation=accept)) as host:
        with pytest.raises(InputUnanswered, match="it has asked back more than 20 times"):
            await host.call("a", "echo")
        assert len(heard) == 21
        assert host.status()["a"].in_flight == 0


async def test_a_server_that_only_wants_to_be_asked_again_is_so_after_a_pause(autojump_clock):
    later = {"resultType": "input_required", "requestState": "later"}
    heard, tool = rounds(later, later, text("done"))
    async with Fleet({"a": serving({"tools/call": tool})}).open() as host:
        began = trio.current_time()
        assert (await host.call("a", "echo")).text == "done"
        assert trio.current_time() - began > 0.5
        assert [request["params"].get("requestState") for request in heard] == [None, "later", "later"]
        assert "inputResponses" not in heard[1]["params"]


async def test_what_was_not_offered_is_no_answer(autojump_clock):
    _, tool = rounds(wants(who=ELICIT))
    async with Fleet({"a": serving({"tools/call": tool})}).open() as host:
        with pytest.raises(InvalidAnswer, match=r"inputRequests\.who"):
            await host.call("a", "echo")


async def test_a_round_without_an_answer_ends_its_call_and_no_other(autojump_clock):
    async def failing(server, params):
        raise RuntimeError("secret")

    _, tool = rounds(wants(a=ELICIT, b=SAMPLE), text("well"))
    async with Fleet({"a": serving({"tools/call": tool})}).open(handlers=Handlers(failing, accept)) as host:
        with pytest.raises(InputUnanswered, match="sampling/createMessage has failed at the client"):
            await host.call("a", "echo")
        assert (await host.call("a", "echo")).text == "well"
        assert host.status()["a"].restarts == 0


@pytest.mark.parametrize("how", ["cancelled", "late", "interrupted"])
async def test_a_call_that_ends_while_it_is_asked_back_ends_the_asking(how, autojump_clock):
    asking, ended = trio.Event(), trio.Event()

    async def endless(server, params):
        asking.set()
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    heard, tool = rounds(wants(who=ELICIT))
    fleet = Fleet({"a": serving({"tools/call": tool})})
    async with fleet.open(handlers=Handlers(elicitation=endless)) as host:
        async with trio.open_nursery() as nursery:

            async def call():
                with pytest.raises(Exception, match=r"no answer after 9 s|interrupted"):
                    await host.call("a", "echo", timeout=9)

            nursery.start_soon(call)
            await asking.wait()
            if how == "cancelled":
                nursery.cancel_scope.cancel()
            elif how == "interrupted":
                fleet.peer().die()
        await ended.wait()
        await host.refresh("a")
        status = host.status()["a"]
        assert (status.in_flight, status.state) == (0, State.READY)
        assert len(heard) == 1


# -- tasks


def task(status, **more):
    stamps = {"createdAt": "2026-07-28T00:00:00Z", "lastUpdatedAt": "2026-07-28T00:00:00Z", "ttlMs": None}
    return {"resultType": "complete", "taskId": "t1", "status": status, **stamps, **more}


CREATED = {**task("working", pollIntervalMs=2000), "resultType": "task"}


async def test_a_call_that_becomes_a_task_is_polled_until_its_result(autojump_clock):
    polls, get = rounds(task("working"), task("working", pollIntervalMs=500), task("completed", result=text("done")))
    fleet = Fleet({"a": serving({"tools/call": CREATED, "tasks/get": get})})
    async with fleet.open() as host:
        began = trio.current_time()
        assert (await host.call("a", "echo")).text == "done"
        assert trio.current_time() - began == pytest.approx(2 + 2 + 0.5)
        assert [poll["params"]["taskId"] for poll in polls] == ["t1"] * 3
        assert host.status()["a"].in_flight == 0


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (task("failed", error={"code": -32000, "message": "no luck"}), "error -32000: no luck"),
        (task("cancelled", statusMessage="by the operator"), "its task is cancelled: by the operator"),
        (task("completed"), "its task is completed"),
        ({"resultType": "complete", "status": 7}, "tasks/get"),
        (lambda peer, request: peer.refuse(request, -32602, "unknown task"), "unknown task"),
    ],
    ids=["failed", "cancelled", "completed without a result", "shape", "refused"],
)
async def test_a_task_without_a_result_is_an_error_of_its_call(last, words, autojump_clock):
    _, get = rounds(task("working"), last)
    async with Fleet({"a": serving({"tools/call": CREATED, "tasks/get": get})}).open() as host:
        with pytest.raises(Exception, match=words):
            await host.call("a", "echo")
        assert host.status()["a"].in_flight == 0


async def test_a_task_may_ask_each_thing_once(autojump_clock):
    waiting = task("input_required", inputRequests={"who": ELICIT})
    _, get = rounds(waiting, waiting, task("completed", result=text("done")))
    updates, update = rounds({})
    fleet = Fleet({"a": serving({"tools/call": CREATED, "tasks/get": get, "tasks/update": update})})
    async with fleet.open(handlers=Handlers(elicitation=accept)) as host:
        assert (await host.call("a", "echo")).text == "done"
        [sent] = updates
        assert sent["params"]["inputResponses"] == {"who": {"action": "accept", "content": {"n": "a"}}}


async def test_a_caller_that_goes_cancels_its_task(autojump_clock):
    fleet = Fleet({"a": serving({"tools/call": CREATED, "tasks/get": task("working"), "tasks/cancel": {}})})
    async with fleet.open() as host:
        with trio.move_on_after(5):
            await host.call("a", "echo")
        await trio.sleep(10)
        methods = fleet.peer().methods()
        assert methods.count("tasks/get") == 2
        assert methods[-1] == "tasks/cancel"
        assert host.status()["a"].in_flight == 0
