"""The directory is a value: catalogs in, tools and searches out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runtime.journal import Feed
from runtime.protocol import Tool
from runtime.registry import EMPTY, Catalog, CatalogFetched, CatalogGone, Directory, Registry


def make(name: str, description: str = "", title: str | None = None, **properties: object) -> Tool:
    schema = {"type": "object", "properties": {key: {} for key in properties}}
    return Tool(name=name, title=title, description=description, input_schema=schema)


def catalog(server: str, *tools: Tool, incarnation: int = 1) -> Catalog:
    return Catalog(server, incarnation, {tool.name: tool for tool in tools})


FILES = catalog(
    "files",
    make("read_text_file", "Reads a file as text", path=str),
    make("write_file", "Writes text to a file", path=str, content=str),
    make("list_directory", "Lists what is in a directory", path=str),
)
GIT = catalog("git", make("log", "Shows commits"), make("show", "Shows what a commit did to each file"))
BOTH = EMPTY.with_catalog(FILES).with_catalog(GIT)


def found(query: str, directory: Directory = BOTH, limit: int | None = None) -> list[str]:
    return [f"{entry.server}/{entry.name}" for entry in directory.discover(query, limit)]


def test_a_name_that_fits_more_words_comes_first():
    assert found("read a file")[0] == "files/read_text_file"
    assert found("write file")[0] == "files/write_file"


def test_a_word_in_a_name_outweighs_the_same_in_prose():
    assert found("file") == ["files/read_text_file", "files/write_file", "files/list_directory", "git/show"]


def test_a_server_is_found_by_its_name():
    assert found("git") == ["git/log", "git/show"]


def test_an_argument_is_found_by_its_name():
    assert found("content") == ["files/write_file"]


def test_the_beginning_of_a_word_is_enough_and_its_case_is_nothing():
    assert found("DIRECT") == ["files/list_directory"]


def test_what_fits_nothing_is_not_found_and_a_query_without_words_finds_nothing():
    assert found("quantum") == found("") == found("?!") == []


def test_a_limit_cuts_the_worst():
    assert found("file", limit=1) == ["files/read_text_file"]


def test_equals_stay_in_the_order_they_came():
    twins = EMPTY.with_catalog(catalog("z", make("now"))).with_catalog(catalog("a", make("now")))
    assert found("now", twins) == ["z/now", "a/now"]


def test_a_schema_of_any_shape_is_searched_without_complaint():
    odd = Tool(name="odd", input_schema={"properties": ["no", "mapping"]})
    assert found("odd", EMPTY.with_catalog(catalog("s", odd))) == ["s/odd"]


def test_a_change_makes_a_new_directory_and_leaves_the_old():
    smaller = BOTH.without("files")
    assert [entry.server for entry in smaller.tools()] == ["git", "git"]
    assert len(BOTH.tools()) == 5
    assert smaller.version == BOTH.version + 1
    assert BOTH.without("nobody") is BOTH


words = st.text(alphabet="abcdefg_ -./", max_size=12)


@given(st.lists(st.tuples(words, words), max_size=8), words)
def test_a_search_finds_nothing_twice_and_nothing_that_is_not_there(tools, query):
    directory = EMPTY.with_catalog(catalog("s", *(make(name, text) for name, text in tools)))
    entries = directory.discover(query)
    assert len(set(map(id, (entry.tool for entry in entries)))) == len(entries)
    assert all(entry in directory.tools() for entry in entries)


async def test_an_older_incarnation_never_replaces_a_newer_one(autojump_clock):
    published: list[Directory] = []
    registry = Registry(EMPTY, published.append, Feed())
    registry.receive(CatalogFetched(catalog("s", make("new"), incarnation=3)))
    registry.receive(CatalogFetched(catalog("s", make("old"), incarnation=2)))
    assert [entry.name for entry in published[-1].tools()] == ["new"]
    registry.receive(CatalogGone("s"))
    registry.receive(CatalogFetched(catalog("s", make("newest"), incarnation=4)))
    assert [entry.name for entry in published[-1].tools()] == ["newest"]
