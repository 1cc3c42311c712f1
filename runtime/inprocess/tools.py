"""A Python function as an MCP tool: how it is listed, and what its result is."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

import msgspec
from attrs import define
from msgspec import Raw

from .functions import Function, schema_of

if TYPE_CHECKING:
    from typing_extensions import TypeIs

__all__ = ["FunctionTool", "is_protocol_value", "text_result"]


@define(slots=False, eq=False)
class FunctionTool:
    """One tool: a function, and what is said of it.

    Args:
        annotations: hints in wire names.
    """

    name: str
    function: Function
    title: str | None = None
    description: str | None = None
    annotations: Mapping[str, Any] | None = None

    @cached_property
    def wire(self) -> dict[str, Any]:
        """The tool as ``tools/list`` shows it."""
        wire: dict[str, Any] = {"name": self.name}
        if self.title is not None:
            wire["title"] = self.title
        if self.description is not None:
            wire["description"] = self.description
        wire["inputSchema"] = schema_of(self.function.arguments)
        if self.output_schema is not None:
            wire["outputSchema"] = self.output_schema
        if self.annotations is not None:
            wire["annotations"] = dict(self.annotations)
        return wire

    @cached_property
    def output_schema(self) -> dict[str, Any] | None:
        """Of the declared result, where it is structure: anything but text, nothing, and MCP's own values.

        It may be of no object: a client of a revision that takes objects only is not told of it. What JSON Schema
        cannot tell is not promised.
        """
        result = self.function.result
        if _is_unstructured(result):
            return None
        try:
            return schema_of(result)
        except TypeError:
            return None

    def result_of(self, value: Any) -> dict[str, Any]:
        """What the function returned as a CallToolResult in wire names.

        None is no content; a string is text; MCP's own values (a CallToolResult, a content block, a list of
        blocks) are taken as they are; anything else is JSON text, and structured content as well if it is an object
        or declared by the function.

        Raises:
            TypeError, ValueError: it cannot be told in JSON.
        """
        structured = self.output_schema is not None
        if value is None and not structured:
            return {"content": []}
        if isinstance(value, str) and not structured:
            return text_result(value)
        blocks = value if isinstance(value, list | tuple) else [value]
        if blocks and all(map(is_protocol_value, blocks)):
            from runtime.protocol import CallToolResult, to_wire

            if isinstance(value, CallToolResult):
                return {"content": [], **to_wire(value)}
            return {"content": [to_wire(block) for block in blocks]}
        json = msgspec.json.encode(value)
        result = text_result(json.decode())
        if structured or json.startswith(b"{"):
            result["structuredContent"] = Raw(json)
        return result


def text_result(text: str, *, is_error: bool = False) -> dict[str, Any]:
    """A CallToolResult of one text block, in wire names."""
    content = [{"type": "text", "text": text}]
    return {"content": content, "isError": True} if is_error else {"content": content}


def is_protocol_value(value: Any) -> TypeIs[Any]:
    """Whether it is, or is a type of, MCP's own: then what it says is what is sent."""
    cl = value if isinstance(value, type) else type(value)
    return cl.__module__.startswith("runtime.protocol.messages")


def _is_unstructured(tp: Any) -> bool:
    if tp in (None, Any, object, NoneType, str, bytes) or is_protocol_value(tp):
        return True
    if get_origin(tp) in (Union, UnionType):
        return any(map(_is_unstructured, get_args(tp)))
    if get_origin(tp) in (list, tuple):
        return any(is_protocol_value(arg) for part in get_args(tp) for arg in (get_args(part) or (part,)))
    return False
