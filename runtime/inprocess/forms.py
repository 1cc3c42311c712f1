"""A type as a form that a person fills in: the flat schemas that elicitation allows, and the answer as that type."""

from __future__ import annotations

from typing import Any, TypeVar, get_type_hints

import msgspec

from .functions import description_of, schema_of

__all__ = ["answer_of", "form_of"]

T = TypeVar("T")

_FORMATS = {"email", "uri", "date", "date-time"}
_KEEP = {
    "string": {"type", "title", "description", "default", "enum", "minLength", "maxLength", "format"},
    "number": {"type", "title", "description", "default", "minimum", "maximum"},
    "integer": {"type", "title", "description", "default", "minimum", "maximum"},
    "boolean": {"type", "title", "description", "default"},
    "array": {"type", "title", "description", "default", "items", "minItems", "maxItems"},
}


def form_of(tp: type) -> dict[str, Any]:
    """The schema of a form with one field for each of the type's.

    Args:
        tp: a dataclass, an attrs class, a TypedDict or a msgspec Struct whose fields are strings, numbers, booleans,
            Literals or Enums of strings, lists of these, or such or None, which need not be filled in.
    Raises:
        TypeError: it has a field that no form has.
    """
    schema = schema_of(tp)
    if schema.get("type") != "object" or "properties" not in schema:
        raise TypeError(f"{tp!r} has no fields to fill in")
    defs = schema.get("$defs", {})
    hints = get_type_hints(tp, include_extras=True)
    properties = {}
    for name, told in schema["properties"].items():
        described = {"description": text} if (text := description_of(hints.get(name))) else {}
        properties[name] = _field(name, {**told, **described}, defs)
    form: dict[str, Any] = {"type": "object", "properties": properties}
    if required := [name for name in schema.get("required", ()) if not _may_be_null(schema["properties"][name])]:
        form["required"] = required
    return form


def _may_be_null(told: dict[str, Any]) -> bool:
    return {"type": "null"} in told.get("anyOf", ())


def _field(name: str, told: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any]:
    if "anyOf" in told:
        arms = [arm for arm in told["anyOf"] if arm != {"type": "null"}]
        if len(arms) == 1:
            told = {**{key: value for key, value in told.items() if key != "anyOf"}, **arms[0]}
            if told.get("default", ...) is None:
                del told["default"]
    if "$ref" in told:
        told = {**defs[told["$ref"].rpartition("/")[2]], **{k: v for k, v in told.items() if k != "$ref"}}
    if "enum" in told and all(isinstance(value, str) for value in told["enum"]):
        told = {**told, "type": "string"}
    kind = told.get("type", "")
    if kind == "array":
        told = {**told, "items": _field(name, told.get("items", {}), defs)}
    if kind not in _KEEP or (kind == "array" and "enum" not in told["items"]):
        raise TypeError(f"field {name!r}: a form has strings, numbers, booleans and choices of strings")
    kept = {key: value for key, value in told.items() if key in _KEEP[kind]}
    if kept.get("format") not in _FORMATS:
        kept.pop("format", None)
    return kept


def answer_of(tp: type[T], content: Any) -> T:
    """What was filled in, as the type that asked for it.

    Raises:
        ValueError: it does not fit.
    """
    return msgspec.convert(content, tp)
