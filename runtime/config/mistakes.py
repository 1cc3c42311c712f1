"""What is wrong with a configuration, and where: the error a user reads, and the place a check stands at."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from math import isfinite
from types import TracebackType
from typing import Any, Literal, NoReturn, Self, final

from attrs import define, evolve, field, frozen

from runtime.errors import GreenroomError
from runtime.value import Value

from .secret import Secret, Text

NoteKind = Literal["disabled", "foreign", "unknown", "later", "advice"]


@frozen(repr=False)
class Note(Value):
    """Something in the file that is no mistake but that its author should know.

    ``kind`` groups notes: ``disabled`` (a server is not started), ``foreign`` (another program's key, ignored),
    ``unknown`` (nobody's key, ignored), ``later`` (our key, without effect yet), ``advice`` (valid, but perhaps
    not what was meant)."""

    path: str
    kind: NoteKind
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}"


@frozen(repr=False)
class Mistake(Value):
    """One thing wrong with a configuration.

    ``path`` leads to it through the keys (``mcpServers.files.window.intensity``, ``mcpServers.files.args[2]``);
    a file that cannot be parsed has no paths, there ``line`` and ``column`` say where, counted from 1. ``value``
    is what was found as it may be shown: a secret is ``***``, an object or a list is only named as such.
    ``suggestion`` is empty or a whole phrase."""

    path: str
    value: str
    expected: str
    suggestion: str = ""
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        where = f"line {self.line}, column {self.column}" if self.line is not None else self.path
        found = f", found {self.value}" if self.value else ""
        hint = f" ({self.suggestion})" if self.suggestion else ""
        return f"{where}: expected {self.expected}{found}{hint}" if where else f"expected {self.expected}{found}{hint}"


@final
@define(repr=False)
class ConfigError(GreenroomError):
    """A configuration was refused, before anything of it was started. ``mistakes`` holds every mistake found; a
    file that cannot be parsed has one. No secret is in it, so it may be printed."""

    source: str
    mistakes: tuple[Mistake, ...]

    def __str__(self) -> str:
        number = "1 mistake" if len(self.mistakes) == 1 else f"{len(self.mistakes)} mistakes"
        return "\n  ".join([f"{self.source}: {number}", *map(str, self.mistakes)])


class Unreadable(Exception):
    """A part could not be read; its mistake has been recorded. Control flow of this package, never seen outside."""


@define
class Attempts:
    """Goes on after an unreadable part, so that every mistake of a whole is found; then gives the whole up.

    >>> attempts = Attempts()
    >>> for part in parts:
    ...     with attempts:
    ...         read(part)
    >>> attempts.finish()"""

    _failed: bool = field(default=False, init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        unreadable = isinstance(error, Unreadable)
        self._failed |= unreadable
        return unreadable

    def finish(self) -> None:
        if self._failed:
            raise Unreadable


@frozen
class Place:
    """A place in the configuration: what is read there reports to it. ``hidden``: no value from here on is shown."""

    mistakes: list[Mistake]
    notes: list[Note]
    expand: Callable[[str, Place], Text]
    resolve: Callable[[Text], Text]  # a path relative to the file
    servers: Collection[str]  # the names of all servers, right or wrong
    path: str = ""
    hidden: bool = False

    def at(self, key: str | int) -> Place:
        if isinstance(key, int):
            return evolve(self, path=f"{self.path}[{key}]")
        name = key if _plain_key.fullmatch(key) else "***" if self.hidden else shorten(key)
        return evolve(self, path=f"{self.path}.{name}" if self.path else name)

    def hide(self) -> Place:
        return evolve(self, hidden=True)

    def wrong(self, value: object, expected: str, suggestion: str = "") -> NoReturn:
        """Record a mistake and give up on this part."""
        if not suggestion and isinstance(value, str) and "${" in value:
            suggestion = "a ${variable} is not expanded here"
        shown = "***" if self.hidden and not isinstance(value, Missing | Unsaid) else show(value)
        self.mistakes.append(Mistake(self.path, shown, expected, suggestion))
        raise Unreadable

    def unknown(self, meant: str) -> NoReturn:
        """Record that the key itself is wrong, whatever its value."""
        self.mistakes.append(Mistake(self.path, "an unknown key", f'"{meant}"', f'did you mean "{meant}"?'))
        raise Unreadable

    def note(self, kind: NoteKind, text: str) -> None:
        self.notes.append(Note(self.path, kind, text))


class Missing:
    """Stands for a value that is not there."""


class Unsaid:
    """Stands for a value that tells nothing, or that is best not repeated."""


_plain_key = re.compile(r"[\w$-]+")


def shorten(text: str) -> str:
    """A string of the file on one line, quoted."""
    return json.dumps(text if len(text) <= 100 else text[:97] + "...", ensure_ascii=False)


def show(value: object) -> str:
    """What a value is, on one line; what an object or a list holds may be secret and stays unsaid."""
    match value:
        case Secret():
            return "***"
        case bool() | None:
            return json.dumps(value)
        case int() | float():
            return shown if len(shown := _number(value)) <= 40 else "a number of many digits"
        case str():
            return shorten(value)
        case Mapping():
            return "an object"
        case list() | tuple():
            return "a list"
        case Missing():
            return "nothing"
        case Unsaid():
            return ""
        case _:
            return f"a {type(value).__name__}"


def _number(value: float) -> str:
    if isinstance(value, int) and value.bit_length() > 200:  # str() of a huge one is slow, or refused
        return "a number of many digits"
    return repr(value) if isfinite(value) else f"{value}"


def near(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant: case, ``_`` and ``-`` do not count."""
    from difflib import get_close_matches  # only a mistake needs it

    folded = {_fold(each): each for each in known}
    return folded[found[0]] if (found := get_close_matches(_fold(word), folded, n=1, cutoff=0.72)) else None


def did_you_mean(word: Any, known: Iterable[str]) -> str:
    """A suggestion, or nothing."""
    meant = near(word, known) if isinstance(word, str) else None
    return f'did you mean "{meant}"?' if meant is not None else ""


def _fold(word: str) -> str:
    return word.casefold().replace("_", "").replace("-", "")
