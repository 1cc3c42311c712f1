"""Checks, as values: what a key may hold, said once for the reader, the mistake and the documentation."""

from typing import Any

from attrs import field, frozen


@frozen
class Number:
    least: float | None = None
    above: float | None = None
    most: float | None = None


@frozen
class Whole:
    least: int | None = None
    most: int | None = None


@frozen
class Flag:
    pass


@frozen(init=False)
class Choice:
    options: tuple[str, ...]
    later: tuple[str, ...]

    def __init__(self, *options: str, later: tuple[str, ...] = ()) -> None:
        self.__attrs_init__(options, later)


@frozen
class Plain:
    secret: bool = False


@frozen
class PathText:
    pass


@frozen
class Globs:
    pass


@frozen
class Names:
    what: str


@frozen
class MapOf:
    what: str
    check: object


@frozen
class Object:
    cls: type


@frozen
class OrFalse:
    check: object


@frozen
class Key:
    check: Any
    doc: str
    later: bool
    name: str | None


def key(default: object, check: object, doc: str, *, later: bool = False, name: str | None = None) -> Any:
    """A field that is a key of the configuration file."""
    return field(default=default, metadata={Key: Key(check, doc, later, name)})
