"""Checks as values: what a key may hold, said once for the reader, the mistake and the documentation.

A check reads one value of the file at its place and gives what the spec keeps; what does not fit is reported to
the place and ends that part only, so that one reading finds every mistake. Types are strict: ``true`` and ``"5"``
are no numbers, ``5.0`` is no whole number."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from math import isfinite
from types import MappingProxyType
from typing import Any

import attrs
from attrs import frozen

from .foreign import MEANT
from .mistakes import Attempts, Missing, Place, did_you_mean, near
from .secret import Secret, Text, reveal

NAME = r"[^=\0]+"  # of an environment variable
LONGEST = 1e9  # seconds; more is surely a slip
LARGEST = 10**15


@frozen(eq=False)
class Check:
    """``read`` gives what the spec keeps, or reports to the place. ``expected`` completes "expected ..."."""

    read: Callable[[Any, Place], Any]
    expected: str
    keys: type | None = None  # the attrs class whose keys an object has, for the documentation


@frozen(eq=False)
class Key:
    """One key of an object of the file; ``later``: accepted and checked, but without effect in this version;
    ``live``: a server that runs takes a change of it on as it is, without a restart."""

    check: Check
    doc: str
    later: bool = False
    required: bool = False
    attribute: str = ""
    live: bool = False


def key(
    default: object, check: Check, doc: str, *, later: bool = False, live: bool = False, name: str | None = None
) -> Any:
    """An attrs field that is a key of the configuration file, by its own name or by ``name``."""
    made = Key(check, doc, later, default is attrs.NOTHING, live=live)
    return attrs.field(default=default, metadata={Key: (name, made)})


def keys_of(cls: type) -> dict[str, Key]:
    """The keys that a spec class declares, by their names in the file."""
    return {
        declared[0] or attribute.name: attrs.evolve(declared[1], attribute=attribute.name)
        for attribute in attrs.fields(cls)
        if (declared := attribute.metadata.get(Key)) is not None
    }


def read_keys(value: Any, at: Place, keys: Mapping[str, Key], foreign: Mapping[str, str]) -> dict[str, Any]:
    """The keys that an object sets, by attribute. An unknown key near one of ours is a mistake; one that other
    programs know (``foreign``), or nobody, is noted."""
    read: dict[str, Any] = {}
    misspelt: set[str] = set()
    attempts = Attempts()
    for name, part, place in members(value, at):
        with attempts:
            if known := keys.get(name):
                if known.later:
                    place.note("later", "accepted and checked, but without effect yet")
                read[known.attribute or name] = known.check.read(part, place)
            elif name in foreign:
                if foreign[name]:
                    place.note("foreign", foreign[name])
            elif meant := MEANT.get(name) if MEANT.get(name) in keys else near(name, keys):
                misspelt.add(meant)
                place.unknown(meant)
            else:
                place.note("unknown", "not a key here; ignored")
    for name, known in keys.items():
        if known.required and name not in value and name not in misspelt:
            with attempts:
                at.at(name).wrong(Missing(), known.check.expected)
    attempts.finish()
    return read


def members(value: Any, at: Place, expected: str = "an object") -> Iterator[tuple[str, Any, Place]]:
    """Each name, value and place of an object."""
    if not isinstance(value, Mapping):
        at.wrong(value, expected)
    for name, part in value.items():
        if isinstance(name, str):
            yield name, part, at.at(name)
        else:  # only a mapping given in code
            at.wrong(name, "a string as key")


def items(value: Any, at: Place, expected: str) -> Iterator[tuple[Any, Place]]:
    """Each value and place of a list."""
    if not isinstance(value, list | tuple):
        at.wrong(value, expected, "put it in [ ]" if isinstance(value, str) and value else "")
    for index, part in enumerate(value):
        yield part, at.at(index)


# The checks --------------------------------------------------------------------------------------


def number(*, least: float = 0.0, above: float | None = None, most: float = LONGEST) -> Check:
    bound = f"above {above:g}" if above is not None else f"of at least {least:g}"
    expected = f"a number {bound}" if most == LONGEST else f"a number from {least:g} to {most:g}"

    def read(value: Any, at: Place) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            at.wrong(value, expected, "write it without quotes" if _numeric(value) else "")
        if not (isfinite(value) if isinstance(value, float) else abs(value) <= LARGEST) or value > most:
            at.wrong(value, f"{expected}, at most {most:g}" if most == LONGEST else expected)
        if value < least or (above is not None and value <= above):
            at.wrong(value, expected)
        return float(value)

    return Check(read, expected)


def whole(least: int, most: int = LARGEST) -> Check:
    expected = f"a whole number of at least {least}" if most == LARGEST else f"a whole number from {least} to {most}"

    def read(value: Any, at: Place) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            at.wrong(value, expected, "write it without quotes" if _numeric(value) else "")
        if not least <= value <= most:
            at.wrong(value, f"{expected}, at most {most}" if most == LARGEST and value > most else expected)
        return value

    return Check(read, expected)


def _numeric(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?", value) is not None


def _read_flag(value: Any, at: Place) -> bool:
    if not isinstance(value, bool):
        meant = value if value in ("true", "false") else ""
        at.wrong(value, flag.expected, "write it without quotes" if meant else "")
    return value


flag = Check(_read_flag, "true or false")


def choice(*options: str, later: tuple[str, ...] = ()) -> Check:
    quoted = [f'"{option}"' for option in options]
    expected = f"{', '.join(quoted[:-1])} or {quoted[-1]}"

    def read(value: Any, at: Place) -> str:
        if not isinstance(value, str) or value not in options:
            at.wrong(value, expected, did_you_mean(value, options))
        if value in later:
            at.note("later", f'"{value}" is accepted, but without effect yet')
        return value

    return Check(read, expected)


def _read_plain(value: Any, at: Place) -> str:
    if not isinstance(value, str) or not value or "${" in value:
        at.wrong(value, plain.expected)
    return value


plain = Check(_read_plain, "a string that is not empty")


def _read_text(value: Any, at: Place) -> Text:
    if not isinstance(value, str | Secret):
        at.wrong(value, "a string", "write it in quotes" if isinstance(value, int | float) else "")
    text = at.expand(value, at) if isinstance(value, str) else value
    if "\0" in reveal(text):
        at.hide().wrong(text, "a string without NUL characters")
    if any("\ud800" <= each <= "\udfff" for each in reveal(text)):
        at.hide().wrong(text, "a string without lone surrogates")
    return text


def _read_filled(value: Any, at: Place) -> Text:
    text = _read_text(value, at)
    if not reveal(text).strip():
        at.wrong(text, filled.expected)
    return text


def _read_path(value: Any, at: Place) -> Text:
    return at.resolve(_read_filled(value, at))


def _read_hidden(value: Any, at: Place) -> Secret:
    return Secret(reveal(_read_text(value, at.hide())))


text = Check(_read_text, "a string; variables are expanded")
filled = Check(_read_filled, "a string that is not empty")
path = Check(_read_path, "a path, relative to the file")
hidden = Check(_read_hidden, "a string, kept secret")


def list_of(each: Check, expected: str) -> Check:
    def read(value: Any, at: Place) -> tuple[Any, ...]:
        attempts, found = Attempts(), []
        for part, place in items(value, at, expected):
            with attempts:
                found.append(each.read(part, place))
        attempts.finish()
        return tuple(found)

    return Check(read, expected)


globs = list_of(plain, "a list of globs")


def names(what: str) -> Check:
    return list_of(plain, f"a list of {what}")


def _read_server(value: Any, at: Place) -> str:
    if not isinstance(value, str) or value not in at.servers:
        at.wrong(value, "the name of a server", did_you_mean(value, at.servers))
    return value


servers = list_of(Check(_read_server, "the name of a server"), "a list of servers")


def _read_option(value: Any, at: Place) -> str:
    if isinstance(value, Mapping) and isinstance(chosen := value.get("value"), str):
        return chosen
    if not isinstance(value, str):
        at.wrong(value, 'a string, or an object with "label" and "value"')
    return value


options = list_of(Check(_read_option, "a string"), "a list of strings")


def map_of(what: str, each: Check, *, name: str = ".+", hide: bool = False) -> Check:
    """An object with free keys; they are to match ``name``. ``hide``: its values are secret."""
    expected = f"an object: {what} -> {each.expected}"

    def read(value: Any, at: Place) -> Mapping[str, Any]:
        at = at.hide() if hide else at
        attempts, found = Attempts(), {}
        for free, part, place in members(value, at, expected):
            with attempts:
                if not re.fullmatch(name, free):
                    place.hide().wrong(free, f"the name of a {what}")
                found[free] = each.read(part, place)
        attempts.finish()
        return MappingProxyType(found)

    return Check(read, expected, each.keys)


def obj(cls: type, rule: Callable[[Any, Place], None] | None = None) -> Check:
    """An object with the keys of ``cls``. ``rule`` looks at the whole once its parts are right."""
    keys = keys_of(cls)

    def read(value: Any, at: Place) -> Any:
        made = cls(**read_keys(value, at, keys, {}))
        if rule is not None:
            rule(made, at)
        return made

    return Check(read, "an object", cls)


def or_false(check: Check) -> Check:
    expected = f"{check.expected} or false"

    def read(value: Any, at: Place) -> Any:
        if value is False:
            return None
        if not isinstance(value, Mapping):
            at.wrong(value, expected)
        return check.read(value, at)

    return Check(read, expected, check.keys)
