import types

import pytest
from attrs import define, frozen
from hypothesis import given
from hypothesis import strategies as st

from runtime.console.completion import Offer, World, complete
from runtime.protocol import Tool


@frozen
class Stored:
    inner: object


@define(slots=False)
class Open:
    inner: object


class Lazy:
    """Looking would run code."""

    def __init__(self) -> None:
        self.found = Stored(1)

    @property
    def inner(self) -> object:
        raise AssertionError("a property ran")

    def __getattr__(self, name: str) -> object:
        raise AssertionError("__getattr__ ran")


def function() -> None: ...


TOOLS = {
    "clock": (
        Tool(
            name="now",
            description="The time.\nIn a timezone.",
            input_schema={"properties": {"timezone": {"description": "Such as UTC"}, "exact": True}},
        ),
        Tool(name="wait", input_schema={}),
    ),
    "notes": (),
}
WORLD = World(
    {
        "call": function,
        "host": Stored(Open(Stored(1))),
        "lazy": Lazy(),
        "module": types.ModuleType("module"),
        "_": 1,
        "__settle__": 1,
    },
    lambda: TOOLS,
    lambda server: TOOLS.get(server, ()),
)


def offered(before: str) -> list[str]:
    return [offer.text for offer in complete(before, WORLD)]


@pytest.mark.parametrize("before", ['call("', "await call('", 'host.call( "', 'kill("', 'x = status("', 'host.stop("'])
def test_servers_are_offered_where_a_server_belongs(before):
    assert offered(before) == ["clock" + before[-1], "notes" + before[-1]]
    assert offered(before + "cl") == ["clock" + before[-1]]


def test_tools_are_offered_after_their_server():
    assert offered('call("clock", "') == ['now"', 'wait"']
    assert complete('call("clock","n', WORLD) == [Offer('now"', 1, "The time.")]
    assert offered('call("unknown", "') == []


def test_arguments_are_offered_by_the_tools_own_schema():
    assert offered('call("clock", "now", {"') == ['timezone"', 'exact"']
    assert complete('call("clock", "now", {"exact": 1, "ti', WORLD) == [Offer('timezone"', 2, "Such as UTC")]
    assert offered('call("clock", "wait", {"') == []


def test_names_are_those_of_the_session_of_python_and_its_keywords():
    assert "call(" in offered("ca")
    assert "host" in offered("x = [ho")
    assert offered("awai") == ["await"]
    assert "print(" in offered("pri")


def test_private_names_are_offered_when_asked_for():
    assert not any(name.startswith("_") for name in offered("h"))
    assert "__settle__" in offered("__")


def test_attributes_are_followed_through_stored_values():
    assert "inner" in offered("host.")
    assert "inner" in offered("host.inner.inner.i")


@pytest.mark.parametrize("before", ["lazy.inner.", "lazy.missing.", "unknown.", "f().", "x[0].", '"text".', "1."])
def test_nothing_is_run_to_find_attributes(before):
    assert offered(before) == []


def test_what_an_object_stores_is_offered_without_running_its_code():
    assert "found" in offered("lazy.f")
    assert "inner" in offered("lazy.found.")


@pytest.mark.parametrize("before", ['print("ho', "# ho", "'ca", ""])
def test_nothing_is_offered_inside_strings_and_comments(before):
    assert offered(before) == []


@given(st.text("callhost.(\"'{}[]:, 1\n#\\", max_size=40))
def test_any_text_gets_an_answer_that_fits_it(before):
    for offer in complete(before, WORLD):
        assert 0 <= offer.replaces <= len(before)
        assert offer.text.startswith(before[len(before) - offer.replaces :])
