"""The server's end of a connection: lines in, events out; what to send, bytes out. No I/O, no clock.

The first request that states an era binds the connection to it: an envelope in ``_meta`` is modern,
``initialize`` is legacy. What is answered without knowing any tool (discover, initialize, ping, refusals) is
answered here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import msgspec
from attrs import define, field, frozen
from msgspec import Raw

from . import codes
from .errors import InvalidMessage, LocalProtocolError, excerpt
from .events import Asked, Ignored, Notified, Send
from .jsonrpc import (
    MALFORMED,
    Body,
    ErrorResponse,
    JsonRpcError,
    Notification,
    Request,
    RequestId,
    Response,
    decode,
    encode_error,
    encode_json,
    encode_notification,
    encode_response,
)
from .versions import (
    CLIENT_CAPABILITIES,
    LEGACY_VERSIONS,
    MODERN_VERSION,
    PROTOCOL_VERSION,
    SERVER_INFO,
    Era,
)

__all__ = ["CancelRequested", "ServerConnection", "ServerEvent"]


@frozen
class CancelRequested:
    """The client no longer waits for this request: stop the work. Nothing more is sent for it."""

    id: RequestId
    reason: str | None


ServerEvent: TypeAlias = Asked | CancelRequested | Notified | Send | Ignored

_decode_object = msgspec.json.Decoder(dict[str, Any]).decode

# MCP 2026-07-28, caching: complete results of these carry hints.
_CACHEABLE = frozenset(
    {
        "server/discover",
        "tools/list",
        "prompts/list",
        "resources/list",
        "resources/templates/list",
        "resources/read",
    }
)


@frozen
class _Work:
    method: str
    token: RequestId | None


@define(eq=False)
class ServerConnection:
    """Answers one client over one ordered connection, in the era that its first request chooses.

    ``info`` and ``capabilities`` are JSON objects in wire names (Implementation, ServerCapabilities); lists
    are marked as good for ``list_ttl`` milliseconds by whoever reads them.
    """

    _info: Mapping[str, Any]
    _capabilities: Mapping[str, Any]
    _instructions: str | None = None
    _list_ttl: int = 0
    _era: Era | None = field(default=None, init=False)
    _version: str | None = field(default=None, init=False)
    # {id: work} of what was asked and is neither answered nor cancelled
    _pending: dict[RequestId, _Work] = field(factory=dict, init=False)
    _result_meta: Raw = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._result_meta = Raw(encode_json({SERVER_INFO: self._info}))

    @property
    def era(self) -> Era | None:
        """None until the client's first request."""
        return self._era

    @property
    def version(self) -> str | None:
        """The revision spoken; None until the client's first request."""
        return self._version

    @property
    def pending(self) -> Mapping[RequestId, str]:
        """The method of each request that waits for its answer, oldest first."""
        return MappingProxyType({id: work.method for id, work in self._pending.items()})

    def receive(self, line: bytes) -> list[ServerEvent]:
        """What one line from the client means. Never raises for anything a client can send."""
        try:
            message = decode(line)
        except InvalidMessage as error:
            return [Ignored(error.reason, error.line)]
        match message:
            case Request():
                return [self._request(message)]
            case Notification():
                return [self._notification(message, line)]
            case Response() | ErrorResponse():
                return [Ignored("an answer, though nothing was asked", excerpt(line))]

    def answer(self, id: RequestId, result: Mapping[str, Any]) -> bytes | None:
        """The line that answers a request; None when nobody waits for it any more.

        In the modern era it gets what the revision asks for: ``resultType``, cache hints, the server's name.
        """
        work = self._pending.get(id)
        if work is None:
            return None
        line = encode_response(id, self._dressed(work.method, result))
        del self._pending[id]
        return line

    def fail(self, id: RequestId, error: JsonRpcError) -> bytes | None:
        """The line that answers a request with an error; None when nobody waits for it any more."""
        return None if self._pending.pop(id, None) is None else encode_error(id, error)

    def progress(
        self, id: RequestId, progress: float, total: float | None = None, message: str | None = None
    ) -> bytes | None:
        """A progress notification for a request that waits; None when its client did not ask for any."""
        work = self._pending.get(id)
        if work is None or work.token is None:
            return None
        params: dict[str, Any] = {"progressToken": work.token, "progress": progress}
        if total is not None:
            params["total"] = total
        if message is not None:
            params["message"] = message
        return encode_notification("notifications/progress", params)

    def notify(self, method: str, params: Body | None = None) -> bytes:
        """A notification to the client.

        Raises:
            LocalProtocolError: the era is modern, where only ``subscriptions/listen`` carries these.
        """
        if self._era is not Era.LEGACY:
            raise LocalProtocolError(f"{method}: no client has subscribed to it")
        return encode_notification(method, params)

    def _request(self, request: Request) -> ServerEvent:
        id, method = request.id, request.method
        try:
            params: dict[str, Any] = {} if request.params is None else _decode_object(request.params)
            meta = _object(params.get("_meta"), "_meta")
        except (*MALFORMED, _NotAnObject) as error:
            return _refuse(id, codes.INVALID_PARAMS, f"Invalid params: {error}")
        if id in self._pending:
            return _refuse(id, codes.INVALID_REQUEST, f"Request id {id!r} is in use")
        if method == "initialize":
            return self._initialize(id, params)
        if method == "ping" and self._era is not Era.MODERN:
            return Send(encode_response(id, {}))
        refusal = self._legacy_objection(meta) if self._era is Era.LEGACY else self._modern_objection(meta)
        if refusal is not None:
            return Send(encode_error(id, refusal))
        if self._era is None:
            self._era, self._version = Era.MODERN, MODERN_VERSION
        if self._era is Era.MODERN and method == "server/discover":
            return Send(encode_response(id, self._dressed(method, self._discovery())))
        if self._era is Era.MODERN and method in ("ping", "logging/setLevel"):
            return _refuse(id, codes.METHOD_NOT_FOUND, f"Method not found: {method}")
        self._pending[id] = _Work(method, _id(meta.get("progressToken")))
        return Asked(id, method, params)

    def _initialize(self, id: RequestId, params: Mapping[str, Any]) -> Send:
        offered = params.get("protocolVersion")
        if self._era is Era.MODERN:
            data = {"supported": [MODERN_VERSION], "requested": offered if isinstance(offered, str) else ""}
            return _refuse(id, codes.UNSUPPORTED_VERSION, "This connection speaks " + MODERN_VERSION, data)
        if self._era is Era.LEGACY:
            return _refuse(id, codes.INVALID_REQUEST, "The connection is initialized already")
        if not isinstance(offered, str):
            return _refuse(id, codes.INVALID_PARAMS, "Invalid params: protocolVersion must be a string")
        self._era = Era.LEGACY
        self._version = offered if offered in LEGACY_VERSIONS else LEGACY_VERSIONS[0]
        result = {
            "protocolVersion": self._version,
            "capabilities": self._capabilities,
            "serverInfo": self._info,
            **({} if self._instructions is None else {"instructions": self._instructions}),
        }
        return Send(encode_response(id, result))

    def _legacy_objection(self, meta: Mapping[str, Any]) -> JsonRpcError | None:
        if PROTOCOL_VERSION in meta:
            return JsonRpcError(codes.INVALID_REQUEST, f"This connection speaks {self._version}")
        return None

    def _modern_objection(self, meta: Mapping[str, Any]) -> JsonRpcError | None:
        version = meta.get(PROTOCOL_VERSION)
        if not isinstance(version, str):
            return JsonRpcError(codes.INVALID_PARAMS, f"Invalid params: _meta lacks {PROTOCOL_VERSION}")
        if version != MODERN_VERSION:
            data = {"supported": [MODERN_VERSION], "requested": version}
            return JsonRpcError(codes.UNSUPPORTED_VERSION, f"Unsupported protocol version: {version}", data)
        if not isinstance(meta.get(CLIENT_CAPABILITIES), dict):
            return JsonRpcError(codes.INVALID_PARAMS, f"Invalid params: _meta lacks {CLIENT_CAPABILITIES}")
        return None

    def _discovery(self) -> dict[str, Any]:
        return {
            "supportedVersions": [MODERN_VERSION],
            "capabilities": self._capabilities,
            **({} if self._instructions is None else {"instructions": self._instructions}),
        }

    def _dressed(self, method: str, result: Mapping[str, Any]) -> Mapping[str, Any]:
        if self._era is Era.LEGACY:
            return result
        hints = {"ttlMs": self._list_ttl, "cacheScope": "public"} if method in _CACHEABLE else {}
        meta = {SERVER_INFO: self._info, **result["_meta"]} if "_meta" in result else self._result_meta
        return {"resultType": "complete", **hints, **result, "_meta": meta}

    def _notification(self, message: Notification, line: bytes) -> ServerEvent:
        if message.method != "notifications/cancelled":
            return Notified(message.method, message.params)
        try:
            params = _decode_object(message.params or b"{}")
        except MALFORMED as error:
            return Ignored(f"{message.method}: {error}", excerpt(line))
        id, reason = _id(params.get("requestId")), params.get("reason")
        if id is None or self._pending.pop(id, None) is None:
            return Ignored(f"{message.method} for {id!r}, which is not pending", excerpt(line))
        return CancelRequested(id, reason if isinstance(reason, str) else None)


class _NotAnObject(Exception):
    pass


def _object(value: Any, name: str) -> dict[str, Any]:
    if value is None:
        return {}
    if type(value) is not dict:
        raise _NotAnObject(f"{name} must be an object")
    return value


def _id(value: Any) -> RequestId | None:
    return value if type(value) is int or type(value) is str else None


def _refuse(id: RequestId, code: int, message: str, data: Any = None) -> Send:
    return Send(encode_error(id, JsonRpcError(code, message, data)))
