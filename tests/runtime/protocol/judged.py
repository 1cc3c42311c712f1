"""A client connection whose every line is judged by the official schema of its revision, and words to talk to it."""

import json
from typing import Any

from hypothesis import HealthCheck, settings

from runtime.protocol import (
    LEGACY_VERSIONS,
    MODERN_VERSION,
    ClientCapabilities,
    ClientConnection,
    Era,
    Implementation,
    Send,
)
from tests.runtime.protocol.conftest import Official

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The first example of a run makes the message classes, on a machine that may be busy."""

ME = Implementation(name="greenroom", version="0")
ALL = ClientCapabilities(
    roots={"listChanged": True}, sampling={"tools": {}, "context": {}}, elicitation={"form": {}, "url": {}}
)
KEY = "io.modelcontextprotocol/"
DISCOVERED = {
    "resultType": "complete",
    "supportedVersions": [MODERN_VERSION],
    "capabilities": {"tools": {"listChanged": True}},
    "instructions": "be kind",
    "ttlMs": 60000,
    "cacheScope": "public",
    "_meta": {KEY + "serverInfo": {"name": "s", "version": "1"}},
}
INITIALIZED = {
    "protocolVersion": "2025-06-18",
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "s", "version": "1"},
}


def line(**members: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **members}).encode()


def result(id: Any, body: Any) -> bytes:
    return line(id=id, result=body)


def error(id: Any, code: int, data: Any = None) -> bytes:
    return line(id=id, error={"code": code, "message": "no", **({} if data is None else {"data": data})})


def notification(method: str, **params: Any) -> bytes:
    return line(method=method, params=params)


def heard(listen: Any, method: str, **params: Any) -> bytes:
    """A notification of the subscription ``listen``."""
    return notification(method, _meta={KEY + "subscriptionId": listen}, **params)


def sent(data: bytes) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(data)
    return message


class Judged:
    """Does what a `ClientConnection` does. What it would write is checked first, whichever way it comes out."""

    def __init__(self, *args: Any, **named: Any) -> None:
        self.connection = ClientConnection(*args, **named)
        self.written: list[dict[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.connection, name)
        if not callable(found):
            return found

        def judged(*args: Any, **named: Any) -> Any:
            out = found(*args, **named)
            for each in out if isinstance(out, list) else [out]:
                self._judge(each)
            return out

        return judged

    def _judge(self, out: Any) -> None:
        match out:
            case bytes() | Send(bytes()):
                data = out if isinstance(out, bytes) else out.data
            case (int(), bytes() as data):
                pass
            case _:
                return
        message = Official(self._version(data)).check_line(data)
        if self.connection.era is Era.MODERN and "id" in message and "method" in message:
            Official(MODERN_VERSION).check("RequestParams", message["params"])
        self.written.append(message)

    def _version(self, data: bytes) -> str:
        if self.connection.version is not None:
            return self.connection.version
        return MODERN_VERSION if b"server/discover" in data else LEGACY_VERSIONS[0]


def client(era: Any = "auto", capabilities: ClientCapabilities | None = None, **more: Any) -> Any:
    return Judged(ME, capabilities or ClientCapabilities(), era, **more)


def modern(capabilities: ClientCapabilities | None = None) -> Any:
    connection = client("modern", capabilities)
    connection.open()
    [_] = connection.receive(result(1, DISCOVERED))
    assert connection.era is Era.MODERN
    return connection


def legacy(capabilities: ClientCapabilities | None = None, version: str = "2025-06-18") -> Any:
    connection = client("legacy", capabilities)
    connection.open()
    [_, _] = connection.receive(result(1, {**INITIALIZED, "protocolVersion": version}))
    assert connection.version == version
    return connection
