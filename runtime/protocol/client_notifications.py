"""What a server tells unasked, as events: a table of methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Literal

import msgspec
from msgspec import Raw

from . import messages
from .client_events import (
    Acknowledged,
    ElicitationCompleted,
    ListChanged,
    Logged,
    Progressed,
    ResourceUpdated,
    TaskUpdated,
)
from .events import CancelRequested, Event
from .jsonrpc import RequestId
from .versions import SUBSCRIPTION_ID
from .wire import from_wire

__all__ = ["READERS"]


class _Meta(msgspec.Struct, gc=False):
    listen: RequestId | None = msgspec.field(default=None, name=SUBSCRIPTION_ID)


class _Params(msgspec.Struct, rename="camel", kw_only=True):
    meta: _Meta | None = msgspec.field(default=None, name="_meta")

    @property
    def listen(self) -> RequestId | None:
        return None if self.meta is None else self.meta.listen


class _Progress(msgspec.Struct, rename="camel", gc=False):
    progress_token: RequestId
    progress: int | float
    total: int | float | None = None
    message: str | None = None


class _Cancelled(msgspec.Struct, rename="camel", gc=False):
    request_id: RequestId
    reason: str | None = None


class _Updated(_Params):
    uri: str


class _Message(msgspec.Struct):
    level: str
    data: Any
    logger: str | None = None


class _Elicitation(msgspec.Struct, rename="camel", gc=False):
    elicitation_id: str


class _Acknowledged(_Params):
    notifications: dict[str, Any]


class _Task(_Params):
    task_id: str


_decode_progress = msgspec.json.Decoder(_Progress).decode
_decode_cancelled = msgspec.json.Decoder(_Cancelled).decode
_decode_listed = msgspec.json.Decoder(_Params).decode
_decode_updated = msgspec.json.Decoder(_Updated).decode
_decode_message = msgspec.json.Decoder(_Message).decode
_decode_elicitation = msgspec.json.Decoder(_Elicitation).decode
_decode_acknowledged = msgspec.json.Decoder(_Acknowledged).decode
_decode_task = msgspec.json.Decoder(_Task).decode


def _progress(params: Raw) -> Progressed:
    found = _decode_progress(params)
    return Progressed(found.progress_token, found.progress, found.total, found.message)


def _cancelled(params: Raw) -> CancelRequested:
    found = _decode_cancelled(params)
    return CancelRequested(found.request_id, found.reason)


def _list_changed(kind: Literal["tools", "prompts", "resources"], params: Raw) -> ListChanged:
    return ListChanged(kind, _decode_listed(params).listen)


def _updated(params: Raw) -> ResourceUpdated:
    found = _decode_updated(params)
    return ResourceUpdated(found.uri, found.listen)


def _message(params: Raw) -> Logged:
    found = _decode_message(params)
    return Logged(found.level, found.logger, found.data)


def _elicitation_complete(params: Raw) -> ElicitationCompleted:
    return ElicitationCompleted(_decode_elicitation(params).elicitation_id)


def _acknowledged(params: Raw) -> Acknowledged:
    found = _decode_acknowledged(params)
    if found.listen is None:
        raise msgspec.ValidationError(f"Object missing required field `{SUBSCRIPTION_ID}` - at `$._meta`")
    return Acknowledged(found.listen, from_wire(messages.SubscriptionFilter, found.notifications))


def _task(params: Raw) -> TaskUpdated:
    found = _decode_task(params)
    return TaskUpdated(found.task_id, params, found.listen)


READERS: Final[Mapping[str, Callable[[Raw], Event]]] = {
    "notifications/progress": _progress,
    "notifications/cancelled": _cancelled,
    "notifications/tools/list_changed": partial(_list_changed, "tools"),
    "notifications/prompts/list_changed": partial(_list_changed, "prompts"),
    "notifications/resources/list_changed": partial(_list_changed, "resources"),
    "notifications/resources/updated": _updated,
    "notifications/message": _message,
    "notifications/elicitation/complete": _elicitation_complete,
    "notifications/subscriptions/acknowledged": _acknowledged,
    "notifications/tasks": _task,
}
"""Reads the params of a notification. May raise `WireError`, and what msgspec raises for what is not as it must be."""
