"""A Python function as an MCP tool: its schema, its arguments, its result. Pure, but for the function itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, get_type_hints

import msgspec
from attrs import define
from msgspec import Raw

if TYPE_CHECKING:
    from typing_extensions import TypeIs

__all__ = ["FunctionTool", "InvalidArguments", "Progress", "ToolError"]

_REF = "#/$defs/{name}"


class ToolError(Exception):
    """Raised by a tool to fail with exactly this text. Any other exception is shown with its type's name."""


class InvalidArguments(Exception):
    """The arguments do not fit the tool's schema; says where and why."""


class Progress(Protocol):
    """A tool that has a parameter of this type can tell its caller how far it is.

    Never waits, may be called from the tool's thread, and does nothing where the caller did not ask.
    """

    def __call__(self, progress: float, total: float | None = None, message: str | None = None) -> None: ...


@define(slots=False, eq=False)
class FunctionTool:
    """One function with its schema.

    Args:
        blocking: the function is plain and may take its time: it runs in a worker thread. False: it runs
            where it is, and everything waits for it. Of no meaning for ``async`` functions.
    Raises:
        TypeError: the function's signature cannot be told in JSON Schema.
    """

    name: str
    function: Callable[..., Any]
    title: str | None = None
    description: str | None = None
    annotations: Mapping[str, Any] | None = None
    blocking: bool = True

    def __attrs_post_init__(self) -> None:
        self._progress, self._arguments, self._result_type = _signature(self.name, self.function)
        self.is_async = inspect.iscoroutinefunction(self.function)

    @cached_property
    def wire(self) -> dict[str, Any]:
        """The tool as ``tools/list`` shows it."""
        wire: dict[str, Any] = {"name": self.name}
        if self.title is not None:
            wire["title"] = self.title
        if self.description is not None:
            wire["description"] = self.description
        wire["inputSchema"] = _schema(self._arguments)
        if (output := self.output_schema) is not None:
            wire["outputSchema"] = output
        if self.annotations is not None:
            wire["annotations"] = dict(self.annotations)
        return wire

    @cached_property
    def output_schema(self) -> dict[str, Any] | None:
        """Of the declared result, where that is an object with named fields; None otherwise."""
        if not hasattr(self._result_type, "__annotations__") or _is_protocol_value(self._result_type):
            return None
        schema = _schema(self._result_type)
        return schema if schema.get("type") == "object" else None

    def bind(self, arguments: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
        """The function's keyword arguments, of the types that it declares.

        Raises:
            InvalidArguments: names the path of what does not fit.
        """
        try:
            values = msgspec.convert(arguments, self._arguments)
        except msgspec.ValidationError as error:
            raise InvalidArguments(_explain(self.name, str(error))) from None
        bound = {name: getattr(values, name) for name in self._arguments.__struct_fields__}
        if self._progress is not None:
            bound[self._progress] = progress
        return bound


def _signature(name: str, function: Callable[..., Any]) -> tuple[str | None, type[msgspec.Struct], Any]:
    hints = get_type_hints(function, include_extras=True)
    progress = None
    fields: list[Any] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"tool {name!r}: parameter {parameter} has no name that a caller could use")
        hint = hints.get(parameter.name, Any)
        if hint is Progress:
            progress = parameter.name
        elif parameter.default is parameter.empty:
            fields.append((parameter.name, hint))
        else:
            fields.append((parameter.name, hint, parameter.default))
    arguments = msgspec.defstruct("Arguments", fields, kw_only=True, forbid_unknown_fields=True)
    return progress, arguments, hints.get("return")


def _schema(tp: Any) -> dict[str, Any]:
    [root], components = msgspec.json.schema_components([tp], ref_template=_REF)
    if "$ref" in root:
        root = components.pop(root["$ref"].removeprefix(_REF.format(name="")))
    schema = {key: value for key, value in root.items() if key != "title"}
    return {**schema, "$defs": components} if components else schema


def _explain(tool: str, problem: str) -> str:
    """msgspec's words (``Expected `int`, got `str` - at `$.a```) with a path that a caller knows."""
    what, _, path = problem.partition(" - at ")
    where = "arguments" + path.strip("`").removeprefix("$") if path else "arguments"
    return f"Invalid arguments for tool {tool!r}: {where}: {what}"


def _is_protocol_value(value: Any) -> TypeIs[Any]:
    """Whether it is, or is a type of, MCP's own: then what it says is what is sent."""
    cl = value if isinstance(value, type) else type(value)
    return cl.__module__.startswith("runtime.protocol.messages.")


def text_result(text: str, *, is_error: bool = False) -> dict[str, Any]:
    """A CallToolResult of one text block, in wire names."""
    content = [{"type": "text", "text": text}]
    return {"content": content, "isError": True} if is_error else {"content": content}


def result_of(value: Any) -> dict[str, Any]:
    """What a function returned as a CallToolResult in wire names.

    None is no content; a string is text; MCP's own values (a CallToolResult, a content block, a list of
    blocks) are taken as they are; anything else is JSON text, and an object is structured content as well.

    Raises:
        TypeError, ValueError: it cannot be told in JSON.
    """
    if value is None:
        return {"content": []}
    if isinstance(value, str):
        return text_result(value)
    blocks = value if isinstance(value, list | tuple) else [value]
    if blocks and all(map(_is_protocol_value, blocks)):
        from runtime.protocol import CallToolResult, to_wire

        if isinstance(value, CallToolResult):
            return {"content": [], **to_wire(value)}
        return {"content": [to_wire(block) for block in blocks]}
    json = msgspec.json.encode(value)
    result = text_result(json.decode())
    if json.startswith(b"{"):
        result["structuredContent"] = Raw(json)
    return result
