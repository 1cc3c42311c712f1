"""A function that asks its client: the same function in both eras."""

import enum
import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypedDict

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from runtime.inprocess import AskFailed, Context, NotFound, ToolServer
from runtime.inprocess import calls as calls_module
from runtime.inprocess.forms import form_of
from runtime.protocol import Asked, Era, InputRequired, JsonRpcError

ALL = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}


@dataclass
class Trip:
    city: Annotated[str, "where to"]
    nights: int = 1
    window: bool | None = None


def agency() -> ToolServer:
    server = ToolServer("agency")

    @server.tool
    async def book(ctx: Context) -> str:
        trip = await ctx.elicit("Which trip?", Trip)
        return f"{trip.action} {trip.value!r} {bool(trip)}"

    @server.tool
    async def visit(ctx: Context) -> str:
        return await ctx.elicit_url("Sign in", "https://example.org/")

    @server.tool
    async def think(ctx: Context) -> Any:
        answer = await ctx.sample("Be brief", max_tokens=5, system="You are terse", temperature=0.5)
        return answer["content"]["text"]

    @server.tool
    async def look(ctx: Context) -> str:
        return " ".join(root["uri"] for root in await ctx.roots())

    @server.tool
    async def three_times(ctx: Context) -> str:
        return " ".join([(await ctx.elicit(f"{n}?", Trip)).value.city for n in range(3)])  # type: ignore[union-attr]

    @server.tool
    async def at_once(ctx: Context) -> str:
        cities: dict[int, str] = {}

        async def ask(n: int) -> None:
            answer = await ctx.elicit(f"{n}?", Trip)
            assert answer.value is not None
            cities[n] = answer.value.city

        async with trio.open_nursery() as nursery:
            for n in range(3):
                nursery.start_soon(ask, n)
        return " ".join(cities[n] for n in range(3))

    @server.tool
    def from_a_thread(ctx: Context) -> str:
        return trio.from_thread.run(ctx.elicit, "Which trip?", Trip).action

    @server.prompt
    async def advise(ctx: Context) -> str:
        return f"Advise on {(await ctx.elicit('Which trip?', Trip)).value}"

    @server.resource("trip://{id}")
    async def trip(id: str, ctx: Context) -> str:
        if not await ctx.elicit("May it be shown?", Trip):
            raise NotFound("hidden")
        return id

    @server.completion("advise", "x")
    async def guess(begun: str, ctx: Context) -> list[str]:
        return [(await ctx.elicit("Which?", Trip)).action]

    return server


def accept(**content: Any) -> Any:
    return lambda method, params: {"action": "accept", "content": content}


async def test_a_form_is_filled_in_and_comes_as_the_type_that_asked(serve):
    asked = []

    def person(method: str, params: Any) -> Any:
        asked.append((method, params))
        return {"action": "accept", "content": {"city": "Wien", "window": True}}

    async with serve(agency(), ALL) as caller:
        caller.answers = person
        result = await caller.call_beside("book")
    assert result.text == "accept Trip(city='Wien', nights=1, window=True) True"
    [(method, params)] = asked
    assert method == "elicitation/create"
    assert params["message"] == "Which trip?"
    assert params["requestedSchema"] == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "where to"},
            "nights": {"type": "integer", "default": 1},
            "window": {"type": "boolean"},
        },
        "required": ["city"],
    }
    assert caller.rounds == 1


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_who_does_not_fill_it_in_has_answered_too(serve, action):
    async with serve(agency(), ALL) as caller:
        caller.answers = lambda *_: {"action": action}
        assert (await caller.call_beside("book")).text == f"{action} None False"


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"action": "accept", "content": {"city": 5}}, "the form was not filled in as it asks"),
        ({"action": "accept"}, "the form was not filled in as it asks"),
        ({"action": "maybe"}, "neither accept, decline nor cancel: 'maybe'"),
        ({}, "neither accept, decline nor cancel: None"),
    ],
)
async def test_an_answer_that_is_none_fails_the_call_and_nothing_else(serve, answer, text):
    async with serve(agency(), ALL) as caller:
        caller.answers = lambda *_: answer
        result = await caller.call_beside("book")
        assert result.is_error
        assert text in result.text
        caller.answers = accept(city="Graz")
        assert not (await caller.call_beside("book")).is_error


async def test_a_legacy_client_may_refuse_with_an_error(serve):
    async with serve(agency(), ALL) as caller:
        if caller.connection.era is Era.MODERN:
            return  # it has no way to
        caller.answers = lambda *_: JsonRpcError(-1, "User rejected it")
        result = await caller.call_beside("think")
    assert result.text == f"{AskFailed.__name__}: the client refused: User rejected it"


async def test_all_that_a_client_can_be_asked_is_asked(serve):
    async with serve(agency(), ALL) as caller:
        caller.answers = lambda method, params: {
            "elicitation/create": {"action": "accept"},
            "sampling/createMessage": {
                "role": "assistant",
                "model": "m",
                "content": {"type": "text", "text": json.dumps(params)},
            },
            "roots/list": {"roots": [{"uri": "file:///a"}, {"uri": "file:///b"}]},
        }[method]
        assert (await caller.call_beside("visit")).text == "accept"
        assert json.loads((await caller.call_beside("think")).text) == {
            "messages": [{"role": "user", "content": {"type": "text", "text": "Be brief"}}],
            "maxTokens": 5,
            "systemPrompt": "You are terse",
            "temperature": 0.5,
        }
        assert (await caller.call_beside("look")).text == "file:///a file:///b"


async def test_one_question_after_another_is_one_round_after_another(serve):
    async with serve(agency(), ALL) as caller:
        caller.answers = lambda _, params: {"action": "accept", "content": {"city": params["message"]}}
        assert (await caller.call_beside("three_times")).text == "0? 1? 2?"
        assert caller.rounds == 3


async def test_questions_asked_together_travel_together(serve):
    async with serve(agency(), ALL) as caller:
        caller.answers = lambda _, params: {"action": "accept", "content": {"city": params["message"]}}
        assert (await caller.call_beside("at_once")).text == "0? 1? 2?"
        assert caller.rounds == (1 if caller.connection.era is Era.MODERN else 3)


async def test_a_plain_function_asks_from_its_thread(serve):
    async with serve(agency(), ALL) as caller:
        caller.answers = accept(city="Linz")
        assert (await caller.call_beside("from_a_thread")).text == "accept"


async def test_prompts_and_resources_ask_as_tools_do(serve):
    async with serve(agency(), ALL) as caller:
        caller.answers = accept(city="Linz")
        prompt = await caller.ask("prompts/get", {"name": "advise"})
        assert "Linz" in prompt["messages"][0]["content"]["text"]
        assert (await caller.ask("resources/read", {"uri": "trip://7"}))["contents"][0]["text"] == "7"
        caller.answers = lambda *_: {"action": "decline"}
        assert (await caller.ask("resources/read", {"uri": "trip://7"})).error.data == {"uri": "trip://7"}


async def test_a_completion_cannot_ask_where_there_is_no_round_for_it(serve):
    params = {"ref": {"type": "ref/prompt", "name": "advise"}, "argument": {"name": "x", "value": ""}}
    async with serve(agency(), ALL) as caller:
        caller.answers = accept(city="Linz")
        answer = await caller.ask("completion/complete", params)
        if caller.connection.era is Era.MODERN:
            assert answer.error.code == -32603
        else:
            assert answer["completion"]["values"] == ["accept"]


@pytest.mark.parametrize(
    ("tool", "required"),
    [
        ("book", {"elicitation": {"form": {}}}),
        ("visit", {"elicitation": {"url": {}}}),
        ("think", {"sampling": {}}),
        ("look", {"roots": {}}),
    ],
)
async def test_a_client_that_cannot_be_asked_is_told_what_it_would_need(serve, tool, required):
    async with serve(agency()) as caller:
        if caller.connection.era is Era.MODERN:
            failed = await caller.ask("tools/call", {"name": tool})
            assert (failed.error.code, failed.error.data) == (-32021, {"requiredCapabilities": required})
        else:
            result = await caller.call_beside(tool)
            assert result.is_error
            assert f"did not offer {next(iter(required))}" in result.text


async def test_a_function_may_look_before_it_asks(serve):
    server = ToolServer("test")

    @server.tool
    async def careful(ctx: Context) -> str:
        return "can" if ctx.offers("elicitation") else "cannot"

    async with serve(server) as caller:
        assert (await caller.call_beside("careful")).text == "cannot"


async def test_a_call_that_is_cancelled_while_it_asks_withdraws_its_question(serve):
    async with serve(agency(), ALL) as caller:
        if caller.connection.era is Era.MODERN:
            return  # there is no request to cancel then
        id = await caller.start("book")
        assert isinstance(await caller.next(), Asked)
        await caller.transport.send(caller.connection.cancel(id, "enough"))
        withdrawn = await caller.next()
        assert type(withdrawn).__name__ == "CancelRequested"
        caller.answers = accept(city="Linz")
        assert not (await caller.call_beside("book")).is_error


# -- rounds of the modern era


async def asked_back(caller: Any, tool: str = "book") -> tuple[Any, dict[str, Any]]:
    id = await caller.start(tool)
    required = await caller.next()
    assert isinstance(required, InputRequired)
    assert required.id == id
    return id, json.loads(bytes(required.result))


def modern_only(caller: Any) -> bool:
    return caller.connection.era is Era.MODERN


def changed(state: str) -> list[str]:
    """States that a client was not given."""
    name, _, digest = state.partition(".")
    return [
        "",
        ".",
        "x",
        name,
        f"{name}.",
        f".{digest}",
        f"{name}x.{digest}",
        f"{name}.{digest[:-1]}",
        f"{state}.",
        "é",
    ]


async def test_a_state_that_was_not_given_names_nothing(serve):
    async with serve(agency(), ALL) as caller:
        if not modern_only(caller):
            return
        _, result = await asked_back(caller)
        answers = {key: {"action": "decline"} for key in result["inputRequests"]}
        retry = {"name": "book", "arguments": {}, "inputResponses": answers}
        for state in changed(result["requestState"]):
            failed = await caller.ask("tools/call", {**retry, "requestState": state})
            assert failed.error.code == -32602, state
        good = {**retry, "requestState": result["requestState"]}
        for other in ({"name": "visit"}, {"arguments": {"a": 1}}):
            failed = await caller.ask("tools/call", {**good, **other})
            assert failed.error.code == -32602
        failed = await caller.ask("prompts/get", {"name": "book", "requestState": result["requestState"]})
        assert failed.error.code == -32602
        assert (await caller.ask("tools/call", good))["content"][0]["text"] == "decline None False"
        assert (await caller.ask("tools/call", good)).error.code == -32602  # good once


async def test_a_retry_without_the_answers_is_asked_again(serve):
    async with serve(agency(), ALL) as caller:
        if not modern_only(caller):
            return
        _, first = await asked_back(caller, "at_once")
        keys = list(first["inputRequests"])
        filled = {
            key: {"action": "accept", "content": {"city": request["params"]["message"]}}
            for key, request in first["inputRequests"].items()
        }
        some = {keys[0]: filled[keys[0]], "unknown": {}}
        retry = {"name": "at_once", "arguments": {}, "requestState": first["requestState"], "inputResponses": some}
        id, line = caller.connection.request("tools/call", retry)
        await caller.transport.send(line)
        second = await caller.next()
        assert isinstance(second, InputRequired)
        assert list(second.requests) == keys[1:]
        assert json.loads(bytes(second.result))["requestState"] != first["requestState"]
        _, line = caller.connection.retry(id, {key: filled[key] for key in keys[1:]})
        await caller.transport.send(line)
        answer = json.loads(bytes((await caller.next()).result))
        assert answer["content"][0]["text"] == "0? 1? 2?"


async def test_a_client_that_does_not_come_back_is_not_waited_for_for_ever(serve, autojump_clock):
    async with serve(agency(), ALL) as caller:
        if not modern_only(caller):
            return
        _, result = await asked_back(caller)
        await trio.sleep(calls_module.PATIENCE + 1)
        late = {"name": "book", "arguments": {}, "requestState": result["requestState"]}
        assert (await caller.ask("tools/call", late)).error.code == -32602


async def test_a_function_that_gives_up_while_suspended_answers_when_the_client_is_back(serve, autojump_clock):
    server = ToolServer("test")

    @server.tool
    async def hasty(ctx: Context) -> str:
        with trio.move_on_after(1):
            await ctx.elicit("Quick!", Trip)
        return "too late"

    async with serve(server, ALL) as caller:
        if modern_only(caller):
            _, result = await asked_back(caller, "hasty")
            await trio.sleep(5)
            late = {"name": "hasty", "arguments": {}, "requestState": result["requestState"]}
            assert (await caller.ask("tools/call", late))["content"][0]["text"] == "too late"
        else:
            await caller.start("hasty")
            assert [type(await caller.next()).__name__ for _ in range(3)] == ["Asked", "CancelRequested", "Answered"]


async def test_only_so_many_calls_are_kept_suspended(serve, monkeypatch):
    monkeypatch.setattr(calls_module, "MOST_SUSPENDED", 2)
    async with serve(agency(), ALL) as caller:
        if not modern_only(caller):
            return
        states = [(await asked_back(caller))[1]["requestState"] for _ in range(3)]
        await wait_all_tasks_blocked()
        answers = {"q1": {"action": "decline"}}
        told = [
            await caller.ask(
                "tools/call", {"name": "book", "arguments": {}, "requestState": state, "inputResponses": answers}
            )
            for state in states
        ]
        assert [getattr(each, "error", None) is None for each in told] == [False, True, True]


async def test_progress_goes_to_the_request_in_hand(serve):
    server = ToolServer("test")

    @server.tool
    async def steps(ctx: Context) -> None:
        ctx.progress(1)
        await ctx.elicit("Go on?", Trip)
        ctx.progress(2)

    async with serve(server, ALL) as caller:
        if not modern_only(caller):
            return
        first, line = caller.connection.call_tool("steps", progress=True)
        await caller.transport.send(line)
        events = [await caller.next(), await caller.next()]
        second, line = caller.connection.retry(first, {"q1": {"action": "decline"}})
        await caller.transport.send(line)
        events += [await caller.next(), await caller.next()]
        assert [(type(e).__name__, e.id) for e in events] == [
            ("Progressed", first),
            ("InputRequired", first),
            ("Progressed", second),
            ("Answered", second),
        ]


async def test_the_end_of_a_session_ends_those_who_ask_without_their_grace(serve, autojump_clock):
    ends: list[str] = []
    server = ToolServer("test")

    @server.tool
    async def ask(ctx: Context) -> None:
        try:
            await ctx.elicit("Anybody there?", Trip)
        finally:
            ends.append("ended")

    start = trio.current_time()
    async with serve(server, ALL) as caller:
        await caller.start("ask")
        await caller.next()
        caller.transport._outgoing.close_writer()
        await wait_all_tasks_blocked()
        assert ends == ["ended"]
    assert trio.current_time() == start


# -- forms


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Answers(TypedDict, total=False):
    colour: Colour
    sizes: list[Literal["s", "m"]]
    share: float


def test_a_form_is_flat_and_says_what_each_field_takes():
    assert form_of(Answers) == {
        "type": "object",
        "properties": {
            "colour": {"type": "string", "title": "Colour", "enum": ["blue", "red"]},
            "sizes": {"type": "array", "items": {"type": "string", "enum": ["m", "s"]}},
            "share": {"type": "number"},
        },
    }


@attrs.frozen
class Nested:
    trip: Trip


@attrs.frozen
class Loose:
    names: list[str]


@pytest.mark.parametrize("tp", [Nested, Loose, int, dict[str, int], Any])
def test_a_type_that_is_no_form_is_refused(tp):
    with pytest.raises(TypeError):
        form_of(tp)
