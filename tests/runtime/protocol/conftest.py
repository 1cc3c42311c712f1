"""The official schemas as judge, for whatever a connection emits."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.runtime.protocol.official import DATA, definitions, faults


class Official:
    """What MCP's schema of one revision says about a value."""

    def __init__(self, version: str) -> None:
        self.version = version

    def check(self, type: str, value: Any) -> None:
        found = faults(self.version, type, value)
        assert not found, found

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
        known = definitions(self.version)
        if "method" not in message:
            if "error" in message:
                return "JSONRPCErrorResponse" if "JSONRPCErrorResponse" in known else "JSONRPCError"
            return "JSONRPCResultResponse" if "JSONRPCResultResponse" in known else "JSONRPCResponse"
        for name, definition in known.items():
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
