"""The JSON-RPC 2.0 envelope: one line of bytes to one frozen value and back.

Bodies stay `msgspec.Raw`: a relay passes them on untouched, a typed reader decodes them once. Ids keep type and value,
integers of any size included. The envelope itself is decoded into a private msgspec struct, which nobody outside this
package sees; the four kinds of message are structs too, made five times as fast as attrs classes.

A ``Raw`` that came out of a line holds that line in memory.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

import msgspec
from attrs import field, frozen
from msgspec import UNSET, Raw, UnsetType

from runtime.value import Value

from .errors import InvalidMessage, excerpt

__all__ = [
    "Body",
    "ErrorResponse",
    "JsonRpcError",
    "Message",
    "Notification",
    "Request",
    "RequestId",
    "Response",
    "decode",
    "decode_batch",
    "encode_error",
    "encode_notification",
    "encode_request",
    "encode_response",
]

T = TypeVar("T")

RequestId: TypeAlias = int | str
Body: TypeAlias = Mapping[str, Any] | Raw
"""Params or a result on their way out: a mapping of JSON values (``Raw`` among them), or JSON as it is."""

_ABSENT = Raw()
_NULL = Raw(b"null")


@frozen(repr=False)
class JsonRpcError(Value):
    """The ``error`` of a response, as a value; ``data`` is whatever JSON the peer added, None is none.

    ``extra`` holds what has no name here, a ``data`` of null included, and travels on.
    """

    code: int
    message: str
    data: Any = None
    extra: Mapping[str, Any] = field(factory=dict)

    def __str__(self) -> str:
        return f"{self.message} ({self.code})"


class Request(msgspec.Struct, frozen=True):
    id: RequestId
    method: str
    params: Raw | None


class Notification(msgspec.Struct, frozen=True):
    method: str
    params: Raw | None


class Response(msgspec.Struct, frozen=True):
    id: RequestId
    result: Raw


class ErrorResponse(msgspec.Struct, frozen=True):
    id: RequestId | None
    """None: the peer could not tell which request it means."""
    error: JsonRpcError


Message: TypeAlias = Request | Notification | Response | ErrorResponse


class Envelope(msgspec.Struct, gc=False):
    """Any message, undiscriminated. Absent bodies are empty."""

    jsonrpc: str = ""
    id: int | str | UnsetType | None = UNSET
    method: str | None = None
    params: Raw = _ABSENT
    result: Raw = _ABSENT
    error: Raw = _ABSENT


class _Head(msgspec.Struct, gc=False):
    id: int | str | UnsetType | None = UNSET
    method: Raw = _ABSENT


_decode_head = msgspec.json.Decoder(_Head).decode
_decode_envelope = msgspec.json.Decoder(Envelope).decode
_decode_error = msgspec.json.Decoder(dict[str, Any]).decode
encode_json = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines

# What msgspec raises on bytes from outside: also for broken UTF-8 and for nesting past its bound.
MALFORMED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

# Any escape of a JSON string: a whole surrogate pair, half of one (the group), or another.
_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|(u[dD][89a-fA-F][\da-fA-F]{2})|.)")


def read_envelope(line: bytes) -> Envelope:
    """Decode and check what all four kinds of message share.

    Half a surrogate pair reads as U+FFFD: JSON's grammar allows it (RFC 8259, section 8.2), and it is what a peer in
    JavaScript writes of a text that it cut in the middle of an emoji. Nobody is to wait in vain for that.

    Raises:
        InvalidMessage: ``line`` is not JSON, not one object, or not JSON-RPC 2.0.
    """
    try:
        envelope = _read(_decode_envelope, line)
    except InvalidMessage as error:
        error.asks = _asked_by(line)
        raise
    if envelope.jsonrpc != "2.0":
        raise InvalidMessage("'jsonrpc' is not \"2.0\"", excerpt(line), asks=_asked_by(line))
    return envelope


def _asked_by(line: bytes) -> RequestId | None:
    """The id of something with a ``method``, whatever else is wrong with it."""
    try:
        head = _decode_head(line)
    except MALFORMED:
        return None
    return head.id if head.method and not isinstance(head.id, UnsetType) else None


def _read(decode: Callable[[bytes], T], line: bytes) -> T:
    try:
        return decode(line)
    except MALFORMED as error:
        whole = _ESCAPE.sub(lambda found: found[0] if found[1] is None else rb"\ufffd", line)
        try:
            return decode(whole)
        except MALFORMED:
            raise InvalidMessage(str(error), excerpt(line)) from None


def read_error(raw: Raw, line: bytes, id: RequestId | None) -> JsonRpcError:
    """The error object of the response to a request.

    Raises:
        InvalidMessage: it has no integer ``code``, or a ``message`` that is no string.
    """
    try:
        members = _decode_error(raw)
    except MALFORMED as problem:
        raise InvalidMessage(f"error object: {problem}", excerpt(line), id) from None
    code, message = members.pop("code", None), members.pop("message", "")
    if type(code) is not int or type(message) is not str:
        raise InvalidMessage("error object: no integer code, or a message that is no string", excerpt(line), id)
    data = members.pop("data") if members.get("data") is not None else None
    return JsonRpcError(code, message, data, members)


def classify(envelope: Envelope, line: bytes) -> Message:
    """Which of the four kinds a message is. A null ``params``, ``method`` or ``error`` counts as absent.

    Raises:
        InvalidMessage: it is none of them.
    """
    id = envelope.id
    if envelope.method is not None:
        params = None if not envelope.params or envelope.params == _NULL else envelope.params
        if id is UNSET:
            return Notification(envelope.method, params)
        if id is None:
            raise InvalidMessage("the id of a request is null", excerpt(line))
        return Request(id, envelope.method, params)
    answers = None if id is UNSET else id
    failed = bool(envelope.error) and envelope.error != _NULL
    if failed and not envelope.result:
        return ErrorResponse(answers, read_error(envelope.error, line, answers))
    if failed or not envelope.result:
        raise InvalidMessage("not exactly one of 'method', 'result' and 'error'", excerpt(line), answers)
    if answers is None:
        raise InvalidMessage("a result without an id", excerpt(line))
    return Response(answers, envelope.result)


def decode(line: bytes) -> Message:
    """Decode one message, bodies left raw.

    Args:
        line: one JSON object; a trailing ``\\r`` or other whitespace around it is allowed.
    Raises:
        InvalidMessage: it is no JSON-RPC 2.0 message; batches included (they exist in 2025-03-26 only).
    """
    return classify(read_envelope(line), line)


_decode_batch = msgspec.json.Decoder(list[Raw]).decode


def decode_batch(line: bytes) -> tuple[Message | InvalidMessage, ...]:
    """Decode a batch, which only 2025-03-26 has; what is no message among its members is told in its place.

    Raises:
        InvalidMessage: ``line`` is no array, or an empty one.
    """
    return tuple([_decode_member(member) for member in split_batch(line)])


def split_batch(line: bytes) -> list[bytes]:
    """The members of a batch, none of them read, nor any batch among them taken apart.

    Raises:
        InvalidMessage: ``line`` is no array, or an empty one.
    """
    members = _read(_decode_batch, line)
    if not members:
        raise InvalidMessage("an empty batch", excerpt(line))
    return [bytes(member) for member in members]


def _decode_member(line: bytes) -> Message | InvalidMessage:
    try:
        return decode(line)
    except InvalidMessage as error:
        return error


def _line(message: dict[str, Any]) -> bytes:
    """One line: JSON allows raw line ends only between tokens, and only a caller's `Raw` can bring one."""
    line = _encode_lines((message,))
    if line.find(b"\n") != len(line) - 1 or line.find(b"\r") != -1:  # `find`, for `in` takes twice as long
        line = line.replace(b"\r", b" ").replace(b"\n", b" ")[:-1] + b"\n"
    return line


def encode_request(id: RequestId, method: str, params: Body | None = None) -> bytes:
    """One request as one line, ``b"\\n"`` included."""
    if params is None:
        return _line({"jsonrpc": "2.0", "id": id, "method": method})
    return _line({"jsonrpc": "2.0", "id": id, "method": method, "params": params})


def encode_notification(method: str, params: Body | None = None) -> bytes:
    """One notification as one line, ``b"\\n"`` included."""
    if params is None:
        return _line({"jsonrpc": "2.0", "method": method})
    return _line({"jsonrpc": "2.0", "method": method, "params": params})


def encode_response(id: RequestId, result: Body) -> bytes:
    """One successful answer as one line, ``b"\\n"`` included."""
    return _line({"jsonrpc": "2.0", "id": id, "result": result})


def encode_error(id: RequestId | None, error: JsonRpcError) -> bytes:
    """One failed answer as one line, ``b"\\n"`` included. No id, no ``id`` member (2025-11-25 and later)."""
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.data is not None:
        body["data"] = error.data
    body.update(error.extra)
    head: dict[str, Any] = {"jsonrpc": "2.0"} if id is None else {"jsonrpc": "2.0", "id": id}
    return _line({**head, "error": body})
