"""The text of a configuration file to plain values: JSON with comments and trailing commas, or TOML.

Comments and trailing commas are overwritten with blanks, so that the positions in the standard library's errors are
those of the file. Messages name no value: a file that cannot be parsed may still hold secrets."""

from __future__ import annotations

import json
import re
from collections import Counter, deque
from collections.abc import Iterator
from typing import Any, Never

from .mistakes import ConfigError, Mistake, Place

_STRING = r'"(?:\\.|[^"\\\n])*"?'
_COMMENT = re.compile(rf"{_STRING}|//[^\n]*|/\*.*?\*/|(?P<open>/\*)", re.DOTALL)
_TRAILING_COMMA = re.compile(rf"{_STRING}|(?<=[^\s\[{{,:])(?P<blank>\s*),(?=\s*[\]}}])")


class Pairs(dict[str, Any]):
    """An object of a JSON text that remembers which of its keys came more than once (the last one counts)."""

    repeated: tuple[str, ...] = ()


def parse_json(text: str, source: str) -> Any:
    """The value of a JSON text. Raises :class:`ConfigError` with line and column."""
    text = _TRAILING_COMMA.sub(_without_comma, _COMMENT.sub(lambda found: _blank(found, text, source), text))
    try:
        return json.loads(text, object_pairs_hook=_pairs, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        wanted = error.msg.removeprefix("Expecting ")
        quoted = error.msg.startswith("Expecting") and text[error.pos : error.pos + 1] == "'"
        _refuse(
            source,
            wanted if wanted != error.msg else "valid JSON",
            error.lineno,
            error.colno,
            found="" if wanted != error.msg else error.msg[:1].lower() + error.msg[1:].removesuffix(" at"),
            suggestion="JSON takes double quotes" if quoted else "",
        )
    except _Constant as constant:
        _refuse(source, "valid JSON", found=str(constant), suggestion="a number must be finite")
    except RecursionError:
        _refuse(source, "objects nested less deeply")
    except ValueError:  # of int(): its own limit of digits
        _refuse(source, "numbers of fewer digits")


def parse_toml(text: str, source: str) -> Any:
    """The value of a TOML text. Raises :class:`ConfigError` with line and column."""
    import tomllib  # only where the file is TOML

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message, _, where = str(error).rpartition(" (at ")
        line, column = map(int, at.groups()) if (at := re.match(r"line (\d+), column (\d+)", where)) else (None, None)
        if line is None:  # "end of document"
            line, column = text.count("\n") + 1, len(text) - (text.rfind("\n") + 1) + 1
        _refuse(source, "valid TOML", line, column, found=message[:1].lower() + message[1:])
    except RecursionError:
        _refuse(source, "values nested less deeply")
    except ValueError:  # as above
        _refuse(source, "numbers of fewer digits")


def decode(data: bytes, source: str) -> str:
    """The text of a file: UTF-8, with or without a byte order mark."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        column = error.start - (before.rfind(b"\n") + 1) + 1
        _refuse(source, "UTF-8 text", before.count(b"\n") + 1, column, suggestion="save the file as UTF-8")


def repeated_keys(value: Any, place: Place) -> Iterator[Place]:
    """The place of each key that an object of a JSON text has twice."""
    rest = deque([(value, place)])
    while rest:
        value, place = rest.popleft()
        if isinstance(value, Pairs):
            yield from map(place.at, value.repeated)
            rest.extend((part, place.at(key)) for key, part in value.items())
        elif isinstance(value, list):
            rest.extend((part, place.at(index)) for index, part in enumerate(value))


class _Constant(Exception):
    """NaN, Infinity or -Infinity, which Python's parser would take."""


def _no_constant(name: str) -> Never:
    raise _Constant(name)


def _pairs(pairs: list[tuple[str, Any]]) -> Pairs:
    made = Pairs(pairs)
    if len(made) < len(pairs):
        made.repeated = tuple(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
    return made


def _blank(found: re.Match[str], text: str, source: str) -> str:
    if found["open"]:
        before = text[: found.start()]
        column = found.start() - (before.rfind("\n") + 1) + 1
        _refuse(source, "*/ at the end of this comment", before.count("\n") + 1, column)
    return found[0] if found[0].startswith('"') else re.sub(r"[^\n]", " ", found[0])


def _without_comma(found: re.Match[str]) -> str:
    return found[0] if found["blank"] is None else found["blank"] + " "


def _refuse(
    source: str,
    expected: str,
    line: int | None = None,
    column: int | None = None,
    *,
    found: str = "",
    suggestion: str = "",
) -> Never:
    raise ConfigError(source, (Mistake("", found, expected, suggestion, line, column),)) from None
