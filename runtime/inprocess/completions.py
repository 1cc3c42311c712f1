"""What an argument could be: asked of a function, or read off the type that the argument has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .functions import Function, schema_of

if TYPE_CHECKING:
    from .context import Context

__all__ = ["MOST", "choices", "complete", "completion_of"]

MOST = 100
"""Values that one answer may have (MCP, completion)."""


def choices(function: Function, argument: str, value: str) -> list[str]:
    """The values that begin so, of an argument that has a Literal or an Enum for its type."""
    schema = schema_of(function.arguments)
    told = schema["properties"].get(argument, {})
    if "$ref" in told:
        told = schema["$defs"][told["$ref"].rpartition("/")[2]]
    return [text for each in told.get("enum", ()) if (text := str(each)).startswith(value)]


async def complete(function: Function, value: str, arguments: Mapping[str, str], context: Context) -> Iterable[str]:
    """Ask the function; it takes the value begun and, if it likes, the arguments chosen already."""
    first, *rest = function.names
    given: dict[str, Any] = {first: value}
    if rest:
        given[rest[0]] = arguments
    values: Iterable[str] = await function.run(function.bind(given, context))
    return values


def completion_of(values: Iterable[str]) -> dict[str, Any]:
    """A CompleteResult in wire names."""
    found = list(values)
    return {"completion": {"values": found[:MOST], "total": len(found), "hasMore": len(found) > MOST}}
