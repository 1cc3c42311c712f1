"""Python functions as MCP resources and templates of resources."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, final
from urllib.parse import unquote

import msgspec
from attrs import define, field

from .functions import Function
from .tools import is_protocol_value

__all__ = ["FunctionResource", "Template", "is_template"]

_VARIABLE = re.compile(r"\{(\+?)(\w+)\}")


def is_template(uri: str) -> bool:
    return "{" in uri


@final
@define(eq=False)
class Template:
    """A URI template of RFC 6570 with the two forms that can be read backwards without doubt.

    ``{name}`` is a value without reserved characters, slashes among them; ``{+path}`` may have them.

    Raises:
        ValueError: another form, or a name twice.
    """

    text: str
    names: tuple[str, ...] = field(init=False)
    _pattern: re.Pattern[str] = field(init=False)

    def __attrs_post_init__(self) -> None:
        parts = _VARIABLE.split(self.text)  # literal, sign, name, literal, sign, name, ..., literal
        literals, signs, names = parts[::3], parts[1::3], parts[2::3]
        if any(set("{}") & set(literal) for literal in literals) or len(set(names)) < len(names):
            raise ValueError(f"resource template {self.text!r}: only {{name}} and {{+path}}, each name once")
        pattern = re.escape(literals[0])
        for sign, name, literal in zip(signs, names, literals[1:], strict=True):
            pattern += f"(?P<{name}>{'.+' if sign else '[^/?#]+'})" + re.escape(literal)
        self.names, self._pattern = tuple(names), re.compile(pattern)

    def match(self, uri: str) -> dict[str, str] | None:
        """The values of the variables, decoded; None: the URI is not of this template."""
        found = self._pattern.fullmatch(uri)
        return None if found is None else {name: unquote(value) for name, value in found.groupdict().items()}


@define(eq=False)
class FunctionResource:
    """A resource, or (with a template) a family of them, and the function that reads it.

    Raises:
        TypeError: the function's parameters are not the template's variables.
    """

    uri: str
    function: Function
    name: str
    title: str | None = None
    description: str | None = None
    mime_type: str | None = None
    annotations: Mapping[str, Any] | None = None
    template: Template | None = None

    def __attrs_post_init__(self) -> None:
        given = () if self.template is None else self.template.names
        if set(self.function.names) != set(given):
            raise TypeError(f"{self.function.what}: its parameters must be those of {self.uri!r}: {', '.join(given)}")

    @property
    def wire(self) -> dict[str, Any]:
        """It as its list shows it."""
        wire = {
            "uri" if self.template is None else "uriTemplate": self.uri,
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "mimeType": self.mime_type,
            "annotations": self.annotations,
        }
        return {key: value for key, value in wire.items() if value is not None}

    def arguments_of(self, uri: str) -> dict[str, str] | None:
        """What the function takes to read ``uri``; None: that is none of these."""
        if self.template is not None:
            return self.template.match(uri)
        return {} if uri == self.uri else None

    def result_of(self, value: Any, uri: str) -> dict[str, Any]:
        """What the function returned as a ReadResourceResult in wire names.

        A string is text, bytes are a blob; ResourceContents, or a list of them, are taken as they are; anything else
        is JSON text.

        Raises:
            TypeError, ValueError: it cannot be told in JSON.
        """
        parts = value if isinstance(value, list | tuple) else [value]
        if parts and all(map(is_protocol_value, parts)):
            from runtime.protocol import to_wire

            return {"contents": [to_wire(part) for part in parts]}
        contents: dict[str, Any] = {"uri": uri}
        if isinstance(value, bytes):
            contents |= {"mimeType": self.mime_type or "application/octet-stream", "blob": b64encode(value).decode()}
        elif isinstance(value, str):
            contents |= {"mimeType": self.mime_type or "text/plain", "text": value}
        else:
            text = msgspec.json.encode(value).decode()
            contents |= {"mimeType": self.mime_type or "application/json", "text": text}
        return {"contents": [contents]}
