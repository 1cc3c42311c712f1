"""What a server asks of its user, at the prompt."""

from __future__ import annotations

import pytest

from runtime.console.forms import Unfit, ask, label, parsed
from runtime.console.terminal import Cleared, EndOfInput
from runtime.protocol import ElicitFormParams, ElicitUrlParams, from_wire

FIELDS = {
    "name": {"type": "string", "title": "Your name", "minLength": 2},
    "size": {"type": "string", "enum": ["s", "m"], "enumNames": ["small", "middle"], "default": "m"},
    "age": {"type": "integer", "minimum": 1, "maximum": 150},
    "sure": {"type": "boolean"},
    "tags": {"type": "array", "items": {"type": "string", "enum": ["a", "b", "c"]}, "minItems": 1},
}
FORM = {
    "message": "Who?",
    "requestedSchema": {"type": "object", "properties": FIELDS, "required": ["name", "sure"]},
}


async def put(params, *typed):
    """Answer the questions in this order; return how it ended, and all that was shown."""
    shown, answers = [], list(typed)

    async def read(label):
        shown.append(label)
        return answers.pop(0)

    result = await ask("notes", params, read, shown.append)
    assert answers == []
    return result, shown


def form():
    return from_wire(ElicitFormParams, FORM)


async def test_a_form_is_filled_in_field_by_field_and_a_slip_is_asked_again():
    result, shown = await put(form(), "A", "Ann", "small", "old", "0", "33", "", "maybe", "Y", "a,d", "a, c")
    assert result.action == "accept"
    assert result.content == {"name": "Ann", "size": "s", "age": 33, "sure": True, "tags": ["a", "c"]}
    assert shown[0] == "notes asks: Who?"
    assert {"  at least 2 characters, please", "  a whole number, please", "  at least 1, please"} <= set(shown)
    assert {"  this one is needed", "  y or n, please", "  one of a, b, c, please"} <= set(shown)
    assert "    s  small" in shown


async def test_enter_alone_takes_the_default_or_leaves_the_field_out():
    result, _ = await put(form(), "Ann", "", "", "n", "")
    assert result.content == {"name": "Ann", "size": "m", "sure": False}


@pytest.mark.parametrize(("key", "action"), [(Cleared(empty=True), "cancel"), (EndOfInput(), "decline")])
async def test_a_form_may_be_declined_or_left_open_at_any_field(key, action):
    result, _ = await put(form(), "Ann", key)
    assert (result.action, result.content) == (action, None)
    page = ElicitUrlParams(message="Sign in", url="https://example.org/in")
    result, _ = await put(page, key)
    assert result.action == action


async def test_a_page_is_shown_and_accepted_with_enter():
    result, shown = await put(ElicitUrlParams(message="Sign in", url="https://example.org/in"), "")
    assert (result.action, result.content) == ("accept", None)
    assert "  https://example.org/in" in shown


def test_a_label_says_what_enter_gives():
    fields = form().requested_schema.properties
    assert label("name", fields["name"], needed=True) == "  Your name: "
    assert label("size", fields["size"], needed=False) == "  size [m]: "
    assert label("sure", fields["sure"], needed=False) == "  sure (y/n), or nothing: "
    with pytest.raises(Unfit, match="at most 150, please"):
        parsed(fields["age"], "151")


def test_a_tool_that_asks_is_answered_at_the_prompt(terminal):
    person = terminal("-m", "runtime")
    person.sees(">>> ")
    person.presses('call("notes", "forget_all")\r')
    person.sees("notes asks: Forget")
    person.sees("(y/n)")
    person.presses("y\r")
    person.sees("all is forgotten")
    person.enters('call("notes", "forget_all")')
    person.sees("(y/n)")
    person.presses("\x04")
    person.sees("nothing was forgotten")
    person.enters('read("notes", "notes://all")')
    person.enters("prompts()")
    person.sees("summarise(topic?)")
    person.enters("exit")
    assert person.sees_the_end() == 0
