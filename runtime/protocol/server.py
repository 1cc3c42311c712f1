"""The server's end of a connection: lines in, events out; what to send, bytes out. No I/O, no clock.

What can be answered without knowing any tool is answered here (discover, initialize, ping, the log level, refusals);
everything else is `Asked` of the driver, which answers with `ServerConnection.answer` or `fail` and never thinks of
eras. `server_state` has the tables of states and methods, `server_admission` what a request must bring, `server_shape`
what an answer looks like in which revision, `server_listening` what a listener is told.

A connection is one ordered stream (stdio, memory, WebSocket), one session of a legacy HTTP client, or one modern
HTTP request: that is stateless, so a connection made for it alone serves it. Each method that makes a line names the
request that the line belongs to, so that a driver with one stream for each request knows where it goes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from math import inf
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import msgspec
from attrs import define, field, frozen
from msgspec import Raw

from runtime.value import Value

from . import codes
from .errors import InvalidMessage, LocalProtocolError, MissingCapability, WireError, excerpt
from .events import Answered, Asked, CancelRequested, Failed, Ignored, Invalid, Notified, Send
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
    encode_request,
    encode_response,
    split_batch,
)
from .server_admission import LOG_LEVELS, Refused, check_envelope, check_era, invalid, object_in, versions_data
from .server_listening import LISTS, check_wish, frame, honoured
from .server_shape import CacheHint, hint_for, in_modern_words, legacy, members, modern, plain
from .server_state import ERAS, REFUSALS, TRANSITIONS, Met, ServerState, exists, lacks
from .translation import error_for, url_elicitations
from .versions import (
    CLIENT_CAPABILITIES,
    CLIENT_INFO,
    LEGACY_VERSIONS,
    LOG_LEVEL,
    MAY_ASK_BACK,
    MODERN_VERSION,
    PROTOCOL_VERSION,
    SERVER_INFO,
    SUBSCRIPTION_ID,
    WITH_BATCHES,
    Era,
)

__all__ = ["LevelSet", "ServerConnection", "ServerEvent"]

Kind: TypeAlias = Literal["tools", "prompts", "resources"]


@frozen(repr=False)
class LevelSet(Value):
    """A legacy client chose the level of the messages it is sent from now on. It has its answer already."""

    level: str


ServerEvent: TypeAlias = Asked | Answered | Failed | Invalid | CancelRequested | LevelSet | Notified | Send | Ignored


_NOTHING: Mapping[str, Any] = MappingProxyType({})

_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


@define(eq=False)
class _Work:
    """A request that waits for its answer."""

    method: str
    params: Mapping[str, Any]
    meta: Mapping[str, Any]
    progressed: float = -inf
    # of subscriptions/listen: what it is told; None until it is acknowledged
    honoured: Mapping[str, Any] | None = None


@define(eq=False)
class ServerConnection:
    """Answers one client over one ordered connection, in the era that its first request chooses.

    Args:
        info: who this is, an Implementation in wire names.
        capabilities: what is offered, ServerCapabilities in wire names. A method whose capability is not in it
            does not exist; subscriptions are honoured as far as ``listChanged`` and ``resources.subscribe`` say.
        hints: how long which results are good, by method. Without one a list is stale at once and anybody's,
            what was read stale at once and its reader's.
        eras: which eras are spoken; the other is refused with the versions of these.
        limit: how many requests may wait, and how many resources be subscribed to, at once.
    """

    _info: Mapping[str, Any]
    _capabilities: Mapping[str, Any]
    _instructions: str | None = None
    _hints: Mapping[str, CacheHint] = field(default=_NOTHING, kw_only=True)
    _eras: Collection[Era] = field(default=(Era.MODERN, Era.LEGACY), kw_only=True)
    _limit: int = field(default=1024, kw_only=True)
    _state: ServerState = field(default=ServerState.UNBOUND, init=False)
    _version: str | None = field(default=None, init=False)
    # {id: work} of what was asked and is neither answered nor cancelled
    _pending: dict[RequestId, _Work] = field(factory=dict, init=False)
    # {id: method} of what the client was asked and has not answered; ids are never used twice
    _asked: dict[RequestId, str] = field(factory=dict, init=False)
    _next_id: int = field(default=1, init=False)
    # of a legacy client: what it said in `initialize`, its log level, what it subscribed to
    _greeting: Mapping[str, Any] = field(default=_NOTHING, init=False)
    _level: str = field(default=LOG_LEVELS[0], init=False)
    _subscribed: set[str] = field(factory=set, init=False)
    _result_meta: Raw = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._result_meta = Raw(encode_json({SERVER_INFO: self._info}))

    # -- what is known of the client

    @property
    def state(self) -> ServerState:
        return self._state

    @property
    def era(self) -> Era | None:
        """None until the client's first request."""
        return ERAS[self._state]

    @property
    def version(self) -> str | None:
        """The revision spoken; None until the client's first request."""
        return self._version

    @property
    def pending(self) -> Mapping[RequestId, str]:
        """The method of each request that waits for its answer, oldest first."""
        return MappingProxyType({id: work.method for id, work in self._pending.items()})

    @property
    def asked(self) -> Mapping[RequestId, str]:
        """The method of each request that the client has not answered, oldest first."""
        return MappingProxyType(self._asked)

    @property
    def subscribed(self) -> frozenset[str]:
        """The URIs of all resources whose changes are told to somebody."""
        return frozenset(self._subscribed).union(
            *(work.honoured.get("resourceSubscriptions", ()) for work in self._pending.values() if work.honoured)
        )

    def client_capabilities(self, id: RequestId) -> Mapping[str, Any]:
        """What the client declared: in ``initialize`` (legacy), or with the request ``id`` (modern)."""
        return self._said(id, CLIENT_CAPABILITIES, "capabilities")

    def client_info(self, id: RequestId) -> Mapping[str, Any]:
        """Who the client says it is; for display only. Empty where it does not say."""
        return self._said(id, CLIENT_INFO, "clientInfo")

    # -- in

    def receive(self, line: bytes) -> list[ServerEvent]:
        """What one line from the client means. Never raises for anything a client can send."""
        if self._version == WITH_BATCHES and line.lstrip().startswith(b"["):
            return self._batch(line)
        try:
            message = decode(line)
        except InvalidMessage as invalid:
            if (id := invalid.answers) is not None and (method := self._asked.pop(id, None)) is not None:
                return [Invalid(id, WireError(f"answer to {method}", "", invalid.reason))]
            if (id := invalid.asks) is not None and id not in self._pending:
                return _refuse(id, codes.INVALID_REQUEST, f"Invalid request: {invalid.reason}")
            return [Ignored(invalid.reason, invalid.line)]
        match message:
            case Request():
                return self._request(message)
            case Notification():
                return [self._notification(message, line)]
            case Response(id) | ErrorResponse(id) if id is None or self._asked.pop(id, None) is None:
                return [Ignored("an answer to nothing that was asked", excerpt(line))]
            case Response(id, result):
                return [Answered(id, result)]
            case ErrorResponse(id, error):
                assert id is not None
                return [Failed(id, error)]

    # -- out: answers

    def answer(self, id: RequestId, result: Body) -> bytes | None:
        """The line that answers a request; None when nobody waits for it any more.

        ``result`` is in the words of the newest revision; the client gets it in those of its own. In the modern era
        it is given ``resultType``, cache hints and the server's name, where it does not bring its own; it is also the
        end of a listener, whose result is empty.
        """
        work = self._pending.get(id)
        if work is None:
            return None
        line = encode_response(id, self._dressed(id, work, members(result)))
        self._forget(id, work)
        return line

    def fail(self, id: RequestId, error: JsonRpcError) -> bytes | None:
        """The line that answers a request with an error, in its era's code; None when nobody waits any more.

        A modern client that must visit pages first (``-32042``, a legacy code) is asked to, as `require_input` does.
        """
        work = self._pending.get(id)
        if work is None:
            return None
        if self.era is Era.MODERN and work.method in MAY_ASK_BACK and (visits := url_elicitations(error)) is not None:
            try:
                return self.require_input(id, visits)
            except MissingCapability as missing:
                data = {"requiredCapabilities": missing.required}
                error = JsonRpcError(codes.MISSING_CLIENT_CAPABILITY, str(missing), data)
        line = encode_error(id, error_for(error, work.method, self.era))
        del self._pending[id]
        return line

    def require_input(
        self, id: RequestId, requests: Mapping[str, Mapping[str, Any]], state: str | None = None
    ) -> bytes | None:
        """The line that answers a modern request by asking its client; None when nobody waits for it any more.

        The client gathers the answers and asks again: the same method and params under a new id, with
        ``inputResponses`` (by the keys of ``requests``) and ``requestState`` (``state`` as it is) in its params.

        Args:
            requests: ``{"method": ..., "params": ...}`` by a key of the driver's choice; may be empty with a state.
        Raises:
            MissingCapability: the client did not declare, with this request, what it would need.
            LocalProtocolError: legacy clients are asked with `ask`; nor can each request be answered so.
        """
        work = self._pending.get(id)
        if work is None:
            return None
        if self.era is not Era.MODERN or work.method not in MAY_ASK_BACK:
            raise LocalProtocolError(f"{work.method}: cannot be answered by asking for input")
        for request in requests.values():
            self._demand(id, request["method"], request.get("params", _NOTHING))
        wanted = {key: in_modern_words(request) for key, request in requests.items()}
        result: dict[str, Any] = {"resultType": "input_required"}
        if wanted or state is None:
            result["inputRequests"] = wanted
        if state is not None:
            result["requestState"] = state
        return self.answer(id, result)

    # -- out: about a request

    def progress(
        self, id: RequestId, progress: float, total: float | None = None, message: str | None = None
    ) -> bytes | None:
        """A progress notification for a request that waits.

        None where its client did not ask for any, and where it would not be progress: the value must increase, and
        JSON has no word for what is not finite.
        """
        work = self._pending.get(id)
        token = None if work is None else _id(work.meta.get("progressToken"))
        if work is None or token is None or not work.progressed < progress < inf:
            return None
        work.progressed = progress
        params: dict[str, Any] = {"progressToken": token, "progress": progress}
        if total is not None and -inf < total < inf:
            params["total"] = total
        if message is not None:
            params["message"] = message
        return encode_notification("notifications/progress", params)

    def log(self, level: str, data: Any, logger: str | None = None, *, id: RequestId | None = None) -> bytes | None:
        """A message to the client about the request ``id`` or, legacy, about nothing in particular.

        None where the client does not want it: a modern one says so with each request and by default wants none,
        a legacy one may set a level and by default wants all. None also where ``logging`` is not offered.

        Args:
            level: one of `LOG_LEVELS`.
            data: any JSON.
        """
        threshold = self._threshold(id)
        if threshold is None or LOG_LEVELS.index(level) < LOG_LEVELS.index(threshold):
            return None
        params = {"level": level, "data": data}
        return encode_notification("notifications/message", params if logger is None else {**params, "logger": logger})

    def may_ask(self, id: RequestId, method: str, params: Mapping[str, Any] = _NOTHING) -> bool:
        """Whether the client declared what it needs to be asked this."""
        return lacks(method, params, self.client_capabilities(id)) is None

    def ask(self, id: RequestId, method: str, params: Mapping[str, Any] | None = None) -> tuple[RequestId, bytes]:
        """A request to a legacy client on behalf of its own request ``id``: the new id, and the line.

        The answer comes as `Answered` or `Failed`.

        Raises:
            MissingCapability: the client did not declare what it would need.
            LocalProtocolError: modern clients are asked with `require_input`; nobody waits for ``id`` any more.
        """
        if self.era is not Era.LEGACY or id not in self._pending:
            raise LocalProtocolError(f"{method}: there is no legacy request to ask it for")
        self._demand(id, method, params or _NOTHING)
        return self._ask(method, params)

    def ping(self) -> tuple[RequestId, bytes]:
        """A question whether a legacy client is still there."""
        if self.era is not Era.LEGACY:
            raise LocalProtocolError("ping: modern clients are not asked anything")
        return self._ask("ping", None)

    def withdraw(self, id: RequestId, reason: str | None = None) -> bytes | None:
        """The line that tells a client that the answer to a question of `ask` is not waited for; None if it came."""
        if self._asked.pop(id, None) is None:
            return None
        params = {"requestId": id} if reason is None else {"requestId": id, "reason": reason}
        return encode_notification("notifications/cancelled", params)

    # -- out: to whoever listens

    def acknowledge(self, id: RequestId) -> bytes | None:
        """The first line of a listener (a pending ``subscriptions/listen``): what of its wish is honoured.

        None when it is acknowledged already, or gone. From here on `changed` and `updated` reach it, until
        `answer(id, {})` ends it.
        """
        work = self._pending.get(id)
        if work is None or work.method != "subscriptions/listen" or work.honoured is not None:
            return None
        work.honoured = honoured(work.params["notifications"], self._capabilities)
        return frame(id, "notifications/subscriptions/acknowledged", {"notifications": work.honoured})

    def changed(self, kind: Kind) -> list[bytes]:
        """The lines that tell each listener that a list is not what it was; a legacy client always listens."""
        method = f"notifications/{kind}/list_changed"
        if self._state is ServerState.LEGACY:
            offered = (self._capabilities.get(kind) or _NOTHING).get("listChanged")
            return [encode_notification(method)] if offered else []
        return [frame(id, method, {}) for id, honoured in self._listeners() if honoured.get(LISTS[kind])]

    def updated(self, uri: str) -> list[bytes]:
        """The lines that tell whoever subscribed to it that a resource is not what it was."""
        method = "notifications/resources/updated"
        if self._state is ServerState.LEGACY:
            return [encode_notification(method, {"uri": uri})] if uri in self._subscribed else []
        return [
            frame(id, method, {"uri": uri})
            for id, honoured in self._listeners()
            if uri in honoured.get("resourceSubscriptions", ())
        ]

    def end_listeners(self) -> list[bytes]:
        """The lines that end all listeners in peace: there will be nothing more to hear."""
        return [line for id, _ in self._listeners() if (line := self.answer(id, {})) is not None]

    def notify(self, method: str, params: Body | None = None) -> bytes:
        """Any other notification to a legacy client.

        Raises:
            LocalProtocolError: the era is modern, where a client hears only what it asked for.
        """
        if self.era is not Era.LEGACY:
            raise LocalProtocolError(f"{method}: no client has subscribed to it")
        return encode_notification(method, params)

    # -- requests

    def _batch(self, line: bytes) -> list[ServerEvent]:
        """2025-03-26 alone has them; each of its requests is answered by itself, as soon as it can be."""
        try:
            members = split_batch(line)
        except InvalidMessage as error:
            return [Ignored(error.reason, error.line)]
        return [event for each in members for event in self._member(each)]

    def _member(self, line: bytes) -> list[ServerEvent]:
        return [Ignored("a batch in a batch", excerpt(line))] if line[:1] == b"[" else self.receive(line)

    def _request(self, request: Request) -> list[ServerEvent]:
        id, method = request.id, request.method
        try:
            params: dict[str, Any] = {} if request.params is None else _decode_object(request.params)
            meta = object_in(params, "_meta")
            return self._admit(id, method, params, meta)
        except MALFORMED as error:
            return _refuse(id, codes.INVALID_PARAMS, f"Invalid params: {error}")
        except Refused as refused:
            return [Send(encode_error(id, refused.error))]

    def _admit(self, id: RequestId, method: str, params: dict[str, Any], meta: Mapping[str, Any]) -> list[ServerEvent]:
        if id in self._pending:
            raise Refused(codes.INVALID_REQUEST, f"Request id {id!r} is in use")
        met = self._meets(method, params, meta)
        if (refusal := REFUSALS[self._state].get(met)) is not None:
            raise Refused(*refusal, versions_data(params.get("protocolVersion")) if met is Met.INITIALIZE else None)
        if met is Met.INITIALIZE:
            return [Send(encode_response(id, self._greet(params)))]
        self._state = TRANSITIONS[self._state][met]
        if met is Met.PING:
            return [Send(encode_response(id, {}))]
        if met is Met.ENVELOPED:
            self._version = MODERN_VERSION
        era = self.era
        assert era is not None
        if not exists(method, era, self._capabilities):
            raise Refused(codes.METHOD_NOT_FOUND, f"Method not found: {method}")
        return self._accept(id, method, params, meta)

    def _meets(self, method: str, params: Mapping[str, Any], meta: Mapping[str, Any]) -> Met:
        if self.era is not Era.MODERN and method == "ping" and PROTOCOL_VERSION not in meta:
            return Met.PING
        if PROTOCOL_VERSION not in meta:
            if method != "initialize":
                return Met.PLAIN
            check_era(Era.LEGACY, self._eras, params.get("protocolVersion"))
            return Met.INITIALIZE
        if self.era is not Era.LEGACY:
            check_envelope(meta, self._eras)
        return Met.ENVELOPED

    def _greet(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        offered = params.get("protocolVersion")
        if not isinstance(offered, str):
            raise invalid("protocolVersion must be a string")
        self._greeting = {
            "capabilities": object_in(params, "capabilities"),
            "clientInfo": object_in(params, "clientInfo"),
        }
        self._state = TRANSITIONS[self._state][Met.INITIALIZE]
        self._version = offered if offered in LEGACY_VERSIONS else LEGACY_VERSIONS[0]
        return {
            "protocolVersion": self._version,
            "capabilities": self._capabilities,
            "serverInfo": self._info,
            **({} if self._instructions is None else {"instructions": self._instructions}),
        }

    def _accept(self, id: RequestId, method: str, params: dict[str, Any], meta: Mapping[str, Any]) -> list[ServerEvent]:
        match method:
            case "server/discover":
                discovery = {"supportedVersions": [MODERN_VERSION], "capabilities": self._capabilities}
                if self._instructions is not None:
                    discovery["instructions"] = self._instructions
                return [Send(encode_response(id, self._dressed(id, _Work(method, params, meta), discovery)))]
            case "logging/setLevel":
                if (level := params.get("level")) not in LOG_LEVELS:
                    raise invalid(f"level must be one of {', '.join(LOG_LEVELS)}")
                self._level = level
                return [Send(encode_response(id, {})), LevelSet(level)]
            case "resources/subscribe" | "resources/unsubscribe" if not isinstance(params.get("uri"), str):
                raise invalid("uri must be a string")
            case "resources/unsubscribe":
                self._subscribed.discard(params["uri"])
            case "subscriptions/listen":
                check_wish(params)
            case _ if self.era is Era.MODERN:
                object_in(params, "inputResponses")
                if not isinstance(params.get("requestState"), str | None):
                    raise invalid("requestState must be a string")
        if len(self._pending) >= self._limit or self._is_full(method, params):
            raise Refused(codes.INTERNAL_ERROR, f"More than {self._limit} of these at once")
        self._pending[id] = _Work(method, params, meta)
        return [Asked(id, method, params)]

    def _is_full(self, method: str, params: Mapping[str, Any]) -> bool:
        match method:
            case "resources/subscribe":
                return len(self._subscribed) >= self._limit
            case "subscriptions/listen":
                return len(params["notifications"].get("resourceSubscriptions") or ()) > self._limit
        return False

    # -- notifications

    def _notification(self, message: Notification, line: bytes) -> ServerEvent:
        if message.method == "notifications/initialized":
            self._state = TRANSITIONS[self._state][Met.INITIALIZED]
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

    # -- answers

    def _dressed(self, id: RequestId, work: _Work, result: Mapping[str, Any]) -> Mapping[str, Any]:
        if self.era is Era.LEGACY:
            assert self._version is not None
            return legacy(work.method, result, self._version)
        meta: Any = self._result_meta
        if "_meta" in result:
            meta = {SERVER_INFO: self._info, **plain(result["_meta"])}
        if work.method == "subscriptions/listen":
            meta = {**plain(meta), SUBSCRIPTION_ID: id}
        return modern(result, meta, hint_for(work.method, work.params, self._hints))

    def _forget(self, id: RequestId, work: _Work) -> None:
        del self._pending[id]
        match work.method:
            case "resources/subscribe":
                self._subscribed.add(work.params["uri"])
            case "resources/unsubscribe":  # once more, for it may have come before the subscription was answered
                self._subscribed.discard(work.params["uri"])

    # -- the client's wishes

    def _said(self, id: RequestId, key: str, greeting: str) -> Mapping[str, Any]:
        said: Any
        if self.era is Era.LEGACY:
            said = self._greeting.get(greeting)
        else:
            work = self._pending.get(id)
            said = None if work is None else work.meta.get(key)
        return said if isinstance(said, Mapping) else _NOTHING

    def _threshold(self, id: RequestId | None) -> str | None:
        if "logging" not in self._capabilities:
            return None
        if self.era is Era.LEGACY:
            return self._level
        work = None if id is None else self._pending.get(id)
        return None if work is None else work.meta.get(LOG_LEVEL)

    def _demand(self, id: RequestId, method: str, params: Mapping[str, Any]) -> None:
        if (required := lacks(method, params, self.client_capabilities(id))) is not None:
            raise MissingCapability(method, required)

    def _ask(self, method: str, params: Mapping[str, Any] | None) -> tuple[RequestId, bytes]:
        id = self._next_id
        line = encode_request(id, method, params)
        self._next_id += 1
        self._asked[id] = method
        return id, line

    def _listeners(self) -> Iterable[tuple[RequestId, Mapping[str, Any]]]:
        return [(id, work.honoured) for id, work in self._pending.items() if work.honoured is not None]


def _id(value: Any) -> RequestId | None:
    return value if type(value) is int or type(value) is str else None


def _refuse(id: RequestId, code: int, message: str) -> list[ServerEvent]:
    return [Send(encode_error(id, JsonRpcError(code, message)))]
