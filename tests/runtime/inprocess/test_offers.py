"""Resources, prompts, completions, changes: what a server of functions offers beside tools."""

import enum
import json
from typing import Annotated, Any, Literal

import attrs
import msgspec
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from runtime.inprocess import Context, NotFound, ToolError, ToolServer
from runtime.inprocess.resources import Template
from runtime.protocol import (
    Acknowledged,
    CacheHint,
    Era,
    Failed,
    GetPromptResult,
    ListChanged,
    Logged,
    PromptMessage,
    ResourceContents,
    ResourceUpdated,
    TextContent,
)
from tests.caller import served


class Style(enum.Enum):
    PLAIN = "plain"
    FANCY = "fancy"


@attrs.frozen
class Size:
    w: int
    h: int


def library() -> ToolServer:
    server = ToolServer("library", "2", "Read.", title="The library")

    @server.resource("book://index", mime_type="text/markdown", annotations={"priority": 0.5})
    def index() -> str:
        """All books."""
        return "# Books"

    @server.resource("book://cover", name="the cover")
    async def cover() -> bytes:
        return b"\x89"

    @server.resource("book://{shelf}/{number}", title="A book")
    def book(shelf: str, number: int) -> dict[str, Any]:
        if number > 2:
            raise NotFound(f"no book {number} on {shelf}")
        return {"shelf": shelf, "number": number}

    @server.resource("file:///{+path}")
    def file(path: str, ctx: Context) -> Any:
        if path == "broken":
            raise OSError("disk on fire")
        if path == "told":
            raise ToolError("just so")
        return [ResourceContents(uri="file:///x", text=path), ResourceContents(uri="file:///y", blob="aGk=")]

    @server.prompt(title="Greet")
    def greet(name: Annotated[str, "whom"], style: Style = Style.PLAIN, times: int = 1) -> list[Any]:
        """A greeting."""
        return [f"Greet {name} {style.name} {times}", ("assistant", "Hello!"), TextContent(text="more")]

    @server.prompt
    async def plain() -> str:
        return "Say something."

    @server.prompt
    def whole() -> GetPromptResult:
        message = PromptMessage(role="assistant", content=TextContent(text="hm"))
        return GetPromptResult(messages=(message,), description="of its own")

    @server.prompt
    def wrong() -> int:
        return 5

    @server.completion("greet", "name")
    def names(begun: str) -> list[str]:
        return [name for name in ("Ada", "Alan", "Grace") if name.startswith(begun)]

    @server.completion("book://{shelf}/{number}", "number")
    async def numbers(begun: str, chosen: dict[str, str]) -> list[str]:
        return [f"{chosen.get('shelf')}-{begun}{n}" for n in range(150)]

    return server


async def test_what_is_offered_is_listed_with_what_is_said_of_it(serve):
    async with serve(library()) as caller:
        resources = (await caller.ask("resources/list"))["resources"]
        templates = (await caller.ask("resources/templates/list"))["resourceTemplates"]
        prompts = (await caller.ask("prompts/list"))["prompts"]
    assert resources[0] == {
        "uri": "book://index",
        "name": "index",
        "description": "All books.",
        "mimeType": "text/markdown",
        "annotations": {"priority": 0.5},
    }
    assert resources[1] == {"uri": "book://cover", "name": "the cover"}
    assert [(each["uriTemplate"], each["name"]) for each in templates] == [
        ("book://{shelf}/{number}", "book"),
        ("file:///{+path}", "file"),
    ]
    assert prompts[0] == {
        "name": "greet",
        "title": "Greet",
        "description": "A greeting.",
        "arguments": [
            {"name": "name", "description": "whom", "required": True},
            {"name": "style", "required": False},
            {"name": "times", "required": False},
        ],
    }
    assert prompts[1] == {"name": "plain"}


@pytest.mark.parametrize(
    ("uri", "contents"),
    [
        ("book://index", {"mimeType": "text/markdown", "text": "# Books"}),
        ("book://cover", {"mimeType": "application/octet-stream", "blob": "iQ=="}),
        ("book://sci%20fi/2", {"mimeType": "application/json", "text": '{"shelf":"sci fi","number":2}'}),
    ],
)
async def test_what_a_function_returns_is_what_is_read(serve, uri, contents):
    async with serve(library()) as caller:
        assert (await caller.ask("resources/read", {"uri": uri}))["contents"] == [{"uri": uri, **contents}]


async def test_contents_of_mcps_own_are_taken_as_they_are(serve):
    async with serve(library()) as caller:
        read = await caller.ask("resources/read", {"uri": "file:///a/b%2Fc"})
    assert read["contents"] == [{"uri": "file:///x", "text": "a/b/c"}, {"uri": "file:///y", "blob": "aGk="}]


@pytest.mark.parametrize("uri", ["book://nowhere", "book://a/3", "book://a/x", "book://a/b/1", "", None, "book://a/"])
async def test_what_is_not_there_is_told_as_its_era_tells_it(serve, uri):
    async with serve(library()) as caller:
        failed = await caller.ask("resources/read", {} if uri is None else {"uri": uri})
        modern = caller.connection.era is Era.MODERN
    assert isinstance(failed, Failed)
    assert failed.error.code == (-32602 if modern else -32002)
    assert failed.error.data == {"uri": uri}


@pytest.mark.parametrize(("path", "text"), [("broken", "OSError: disk on fire"), ("told", "just so")])
async def test_a_function_that_fails_to_read_is_an_internal_error(serve, path, text):
    reported: list[Any] = []
    async with serve(library(), on_failure=lambda *what: reported.append(what)) as caller:
        failed = await caller.ask("resources/read", {"uri": f"file:///{path}"})
    assert (failed.error.code, failed.error.message) == (-32603, text)
    assert [name for name, _ in reported] == (["file"] if path == "broken" else [])


def test_a_template_is_read_backwards_or_refused():
    template = Template("a://{x}/b/{+y}.txt")
    assert template.match("a://1/b/c/d.txt") == {"x": "1", "y": "c/d"}
    assert template.match("a://1/2/b/c.txt") is None
    assert template.match("a://1/b/c.txtx") is None
    for wrong in ("a://{x}/{x}", "a://{?x}", "a://{x*}", "a://{x", "a://x}", "a://{}"):
        with pytest.raises(ValueError, match="each name once"):
            Template(wrong)


def test_a_resource_whose_function_does_not_fit_is_refused_where_it_is_written():
    server = ToolServer("test")
    for uri in ("a://{x}", "a://b", "a://{x}/{z}"):
        with pytest.raises(TypeError, match="its parameters must be those of"):
            server.resource(uri)(lambda x, y: "")
    server.resource("a://b")(lambda: "")
    with pytest.raises(ValueError, match="has a resource 'a://b' already"):
        server.resource("a://b")(lambda: "")


def test_a_type_that_no_schema_tells_is_refused_where_it_is_written():
    def odd(event: trio.Event) -> None: ...

    with pytest.raises(TypeError):
        ToolServer("test").tool(odd)


async def test_a_prompt_is_written_with_the_types_that_it_declares(serve):
    async with serve(library()) as caller:
        greeting = await caller.ask(
            "prompts/get", {"name": "greet", "arguments": {"name": "Ada", "style": "fancy", "times": "3"}}
        )
        plain = await caller.ask("prompts/get", {"name": "plain"})
        whole = await caller.ask("prompts/get", {"name": "whole"})
    assert greeting["description"] == "A greeting."
    assert [(m["role"], m["content"]["text"]) for m in greeting["messages"]] == [
        ("user", "Greet Ada FANCY 3"),
        ("assistant", "Hello!"),
        ("user", "more"),
    ]
    assert plain["messages"] == [{"role": "user", "content": {"type": "text", "text": "Say something."}}]
    assert (whole["description"], whole["messages"][0]["role"]) == ("of its own", "assistant")


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"name": "nope"}, -32602),
        ({}, -32602),
        ({"name": "greet", "arguments": {}}, -32602),
        ({"name": "greet", "arguments": {"name": "a", "times": "x"}}, -32602),
        ({"name": "greet", "arguments": []}, -32602),
        ({"name": "wrong"}, -32603),
    ],
)
async def test_a_prompt_that_cannot_be_written_is_an_error(serve, params, code):
    async with serve(library()) as caller:
        assert (await caller.ask("prompts/get", params)).error.code == code


@pytest.mark.parametrize(
    ("ref", "argument", "context", "values"),
    [
        ("greet", {"name": "name", "value": "A"}, None, ["Ada", "Alan"]),
        ("greet", {"name": "style", "value": "f"}, None, ["fancy"]),
        ("greet", {"name": "times", "value": ""}, None, []),
        ("greet", {"name": "nothing", "value": ""}, None, []),
        (
            "book://{shelf}/{number}",
            {"name": "number", "value": "1"},
            {"arguments": {"shelf": "a"}},
            [f"a-1{n}" for n in range(100)],
        ),
        ("book://{shelf}/{number}", {"name": "shelf", "value": ""}, 5, []),
    ],
)
async def test_arguments_are_completed_by_their_function_or_their_type(serve, ref, argument, context, values):
    told = {"type": "ref/resource", "uri": ref} if "://" in ref else {"type": "ref/prompt", "name": ref}
    params = {"ref": told, "argument": argument, **({} if context is None else {"context": context})}
    async with serve(library()) as caller:
        completion = (await caller.ask("completion/complete", params))["completion"]
    assert completion["values"] == values
    assert completion["hasMore"] is (len(values) == 100)
    assert completion["total"] == (150 if len(values) == 100 else len(values))


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"ref": {"type": "ref/prompt", "name": "greet"}},
        {"ref": {"type": "ref/prompt", "name": "nope"}, "argument": {"name": "a", "value": ""}},
        {"ref": {"type": "ref/resource", "uri": "nope"}, "argument": {"name": "a", "value": ""}},
        {"ref": 5, "argument": {"name": "a", "value": ""}},
        {"ref": {"type": "ref/prompt", "name": "greet"}, "argument": {"name": "a", "value": 5}},
    ],
)
async def test_a_completion_of_nothing_is_an_error(serve, params):
    async with serve(library()) as caller:
        assert (await caller.ask("completion/complete", params)).error.code == -32602


# -- what a result declares


async def test_a_declared_result_is_structure_whatever_its_type(serve):
    server = ToolServer("test")

    @server.tool
    def many() -> list[Size]:
        return [Size(1, 2)]

    @server.tool
    def one() -> Size:
        return Size(1, 2)

    @server.tool
    def table() -> dict[str, int]:
        return {"a": 1}

    @server.tool
    def maybe() -> Size | None:
        return None

    async with serve(server) as caller:
        tools = {tool["name"]: tool for tool in (await caller.ask("tools/list"))["tools"]}
        results = {name: await caller.ask("tools/call", {"name": name}) for name in tools}
        modern = caller.connection.era is Era.MODERN
    assert ("outputSchema" in tools["many"]) == ("structuredContent" in results["many"]) == modern
    assert json.loads(results["many"]["content"][0]["text"]) == [{"w": 1, "h": 2}]
    assert tools["one"]["outputSchema"]["required"] == ["w", "h"]
    assert results["one"]["structuredContent"] == {"w": 1, "h": 2}
    assert tools["table"]["outputSchema"]["additionalProperties"] == {"type": "integer"}
    assert results["table"]["structuredContent"] == {"a": 1}
    assert "outputSchema" not in tools["maybe"]
    assert results["maybe"]["content"] == []


async def test_a_parameters_description_may_be_a_plain_string(serve):
    server = ToolServer("test")

    @server.tool
    def pick(
        colour: Annotated[Literal["red", "blue"], "which one"],
        size: Annotated[int, msgspec.Meta(gt=0), "how big"] = 1,
    ) -> str:
        return colour * size

    async with serve(server) as caller:
        [tool] = (await caller.ask("tools/list"))["tools"]
        refused = await caller.call("pick", {"colour": "red", "size": 0})
        assert (await caller.call("pick", {"colour": "red", "size": 2})).text == "redred"
    assert tool["inputSchema"]["properties"] == {
        "colour": {"enum": ["blue", "red"], "description": "which one"},
        "size": {"type": "integer", "exclusiveMinimum": 0, "description": "how big", "default": 1},
    }
    assert refused.is_error


# -- what changes


async def listen(caller: Any, **wish: Any) -> None:
    """Hear of changes: a modern client asks for it, a legacy one subscribes to resources only."""
    if caller.connection.era is Era.MODERN:
        await caller.transport.send(caller.connection.listen(wish)[1])
        assert isinstance(await caller.next(), Acknowledged)
    else:
        for uri in wish.get("resourceSubscriptions", ()):
            await caller.ask("resources/subscribe", {"uri": uri})


async def test_whoever_listens_is_told_of_functions_that_come_and_go_and_of_resources_that_change(serve):
    server = library()

    @server.tool
    def grow() -> str:
        def new() -> None: ...

        server.tool(new)  # from a worker thread
        server.resource_updated("book://index")
        server.resource_updated("book://cover")
        return "grown"

    async with serve(server) as caller:
        await listen(
            caller,
            toolsListChanged=True,
            promptsListChanged=True,
            resourcesListChanged=True,
            resourceSubscriptions=["book://index"],
        )
        assert (await caller.call_beside("grow")).text == "grown"
        server.remove("tools", "new")
        server.remove("tools", "grow")
        server.remove("prompts", "plain")
        server.remove("resources", "book://cover")
        server.remove("resources", "file:///{+path}")
        await wait_all_tasks_blocked()
        while len(caller.seen) < 5:
            caller.seen.append(await caller.next())
        heard = [getattr(event, "kind", None) or getattr(event, "uri", None) for event in caller.seen]
        assert heard == ["tools", "book://index", "tools", "prompts", "resources"]
        assert {type(event) for event in caller.seen} == {ListChanged, ResourceUpdated}
        tools = (await caller.ask("tools/list"))["tools"]
        assert tools == []
        with pytest.raises(KeyError):
            server.remove("tools", "grow")


async def test_nobody_subscribes_to_what_is_not_there(serve):
    async with serve(library()) as caller:
        if caller.connection.era is Era.LEGACY:
            failed = await caller.ask("resources/subscribe", {"uri": "book://nowhere"})
            assert failed.error.code == -32002
            assert await caller.ask("resources/subscribe", {"uri": "book://a/1"}) == {}
            assert await caller.ask("resources/unsubscribe", {"uri": "book://a/1"}) == {}


async def test_what_is_logged_reaches_a_client_that_wants_it(serve):
    server = ToolServer("test")

    @server.tool
    async def talk(ctx: Context) -> None:
        ctx.log("debug", "not this")
        ctx.log("error", {"code": 5}, "engine")

    @server.tool
    def talk_in_a_thread(ctx: Context) -> None:
        ctx.log("error", {"code": 5}, "engine")

    async with serve(server) as caller:
        if line := caller.connection.set_log_level("warning"):
            await caller.transport.send(line[1])
            await caller.next()
        for name in ("talk", "talk_in_a_thread"):
            await caller.call_beside(name)
        assert caller.seen == [Logged("error", "engine", {"code": 5})] * 2


async def test_a_context_tells_who_asks_and_what_came_along(serve):
    server = ToolServer("test")

    @server.tool
    async def who(ctx: Context) -> dict[str, Any]:
        return {
            "name": ctx.client_info.get("name"),
            "trace": ctx.meta.get("traceparent"),
            "offers": [each for each in ("elicitation", "sampling", "roots") if ctx.offers(each)],
        }

    async with serve(server, {"roots": {}}) as caller:
        _, line = caller.connection.call_tool("who", meta={"traceparent": "00-1-2-03"})
        await caller.transport.send(line)
        answer = json.loads(bytes((await caller.next()).result))
    assert answer["structuredContent"] == {"name": "test", "trace": "00-1-2-03", "offers": ["roots"]}


async def test_a_server_says_how_long_its_results_may_be_kept():
    server = ToolServer("kept", hints={"tools/list": CacheHint(60_000, "public")})
    async with served(server, "modern") as caller:
        listed = await caller.ask("tools/list")
        assert (listed["ttlMs"], listed["cacheScope"]) == (60_000, "public")
    async with served(server, "legacy") as caller:
        assert await caller.ask("tools/list") == {"tools": []}
