"""Python functions as MCP prompts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from attrs import define

from .functions import Function, schema_of
from .tools import is_protocol_value

__all__ = ["FunctionPrompt"]


@define(slots=False, eq=False)
class FunctionPrompt:
    """A prompt, and the function that writes it."""

    name: str
    function: Function
    title: str | None = None
    description: str | None = None

    @cached_property
    def wire(self) -> dict[str, Any]:
        """The prompt as ``prompts/list`` shows it."""
        wire: dict[str, Any] = {"name": self.name}
        if self.title is not None:
            wire["title"] = self.title
        if self.description is not None:
            wire["description"] = self.description
        schema = schema_of(self.function.arguments)
        required = schema.get("required", ())
        arguments = []
        for name, told in schema["properties"].items():
            argument = {"name": name, "required": name in required}
            if "description" in told:
                argument["description"] = told["description"]
            arguments.append(argument)
        if arguments:
            wire["arguments"] = arguments
        return wire

    def result_of(self, value: Any) -> dict[str, Any]:
        """What the function returned as a GetPromptResult in wire names.

        A string is what the user says; a list is a conversation, of strings, of ``("assistant", "text")`` pairs, of
        content blocks and of MCP's own PromptMessages; a GetPromptResult is taken as it is.

        Raises:
            TypeError: it is none of these.
        """
        if is_protocol_value(value) and hasattr(value, "messages"):
            from runtime.protocol import to_wire

            return to_wire(value)
        said = value if isinstance(value, list) else [value]
        result: dict[str, Any] = {"messages": [_message(each) for each in said]}
        if self.description is not None:
            result["description"] = self.description
        return result


def _message(value: Any) -> Mapping[str, Any]:
    match value:
        case str():
            return {"role": "user", "content": {"type": "text", "text": value}}
        case ("user" | "assistant" as role, said):
            return {**_message(said), "role": role}
        case _ if is_protocol_value(value):
            from runtime.protocol import to_wire

            wire = to_wire(value)
            return wire if "role" in wire else {"role": "user", "content": wire}
        case _:
            raise TypeError(f"a prompt says strings and messages, not {type(value).__name__}")
