"""MCP's schemas as judge, as inventory, and as a source of values: data/ holds them as published."""

import json
from collections.abc import Iterator
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

import jsonschema_rs
from hypothesis import strategies as st

DATA = Path(__file__).parent / "data"
VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
# These three are recursive, and published without null and fractions.
_PLAIN = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=3,
)
_PLAIN_JSON = {
    "JSONValue": _PLAIN,
    "JSONObject": st.dictionaries(st.text(max_size=5), _PLAIN, max_size=2),
    "JSONArray": st.lists(_PLAIN, max_size=2),
}
_PLAIN_SAMPLES: dict[str, list[Any]] = {
    "JSONValue": [True, {"a": [1]}],
    "JSONObject": [{}, {"a": [1]}],
    "JSONArray": [[], [1]],
}
_ABSENT = object()


@cache
def _schema(version: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((DATA / f"{version}.json").read_text())
    return schema


@cache
def definitions(version: str) -> dict[str, Any]:
    schema = _schema(version)
    found: dict[str, Any] = schema.get("$defs") or schema["definitions"]
    return found


@cache
def _validator(version: str, name: str) -> jsonschema_rs.Validator:
    schema = _schema(version)
    ref = f"#/{'$defs' if '$defs' in schema else 'definitions'}/{name}"
    # Beside a $ref draft 7 ignores all else, so the reference goes into an arm of its own.
    return jsonschema_rs.validator_for({**schema, "allOf": [{"$ref": ref}]}, validate_formats=False)


def faults(version: str, name: str, value: Any) -> list[str]:
    """Every place at which ``value`` breaks the definition."""
    return [
        f"{name}{list(error.instance_path)}: {error.message}" for error in _validator(version, name).iter_errors(value)
    ]


def resolved(version: str, schema: Any) -> dict[str, Any]:
    """The schema itself, behind its reference, and with the arms of an ``allOf`` made one."""
    if "$ref" in schema:
        return resolved(version, definitions(version)[schema["$ref"].rpartition("/")[2]])
    if "allOf" not in schema:
        return dict(schema)
    arms = [resolved(version, arm) for arm in schema["allOf"]] + [{k: v for k, v in schema.items() if k != "allOf"}]
    merged: dict[str, Any] = {"type": "object", "properties": {}, "required": []}
    for arm in arms:
        merged["properties"] |= arm.get("properties", {})
        merged["required"] += arm.get("required", [])
    return merged


def _name(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


# All alternatives, one after the other


def samples(version: str, schema: dict[str, Any]) -> list[Any]:
    """A few values in which every property, present and absent, and every alternative occurs at least once."""
    if (known := _PLAIN_SAMPLES.get(_name(schema))) is not None:
        return known
    schema = resolved(version, schema)
    if "const" in schema:
        return [schema["const"]]
    if "enum" in schema:
        return list(schema["enum"])
    if "anyOf" in schema:
        return [value for arm in schema["anyOf"] for value in samples(version, arm)]
    kinds = schema.get("type", "any")
    return [
        value for kind in ([kinds] if isinstance(kinds, str) else kinds) for value in _samples_of(version, kind, schema)
    ]


def _samples_of(version: str, kind: str, schema: dict[str, Any]) -> list[Any]:
    match kind:
        case "object":
            return list(_objects(version, schema))
        case "array":
            items = samples(version, schema.get("items", {}))
            return [[], items[: schema.get("maxItems", len(items))]]
        case "string":
            return ["", "s \u00e9\U0001f600"]
        case "integer":
            return [schema.get("minimum", -(2**70)), 2**70]
        case "number":
            return [schema.get("minimum", -1), schema.get("maximum", 1e300), 0.5]
        case "boolean":
            return [True, False]
        case "null":
            return [None]
        case "any":
            return [None, 0, [{"a": 1.5}]]
    raise NotImplementedError(kind)


def _objects(version: str, schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    properties, required = schema.get("properties", {}), schema.get("required", [])
    more = schema.get("additionalProperties", True)
    choices = {name: samples(version, each) for name, each in properties.items()}
    others = [_ABSENT] if more is False else [_ABSENT, [1]] if more in (True, {}) else samples(version, more)
    yield {name: choices[name][0] for name in required}
    for row in zip_longest(*choices.values(), others, fillvalue=_ABSENT):
        *values, other = row
        known = {
            name: found[0] if value is _ABSENT else value
            for (name, found), value in zip(choices.items(), values, strict=True)
        }
        yield known if other is _ABSENT else known | {"x-more": other}


# Any of them


@cache
def _named_strategy(version: str, name: str) -> st.SearchStrategy[Any]:
    return st.deferred(lambda: _strategy(version, resolved(version, definitions(version)[name])))


def strategy(version: str, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that the schema allows."""
    if name := _name(schema):
        return _PLAIN_JSON[name] if name in _PLAIN_JSON else _named_strategy(version, name)
    return _strategy(version, resolved(version, schema))


def _strategy(version: str, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        return st.one_of([strategy(version, arm) for arm in schema["anyOf"]])
    kinds = schema.get("type", "any")
    return st.one_of([_strategy_of(version, kind, schema) for kind in ([kinds] if isinstance(kinds, str) else kinds)])


def _strategy_of(version: str, kind: str, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    match kind:
        case "object":
            properties, required = schema.get("properties", {}), schema.get("required", [])
            more = schema.get("additionalProperties", True)
            parts = {name: strategy(version, each) for name, each in properties.items()}
            known = st.fixed_dictionaries(
                {name: parts[name] for name in required},
                optional={name: part for name, part in parts.items() if name not in required},
            )
            if more is False:
                return known
            values = JSON if more in (True, {}) else strategy(version, more)
            others = st.dictionaries(st.text(max_size=5).map("x-{}".format), values, max_size=1)
            return st.builds(lambda others, known: {**others, **known}, others, known)
        case "array":
            return st.lists(strategy(version, schema.get("items", {})), max_size=min(schema.get("maxItems", 2), 2))
        case "string":
            return st.text(max_size=8)
        case "integer":
            return st.integers(schema.get("minimum"), schema.get("maximum")) | st.integers(2**60, 2**80)
        case "number":
            low, high = schema.get("minimum"), schema.get("maximum")
            return st.integers(low, high) | st.floats(low, high, allow_nan=False, allow_infinity=False)
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case "any":
            return JSON
    raise NotImplementedError(kind)
