"""What a modern server's result means: the answer itself, or one of the other things that a result can be.

MCP 2026-07-28, basic/index: ``resultType``; basic/patterns/mrtr; the tasks extension: polymorphic results.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from .client_asked import declares_extensions, declares_tasks, objection
from .client_envelope import members_of
from .client_events import InputRequest, InputRequired, ListenEnded, TaskCreated
from .errors import UnexpectedResultType, WireError
from .events import Answered, Invalid
from .jsonrpc import MALFORMED, RequestId
from .versions import CLIENT_CAPABILITIES, MAY_ASK_BACK

__all__ = ["LISTEN", "is_complete", "params_of", "read_result"]

LISTEN = "subscriptions/listen"
MAY_BECOME_TASKS = frozenset({"tools/call"})


class _Kind(Struct, rename="camel", gc=False):
    result_type: str | None = None


class _Request(Struct):
    method: str
    params: dict[str, Any] | None = None


class _InputRequired(Struct, rename="camel"):
    input_requests: dict[str, _Request] | None = None
    request_state: str | None = None


class _Created(Struct, rename="camel", gc=False):
    task_id: str
    poll_interval_ms: int | None = None


class _Sent(Struct):
    params: Raw


_decode_kind = msgspec.json.Decoder(_Kind).decode
_decode_input_required = msgspec.json.Decoder(_InputRequired).decode
_decode_created = msgspec.json.Decoder(_Created).decode
_decode_sent = msgspec.json.Decoder(_Sent).decode
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


def is_complete(result: Raw) -> bool:
    """Whether a result is the answer itself. If not, or if it is none at all, `read_result` says what it is."""
    try:
        kind = _decode_kind(result).result_type
    except MALFORMED:
        return False
    return kind is None or kind == "complete"


def params_of(line: bytes) -> Mapping[str, Any]:
    """The params of a request as this side has sent it, each member as raw as it was."""
    return members_of(_decode_sent(line).params)


def read_result(
    id: RequestId, method: str, line: bytes, result: Raw
) -> Answered | InputRequired | TaskCreated | ListenEnded | Invalid:
    """What ``result`` means for the request that went out as ``line``."""
    try:
        kind = _decode_kind(result).result_type
        if kind is None or kind == "complete":
            return ListenEnded(id, None) if method == LISTEN else Answered(id, result)
        declared = _decode_object(members_of(params_of(line)["_meta"])[CLIENT_CAPABILITIES])
        if kind == "input_required" and method in MAY_ASK_BACK:
            return _input_required(id, declared, result)
        if kind == "task" and method in MAY_BECOME_TASKS and declares_tasks(declared):
            found = _decode_created(result)
            return TaskCreated(id, found.task_id, found.poll_interval_ms, result)
        if kind not in ("input_required", "task") and declares_extensions(declared):
            return Answered(id, result)  # whoever offered the extension knows its words
    except MALFORMED as error:
        return Invalid(id, WireError(f"result of {method}", "", str(error)))
    unexpected = UnexpectedResultType(f"result of {method}", "resultType", f"is {kind!r}, which nobody offered", kind)
    return Invalid(id, unexpected)


def _input_required(id: RequestId, declared: Mapping[str, Any], result: Raw) -> InputRequired | Invalid:
    found = _decode_input_required(result)
    if found.input_requests is None and found.request_state is None:
        return Invalid(id, WireError("InputRequiredResult", "", "has neither inputRequests nor requestState"))
    requests = {
        key: InputRequest(asked.method, asked.params or {}) for key, asked in (found.input_requests or {}).items()
    }
    for key, asked in requests.items():
        if (why := objection(declared, asked.method, asked.params)) is not None:
            return Invalid(id, WireError("InputRequiredResult", f"inputRequests.{key}", why.message))
    return InputRequired(id, requests, result)
