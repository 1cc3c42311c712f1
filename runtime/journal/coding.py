"""Events as JSON text and back, so that the journal gives out what it was given.

The classes themselves say how: whoever adds an event adds nothing here. What cannot be read back, as it was written by
a version that has other fields, still has its words.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

import runtime.journal.own_events  # noqa: F401  # classes that are found by being there
from runtime.journal.events import Event

# What encoding and decoding can meet in fields that hold any value, or in rows of other versions.
_UNFIT = (msgspec.MsgspecError, TypeError, ValueError, NameError, RecursionError)


def encoded(event: Event) -> str | None:
    """Return the fields of an event. None: they are no JSON, and only its words are kept.

    What is a value of none of JSON's kinds is written as it prints, so that a secret stays one.
    """
    try:
        return msgspec.json.encode(event, enc_hook=repr).decode()
    except _UNFIT:
        return None


def decoded(name: str, fields: str | None) -> Event | None:
    """Return the event of that name and these fields. None: there is no such event in this version."""
    kind = next((kind for kind in _kinds(Event) if kind.name == name and kind.name != Event.name), None)
    if kind is None or fields is None:
        return None
    try:
        return msgspec.json.decode(fields, type=kind)
    except _UNFIT:
        return None


def plain(text: str) -> str:
    """Return a text that can be written: half a character, as a broken server may send, is spelled out."""
    return text.encode(errors="backslashreplace").decode()


def _kinds(kind: type[Event]) -> Iterator[type[Event]]:
    for each in kind.__subclasses__():
        yield each
        yield from _kinds(each)
