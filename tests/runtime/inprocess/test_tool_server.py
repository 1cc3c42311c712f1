"""Functions as an MCP server: answers, failures, concurrency, cancellation, the end."""

import json
import sys
import threading
from typing import Annotated, Any, Literal, TypedDict

import attrs
import msgspec
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from runtime.inprocess import Progress, ToolError, ToolServer
from runtime.protocol import (
    Answered,
    CallToolResult,
    Failed,
    ImageContent,
    ListToolsResult,
    Progressed,
    TextContent,
    result_from_wire,
)


class Sum(TypedDict):
    total: int


@attrs.frozen
class Point:
    x: float
    y: float = 0.0


def server_of(*functions: Any, **options: Any) -> ToolServer:
    server = ToolServer("test")
    for function in functions:
        server.tool(**options)(function)
    return server


async def tools_of(caller: Any) -> Any:
    _, line = caller.connection.list_tools()
    await caller.transport.send(line)
    answer = await caller.next()
    return {tool.name: tool for tool in result_from_wire(ListToolsResult, answer.result).tools}


async def test_the_list_tells_what_hints_and_docstrings_tell(serve):
    server = ToolServer("test")

    @server.tool(title="Add", annotations={"readOnlyHint": True})
    def add(a: int, b: Annotated[int, msgspec.Meta(description="what is added")] = 2) -> Sum:
        """Two numbers as one.

        And a second paragraph.
        """
        return {"total": a + b}

    @server.tool(name="place-it", description="Puts a point.")
    async def place(point: Point, mode: Literal["a", "b"], progress: Progress) -> None: ...

    assert add(1, 1) == {"total": 2}  # the function stays what it was
    async with serve(server) as caller:
        tools = await tools_of(caller)
    assert list(tools) == ["add", "place-it"]
    assert tools["add"].title == "Add"
    assert tools["add"].description == "Two numbers as one.\n\nAnd a second paragraph."
    assert tools["add"].annotations.read_only_hint is True
    assert tools["add"].input_schema == {
        "type": "object",
        "properties": {
            "a": {"type": "integer"},
            "b": {"type": "integer", "description": "what is added", "default": 2},
        },
        "required": ["a"],
        "additionalProperties": False,
    }
    assert tools["add"].output_schema == {
        "type": "object",
        "properties": {"total": {"type": "integer"}},
        "required": ["total"],
    }
    schema = tools["place-it"].input_schema
    assert schema["properties"] == {"point": {"$ref": "#/$defs/Point"}, "mode": {"enum": ["a", "b"]}}
    assert schema["$defs"]["Point"]["properties"]["x"] == {"type": "number"}
    assert tools["place-it"].description == "Puts a point."
    assert tools["place-it"].output_schema is None


async def test_arguments_arrive_as_the_types_that_the_function_declares(serve):
    def kind(point: Point, n: int = 1) -> str:
        return f"{type(point).__name__} {point.x} {n}"

    async with serve(server_of(kind)) as caller:
        result = await caller.call("kind", {"point": {"x": 2}})
        assert result.text == "Point 2.0 1"


@pytest.mark.parametrize(
    ("value", "text", "structured"),
    [
        (None, "", None),
        ("text", "text", None),
        (5, "5", None),
        ([1, "a"], '[1,"a"]', None),
        ([], "[]", None),
        ({"a": None}, '{"a":null}', {"a": None}),
        (Point(1.0), '{"x":1.0,"y":0.0}', {"x": 1.0, "y": 0.0}),
    ],
)
async def test_what_a_function_returns_is_text_and_an_object_is_structure_too(serve, value, text, structured):
    def get():
        return value

    async with serve(server_of(get)) as caller:
        result = await caller.call("get")
    assert (result.text, result.structured_content, result.is_error) == (text, structured, None)


IMAGE = ImageContent(data="aGk=", mime_type="image/png")


@pytest.mark.parametrize(
    ("value", "content"),
    [
        (IMAGE, (IMAGE,)),
        ([TextContent(text="a"), IMAGE], (TextContent(text="a"), IMAGE)),
        (CallToolResult(content=(IMAGE,), is_error=True), (IMAGE,)),
    ],
)
async def test_content_of_mcps_own_is_taken_as_it_is(serve, value, content):
    def get():
        return value

    async with serve(server_of(get)) as caller:
        assert (await caller.call("get")).content == content


@pytest.mark.parametrize("blocking", [True, False])
@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ToolError("no such thing"), "no such thing"),
        (KeyError("k"), "KeyError: 'k'"),
        (trio.WouldBlock(), "WouldBlock: "),
    ],
)
async def test_what_a_function_raises_is_its_calls_answer_and_nobody_elses(serve, blocking, error, text):
    reported = []

    def fail():
        raise error

    async def fail_async():
        raise error

    def fine():
        return "fine"

    server = server_of(fail, fail_async, fine, blocking=blocking)
    async with serve(server, on_failure=lambda *what: reported.append(what)) as caller:
        for name in ("fail", "fail_async"):
            result = await caller.call(name)
            assert (result.is_error, result.text) == (True, text)
        assert (await caller.call("fine")).text == "fine"
    expected = [] if isinstance(error, ToolError) else [("fail", error), ("fail_async", error)]
    assert reported == expected


async def test_a_result_that_json_cannot_tell_is_an_error_result(serve):
    def strange() -> object:
        return object()

    async with serve(server_of(strange)) as caller:
        result = await caller.call("strange")
    assert result.is_error
    assert result.text.startswith("TypeError: ")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "arguments: Object missing required field `point`"),
        ({"point": 1}, "arguments.point: Expected `object`, got `int`"),
        ({"point": {"x": "1"}}, "arguments.point.x: Expected `float`, got `str`"),
        ({"point": {"x": 1}, "more": 1}, "arguments: Object contains unknown field `more`"),
        ({"point": {"x": 1}, "names": ["a", 1]}, "arguments.names[1]: Expected `str`, got `int`"),
    ],
)
async def test_arguments_that_do_not_fit_are_an_error_result_that_names_the_path(serve, arguments, problem):
    called = []

    def place(point: Point, names: list[str] = []) -> None:  # noqa: B006
        called.append(point)

    async with serve(server_of(place)) as caller:
        result = await caller.call("place", arguments)
    assert (result.is_error, result.text) == (True, f"Invalid arguments for tool 'place': {problem}")
    assert not called


@pytest.mark.parametrize("params", [{"name": "nope"}, {"name": 5}, {}, {"name": "get", "arguments": [1]}])
async def test_an_unknown_tool_and_a_broken_call_are_protocol_errors(serve, params):
    def get(): ...

    async with serve(server_of(get)) as caller:
        _, line = caller.connection.request("tools/call", params)
        await caller.transport.send(line)
        failed = await caller.next()
    assert isinstance(failed, Failed)
    assert failed.error.code == -32602


@pytest.mark.parametrize(
    ("method", "params", "code"), [("resources/list", {}, -32601), ("tools/list", {"cursor": "x"}, -32602)]
)
async def test_what_is_not_offered_is_refused(serve, method, params, code):
    async with serve(server_of()) as caller:
        _, line = caller.connection.request(method, params)
        await caller.transport.send(line)
        assert (await caller.next()).error.code == code


async def test_calls_run_at_the_same_time_and_answer_as_they_end(serve):
    first, second = trio.Event(), threading.Event()

    async def wait() -> str:
        await first.wait()
        return "async"

    def block() -> str:
        assert second.wait(10)
        return "sync"

    async def release() -> str:
        first.set()
        second.set()
        return "released"

    async with serve(server_of(wait, block, release)) as caller:
        ids = {await caller.start(name): name for name in ("wait", "block", "release")}
        answers = [await caller.next() for _ in ids]
    assert {ids[a.id]: result_from_wire(CallToolResult, a.result).text for a in answers} == {
        "wait": "async",
        "block": "sync",
        "release": "released",
    }


async def test_a_cancelled_call_is_cancelled_and_never_answered(serve):
    ends = []

    async def hang() -> None:
        try:
            await trio.sleep_forever()
        finally:
            ends.append("cancelled")

    async def after() -> str:
        return "after"

    async with serve(server_of(hang, after)) as caller:
        id = await caller.start("hang")
        await wait_all_tasks_blocked()
        await caller.transport.send(caller.connection.cancel(id, "enough"))
        await wait_all_tasks_blocked()
        assert ends == ["cancelled"]
        assert (await caller.call("after")).text == "after"


async def test_a_call_cancelled_in_the_batch_that_asked_for_it_never_ends_well(serve):
    ends = []

    async def quick() -> None:
        await trio.lowlevel.checkpoint()
        ends.append("done")

    async with serve(server_of(quick)) as caller:
        id, line = caller.connection.call_tool("quick")
        caller.transport.send_nowait(line)
        caller.transport.send_nowait(caller.connection.cancel(id))
        await wait_all_tasks_blocked()
    assert not ends


async def test_progress_is_told_in_order_and_before_the_answer(serve):
    def from_thread(progress: Progress) -> str:
        progress(1, 2)
        progress(2, 2, "done")
        return "end"

    async def from_task(progress: Progress) -> str:
        return from_thread(progress)

    async with serve(server_of(from_thread, from_task)) as caller:
        for name in ("from_thread", "from_task"):
            id = await caller.start(name, progress=True)
            assert [await caller.next() for _ in range(2)] == [
                Progressed(id, 1, 2, None),
                Progressed(id, 2, 2, "done"),
            ]
            assert isinstance(await caller.next(), Answered)
            assert (await caller.call(name)).text == "end"  # unasked, nothing is told


async def test_calls_in_progress_at_the_end_are_still_answered(autojump_clock):
    answers = await end_after_asking(0.5)
    assert [json.loads(line)["id"] for line in answers] == [1, 2]
    assert trio.current_time() < 1000


async def test_a_call_that_overstays_the_end_is_cancelled(autojump_clock):
    start = trio.current_time()
    answers = await end_after_asking(1000)
    assert [json.loads(line)["id"] for line in answers] == [1]
    assert trio.current_time() - start == pytest.approx(1.0)


async def end_after_asking(seconds: float) -> list[bytes]:
    """What a server says to a client that asks for ``seconds`` of work and at once ends its side."""
    from runtime.transports.memory import memory_pair

    async def work() -> None:
        await trio.sleep(seconds)

    here, there = memory_pair()
    initialize = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "c", "version": "0"}}
    for id, method, params in ((1, "initialize", initialize), (2, "tools/call", {"name": "work"})):
        message = {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
        here.send_nowait(json.dumps(message).encode() + b"\n")
    here._outgoing.close_writer()
    await server_of(work).serve(there)
    await there.aclose()
    return [await here.receive() for _ in range(len(here._incoming.messages))]


async def test_a_client_that_breaks_off_ends_its_calls(serve, autojump_clock):
    ends = []

    async def hang() -> None:
        try:
            await trio.sleep_forever()
        finally:
            ends.append("ended")

    async with serve(server_of(hang)) as caller:
        await caller.start("hang")
        await wait_all_tasks_blocked()
        caller.transport.close()
    assert ends == ["ended"]


def test_a_signature_that_no_caller_could_use_is_refused_where_it_is_written():
    server = ToolServer("test")
    for function in (lambda *args: None, lambda **kwargs: None, lambda a, /: None):
        with pytest.raises(TypeError, match="no name that a caller could use"):
            server.tool(name="f")(function)


def test_two_tools_of_one_name_are_refused():
    server = server_of(end_after_asking)
    with pytest.raises(ValueError, match="has a tool 'end_after_asking' already"):
        server.tool(end_after_asking)


@pytest.mark.parametrize("options", [{}, {"blocking": False}])
async def test_a_tool_that_exits_ends_its_call_and_nothing_else(serve, options):
    def quits() -> None:
        sys.exit("had enough")

    async with serve(server_of(quits, **options)) as caller:
        for _ in range(2):
            result = await caller.call("quits")
            assert (result.text, result.is_error) == ("SystemExit: had enough", True)


async def test_an_async_tool_that_exits_ends_its_call_and_nothing_else(serve):
    async def quits() -> None:
        raise SystemExit(3)

    async def quits_in_a_task() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(quits)
            await trio.sleep_forever()

    async with serve(server_of(quits, quits_in_a_task)) as caller:
        result = await caller.call("quits")
        assert (result.text, result.is_error) == ("SystemExit: 3", True)
        assert (await caller.call("quits_in_a_task")).is_error
        assert (await caller.call("quits")).is_error


async def test_a_cancelled_tool_whose_own_task_fails_on_the_way_out_leaves_its_session_whole(serve):
    reached = trio.Event()

    async def falls() -> None:
        try:
            reached.set()
            await trio.sleep_forever()
        finally:
            raise OSError("on the way out")

    async def waits() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(falls)
            await trio.sleep_forever()

    def fine() -> str:
        return "fine"

    failures: list[str] = []
    async with serve(
        server_of(waits, fine), on_failure=lambda _, error: failures.append(type(error).__name__)
    ) as caller:
        id = await caller.start("waits")
        await reached.wait()
        await caller.transport.send(caller.connection.cancel(id, "enough"))
        assert (await caller.call("fine")).text == "fine"
    assert failures == ["ExceptionGroup"]
