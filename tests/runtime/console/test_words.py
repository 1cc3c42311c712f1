import io

import pytest
import trio
from rich.console import Console

from runtime.console.answers import words
from runtime.console.listings import Listing
from runtime.console.render import plain, show, signature, span
from runtime.console.session import Done, Failed, Session
from runtime.console.words import Errand, NotBegun, Word, prompt_words
from runtime.protocol import CallToolResult, EmbeddedResource, ImageContent, ResourceContents, TextContent, Tool
from runtime.registry import ToolEntry
from tests.fakes import Fleet, good


async def test_an_errand_begins_when_it_is_awaited():
    begun = []

    async def work():
        begun.append(1)
        await trio.lowlevel.checkpoint()
        return "done"

    errand = Errand("fetch()", work)
    assert begun == []
    assert "put await before it" in repr(errand)
    assert await errand == "done"
    with pytest.raises(NotBegun, match=r"put await before fetch\(\)"):
        errand.content  # noqa: B018


async def test_an_errand_typed_alone_is_done():
    shown = []

    async def work():
        return 42

    session = Session({"errand": Errand("errand", work)}, shown.append)
    assert await session.run("errand") == Done()
    assert shown == [42]
    assert await session.run("errand.text") == Failed("NotBegun: no 'text' yet: put await before errand")


def test_a_word_without_its_parentheses_says_how_it_is_used():
    def call(server: str, *, timeout: float | None = None) -> int:
        """Calls."""

    assert repr(Word(call)) == "call(server, *, timeout=None)\n    Calls."


async def test_a_plan_is_shown_and_then_applied(autojump_clock):
    shown = []
    async with Fleet({"a": good, "b": good}).open() as host:
        session = Session({**prompt_words(host)}, lambda value: shown.append(plain(value)))
        assert await session.run('plan({"mcpServers": {"a": {"command": "scripted"}}})') == Done()
        assert list(host.status()) == ["a", "b"]
        assert await session.run("apply(_)") == Done()
        assert list(host.status()) == ["a"]
    assert (
        shown
        == ["stop b: not in the configuration any more\nuntouched: 1 server\nwhen the host is started again: journal"]
        * 2
    )


async def test_history_tells_what_happened_newest_first(autojump_clock):
    shown = []
    async with Fleet({"a": good, "b": good}).open() as host:
        session = Session(prompt_words(host), shown.append)
        for statement in ('history("a")', "history(limit=1)", 'history("nobody")'):
            assert await session.run(statement) == Done()
    ready, starting = plain(shown[0]).splitlines()
    assert "  a  ready in" in ready
    assert starting.endswith("  a  starting")
    assert len(shown[1]) == 1
    assert plain(shown[2]) == "nothing has happened yet"


def test_an_answer_is_its_text():
    assert words(CallToolResult(content=(TextContent(text="a"), TextContent(text="b")))) == "a\nb"
    assert words(CallToolResult(structured_content={"ö": 1})) == '{\n  "ö": 1\n}'
    assert words(CallToolResult(content=(TextContent(text="a"),), structured_content={"b": 1})) == "a"
    assert (
        words(CallToolResult(content=(ImageContent(data="AAAA", mime_type="image/png"),)))
        == "[image, image/png, 3 bytes]"
    )
    resource = EmbeddedResource(resource=ResourceContents(uri="file:///a", text="inside"))
    assert words(CallToolResult(content=(resource,))) == "inside"


def test_text_from_a_server_is_never_taken_for_markup():
    assert plain(CallToolResult(content=(TextContent(text="[bold]x[/bold] [/]"),))) == "[bold]x[/bold] [/]"


def test_a_tool_is_written_as_a_call():
    schema = {"properties": {"a": {}, "b": {}}, "required": ["b"]}
    assert signature(Tool(name="t", input_schema=schema)) == "t(a?, b)"
    assert signature(Tool(name="t", input_schema={})) == "t()"


def test_what_is_no_terminal_gets_everything_in_one_line_each():
    tool = Tool(name="t", description="long " * 100 + "end\nsecond line", input_schema={})
    shown = plain(Listing([ToolEntry("s", tool)]))
    assert len(shown.splitlines()) == 2
    assert shown.endswith("end")
    out = io.StringIO()
    show(Listing([], none="no tool"), Console(file=out))
    assert out.getvalue() == "no tool\n"
    assert str(Listing([ToolEntry("s", tool)])) == shown


@pytest.mark.parametrize(
    ("seconds", "written"), [(0.4, "0 s"), (59.9, "59 s"), (61, "1 min 1 s"), (3700, "1 h 1 min"), (90000, "1 d 1 h")]
)
def test_a_span_is_written_in_its_two_largest_units(seconds, written):
    assert span(seconds) == written
