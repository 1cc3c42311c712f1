"""What of a message travels in HTTP headers too, so that those on the way may route by it: pure.

MCP 2026-07-28, basic/transports/streamable-http: request metadata, custom headers from tool parameters.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

__all__ = ["ParameterHeaders", "header_value", "invalid_annotation", "parameter_headers", "parameter_values"]

ParameterHeaders: TypeAlias = Mapping[tuple[str, ...], str]
"""Of one tool: the path of each parameter that is mirrored, through nested ``properties``, and its header's name."""

_ANNOTATION = "x-mcp-header"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_PLAIN = re.compile(r"(?! )[ -~]*(?<! )")
_ENCODED = re.compile(r"=\?base64\?.*\?=", re.DOTALL)
_TYPES = ("string", "integer", "boolean")
_SAFE = 2**53 - 1  # the largest integer that a reader in JavaScript reads as it is

# Where a schema holds schemas, by the shape of the keyword's value (JSON Schema 2020-12, and its `definitions`).
_ONE = [
    "additionalProperties",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
]
_LIST = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
_NAMED = ("$defs", "definitions", "dependentSchemas", "patternProperties")


def header_value(value: str) -> str:
    """The value as a header can carry it: as it is where that is safe, else in its base64 form."""
    if _PLAIN.fullmatch(value) and not _ENCODED.fullmatch(value):
        return value
    return f"=?base64?{b64encode(value.encode('utf-8', 'surrogatepass')).decode()}?="


def invalid_annotation(schema: Any) -> str | None:
    """Why a tool with this ``inputSchema`` must not be listed to users of HTTP; None: nothing speaks against it.

    The caller drops such a tool, and that one alone, with a warning that names the tool and the reason.
    """
    seen: set[str] = set()
    for path, annotated in _annotated(schema):
        name = annotated[_ANNOTATION]
        if not path:
            return f"{_ANNOTATION} {name!r} stands where no chain of properties leads"
        where = f"{_ANNOTATION} of {'.'.join(path)!r}"
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):
            return f"{where} is {name!r}, which is no name for a header"
        if annotated.get("type") not in _TYPES:
            return f"{where} is for a string, an integer or a boolean, not for type {annotated.get('type')!r}"
        if name.lower() in seen:
            return f"{where} is {name!r}, as another one is"
        seen.add(name.lower())
    return None


def parameter_headers(schema: Any) -> ParameterHeaders:
    """The parameters of a tool that are mirrored; none where an annotation is invalid."""
    if invalid_annotation(schema) is not None:
        return {}
    return {path: f"Mcp-Param-{annotated[_ANNOTATION]}" for path, annotated in _annotated(schema) if path}


def parameter_values(headers: ParameterHeaders, arguments: Any) -> dict[str, str]:
    """The headers of one call: those whose parameter has a value in ``arguments``."""
    values = {}
    for path, header in headers.items():
        value = arguments
        for step in path:
            value = value.get(step) if isinstance(value, Mapping) else None
        match value:
            case bool():
                values[header] = "true" if value else "false"
            case int() if -_SAFE <= value <= _SAFE:
                values[header] = str(value)
            case str():
                values[header] = header_value(value)
    return values


def _annotated(schema: Any) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Every schema in the schema that is annotated, and the chain of properties to it; () where there is none.

    A ``$ref`` is not followed: what it leads to is annotated where it stands.
    """
    waiting: list[tuple[tuple[str, ...] | None, Any]] = [((), schema)]  # no recursion: the schema is a stranger's
    while waiting:
        path, here = waiting.pop()
        if not isinstance(here, Mapping):
            continue
        if _ANNOTATION in here:
            yield path or (), here
        properties = here.get("properties")
        if isinstance(properties, Mapping):
            waiting += ((None if path is None else (*path, name), inner) for name, inner in properties.items())
        waiting += ((None, here[keyword]) for keyword in _ONE if keyword in here)
        for keyword in _LIST:
            if isinstance(inner := here.get(keyword), list):
                waiting += ((None, each) for each in inner)
        for keyword in _NAMED:
            if isinstance(inner := here.get(keyword), Mapping):
                waiting += ((None, each) for each in inner.values())
