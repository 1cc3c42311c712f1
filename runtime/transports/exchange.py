"""What a message asks of HTTP, and what HTTP's answer means for the message: pure.

MCP 2026-07-28 and 2025-11-25, basic/transports: Streamable HTTP.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, final

import msgspec
import trio
from attrs import define, field, frozen
from msgspec import Raw

from runtime.protocol.codes import HEADER_MISMATCH, MODERN_ERRORS
from runtime.protocol.errors import InvalidMessage
from runtime.protocol.jsonrpc import (
    MALFORMED,
    ErrorResponse,
    JsonRpcError,
    Notification,
    Request,
    RequestId,
    Response,
    decode,
    encode_error,
)
from runtime.protocol.versions import PROTOCOL_VERSION

from . import NO_ANSWER, NOT_SENT
from .headers import ParameterHeaders, header_value, parameter_headers, parameter_values

__all__ = [
    "Outgoing",
    "Refusal",
    "Session",
    "Verdict",
    "agreed_version",
    "answers",
    "error_in",
    "error_line",
    "is_event_stream",
    "messages_in",
    "mirrored_parameters",
    "next_cursor",
    "outgoing",
    "refusal_line",
    "request_headers",
    "result_in",
    "session_headers",
    "session_id_in",
    "unanswered_line",
    "verdict",
]

_EXCERPT = 500  # bytes of a foreign body that an error shows
_BATCH_LIMIT = 4 * 1024 * 1024
_NAMED = ("tools/call", "prompts/get", "resources/read")
_LONG = "subscriptions/listen"
_ABSENT = Raw()
_VISIBLE = re.compile(r"[!-~]+")


@final
@define(eq=False, repr=False)
class Outgoing:
    """One message on its way out, as far as HTTP must know it."""

    line: bytes
    id: RequestId | None = None
    """Of a request; None: a notification or a response, which nothing answers."""
    method: str | None = None
    """None: a response."""
    version: str | None = None
    """The revision that a modern message names; None: it is a legacy one, or a notification."""
    name: str | None = None
    arguments: Raw = _ABSENT
    cancels: RequestId | None = None
    first_page: bool = False
    """Of a list."""
    meta: Raw = _ABSENT
    own: bool = False
    """It is a question of the transport's, whose answer nobody else is to see."""
    answered: bool = field(default=False, init=False)
    result: Raw | None = field(default=None, init=False)
    session_id: str | None = field(default=None, init=False)
    """Of the session that the answer begins."""
    scope: trio.CancelScope = field(factory=trio.CancelScope, init=False)  # around its exchange

    @property
    def size(self) -> int:
        return len(self.line)

    @property
    def is_long(self) -> bool:
        """Whether its answer ends only when nobody wants it any more."""
        return self.method == _LONG


class _Meta(msgspec.Struct, gc=False):
    version: str | None = msgspec.field(default=None, name=PROTOCOL_VERSION)


class _Params(msgspec.Struct, gc=False):
    name: str | None = None
    uri: str | None = None
    taskId: str | None = None
    cursor: str | None = None
    requestId: int | str | None = None
    arguments: Raw = _ABSENT  # and not "or None": msgspec reads no Raw within a union
    meta: Raw = msgspec.field(default=_ABSENT, name="_meta")


class _Head(msgspec.Struct, gc=False):
    """What tells whether a message answers a request."""

    id: int | str | None = None
    method: str | None = None


_decode_params = msgspec.json.Decoder(_Params).decode
_decode_meta = msgspec.json.Decoder(_Meta).decode
_decode_head = msgspec.json.Decoder(_Head).decode
_decode_batch = msgspec.json.Decoder(list[Raw]).decode


def outgoing(line: bytes) -> Outgoing:
    """Read what is sent. Raises `ValueError`: it is no JSON-RPC message, which is a bug of the caller's."""
    try:
        message = decode(line)
    except InvalidMessage as error:
        raise ValueError(str(error)) from error
    if not isinstance(message, Request | Notification):
        return Outgoing(line)
    try:
        params = _decode_params(message.params) if message.params is not None else _Params()
        version = _decode_meta(params.meta).version if params.meta else None
    except MALFORMED:
        params, version = _Params(), None
    if not isinstance(message, Request):
        cancels = params.requestId if message.method == "notifications/cancelled" else None
        return Outgoing(line, None, message.method, version, cancels=cancels)
    name = params.uri if message.method == "resources/read" else params.name if message.method in _NAMED else None
    if message.method.startswith("tasks/"):
        name = params.taskId
    return Outgoing(
        line,
        message.id,
        message.method,
        version,
        name,
        arguments=params.arguments if message.method == "tools/call" else _ABSENT,
        first_page=params.cursor is None,
        meta=params.meta,
    )


@final
@frozen
class Session:
    """What a legacy server agreed to; without an id it keeps no session."""

    version: str | None = None
    id: str | None = None


def request_headers(
    message: Outgoing, session: Session | None, tools: Mapping[str, ParameterHeaders]
) -> dict[str, str]:
    """The headers of the POST that carries a message, beside those that every POST has."""
    if message.version is None:
        return session_headers(session)
    headers = {"MCP-Protocol-Version": message.version, "Mcp-Method": message.method or ""}
    if message.name is not None:
        headers["Mcp-Name"] = header_value(message.name)
        if message.arguments and (mirrored := tools.get(message.name)):
            headers |= parameter_values(mirrored, msgspec.json.decode(message.arguments))
    return headers


def session_headers(session: Session | None) -> dict[str, str]:
    """What every request after ``initialize`` carries in a legacy session."""
    headers = {}
    if session is not None and session.version is not None:
        headers["MCP-Protocol-Version"] = session.version
    if session is not None and session.id is not None:
        headers["Mcp-Session-Id"] = session.id
    return headers


def session_id_in(headers: Mapping[str, str]) -> str | None:
    """The id that a server gave to a session, if it is one: visible ASCII (2025-11-25, session management)."""
    id = headers.get("mcp-session-id")
    return id if id and _VISIBLE.fullmatch(id) else None


def is_event_stream(status: int, content_type: str) -> bool:
    """Whether a GET has opened a stream."""
    return status == 200 and _media(content_type) == "text/event-stream"


def _media(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


class Verdict(Enum):
    """What the head of an answer means."""

    MESSAGE = auto()
    """The body is JSON: the answer."""
    EVENTS = auto()
    """The body is an event stream, and the answer comes in it."""
    ACCEPTED = auto()
    """What needs no answer was taken."""
    MOVED = auto()
    """The same request is to be made elsewhere."""
    SESSION_OVER = auto()
    UNAUTHORIZED = auto()
    REFUSED = auto()
    """The status is an error, and the body may say which."""
    STRANGE = auto()
    """A success without anything that could be an answer."""


def verdict(
    message: Outgoing, status: int, content_type: str, session: Session | None, *, proven: bool, elsewhere: bool
) -> Verdict:
    """What the head of the answer to a POST means.

    ``proven``: this server has answered us before; ``elsewhere``: it answers requests by another stream.

    A 403 to one request of many is about that request, and no word about all of them.
    """
    if status == 401 or (status == 403 and not proven):
        return Verdict.UNAUTHORIZED
    if status == 404 and session is not None and session.id is not None and message.version is None:
        return Verdict.SESSION_OVER
    if status in (307, 308):
        return Verdict.MOVED
    if not 200 <= status < 300:
        return Verdict.REFUSED
    if message.id is None or elsewhere:
        return Verdict.ACCEPTED
    match _media(content_type):
        case "application/json":
            return Verdict.MESSAGE
        case "text/event-stream":
            return Verdict.EVENTS
    return Verdict.STRANGE


def messages_in(body: bytes) -> list[bytes]:
    """The messages of a JSON body, each as one line: one, or the several of a batch (2025-03-26 has them).

    A batch of more than 4 MiB is none: the smallest of its messages would take twenty times their place in memory.
    """
    body = body.strip()
    if body.startswith(b"["):
        if len(body) > _BATCH_LIMIT:
            return []
        try:
            return [_one_line(bytes(message)) for message in _decode_batch(body)]
        except MALFORMED:
            return []
    return [_one_line(body)] if body else []


def _one_line(message: bytes) -> bytes:
    """JSON has raw line ends only between its tokens."""
    if message.find(b"\n") != -1 or message.find(b"\r") != -1:
        message = message.replace(b"\r", b" ").replace(b"\n", b" ")
    return message


def answers(line: bytes, id: RequestId) -> bool:
    """Whether a message is the answer to a request."""
    try:
        head = _decode_head(line)
    except MALFORMED:
        return False
    return head.method is None and head.id == id and type(head.id) is type(id)


def error_line(id: RequestId, code: int, message: str, **data: Any) -> bytes:
    """What is received for a request that HTTP has failed."""
    return encode_error(id, JsonRpcError(code, message, data))[:-1]


def unanswered_line(id: RequestId, reason: str, *, sent: bool, status: int | None = None) -> bytes:
    """What is received for a request that was never sent, or whose answer never came."""
    told = {"reason": reason} if status is None else {"reason": reason, "status": status}
    return error_line(id, NO_ANSWER if sent else NOT_SENT, f"no answer: {reason}", **told)


def refusal_line(id: RequestId, status: int, body: bytes, **data: Any) -> bytes:
    """What is received for a request that met an HTTP error: the JSON-RPC error in its body, addressed to the
    request, else an error whose code is the status."""
    error = error_in(body)
    if error is not None:
        return encode_error(id, error)[:-1]
    excerpt = body[:_EXCERPT].decode("utf-8", "replace")
    return error_line(id, status, f"HTTP {status}", status=status, **({"body": excerpt} if excerpt else {}), **data)


def error_in(line: bytes) -> JsonRpcError | None:
    """The error that a message is, if it is one."""
    try:
        message = decode(line)
    except InvalidMessage:
        return None
    return message.error if isinstance(message, ErrorResponse) else None


def result_in(line: bytes) -> Raw | None:
    """The result in a message, if it has one."""
    try:
        message = decode(line)
    except InvalidMessage:
        return None
    return message.result if isinstance(message, Response) else None


@final
@frozen
class Refusal:
    """An answer that is none, as far as it matters."""

    verdict: Verdict
    status: int
    body: bytes
    content_type: str
    challenge: str | None
    """The ``WWW-Authenticate`` header."""
    location: str
    """Where a redirect leads within the origin; empty: nowhere."""
    target: str = ""
    """The address that a redirect names, wherever that is, without what may be secret in it."""

    @property
    def is_mismatch(self) -> bool:
        """Whether the headers of a message were not what its body asks for."""
        error = error_in(self.body)
        return error is not None and error.code == HEADER_MISMATCH

    @property
    def is_modern(self) -> bool:
        """Whether it has an error that only a modern server sends."""
        error = error_in(self.body)
        return error is not None and error.code in MODERN_ERRORS

    def line(self, id: RequestId) -> bytes:
        """What is received for the request that it refuses."""
        if self.verdict is Verdict.STRANGE:
            what = f"of type {self.content_type!r}" if self.content_type else "without a body"
            return unanswered_line(id, f"HTTP {self.status} {what}", sent=True, status=self.status)
        if self.verdict is Verdict.MOVED or (self.target and 300 <= self.status < 400):
            reason = (
                "a redirect to another origin, or one too many, or one that is not to be posted to, is not followed"
            )
            told = f"HTTP {self.status}: a redirect to {self.target or 'nowhere'} is not followed"
            return error_line(id, self.status, told, status=self.status, reason=reason)
        if self.challenge is not None:
            return refusal_line(id, self.status, self.body, challenge=self.challenge)
        return refusal_line(id, self.status, self.body)


class _Cursor(msgspec.Struct, gc=False):
    nextCursor: str | None = None


class _Agreed(msgspec.Struct, gc=False):
    protocolVersion: str | None = None


_decode_cursor = msgspec.json.Decoder(_Cursor).decode
_decode_agreed = msgspec.json.Decoder(_Agreed).decode
_ANNOTATION = b"x-mcp-header"


def next_cursor(result: Raw) -> str | None:
    """The next page of a list."""
    try:
        return _decode_cursor(result).nextCursor
    except MALFORMED:
        return None


def agreed_version(result: Raw) -> str | None:
    """The revision in the result of ``initialize``, where a header can carry it."""
    try:
        version = _decode_agreed(result).protocolVersion
    except MALFORMED:
        return None
    return version if version is not None and _VISIBLE.fullmatch(version) else None


def mirrored_parameters(result: Raw) -> dict[str, ParameterHeaders]:
    """By tool, what a page of ``tools/list`` wants mirrored in headers."""
    if _ANNOTATION not in bytes(result):  # as nearly always
        return {}
    try:
        page = msgspec.json.decode(result)
    except MALFORMED:
        return {}
    tools = page.get("tools") if isinstance(page, dict) else None
    found = {}
    for tool in tools if isinstance(tools, list) else ():
        if (
            isinstance(tool, dict)
            and isinstance(name := tool.get("name"), str)
            and (headers := parameter_headers(tool.get("inputSchema")))
        ):
            found[name] = headers
    return found
