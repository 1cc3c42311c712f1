"""The official schemas as judge: data/ holds them and the examples of the modern one, as published."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parent / "data"

_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
}
_SILENT = {"$schema", "description", "format", "definitions", "$defs", "default", "title"}


@cache
def _definitions(version: str) -> dict[str, Any]:
    schema = json.loads((DATA / f"{version}.json").read_text())
    return schema.get("$defs") or schema["definitions"]


def _faults(value: Any, schema: dict[str, Any], defs: dict[str, Any], path: str) -> Iterator[str]:
    """Every place at which ``value`` breaks ``schema``; knows the keywords of MCP's schemas and no others."""
    for keyword, rule in schema.items():
        match keyword:
            case "$ref":
                yield from _faults(value, defs[rule.rpartition("/")[2]], defs, path)
            case "type":
                names = rule if isinstance(rule, list) else [rule]
                if not any(_TYPES[name](value) for name in names):
                    yield f"{path}: {value!r} is no {rule}"
            case "const":
                if value != rule:
                    yield f"{path}: {value!r} is not {rule!r}"
            case "enum":
                if value not in rule:
                    yield f"{path}: {value!r} is none of {rule}"
            case "anyOf":
                if all(any(_faults(value, arm, defs, path)) for arm in rule):
                    yield f"{path}: {value!r} fits no alternative"
            case "allOf":
                for arm in rule:
                    yield from _faults(value, arm, defs, path)
            case "required":
                if isinstance(value, dict):
                    yield from (f"{path}: {name} is missing" for name in rule if name not in value)
            case "properties":
                if isinstance(value, dict):
                    for name in rule.keys() & value.keys():
                        yield from _faults(value[name], rule[name], defs, f"{path}.{name}")
            case "additionalProperties":
                if isinstance(value, dict):
                    for name in value.keys() - schema.get("properties", {}).keys():
                        if rule is False:
                            yield f"{path}: {name} is not allowed"
                        elif rule is not True:
                            yield from _faults(value[name], rule, defs, f"{path}.{name}")
            case "items":
                if isinstance(value, list):
                    for index, item in enumerate(value):
                        yield from _faults(item, rule, defs, f"{path}[{index}]")
            case "minimum":
                if isinstance(value, int | float) and value < rule:
                    yield f"{path}: {value} < {rule}"
            case "maximum":
                if isinstance(value, int | float) and value > rule:
                    yield f"{path}: {value} > {rule}"
            case "maxItems":
                if isinstance(value, list) and len(value) > rule:
                    yield f"{path}: more than {rule} items"
            case _ if keyword not in _SILENT:
                raise NotImplementedError(keyword)


class Official:
    """What MCP's schema of one revision says about a value."""

    def __init__(self, version: str) -> None:
        self.version = version

    def check(self, type: str, value: Any) -> None:
        definitions = _definitions(self.version)
        faults = list(_faults(value, definitions[type], definitions, type))
        assert not faults, faults

    def check_line(self, line: bytes, *, answers: str | None = None) -> Any:
        """Check one line that a connection emitted; ``answers`` is the method that a response belongs to."""
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        message = json.loads(line)
        self.check(self._type(message, answers), message)
        if "result" in message and answers:
            result = _RESULTS.get(answers)
            if result is not None:
                self.check(result, message["result"])
        return message

    def _type(self, message: dict[str, Any], answers: str | None) -> str:
        definitions = _definitions(self.version)
        if "method" not in message:
            if "error" in message:
                return "JSONRPCErrorResponse" if "JSONRPCErrorResponse" in definitions else "JSONRPCError"
            return "JSONRPCResultResponse" if "JSONRPCResultResponse" in definitions else "JSONRPCResponse"
        for name, definition in definitions.items():
            if definition.get("properties", {}).get("method", {}).get("const") == message["method"]:
                return name
        return "JSONRPCRequest" if "id" in message else "JSONRPCNotification"


_RESULTS = {
    "server/discover": "DiscoverResult",
    "initialize": "InitializeResult",
    "tools/list": "ListToolsResult",
    "tools/call": "CallToolResult",
    "resources/list": "ListResourcesResult",
    "resources/templates/list": "ListResourceTemplatesResult",
    "resources/read": "ReadResourceResult",
    "prompts/list": "ListPromptsResult",
    "prompts/get": "GetPromptResult",
    "completion/complete": "CompleteResult",
    "subscriptions/listen": "SubscriptionsListenResult",
    "input_required": "InputRequiredResult",
    "ping": "EmptyResult",
}


@pytest.fixture(scope="session")
def official() -> Callable[[str], Official]:
    return Official


@pytest.fixture(scope="session")
def examples() -> Callable[[str], dict[str, Any]]:
    """The official examples of a type of 2026-07-28, by file name."""

    def load(type: str) -> dict[str, Any]:
        found = {path.name: json.loads(path.read_text()) for path in (DATA / "examples" / type).iterdir()}
        assert found
        return found

    return load
