"""The client's end of a connection: lines in, events out; what to send, bytes out. No I/O, no clock.

The driver writes what it is given, feeds each received line to `ClientConnection.receive`, and keeps the time: it tells
`probe_expired` when the probe met silence, and the present time where a request has a timeout.

A request lives in one of two places: *pending*, until its answer; or *asked back*, when the answer was that the server
wants to know more, until it is retried or given up. Requests of the server's own exist in the legacy era alone; they
are *open* until answered here or cancelled there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from attrs import define, field
from msgspec import UNSET, Raw

from .client_asked import Questions
from .client_envelope import members_of, modern_meta, with_meta
from .client_events import (
    Acknowledged,
    ClientEvent,
    InputRequired,
    ListChanged,
    ListenEnded,
    Opened,
    Progressed,
    ResourceUpdated,
    TaskUpdated,
    TimedOut,
)
from .client_handshake import Handshake
from .client_notifications import READERS
from .client_results import LISTEN, is_complete, read_result
from .client_rounds import asked_again, state_of
from .client_timeouts import Timeouts
from .errors import InvalidMessage, LocalProtocolError, WireError, excerpt
from .events import Answered, CancelRequested, Failed, Ignored, Invalid, Notified, Send
from .jsonrpc import (
    MALFORMED,
    Body,
    Envelope,
    ErrorResponse,
    JsonRpcError,
    Notification,
    Request,
    RequestId,
    Response,
    classify,
    encode_json,
    encode_notification,
    encode_request,
    read_envelope,
    split_batch,
)
from .messages import ClientCapabilities, Implementation
from .state import State
from .versions import CLIENT_CAPABILITIES, TASKS, WITH_BATCHES, Era, EraChoice
from .wire import to_wire

if TYPE_CHECKING:
    from .messages import CompletionReference, Part, SubscriptionFilter

__all__ = ["ClientConnection"]


class _Sent(msgspec.Struct, gc=False):
    """A request that was sent. Its line is kept for the case that it must be said again, with answers added."""

    method: str
    line: bytes
    progress: bool = False


class _AskedBack(msgspec.Struct):
    sent: _Sent
    wanted: frozenset[str]
    state: Raw | None


@define(eq=False, repr=False)
class ClientConnection:
    """Speaks MCP to one server over one ordered connection, in the era that both can.

    Ids are integers from 1, never used twice on a connection, so an answer that comes late can be told from one that
    was never asked for. A request's progress token is its id. Every request of the server is answered: those that
    ``capabilities`` offer by the driver (`Asked`), all others at once.

    Args:
        era: which eras may be spoken; ``auto`` finds out.
        remembered: what ``auto`` found out the last time. Where that was legacy, ``initialize`` goes first, and the
            probe only if that is refused (MCP 2026-07-28, basic/versioning: a client may persist the era,
            "re-probing if the cached assumption later fails").
    """

    _info: Implementation
    _capabilities: ClientCapabilities = field(factory=ClientCapabilities)
    _choice: EraChoice = field(default="auto", alias="era")
    _remembered: Era | None = field(default=None, kw_only=True)
    _handshake: Handshake = field(init=False)
    _era: Era | None = field(default=None, init=False)
    _version: str | None = field(default=None, init=False)
    _next_id: int = field(default=1, init=False)
    _pending: dict[RequestId, _Sent] = field(factory=dict, init=False)
    _asked_back: dict[RequestId, _AskedBack] = field(factory=dict, init=False)
    _questions: Questions = field(init=False)  # the server's
    _timeouts: Timeouts | None = field(default=None, init=False)  # none so far
    # The envelope of every modern request; {} in the legacy era.
    _meta: dict[str, Raw] = field(factory=dict, init=False)
    _meta_json: Raw | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._handshake = Handshake(self._info, self._capabilities, self._choice, self._remembered)
        self._questions = Questions(self._capabilities)

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
        return self._handshake.state

    @property
    def probing(self) -> bool:
        """Whether the probe is out and silence would mean a legacy server: the time for `probe_expired`."""
        return self._handshake.state is State.PROBING

    @property
    def pending(self) -> Mapping[RequestId, str]:
        """The method of each request that waits for its answer, oldest first."""
        return {id: sent.method for id, sent in self._pending.items()}

    @property
    def asked_back(self) -> Sequence[RequestId]:
        """The requests to be retried with what the server wants to know, oldest first."""
        return tuple(self._asked_back)

    @property
    def asked(self) -> Mapping[RequestId, str]:
        """The method of each request of the server that waits for `answer` or `refuse`, oldest first."""
        return self._questions.open

    # Opening

    def open(self) -> bytes:
        """The first line to write: the probe, or ``initialize`` where the era is chosen or remembered to be legacy."""
        return self._handshake.open()

    def probe_expired(self) -> bytes:
        """``initialize``, to be written to the same process because the probe met silence.

        Raises:
            LocalProtocolError: nothing is being probed; see `probing`.
        """
        return self._handshake.probe_expired()

    # Asking

    def request(
        self,
        method: str,
        params: Body | None = None,
        *,
        progress: bool = False,
        meta: Mapping[str, Any] | None = None,
    ) -> tuple[RequestId, bytes]:
        """A request's id and its line. ``meta`` is added to ``_meta`` and wins over our own keys, so that a request
        made on another's behalf can carry that one's capabilities.

        Raises:
            LocalProtocolError: the connection is not open, or raw ``params`` or their ``_meta`` are no object.
            TypeError, ValueError: ``params`` cannot be spelled in JSON. Nothing is pending then.
        """
        if self._era is None:
            raise LocalProtocolError(f"{method}: the connection is {self.state.name.lower()}, not open")
        id = self._next_id
        body = params
        if progress or meta is not None:
            body = with_meta(params, self._meta, meta, id if progress else None)
        elif self._meta_json is not None:
            if type(params) is dict and "_meta" not in params:  # the hot path: the envelope is spelled already
                body = {**params, "_meta": self._meta_json}
            else:
                body = with_meta(params, self._meta, None, None)
        line = encode_request(id, method, body)
        self._next_id = id + 1
        self._pending[id] = _Sent(method, line, progress)
        return id, line

    def call_tool(
        self,
        name: str,
        arguments: Body | None = None,
        *,
        progress: bool = False,
        tasks: bool = False,
        meta: Mapping[str, Any] | None = None,
    ) -> tuple[RequestId, bytes]:
        """``tools/call``; no arguments travel as ``{}``, which every server accepts. Raises as `request`.

        ``tasks`` says to a modern server that a task is as welcome as a result.
        """
        params = {"name": name, "arguments": {} if arguments is None else arguments}
        if tasks:
            meta = self._declaring_tasks(meta)
        return self.request("tools/call", params, progress=progress, meta=meta)

    def list_tools(self, cursor: str | None = None) -> tuple[RequestId, bytes]:
        """``tools/list``, one page. Raises as `request`."""
        return self._list("tools/list", cursor)

    def list_resources(self, cursor: str | None = None) -> tuple[RequestId, bytes]:
        """``resources/list``, one page. Raises as `request`."""
        return self._list("resources/list", cursor)

    def list_resource_templates(self, cursor: str | None = None) -> tuple[RequestId, bytes]:
        """``resources/templates/list``, one page. Raises as `request`."""
        return self._list("resources/templates/list", cursor)

    def list_prompts(self, cursor: str | None = None) -> tuple[RequestId, bytes]:
        """``prompts/list``, one page. Raises as `request`."""
        return self._list("prompts/list", cursor)

    def _list(self, method: str, cursor: str | None) -> tuple[RequestId, bytes]:
        return self.request(method, {} if cursor is None else {"cursor": cursor})

    def read_resource(
        self, uri: str, *, progress: bool = False, meta: Mapping[str, Any] | None = None
    ) -> tuple[RequestId, bytes]:
        """``resources/read``. Raises as `request`."""
        return self.request("resources/read", {"uri": uri}, progress=progress, meta=meta)

    def get_prompt(
        self,
        name: str,
        arguments: Mapping[str, str] | None = None,
        *,
        progress: bool = False,
        meta: Mapping[str, Any] | None = None,
    ) -> tuple[RequestId, bytes]:
        """``prompts/get``. Raises as `request`."""
        params: dict[str, Any] = {"name": name}
        if arguments is not None:
            params["arguments"] = arguments
        return self.request("prompts/get", params, progress=progress, meta=meta)

    def complete(
        self,
        ref: CompletionReference | Mapping[str, Any],
        name: str,
        value: str,
        known: Mapping[str, str] | None = None,
        *,
        meta: Mapping[str, Any] | None = None,
    ) -> tuple[RequestId, bytes]:
        """``completion/complete`` for the argument ``name``, typed as far as ``value``. Raises as `request`.

        Args:
            ref: whose argument it is, as a value or in wire names.
            known: the arguments that are settled already (2025-06-18 and later).
        """
        params: dict[str, Any] = {"ref": _wire(ref), "argument": {"name": name, "value": value}}
        if known:
            params["context"] = {"arguments": known}
        return self.request("completion/complete", params, meta=meta)

    def ping(self) -> tuple[RequestId, bytes]:
        """``ping``.

        Raises:
            LocalProtocolError: also in the modern era, which has no ping.
        """
        self._only(Era.LEGACY, "ping", "ask server/discover")
        return self.request("ping")

    def set_log_level(self, level: str) -> tuple[RequestId, bytes] | None:
        """Ask for log messages from ``level`` on. None: nothing is to be sent, for a modern server hears of it with
        every request from now on, and sends messages about none of those before. Raises as `request`.
        """
        if self._era is not Era.MODERN:
            return self.request("logging/setLevel", {"level": level})
        self._speak_modern(level)
        return None

    def subscribe(self, uri: str) -> tuple[RequestId, bytes]:
        """``resources/subscribe``.

        Raises:
            LocalProtocolError: also in the modern era, which has `listen`.
        """
        self._only(Era.LEGACY, "resources/subscribe", "listen")
        return self.request("resources/subscribe", {"uri": uri})

    def unsubscribe(self, uri: str) -> tuple[RequestId, bytes]:
        """``resources/unsubscribe``. Raises as `subscribe`."""
        self._only(Era.LEGACY, "resources/unsubscribe", "cancel what listens")
        return self.request("resources/unsubscribe", {"uri": uri})

    def listen(self, filter: SubscriptionFilter | Mapping[str, Any]) -> tuple[RequestId, bytes]:
        """``subscriptions/listen``, answered only when it ends: by `ListenEnded` or `Failed`, or by `cancel`.

        Args:
            filter: what to hear of, as a value or in wire names; tasks in it declare their extension.
        Raises:
            LocalProtocolError: also in the legacy era, where servers tell of changed lists unasked and `subscribe`
                is for resources.
        """
        self._only(Era.MODERN, LISTEN, "subscribe")
        wanted = _wire(filter)
        meta = self._declaring_tasks(None) if wanted.get("taskIds") else None
        return self.request(LISTEN, {"notifications": wanted}, meta=meta)

    def get_task(self, task_id: str) -> tuple[RequestId, bytes]:
        """``tasks/get`` of the extension: how a task is, and its result in the end.

        Raises:
            LocalProtocolError: also in the legacy era, whose tasks are others.
        """
        return self._about_task("tasks/get", task_id, {})

    def update_task(self, task_id: str, responses: Mapping[str, Body]) -> tuple[RequestId, bytes]:
        """``tasks/update``: what the server wanted to know for a task. Raises as `get_task`."""
        return self._about_task("tasks/update", task_id, {"inputResponses": responses})

    def cancel_task(self, task_id: str) -> tuple[RequestId, bytes]:
        """``tasks/cancel``: a wish, which the server may not grant. Raises as `get_task`."""
        return self._about_task("tasks/cancel", task_id, {})

    def _about_task(self, method: str, task_id: str, more: Mapping[str, Any]) -> tuple[RequestId, bytes]:
        self._only(Era.MODERN, method, "there are no tasks")
        return self.request(method, {"taskId": task_id, **more}, meta=self._declaring_tasks(None))

    def _only(self, era: Era, method: str, instead: str) -> None:
        if self._era is not None and self._era is not era:
            raise LocalProtocolError(f"{method}: the {self._era.value} era has none; {instead}")

    def _declaring_tasks(self, meta: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        if self._era is not Era.MODERN:
            return meta
        meta = meta or {}
        declared = members_of(meta.get(CLIENT_CAPABILITIES)) or to_wire(self._capabilities)
        extensions = {**members_of(declared.get("extensions")), TASKS: {}}
        return {**meta, CLIENT_CAPABILITIES: {**declared, "extensions": extensions}}

    def roots_changed(self) -> bytes | None:
        """The line that tells of other roots. None: nobody is to be told, for a modern server asks anew each time."""
        return encode_notification("notifications/roots/list_changed") if self._era is Era.LEGACY else None

    def retry(self, id: RequestId, responses: Mapping[str, Body]) -> tuple[RequestId, bytes]:
        """Say again what met `InputRequired`: the same method and params under a new id, with the answers and the
        server's state as it came (MCP 2026-07-28, basic/patterns/mrtr).

        Args:
            responses: the result of each input request, under its key.
        Raises:
            LocalProtocolError: the request was not asked back, or an answer is missing.
            TypeError, ValueError: an answer cannot be spelled in JSON. The request can still be retried.
        """
        if (asked := self._asked_back.get(id)) is None:
            raise LocalProtocolError(f"request {id!r} was not asked back")
        if missing := asked.wanted - responses.keys():
            raise LocalProtocolError(f"request {id!r}: no answer for {', '.join(sorted(missing))}")
        sent, new_id = asked.sent, self._next_id
        line = asked_again(sent.method, sent.line, new_id, responses, asked.state, progress=sent.progress)
        del self._asked_back[id]
        self._next_id = new_id + 1
        self._pending[new_id] = _Sent(sent.method, line, sent.progress)
        return new_id, line

    def cancel(self, id: RequestId, reason: str | None = None) -> bytes | None:
        """Forget a request and say so to the server; its answer, should it still come, is ignored.

        None: there is nothing to say, for it is not pending (answered, asked back, cancelled, or part of the
        handshake, which must not be cancelled).
        """
        if self._settle(id) is None:
            self._asked_back.pop(id, None)
            return None
        params: dict[str, Any] = {"requestId": id}
        if reason is not None:
            params["reason"] = reason
        return encode_notification("notifications/cancelled", params)

    # Answering

    def answer(self, id: RequestId, result: Body) -> bytes | None:
        """The line that answers a request of the server's; None when it does not wait for it any more."""
        return self._questions.answer(id, result)

    def refuse(self, id: RequestId, error: JsonRpcError) -> bytes | None:
        """The line that answers a request of the server's with an error; None when it does not wait any more."""
        return self._questions.refuse(id, error)

    # Time

    def set_timeout(self, id: RequestId, now: float, timeout: float, max_timeout: float | None = None) -> None:
        """Give up on a pending request ``timeout`` seconds from ``now``, or from its last progress, and in any case
        ``max_timeout`` seconds from now. Time is any clock's, as long as it is the same one's everywhere.

        Raises:
            LocalProtocolError: it is not pending.
        """
        if id not in self._pending:
            raise LocalProtocolError(f"request {id!r} is not pending")
        if self._timeouts is None:
            self._timeouts = Timeouts()
        self._timeouts.start(id, now, timeout, max_timeout)

    @property
    def next_timeout(self) -> float | None:
        """When to call `expire`; None while there is no timeout."""
        return self._timeouts.next if self._timeouts else None

    def expire(self, now: float) -> list[ClientEvent]:
        """Give up on what has taken too long: for each, what to send to the server, then `TimedOut`."""
        events: list[ClientEvent] = []
        for id in self._timeouts.expired(now) if self._timeouts else ():
            if (line := self.cancel(id, "timed out")) is not None:
                events.append(Send(line))
            events.append(TimedOut(id))
        return events

    # Receiving

    def receive(self, line: bytes, now: float | None = None) -> list[ClientEvent]:
        """What one line from the server means. Never raises for anything a server can send.

        Args:
            now: the time, without which progress does not move timeouts on.
        """
        try:
            envelope = read_envelope(line)
            if envelope.method is None and self._era is not None:
                return [self._answered(envelope, line)]
            message = classify(envelope, line)
        except InvalidMessage as error:
            return self._invalid(error, line, now)
        match message:
            case Request():
                return [self._questions.asked(message, self._era)]
            case Notification():
                return [self._notified(message, line, now)]
            case Response() | ErrorResponse():
                return self._handshake_answered(message, message.id, line)

    def _invalid(self, error: InvalidMessage, line: bytes, now: float | None) -> list[ClientEvent]:
        if (id := error.answers) is not None:
            if self._era is None:
                return self._handshake_answered(error, id, line)
            if (sent := self._settle(id)) is not None:
                return [Invalid(id, WireError(f"answer to {sent.method}", "", error.reason))]
        if self._version == WITH_BATCHES and line.lstrip()[:1] == b"[":
            return self._batch(line, now)
        return [Ignored(error.reason, error.line)]

    def _batch(self, line: bytes, now: float | None) -> list[ClientEvent]:
        try:
            members = split_batch(line)
        except InvalidMessage as error:
            return [Ignored(error.reason, error.line)]
        return [event for each in members for event in self._member(each, now)]

    def _member(self, line: bytes, now: float | None) -> list[ClientEvent]:
        return [Ignored("a batch in a batch", excerpt(line))] if line[:1] == b"[" else self.receive(line, now)

    def _answered(self, envelope: Envelope, line: bytes) -> ClientEvent:
        """The hot path: a response on an open connection."""
        id: Any = envelope.id
        if envelope.result and not envelope.error and (sent := self._pending.pop(id, None)) is not None:
            if self._timeouts is not None:
                self._timeouts.stop(id)
            if self._meta_json is None or (sent.method != LISTEN and is_complete(envelope.result)):
                return Answered(id, envelope.result)
            return self._read_result(id, sent, envelope.result)
        match classify(envelope, line):
            case Response(id, result) if (sent := self._settle(id)) is not None:
                return self._read_result(id, sent, result) if self._meta_json is not None else Answered(id, result)
            case ErrorResponse(int() | str() as id, error) if self._settle(id) is not None:
                return Failed(id, error)
        return Ignored(self._stray(None if id is UNSET else id), excerpt(line))

    def _read_result(self, id: RequestId, sent: _Sent, result: Raw) -> ClientEvent:
        event = read_result(id, sent.method, sent.line, result)
        if isinstance(event, InputRequired):
            self._asked_back[id] = _AskedBack(sent, frozenset(event.requests), state_of(result))
        return event

    def _settle(self, id: RequestId) -> _Sent | None:
        if self._timeouts is not None:
            self._timeouts.stop(id)
        return self._pending.pop(id, None)

    def _stray(self, id: RequestId | None) -> str:
        if type(id) is int and 0 < id < max(self._next_id, self._handshake.next_id):
            return f"late answer to request {id}"
        return f"answer to {id!r}, which was never asked"

    def _handshake_answered(
        self, message: Response | ErrorResponse | InvalidMessage, id: RequestId | None, line: bytes
    ) -> list[ClientEvent]:
        if not self._handshake.expects(id):
            return [Ignored(self._stray(id), excerpt(line))]
        events: list[ClientEvent] = [*self._handshake.answered(message)]
        if isinstance(events[-1], Opened):
            self._era, self._version = events[-1].era, events[-1].version
            self._next_id = self._handshake.next_id
            if self._era is Era.MODERN:
                self._speak_modern(None)
        return events

    def _speak_modern(self, log_level: str | None) -> None:
        self._meta = modern_meta(self._info, self._capabilities, log_level)
        self._meta_json = Raw(encode_json(self._meta))

    def _notified(self, message: Notification, line: bytes, now: float | None) -> ClientEvent:
        if self._era is None:
            return Ignored(f"{message.method} before the handshake is done", excerpt(line))
        if (read := READERS.get(message.method)) is None:
            return Notified(message.method, message.params)
        try:
            event: Any = read(message.params or Raw(b"{}"))
        except (*MALFORMED, WireError) as error:
            return Ignored(f"{message.method}: {error}", excerpt(line))
        return self._checked(event, line, now)

    def _checked(self, event: Any, line: bytes, now: float | None) -> ClientEvent:
        """A notification, if there is what it is about."""
        match event:
            case Progressed(id):
                sent = self._pending.get(id)
                if sent is None or not sent.progress:
                    return Ignored(f"progress for {id!r}, which did not ask", excerpt(line))
                if now is not None and self._timeouts is not None:
                    self._timeouts.progressed(id, now)
            case CancelRequested(id, reason):
                return self._cancelled(id, reason, line)
            case (
                Acknowledged(id=int() | str() as about)
                | ListChanged(listen=int() | str() as about)
                | ResourceUpdated(listen=int() | str() as about)
                | TaskUpdated(listen=int() | str() as about)
            ) if not self._listens(about):
                return Ignored(f"for subscription {about!r}, which is none", excerpt(line))
        checked: ClientEvent = event
        return checked

    def _cancelled(self, id: RequestId, reason: str | None, line: bytes) -> ClientEvent:
        if self._questions.withdrawn(id):
            return CancelRequested(id, reason)
        # The specification has two words for it: cancellation.mdx wants this, subscriptions.mdx a result.
        if self._listens(id) and self._settle(id) is not None:
            return ListenEnded(id, reason)
        return Ignored(f"cancellation of {id!r}, which is not open", excerpt(line))

    def _listens(self, id: RequestId) -> bool:
        return (sent := self._pending.get(id)) is not None and sent.method == LISTEN


def _wire(value: Part | Mapping[str, Any]) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else to_wire(value)
