"""Between the types of `messages` and the wire: one rule, read off the classes when a value first needs it.

JSON is decoded by msgspec, so values here are exactly dict, list, str, int, float, bool or None, and checks are by
exact type: a number where a string belongs is an error, never a conversion. For each class there is a reader and a
writer, closures over a table of its fields; nothing is generated or compiled. A reader goes over what the peer sent,
not over what it might have sent, so that a class with many optional fields costs no more than a small one, and the
fields that it does not know are kept on the way. Where a value does not fit, the way back out of the readers names
the place.

An annotation is read when the first value for its field arrives: it may name a class whose module nobody has loaded.
(A cattrs converter did this before: it had to be told each of these rules by a hook of ours, wanted all classes at
once, and spent 14 ms on its import and 0.7 ms on each class where a handshake waits for them.)
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Literal, TypeAlias, TypeVar, Union, get_args, get_origin, overload

import attrs
import msgspec
from msgspec import UNSET, Raw

from . import messages
from .errors import UnexpectedResultType, WireError
from .jsonrpc import MALFORMED

__all__ = ["from_wire", "items_from_wire", "result_from_wire", "to_wire", "warm_up"]

T = TypeVar("T")
Reader: TypeAlias = Callable[[Any], Any]
Writer: TypeAlias = Callable[[Any], dict[str, Any]]

_NAMES = {str: "a string", int: "an integer", float: "a number", bool: "a boolean", dict: "an object",
          list: "an array", type(None): "null"}  # fmt: skip
_DEMANDS = {**_NAMES, bool: "true or false"}

_decode_json = msgspec.json.Decoder().decode
_TEXT = (Raw, bytes)


class _Misfit(Exception):
    """A value that is not what its place demands; becomes a WireError."""

    def __init__(self, reason: str, path: str = "") -> None:
        self.reason, self.path = reason, path

    def under(self, step: str) -> _Misfit:
        """The same, seen from one step further out."""
        self.path = f"{step}.{self.path}" if self.path and self.path[0] != "[" else step + self.path
        return self


def _misfit(expected: str, value: object) -> _Misfit:
    return _Misfit(f"must be {expected}, not {_NAMES.get(type(value), type(value).__name__)}")


# Names


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def _wire_name(attribute: attrs.Attribute[Any]) -> str:
    if attribute.name == "meta":
        return "_meta"
    return attribute.metadata.get("wire") or _camel(attribute.name)


def _fields(cl: type) -> dict[str, attrs.Attribute[Any]]:
    """The fields by their wire names, the class's own before those that all have; without `extra`."""
    every = {_wire_name(attribute): attribute for attribute in attrs.fields(cl) if attribute.name != "extra"}
    return dict(sorted(every.items(), key=lambda item: item[1].inherited))


def _tag(cl: type) -> tuple[str, str] | None:
    """The member, and its value, by which the class is told from others; None where it has none."""
    return next(((name, value) for name, value in vars(cl).items() if name in _TAGS and type(value) is str), None)


_TAGS = frozenset({"type", "method", "mode"})


class _Scope(dict[str, Any]):
    """What the name in an annotation stands for: as `typing.get_type_hints` has it, but loaded when asked for."""

    def __missing__(self, name: str) -> Any:
        try:
            return getattr(messages, name)
        except AttributeError:
            raise KeyError(name) from None  # a builtin


_SCOPE = _Scope(Any=Any, Literal=Literal, Mapping=Mapping)


def _spelling(attribute: attrs.Attribute[Any]) -> str:
    """The annotation as the class's author wrote it: the modules of `messages` do not have theirs evaluated."""
    spelling: Any = attribute.type
    assert type(spelling) is str
    return spelling


def _annotation(spelling: str) -> Any:
    return eval(spelling, {}, _SCOPE)


# Reading


def _scalar(kind: type) -> Reader:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise _misfit(_DEMANDS[kind], value)
        return value

    return read


def _number(value: Any) -> float:
    if type(value) is not float and type(value) is not int:
        raise _misfit("a number", value)
    return value


def _string_or_integer(value: Any) -> int | str:
    if type(value) is not int and type(value) is not str:
        raise _misfit("a string or an integer", value)
    return value


def _anything(value: Any) -> Any:
    return value


def _word(words: tuple[str, ...]) -> Reader:
    expected = " or ".join(map(repr, words)) if len(words) < 3 else f"one of {', '.join(map(repr, words))}"

    def read(value: Any) -> str:
        if type(value) is not str:
            raise _misfit("a string", value)
        if value not in words:
            raise _Misfit(f"must be {expected}, not {value!r}")
        return value

    return read


def _optional(inner: Reader) -> Reader:
    def read(value: Any) -> Any:
        return None if value is None else inner(value)

    return read


def _sequence(item: Reader) -> Reader:
    def read(value: Any) -> tuple[Any, ...]:
        if type(value) is not list:
            raise _misfit("an array", value)
        try:
            return tuple([item(each) for each in value])
        except _Misfit:
            for index, each in enumerate(value):
                try:
                    item(each)
                except _Misfit as misfit:
                    raise misfit.under(f"[{index}]") from None
            raise

    return read


def _mapping(item: Reader) -> Reader:
    def read(value: Any) -> Mapping[str, Any]:
        if type(value) is not dict:
            raise _misfit("an object", value)
        known = {}
        for key, each in value.items():
            try:
                known[key] = item(each)
            except _Misfit as misfit:
                raise misfit.under(key) from None
        return known

    return read


def _one_or_several(item: Reader) -> Reader:
    several = _sequence(item)

    def read(value: Any) -> Any:
        return several(value) if type(value) is list else item(value)

    return read


def _tagged(classes: tuple[type, ...]) -> Reader:
    """One of several classes, told apart by a member; the class without a value for it takes what no other does."""
    names = {tag[0] for tag in map(_tag, classes) if tag is not None}
    name = names.pop()
    by_value: dict[str, type] = {}
    fallback = None
    for cl in classes:
        tag = _tag(cl)
        if tag is not None:
            by_value[tag[1]] = cl
        elif get_origin(kind := _annotation(_spelling(_fields(cl)[name]))) is Literal:
            by_value.update(dict.fromkeys(get_args(kind), cl))
        else:
            fallback = cl

    def read(value: Any) -> Any:
        if type(value) is not dict:
            raise _misfit("an object", value)
        found = value.get(name)
        cl = by_value.get(found, fallback) if type(found) is str else fallback
        if cl is None:
            raise _Misfit("must be " + " or ".join(map(repr, by_value)), name)
        return _READERS[cl](value)

    return read


@cache
def _reader(spelling: str) -> Reader:
    """Reads what a field so annotated may hold."""
    return _reader_for(_annotation(spelling))


def _reader_for(tp: Any) -> Reader:
    origin, args = get_origin(tp), get_args(tp)
    if attrs.has(tp):
        return _READERS[tp]
    if tp in (str, int, bool):
        return _scalar(tp)
    if tp is float:
        return _number
    if tp is Any:
        return _anything
    if origin is Literal:
        return _word(args)
    if origin is tuple:
        return _sequence(_reader_for(args[0]))
    if origin is Mapping:
        return _scalar(dict) if args[1] is Any else _mapping(_reader_for(args[1]))
    if origin not in (Union, types.UnionType):
        raise TypeError(f"{tp} is no type of a message's field")
    if type(None) in args:
        return _optional(_reader_for(Union[tuple(arm for arm in args if arm is not type(None))]))  # noqa: UP007
    if set(args) == {int, str}:
        return _string_or_integer
    sequences = [arm for arm in args if get_origin(arm) is tuple]
    if sequences:
        return _one_or_several(_reader_for(get_args(sequences[0])[0]))
    return _tagged(args)


# The exact type that most values for a field have, by annotation; such a value is taken without a call.
_KINDS: dict[str, type | None] = {
    spelling: kind
    for name, kind in {"str": str, "int": int, "bool": bool, "float": float, "Json": dict, "Any": None}.items()
    for spelling in (name, f"{name} | None")
}


def _make_reader(cl: type) -> Reader:
    known: dict[str, tuple[str, type | None, Reader]] = {}
    attributes = _fields(cl)
    required = {wire: each.name for wire, each in attributes.items() if each.default is attrs.NOTHING}
    needed = frozenset(required.values())
    tag = _tag(cl)

    def later(wire: str, name: str, annotation: str) -> Reader:
        def read(value: Any) -> Any:
            reader = _reader(annotation)
            known[wire] = (name, None, reader)
            return reader(value)

        return read

    for wire, each in attributes.items():
        annotation = _spelling(each)
        reader = _reader(annotation) if annotation in _KINDS else later(wire, each.name, annotation)
        known[wire] = (each.name, _KINDS.get(annotation), reader)
    # Where any JSON may be, null is a value, and None says that there is none.
    nullable = frozenset(wire for wire, each in attributes.items() if each.default is None and _spelling(each) == "Any")
    find = known.get

    def read(value: Any) -> Any:
        if type(value) is not dict:
            raise _misfit("an object", value)
        members: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        for key, item in value.items():
            field = find(key)
            if field is None or (item is None and key in nullable):
                extra[key] = item
                continue
            name, kind, reader = field
            if type(item) is kind:
                members[name] = item
            else:
                try:
                    members[name] = reader(item)
                except _Misfit as misfit:
                    raise misfit.under(key) from None
        if tag is not None:
            found = extra.pop(tag[0], UNSET)
            if found != tag[1]:
                raise _Misfit("is missing" if found is UNSET else f"must be {tag[1]!r}", tag[0])
        if not needed <= members.keys():
            raise _Misfit("is missing", next(wire for wire, name in required.items() if name not in members))
        if extra:
            members["extra"] = extra
        return cl(**members)

    return read


class _Readers(dict[Any, Reader]):
    def __missing__(self, tp: Any) -> Reader:
        reader = self[tp] = _make_reader(tp) if attrs.has(tp) else _reader_for(tp)
        return reader


_READERS = _Readers()


def _type_name(tp: Any) -> str:
    return tp.__name__ if isinstance(tp, type) else " or ".join(map(_type_name, get_args(tp)))


def _json(tp: Any, data: Raw | bytes) -> Any:
    try:
        return _decode_json(data)
    except MALFORMED as error:
        raise WireError(_type_name(tp), "", f"is not JSON: {error}") from None


@overload
def from_wire(cl: type[T], data: Raw | bytes | Mapping[str, Any]) -> T: ...
@overload
def from_wire(cl: types.UnionType, data: Raw | bytes | Mapping[str, Any]) -> Any: ...
def from_wire(cl: Any, data: Raw | bytes | Mapping[str, Any]) -> Any:
    """The value of ``cl`` (a class of `messages`, or a union of some) that ``data`` spells, JSON text or decoded JSON.

    Raises:
        WireError: it spells none; names the MCP type, the path in wire names, and what is wrong there.
    """
    value = _json(cl, data) if isinstance(data, _TEXT) else data
    try:
        return _READERS[cl](value)
    except _Misfit as misfit:
        raise WireError(_type_name(cl), misfit.path, misfit.reason) from None


def items_from_wire(cl: type[T], data: Raw | bytes | Mapping[str, Any]) -> tuple[T, tuple[WireError, ...]]:
    """A page of a list, read item by item: the page with the items that can be read, and what is wrong with the others.

    One malformed tool must not hide its neighbours.

    Raises:
        WireError: what is wrong is the page itself.
    """
    value = _json(cl, data) if isinstance(data, _TEXT) else data
    if type(value) is not dict:
        return from_wire(cl, value), ()
    whole, faults = dict(value), []
    for wire, attribute in _fields(cl).items():
        tp, items = _annotation(_spelling(attribute)), value.get(wire)
        if get_origin(tp) is not tuple or type(items) is not list:
            continue
        read, good = _reader_for(get_args(tp)[0]), []
        for index, item in enumerate(items):
            try:
                read(item)
            except _Misfit as misfit:
                misfit.under(f"{wire}[{index}]")
                faults.append(WireError(cl.__name__, misfit.path, misfit.reason))
            else:
                good.append(item)
        whole[wire] = good
    return from_wire(cl, whole), tuple(faults)


class _Text(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    type: Literal["text"]  # a tag of msgspec's may be missing
    text: str


class _TextResult(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """What nearly every tool answers with, and nothing else."""

    content: list[_Text]
    structured_content: Any = UNSET
    is_error: bool | None = None
    result_type: str | None = None
    meta: dict[str, Any] | None = msgspec.field(name="_meta", default=None)


_decode_text_result = msgspec.json.Decoder(_TextResult).decode


def _text_result(data: Raw | bytes) -> messages.CallToolResult | None:
    """The result that `from_wire` would give, in half the time, if it is plain text; None: ask `from_wire`."""
    try:
        found = _decode_text_result(data)
    except MALFORMED:
        return None
    structured = found.structured_content
    if structured is None:
        return None
    return messages.CallToolResult(
        content=tuple([messages.TextContent(text=block.text) for block in found.content]),
        structured_content=None if structured is UNSET else structured,
        is_error=found.is_error,
        result_type=found.result_type,
        meta=found.meta,
    )


def result_from_wire(cl: type[T], data: Raw | bytes | Mapping[str, Any]) -> T:
    """`from_wire` for results: also refuses a ``resultType`` other than ``complete`` (absent means complete).

    Raises:
        WireError: as `from_wire`.
        UnexpectedResultType: the server asks for input, or answers in the words of an extension; this side
            offered neither. MCP 2026-07-28: an unknown value is an invalid result.
    """
    result: Any = None
    if cl is messages.CallToolResult and isinstance(data, _TEXT):
        result = _text_result(data)
    if result is None:
        result = from_wire(cl, data)
    kind = getattr(result, "result_type", None)
    if kind is not None and kind != "complete":
        raise UnexpectedResultType(cl.__name__, "resultType", f"is {kind!r}, which was never offered", kind)
    return result  # type: ignore[no-any-return]


# Writing


def _spelled(value: Any) -> Any:
    if isinstance(value, messages.Part):
        return to_wire(value)
    if type(value) is tuple or type(value) is list:
        return [_spelled(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _spelled(item) for key, item in value.items()}
    return value


def _make_writer(cl: type) -> Writer:
    """Mappings that are the peer's JSON are passed on as they are, all else is spelled by what it is."""
    plan = [
        (attribute.name, wire, attribute.default is not None, _spelling(attribute) in _KINDS)
        for wire, attribute in _fields(cl).items()
    ]
    tag = _tag(cl)
    head = {} if tag is None else {tag[0]: tag[1]}

    def write(value: Any) -> dict[str, Any]:
        wire: dict[str, Any] = head.copy()
        for name, wire_name, always, as_it_is in plan:
            item = getattr(value, name)
            if item is not None or always:
                wire[wire_name] = item if as_it_is else _spelled(item)
        if value.extra:
            wire.update(value.extra)
        return wire

    return write


class _Writers(dict[type, Writer]):
    def __missing__(self, cl: type) -> Writer:
        writer = self[cl] = _make_writer(cl)
        return writer


_WRITERS = _Writers()


def to_wire(value: messages.Part) -> dict[str, Any]:
    """A value of one of the classes of `messages` as the JSON object that spells it."""
    return _WRITERS[type(value)](value)


def warm_up() -> None:
    """Load what the start of a modern connection reads and writes: some 4 ms, well spent while a child process
    starts, for they would else be spent when its first answer is there."""
    for cl in (
        messages.DiscoverResult,
        messages.ListToolsResult,
        messages.CallToolResult,
        messages.TextContent,
    ):
        _READERS[cl]
    for part in (messages.Implementation, messages.ClientCapabilities):
        _WRITERS[part]
