"""The client's end of a connection: lines in, events out; what to send, bytes out. No I/O, no clock.

The driver writes what it is given, feeds each received line to `ClientConnection.receive`, and keeps the
time: it tells `probe_expired` when the probe met silence, and ends a handshake or a request that takes too
long.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import msgspec
from attrs import define, field, frozen
from msgspec import UNSET, Raw

from runtime.value import Value

from . import codes
from .errors import HandshakeFailed, InvalidMessage, LocalProtocolError, WireError, excerpt
from .events import Answered, Failed, Ignored, Notified, Send
from .jsonrpc import (
    Body,
    Envelope,
    ErrorResponse,
    JsonRpcError,
    Notification,
    Request,
    RequestId,
    Response,
    classify,
    encode_error,
    encode_json,
    encode_notification,
    encode_request,
    encode_response,
    read_envelope,
)
from .messages import (
    ClientCapabilities,
    DiscoverResult,
    Implementation,
    InitializeResult,
    Progress,
    ServerCapabilities,
)
from .state import Meaning, State, advance, named_versions, newest_common, probe_error_means
from .versions import (
    CLIENT_CAPABILITIES,
    CLIENT_INFO,
    LEGACY_VERSIONS,
    MODERN_VERSION,
    PROTOCOL_VERSION,
    SERVER_INFO,
    Era,
    EraChoice,
)
from .wire import from_wire, to_wire

__all__ = [
    "ClientConnection",
    "ClientEvent",
    "OpenFailed",
    "Opened",
    "Progressed",
]


@frozen(repr=False)
class Opened(Value):
    """The handshake is done; requests may be made. A modern server may keep ``server_info`` to itself."""

    era: Era
    version: str
    server_info: Implementation | None
    capabilities: ServerCapabilities
    instructions: str | None


@frozen(repr=False)
class OpenFailed(Value):
    """The handshake is over without success; the connection is of no further use."""

    error: HandshakeFailed


@frozen(repr=False)
class Progressed(Value):
    id: RequestId
    progress: float
    total: float | None
    message: str | None


ClientEvent: TypeAlias = Opened | OpenFailed | Answered | Failed | Progressed | Notified | Send | Ignored

_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode
_MODERN_META_KEYS = frozenset({PROTOCOL_VERSION, CLIENT_INFO, CLIENT_CAPABILITIES})


@define(eq=False, repr=False)
class ClientConnection:
    """Speaks MCP to one server over one ordered connection, in the era that both can.

    Ids are integers from 1, never used twice on a connection, so an answer that comes late can be told from
    one that was never asked for. A request's progress token is its id. Every request of the server is
    answered.
    """

    _info: Implementation
    _capabilities: ClientCapabilities = field(factory=ClientCapabilities)
    _choice: EraChoice = field(default="auto", alias="era")
    _state: State = field(default=State.IDLE, init=False)
    _era: Era | None = field(default=None, init=False)
    _version: str | None = field(default=None, init=False)
    _next_id: int = field(default=1, init=False)
    # The request of the handshake that is out; what came before it is late.
    _handshake_id: int | None = field(default=None, init=False)
    # The probe met silence: a -32022 to `initialize` may mean that the server took the probe after all.
    _probe_was_late: bool = field(default=False, init=False)
    # {id: method} of what was asked and is neither answered nor cancelled
    _pending: dict[RequestId, str] = field(factory=dict, init=False)
    # those of `_pending` that asked for progress
    _tokens: set[RequestId] = field(factory=set, init=False)
    # The envelope of every modern request; {} in the legacy era.
    _meta: dict[str, Raw] = field(factory=dict, init=False)
    _meta_json: Raw | None = field(default=None, init=False)

    @property
    def era(self) -> Era | None:
        """None until opened."""
        return self._era

    @property
    def version(self) -> str | None:
        """The revision spoken; None until opened."""
        return self._version

    @property
    def state(self) -> State:
        return self._state

    @property
    def probing(self) -> bool:
        """Whether the probe is out and silence would mean a legacy server: the time for `probe_expired`."""
        return self._state is State.PROBING

    @property
    def pending(self) -> Mapping[RequestId, str]:
        """The method of each request that waits for its answer, oldest first; a live view."""
        return MappingProxyType(self._pending)

    def open(self) -> bytes:
        """The first line to write: the probe, or ``initialize`` where the era is chosen to be legacy."""
        if self._state is not State.IDLE:
            raise LocalProtocolError("the connection was opened before")
        match self._choice:
            case "auto":
                return self._discover(Meaning.PROBED)
            case "modern":
                return self._discover(Meaning.ASKED_MODERN_ONLY)
            case "legacy":
                return self._initialize()

    def probe_expired(self) -> bytes:
        """``initialize``, to be written to the same process because the probe met silence.

        Raises:
            LocalProtocolError: nothing is being probed; see `probing`.
        """
        if self._state is not State.PROBING:
            raise LocalProtocolError("no probe is out")
        self._probe_was_late = True
        return self._initialize()

    def request(
        self,
        method: str,
        params: Body | None = None,
        *,
        progress: bool = False,
        meta: Mapping[str, Any] | None = None,
    ) -> tuple[RequestId, bytes]:
        """A request's id and its line. ``meta`` is added to ``_meta`` and wins over our own keys.

        Raises:
            LocalProtocolError: the connection is not open.
            TypeError, ValueError: ``params`` cannot be spelled in JSON. Nothing is pending then.
        """
        if self._state is not State.OPEN:
            raise LocalProtocolError(f"{method}: the connection is {self._state.name.lower()}, not open")
        id = self._next_id
        body = params
        if progress or meta is not None:
            body = self._with_meta(params, id if progress else None, meta)
        elif self._meta_json is not None:
            if type(params) is dict and "_meta" not in params:  # the hot path: the envelope is spelled already
                body = {**params, "_meta": self._meta_json}
            else:
                body = self._with_meta(params, None, None)
        line = encode_request(id, method, body)
        self._next_id = id + 1
        self._pending[id] = method
        if progress:
            self._tokens.add(id)
        return id, line

    def call_tool(
        self,
        name: str,
        arguments: Body | None = None,
        *,
        progress: bool = False,
        meta: Mapping[str, Any] | None = None,
    ) -> tuple[RequestId, bytes]:
        """``tools/call``; no arguments travel as ``{}``, which every server accepts. Raises as `request`."""
        params = {"name": name, "arguments": {} if arguments is None else arguments}
        return self.request("tools/call", params, progress=progress, meta=meta)

    def list_tools(self, cursor: str | None = None) -> tuple[RequestId, bytes]:
        """``tools/list``, one page. Raises as `request`."""
        return self.request("tools/list", {} if cursor is None else {"cursor": cursor})

    def ping(self) -> tuple[RequestId, bytes]:
        """``ping``.

        Raises:
            LocalProtocolError: also in the modern era, which has no ping.
        """
        if self._era is Era.MODERN:
            raise LocalProtocolError("ping: the modern era has none; ask server/discover")
        return self.request("ping")

    def cancel(self, id: RequestId, reason: str | None = None) -> bytes | None:
        """Forget a request and say so to the server; its answer, should it still come, is ignored.

        None: it is not pending (answered, cancelled, or part of the handshake, which must not be cancelled).
        """
        if self._pending.pop(id, None) is None:
            return None
        self._tokens.discard(id)
        params: dict[str, Any] = {"requestId": id}
        if reason is not None:
            params["reason"] = reason
        return encode_notification("notifications/cancelled", params)

    def receive(self, line: bytes) -> list[ClientEvent]:
        """What one line from the server means. Never raises for anything a server can send."""
        try:
            envelope = read_envelope(line)
            if envelope.method is None and self._state is State.OPEN:
                return [self._answer(envelope, line)]
            message = classify(envelope, line)
        except InvalidMessage as error:
            return [Ignored(error.reason, error.line)]
        match message:
            case Request(id, method):
                return [_reply(id, method, self._era)]
            case Notification():
                return [self._notification(message, line)]
            case Response() | ErrorResponse():
                return self._handshake_answer(message, line)

    def _answer(self, envelope: Envelope, line: bytes) -> ClientEvent:
        """The hot path: a response on an open connection."""
        id: Any = envelope.id
        if envelope.result and not envelope.error and self._pending.pop(id, None) is not None:
            if self._tokens:
                self._tokens.discard(id)
            return Answered(id, envelope.result)
        match classify(envelope, line):
            case Response(id, result) if self._settle(id):
                return Answered(id, result)
            case ErrorResponse(int() | str() as id, error) if self._settle(id):
                return Failed(id, error)
        return Ignored(self._stray(None if id is UNSET else id), excerpt(line))

    def _settle(self, id: RequestId) -> bool:
        self._tokens.discard(id)
        return self._pending.pop(id, None) is not None

    def _stray(self, id: RequestId | None) -> str:
        if type(id) is int and 0 < id < self._next_id:
            return f"late answer to request {id}"
        return f"answer to {id!r}, which was never asked"

    def _notification(self, message: Notification, line: bytes) -> ClientEvent:
        if self._state is not State.OPEN:
            return Ignored(f"{message.method} before the handshake is done", excerpt(line))
        if message.method != "notifications/progress":
            return Notified(message.method, message.params)
        try:
            progress = from_wire(Progress, message.params or b"{}")
        except WireError as error:
            return Ignored(str(error), excerpt(line))
        if progress.progress_token not in self._tokens:
            return Ignored(f"progress for {progress.progress_token!r}, which did not ask", excerpt(line))
        return Progressed(progress.progress_token, progress.progress, progress.total, progress.message)

    # The handshake

    def _discover(self, meaning: Meaning) -> bytes:
        self._state = advance(self._state, meaning)
        self._set_modern_meta()
        return self._ask("server/discover", {"_meta": self._meta_json})

    def _initialize(self) -> bytes:
        self._state = advance(self._state, Meaning.LEGACY)
        self._meta, self._meta_json = {}, None
        params = {
            "protocolVersion": LEGACY_VERSIONS[0],
            "capabilities": to_wire(self._capabilities),
            "clientInfo": to_wire(self._info),
        }
        return self._ask("initialize", params)

    def _ask(self, method: str, params: Body) -> bytes:
        self._handshake_id = self._next_id
        self._next_id += 1
        return encode_request(self._handshake_id, method, params)

    def _set_modern_meta(self) -> None:
        values = {
            PROTOCOL_VERSION: MODERN_VERSION,
            CLIENT_CAPABILITIES: to_wire(self._capabilities),
            CLIENT_INFO: to_wire(self._info),
        }
        self._meta = {key: Raw(encode_json(value)) for key, value in values.items()}
        self._meta_json = Raw(encode_json(self._meta))

    def _with_meta(
        self, params: Body | None, token: RequestId | None, meta: Mapping[str, Any] | None
    ) -> Mapping[str, Any]:
        members: Mapping[str, Any] = _decode_members(params) if isinstance(params, Raw) else params or {}
        own = members.get("_meta") or {}
        merged: dict[str, Any] = {**self._meta, **(_decode_members(own) if isinstance(own, Raw) else own)}
        if meta:
            merged.update(meta)
        if token is not None:
            merged["progressToken"] = token
        return {**members, "_meta": merged} if merged else members

    def _handshake_answer(self, message: Response | ErrorResponse, line: bytes) -> list[ClientEvent]:
        # An error without an id can only mean the one request that is out, but only for a probe is there
        # another way to go.
        about_probe = message.id is None and self._state is State.PROBING
        if (message.id is None or message.id != self._handshake_id) and not about_probe:
            return [Ignored(self._stray(message.id), excerpt(line))]
        self._handshake_id = None
        if self._state is State.INITIALIZING:
            return self._initialize_answered(message)
        return self._discover_answered(message)

    def _discover_answered(self, message: Response | ErrorResponse) -> list[ClientEvent]:
        fallback_allowed = self._state is State.PROBING
        if isinstance(message, ErrorResponse):
            failure = HandshakeFailed("server/discover", "refused", message.error, named_versions(message.error))
            means = probe_error_means(message.error)
        else:
            try:
                result = from_wire(DiscoverResult, message.result)
            except WireError as error:
                failure = HandshakeFailed("server/discover", str(error))
                means = Meaning.LEGACY
            else:
                if MODERN_VERSION in result.supported_versions:
                    return [self._opened_modern(result)]
                failure = HandshakeFailed("server/discover", "no common revision", None, result.supported_versions)
                legacy = newest_common(result.supported_versions, LEGACY_VERSIONS)
                means = Meaning.LEGACY if legacy else Meaning.REFUSED
        if means is Meaning.LEGACY and fallback_allowed:
            return [Send(self._initialize())]
        return [self._refused(failure)]

    def _initialize_answered(self, message: Response | ErrorResponse) -> list[ClientEvent]:
        if isinstance(message, ErrorResponse):
            if message.error.code == codes.UNSUPPORTED_VERSION and self._probe_was_late:
                self._probe_was_late = False
                return [Send(self._discover(Meaning.MODERN_AFTER_ALL))]
            supported = named_versions(message.error)
            return [self._refused(HandshakeFailed("initialize", "refused", message.error, supported))]
        try:
            result = from_wire(InitializeResult, message.result)
        except WireError as error:
            return [self._refused(HandshakeFailed("initialize", str(error)))]
        version = result.protocol_version
        if version not in LEGACY_VERSIONS:
            return [self._refused(HandshakeFailed("initialize", "no common revision", None, (version,)))]
        self._enter(Meaning.INITIALIZED, Era.LEGACY, version)
        return [
            Send(encode_notification("notifications/initialized")),
            Opened(Era.LEGACY, version, result.server_info, result.capabilities, result.instructions),
        ]

    def _opened_modern(self, result: DiscoverResult) -> Opened:
        self._enter(Meaning.DISCOVERED, Era.MODERN, MODERN_VERSION)
        info: Implementation | None
        try:
            info = from_wire(Implementation, (result.meta or {})[SERVER_INFO])
        except (KeyError, WireError):  # for display only: its lack or its shape decides nothing
            info = None
        return Opened(Era.MODERN, MODERN_VERSION, info, result.capabilities, result.instructions)

    def _enter(self, meaning: Meaning, era: Era, version: str) -> None:
        self._state = advance(self._state, meaning)
        self._era, self._version = era, version

    def _refused(self, error: HandshakeFailed) -> OpenFailed:
        self._state = advance(self._state, Meaning.REFUSED)
        return OpenFailed(error)


def _reply(id: RequestId, method: str, era: Era | None) -> Send:
    """The answer to a server's request, in both eras: some servers do not end at EOF while one is open.

    Modern servers may not ask at all, not even for a ping; one that does gets the same refusal.
    """
    if method == "ping" and era is not Era.MODERN:
        return Send(encode_response(id, {}))
    return Send(encode_error(id, JsonRpcError(codes.METHOD_NOT_FOUND, f"Method not found: {method}")))
