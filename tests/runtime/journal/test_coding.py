"""Events as text and back, whatever their fields hold."""

from __future__ import annotations

from typing import Any, ClassVar, final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.config import Secret
from runtime.journal import Event, ServerCrashed, ServerEjected, ServerLogged, ServerReady, ToolsChanged
from runtime.journal.arguments import Arguments
from runtime.journal.coding import decoded, encoded, plain
from runtime.journal.own_events import HostsLost

text = st.text(st.characters(exclude_categories=["Cs"]))
at = st.floats(0, 1e9)
events = st.one_of(
    st.builds(ServerReady, at, text, st.integers(1, 99), text, st.integers(0, 99), at),
    st.builds(ServerCrashed, at, text, st.integers(1, 99), text, st.none() | at),
    st.builds(ServerEjected, at, text, st.integers(1, 99), at),
    st.builds(ToolsChanged, at, text, st.lists(text).map(tuple), st.lists(text).map(tuple)),
    st.builds(HostsLost, at, text, st.lists(text).map(tuple)),
    st.builds(ServerLogged, at, text, text, st.none() | text, st.recursive(st.none() | text, st.lists)),
)


@final
class Asked(Event, frozen=True):
    """A call as an event of the runtime may tell of it."""

    name: ClassVar[str] = "asked_in_a_test"
    arguments: Arguments
    more: Any = None


@given(events)
def test_an_event_comes_back_as_it_was(event):
    assert decoded(event.name, encoded(event)) == event


@pytest.mark.parametrize("fields", [None, "", "{}", '{"at": 1.0, "server": "a", "incarnation": "two"}', "[1]", "\0"])
def test_fields_of_another_version_are_no_event(fields):
    assert decoded("ready", fields) is None
    assert decoded("never_heard_of", fields) is None
    assert decoded("event", fields) is None


def test_fields_of_a_later_version_that_are_unknown_are_passed_over():
    assert decoded("ejected", '{"at":1.0,"server":"a","restarts":5,"period":300.0,"why":"x"}') is not None


def test_arguments_are_told_by_their_digest_unless_they_may_be_read():
    said = b'{"path":"my diary"}'
    closed, opened = (Asked(0.0, "files", Arguments.of(said, openly=openly)) for openly in (False, True))
    assert "diary" not in f"{encoded(closed)}{closed}{closed.arguments!r}{closed.arguments}"
    assert decoded(closed.name, encoded(closed)) == closed
    assert closed.arguments.digest == opened.arguments.digest != Arguments.of(said + b" ", openly=False).digest
    assert str(opened.arguments) == said.decode()
    assert str(closed.arguments) == f"19 bytes, digest {closed.arguments.digest}"


def test_a_secret_is_written_as_it_prints():
    secretive = Asked(0.0, "files", Arguments.of(b"{}", openly=False), {"token": Secret("hunter2")})
    assert '"more":{"token":"***"}' in encoded(secretive)


def test_what_is_no_json_at_all_is_known_by_its_words_only():
    endless: list[Any] = []
    endless.append(endless)
    for more in ("\ud800", endless):
        assert encoded(Asked(0.0, "files", Arguments.of(b"{}", openly=False), more)) is None


@given(st.text())
def test_any_text_can_be_written_and_whole_characters_stay(said):
    plain(said).encode()
    assert plain(said) == said or any("\ud800" <= character <= "\udfff" for character in said)
