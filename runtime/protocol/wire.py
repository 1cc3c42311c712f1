"""Between the types of `messages` and the wire: one rule, made into cattrs hooks when first used.

JSON is decoded by msgspec, so values here are exactly dict, list, str, int, float, bool or None, and checks
are by exact type: a number where a string belongs is an error, never a conversion. The hooks are built
without cattrs' detailed validation; when one fails, `_locate` walks the value again to name the place in wire
names.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin

import attrs
import msgspec
from msgspec import Raw

from . import messages
from .errors import UnexpectedResultType, WireError
from .jsonrpc import MALFORMED

if TYPE_CHECKING:
    from cattrs import Converter

__all__ = ["from_wire", "result_from_wire", "to_wire", "warm_up"]

T = TypeVar("T")

_EXTRA = "\0extra"  # where a hook hands the unknown fields to the generated one; a peer's own is in them

_NAMES = {str: "a string", int: "an integer", float: "a number", bool: "a boolean", dict: "an object",
          list: "an array", type(None): "null"}  # fmt: skip

_DEMANDS = {**_NAMES, bool: "true or false"}

_CONTENT: dict[str, type] = {
    cl.type: cl
    for cl in (
        messages.TextContent,
        messages.ImageContent,
        messages.AudioContent,
        messages.ResourceLink,
        messages.EmbeddedResource,
    )
}

_decode_json = msgspec.json.Decoder().decode


def _content_class(value: dict[str, Any]) -> type:
    tag = value.get("type")
    return _CONTENT.get(tag, messages.UnknownContent) if type(tag) is str else messages.UnknownContent


class _Mismatch(Exception):
    """A value of the wrong JSON type; becomes a WireError with its path."""


def _mismatch(expected: str, value: object) -> _Mismatch:
    return _Mismatch(f"must be {expected}, not {_NAMES.get(type(value), type(value).__name__)}")


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def _wire_name(attribute: attrs.Attribute[Any]) -> str:
    """The field's name on the wire; `_EXTRA` for the field that holds what has no name here."""
    return {"meta": "_meta", "extra": _EXTRA}.get(attribute.name) or _camel(attribute.name)


def _fields(cl: type) -> dict[str, attrs.Attribute[Any]]:
    return {_wire_name(attribute): attribute for attribute in attrs.fields(attrs.resolve_types(cl))}


def _origin(tp: Any) -> Any:
    return get_origin(tp)


def _is_optional(tp: Any) -> bool:
    return _origin(tp) in (Union, types.UnionType) and type(None) in get_args(tp)


def _without_none(tp: Any) -> Any:
    return Union[tuple(arm for arm in get_args(tp) if arm is not type(None))]  # noqa: UP007


def _scalar(kind: type) -> Callable[[Any, Any], Any]:
    def structure(value: Any, _: Any) -> Any:
        if type(value) is not kind:
            raise _mismatch(_DEMANDS[kind], value)
        return value

    return structure


def _optional_scalar(kind: type) -> Callable[[Any, Any], Any]:
    """`_scalar` or None in one call, for most fields are that."""

    def structure(value: Any, _: Any) -> Any:
        if value is not None and type(value) is not kind:
            raise _mismatch(_DEMANDS[kind], value)
        return value

    return structure


def _number(value: Any, _: Any) -> float:
    if type(value) is not float and type(value) is not int:
        raise _mismatch("a number", value)
    return value


def _request_id(value: Any, _: Any) -> int | str:
    if type(value) is not int and type(value) is not str:
        raise _mismatch("a string or an integer", value)
    return value


def _anything(value: Any, _: Any = None) -> Any:
    return value


@cache
def _converter() -> Converter:
    from cattrs import Converter
    from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

    converter = Converter(detailed_validation=False, prefer_attrib_converters=False)

    def class_hook(cl: type) -> Callable[[Any, Any], Any]:
        fields = _fields(cl)
        known = frozenset(fields) - {_EXTRA}
        if "type" in vars(cl):  # a tag is read by the union's hook
            known |= {"type"}
        renames: Any = {attribute.name: override(rename=wire) for wire, attribute in fields.items()}
        build: Callable[[Any, Any], Any] = make_dict_structure_fn(
            cl, converter, _cattrs_detailed_validation=False, _cattrs_forbid_extra_keys=False, **renames
        )

        def structure(value: Any, _: Any) -> Any:
            if type(value) is not dict:
                raise _mismatch("an object", value)
            if not value.keys() <= known:
                value = {**value, _EXTRA: {k: v for k, v in value.items() if k not in known}}
            return build(value, cl)

        return structure

    def class_unhook(cl: type) -> Callable[[Any], dict[str, Any]]:
        overrides: Any = {
            attribute.name: override(rename=wire, omit_if_default=attribute.default is None)
            for wire, attribute in _fields(cl).items()
        }
        build: Callable[[Any], dict[str, Any]] = make_dict_unstructure_fn(cl, converter, **overrides)
        tag = vars(cl).get("type") if cl is not messages.UnknownContent else None

        def unstructure(value: Any) -> dict[str, Any]:
            wire: dict[str, Any] = build(value)
            more = wire.pop(_EXTRA, None)
            if more:
                wire.update(more)
            return wire if tag is None else {"type": tag, **wire}

        return unstructure

    def sequence_hook(tp: Any) -> Callable[[Any, Any], Any]:
        element = get_args(tp)[0]
        hook = converter.get_structure_hook(element)

        def structure(value: Any, _: Any) -> Any:
            if type(value) is not list:
                raise _mismatch("an array", value)
            return tuple([hook(item, element) for item in value])

        return structure

    def optional_hook(tp: Any) -> Callable[[Any, Any], Any]:
        inner = _without_none(tp)
        if inner in (str, int, bool):
            return _optional_scalar(inner)
        hook = converter.get_structure_hook(inner)

        def structure(value: Any, _: Any) -> Any:
            return None if value is None else hook(value, inner)

        return structure

    def content(value: Any, _: Any) -> Any:
        if type(value) is not dict:
            raise _mismatch("an object", value)
        cl = _content_class(value)
        return converter.get_structure_hook(cl)(value, cl)

    converter.register_structure_hook_factory(attrs.has, class_hook)
    converter.register_unstructure_hook_factory(attrs.has, class_unhook)
    converter.register_structure_hook_factory(lambda tp: _origin(tp) is tuple, sequence_hook)
    converter.register_structure_hook_factory(_is_optional, optional_hook)
    converter.register_structure_hook(str, _scalar(str))
    converter.register_structure_hook(bool, _scalar(bool))
    converter.register_structure_hook(int, _scalar(int))
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook_func(lambda tp: tp == int | str or tp == Union[int, str], _request_id)  # noqa: UP007
    converter.register_structure_hook_func(lambda tp: tp == messages.Json, _scalar(dict))
    converter.register_structure_hook_func(lambda tp: tp is Any, _anything)
    converter.register_structure_hook_func(lambda tp: tp == messages.ContentBlock, content)
    converter.register_unstructure_hook_func(lambda tp: tp is Any or _origin(tp) is Mapping, _anything)
    return converter


def _locate(value: Any, tp: Any, path: str, reason: str) -> tuple[str, str]:
    """The first place at which ``value`` does not fit ``tp``, which is known to be somewhere in it."""
    if _is_optional(tp):
        tp = _without_none(tp)
    if tp == messages.ContentBlock and type(value) is dict:
        tp = _content_class(value)
    parts: list[tuple[str, Any, Any]] = []
    if attrs.has(tp) and type(value) is dict:
        for wire, attribute in _fields(tp).items():
            at = f"{path}.{wire}" if path else wire
            if wire in value:
                parts.append((at, value[wire], attribute.type))
            elif attribute.default is attrs.NOTHING:
                return at, "is missing"
    elif _origin(tp) is tuple and type(value) is list:
        parts = [(f"{path}[{index}]", item, get_args(tp)[0]) for index, item in enumerate(value)]
    for at, part, part_type in parts:
        try:
            _converter().structure(part, part_type)
        except (_Mismatch, KeyError) as error:
            return _locate(part, part_type, at, str(error))
    return path, reason


def from_wire(cl: type[T], data: Raw | bytes | Mapping[str, Any]) -> T:
    """The value of class ``cl`` (one of `messages`) that ``data`` spells, JSON text or decoded JSON.

    Raises:
        WireError: it spells none; names the MCP type, the path in wire names, and what is wrong there.
    """
    if isinstance(data, Raw | bytes):
        try:
            value = _decode_json(data)
        except MALFORMED as error:
            raise WireError(cl.__name__, "", f"is not JSON: {error}") from None
    else:
        value = data
    try:
        structured: T = _converter().get_structure_hook(cl)(value, cl)
    except (_Mismatch, KeyError) as error:
        raise WireError(cl.__name__, *_locate(value, cl, "", str(error))) from None
    return structured


class _Text(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    type: Literal["text"]  # a tag of msgspec's may be missing
    text: str


class _TextResult(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """What nearly every tool answers with, and nothing else."""

    content: list[_Text]
    structured_content: Any = None
    is_error: bool | None = None
    result_type: str | None = None


_decode_text_result = msgspec.json.Decoder(_TextResult).decode


def _text_result(data: Raw | bytes) -> messages.CallToolResult | None:
    """The result that `from_wire` would give, in half the time, if it is plain text; None: ask `from_wire`."""
    try:
        found = _decode_text_result(data)
    except MALFORMED:
        return None
    return messages.CallToolResult(
        content=tuple([messages.TextContent(text=block.text) for block in found.content]),
        structured_content=found.structured_content,
        is_error=found.is_error,
        result_type=found.result_type,
    )


def result_from_wire(cl: type[T], data: Raw | bytes | Mapping[str, Any]) -> T:
    """`from_wire` for results: also refuses a ``resultType`` other than ``complete`` (absent means complete).

    Raises:
        WireError: as `from_wire`.
        UnexpectedResultType: the server asks for input, or answers in the words of an extension; this side
            offered neither. MCP 2026-07-28: an unknown value is an invalid result.
    """
    result: Any = None
    if cl is messages.CallToolResult and isinstance(data, Raw | bytes):
        result = _text_result(data)
    if result is None:
        result = from_wire(cl, data)
    kind = getattr(result, "result_type", None)
    if kind is not None and kind != "complete":
        raise UnexpectedResultType(cl.__name__, "resultType", f"is {kind!r}, which was never offered", kind)
    return result  # type: ignore[no-any-return]


def to_wire(value: Any) -> dict[str, Any]:
    """A value of one of the classes of `messages` as the JSON object that spells it."""
    wire: dict[str, Any] = _converter().get_unstructure_hook(type(value))(value)
    return wire


def warm_up() -> None:
    """Import cattrs and make the hooks that the start of a modern connection needs: some 12 ms, well spent while
    a child process starts, for they would else be spent when its first answer is there."""
    converter = _converter()
    for cl in (messages.DiscoverResult, messages.ListToolsResult):
        converter.get_structure_hook(cl)
    for part in (messages.Implementation, messages.ClientCapabilities):
        converter.get_unstructure_hook(part)
