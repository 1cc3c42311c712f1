"""Every method of every revision, in one table: who sends it, what comes with it, what answers it.

Sources: the unions ClientRequest, ServerRequest, ClientNotification and ServerNotification of each revision's schema;
for the tasks extension its own schema (2026-07-28).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from attrs import frozen
from msgspec import Raw

from runtime.value import Value

from . import messages
from .errors import UnexpectedResultType, UnknownMethod, WireError
from .jsonrpc import MALFORMED
from .versions import LEGACY_VERSIONS, MODERN_VERSION, TASKS
from .wire import from_wire, result_from_wire

__all__ = ["METHODS", "Method", "method_of", "params_of", "result_of"]

_LEGACY: Final = frozenset(LEGACY_VERSIONS)
_MODERN: Final = frozenset({MODERN_VERSION})
_ALL: Final = _LEGACY | _MODERN
_SINCE_JUNE: Final = frozenset({"2025-06-18", "2025-11-25"})
_NOVEMBER: Final = frozenset({"2025-11-25"})
_NEVER: Final = frozenset[str]()


@frozen(kw_only=True, repr=False)
class Method(Value):
    """One method, in those revisions in which it means the same. Types are named, for each is loaded when needed."""

    name: str
    params: str
    """The class in `messages` of what comes with it; `Params` where that is nothing but ``_meta``."""
    result: str | None = None
    """The class of what answers it. None: it is a notification, and nothing does."""
    client: frozenset[str] = _NEVER
    """The revisions in which a client may send it."""
    server: frozenset[str] = _NEVER
    """The revisions in which a server may send it, as a message of its own."""
    inside: frozenset[str] = _NEVER
    """The revisions in which a server may ask it inside of an InputRequiredResult only."""
    rounds: bool = False
    """Whether its modern answer may be an InputRequiredResult."""
    tasks: bool = False
    """Whether it may become a task: in 2025-11-25, and with the extension where a client sends it."""
    cacheable: bool = False
    """Whether its modern result carries cache hints."""
    extension: str | None = None
    """The extension that it belongs to, which both sides must have declared."""

    @property
    def versions(self) -> frozenset[str]:
        """The revisions in which it exists."""
        return self.client | self.server | self.inside

    @property
    def is_request(self) -> bool:
        return self.result is not None


def _list(name: str, result: str) -> Method:
    return Method(name=name, params="PageParams", result=result, client=_ALL, cacheable=True)


def _changed(what: str) -> Method:
    return Method(name=f"notifications/{what}/list_changed", params="Params", server=_ALL)


METHODS: Final = (
    Method(name="initialize", params="InitializeParams", result="InitializeResult", client=_LEGACY),
    Method(name="notifications/initialized", params="Params", client=_LEGACY),
    Method(name="server/discover", params="Params", result="DiscoverResult", client=_MODERN, cacheable=True),
    Method(name="ping", params="Params", result="Result", client=_LEGACY, server=_LEGACY),
    _list("tools/list", "ListToolsResult"),
    Method(name="tools/call", params="CallToolParams", result="CallToolResult", client=_ALL, rounds=True, tasks=True),
    _changed("tools"),
    _list("resources/list", "ListResourcesResult"),
    _list("resources/templates/list", "ListResourceTemplatesResult"),
    Method(
        name="resources/read",
        params="ReadResourceParams",
        result="ReadResourceResult",
        client=_ALL,
        rounds=True,
        cacheable=True,
    ),
    Method(name="resources/subscribe", params="ResourceParams", result="Result", client=_LEGACY),
    Method(name="resources/unsubscribe", params="ResourceParams", result="Result", client=_LEGACY),
    Method(name="notifications/resources/updated", params="ResourceParams", server=_ALL),
    _changed("resources"),
    _list("prompts/list", "ListPromptsResult"),
    Method(name="prompts/get", params="GetPromptParams", result="GetPromptResult", client=_ALL, rounds=True),
    _changed("prompts"),
    Method(name="completion/complete", params="CompleteParams", result="CompleteResult", client=_ALL),
    Method(name="logging/setLevel", params="SetLevelParams", result="Result", client=_LEGACY),
    Method(name="notifications/message", params="LoggingMessage", server=_ALL),
    Method(name="subscriptions/listen", params="ListenParams", result="Result", client=_MODERN),
    Method(name="notifications/subscriptions/acknowledged", params="SubscriptionsAcknowledged", server=_MODERN),
    Method(
        name="sampling/createMessage",
        params="CreateMessageParams",
        result="CreateMessageResult",
        server=_LEGACY,
        inside=_MODERN,
        tasks=True,
    ),
    Method(
        name="elicitation/create",
        params="ElicitParams",
        result="ElicitResult",
        server=_SINCE_JUNE,
        inside=_MODERN,
        tasks=True,
    ),
    Method(name="notifications/elicitation/complete", params="ElicitationComplete", server=_NOVEMBER),
    Method(name="roots/list", params="Params", result="ListRootsResult", server=_LEGACY, inside=_MODERN),
    Method(name="notifications/roots/list_changed", params="Params", client=_LEGACY),
    # The modern client cancels so on stdio only; the modern server ends a subscription so.
    Method(name="notifications/cancelled", params="Cancelled", client=_ALL, server=_ALL),
    Method(name="notifications/progress", params="Progress", client=_LEGACY, server=_ALL),
    # Tasks of 2025-11-25: either side may have made the other's request one.
    Method(name="tasks/get", params="TaskParams", result="Task", client=_NOVEMBER, server=_NOVEMBER),
    Method(name="tasks/result", params="TaskParams", result="Result", client=_NOVEMBER, server=_NOVEMBER),
    Method(name="tasks/cancel", params="TaskParams", result="Task", client=_NOVEMBER, server=_NOVEMBER),
    Method(name="tasks/list", params="PageParams", result="ListTasksResult", client=_NOVEMBER, server=_NOVEMBER),
    Method(name="notifications/tasks/status", params="Task", client=_NOVEMBER, server=_NOVEMBER),
    # Tasks as an extension.
    Method(name="tasks/get", params="TaskParams", result="DetailedTask", client=_MODERN, extension=TASKS),
    Method(name="tasks/update", params="UpdateTaskParams", result="Result", client=_MODERN, extension=TASKS),
    Method(name="tasks/cancel", params="TaskParams", result="Result", client=_MODERN, extension=TASKS),
    Method(name="notifications/tasks", params="DetailedTask", server=_MODERN, extension=TASKS),
)

_BY_NAME: Final = {(method.name, version): method for method in METHODS for version in method.versions}

_ABSENT: Final = Raw()


class _Kind(msgspec.Struct, rename="camel", gc=False):
    """What tells the things apart that a result can be."""

    result_type: Any = None
    task: Raw = _ABSENT


_decode_kind = msgspec.json.Decoder(_Kind).decode


def method_of(name: str, version: str) -> Method | None:
    """The method of this name in a revision; None: it has none."""
    return _BY_NAME.get((name, version))


def _known(name: str, version: str) -> Method:
    if (method := _BY_NAME.get((name, version))) is None:
        raise UnknownMethod(name, version)
    return method


def params_of(name: str, data: Raw | bytes | Mapping[str, Any] | None, version: str) -> messages.Part:
    """The params of a request or notification as the class that its method has in a revision; None reads as ``{}``.

    Raises:
        UnknownMethod: the revision has no such method.
        WireError: ``data`` does not fit; the path starts with ``params``.
    """
    cl = getattr(messages, _known(name, version).params)
    try:
        return from_wire(cl, {} if data is None else data)  # type: ignore[no-any-return]  # named in the table
    except WireError as error:
        raise WireError(error.type, f"params.{error.path}" if error.path else "params", error.reason) from None


def result_of(name: str, data: Raw | bytes | Mapping[str, Any], version: str) -> messages.Part:
    """What answered a request, as the class that its method has in a revision, or as what may stand in its place.

    That is an `InputRequiredResult`, a `CreateTaskResult` (2025-11-25) or a `DetailedTask` (tasks extension).

    Raises:
        UnknownMethod: the revision has no such request.
        WireError: ``data`` does not fit; the path starts with ``result``.
        UnexpectedResultType: it is of a kind that the method cannot have.
    """
    method = _known(name, version)
    if method.result is None:
        raise UnknownMethod(name, version)
    cl: type[messages.Part] = getattr(messages, method.result)
    try:
        instead = _instead(method, data, version)
        return result_from_wire(cl, data) if instead is None else from_wire(instead, data)
    except WireError as error:
        path = f"result.{error.path}" if error.path else "result"
        if isinstance(error, UnexpectedResultType):
            raise UnexpectedResultType(error.type, path, error.reason, error.result_type) from None
        raise WireError(error.type, path, error.reason) from None


def _instead(method: Method, data: Raw | bytes | Mapping[str, Any], version: str) -> type[messages.Part] | None:
    """The class of what stands in the place of a method's own result; None: its own it is, or nothing we know."""
    if isinstance(data, Mapping):
        kind, created = data.get("resultType"), "task" in data
    else:
        try:
            found = _decode_kind(data)
        except MALFORMED:
            return None
        kind, created = found.result_type, bool(found.task)
    if version not in _MODERN:
        return messages.CreateTaskResult if created and method.tasks and version in _NOVEMBER else None
    if kind == "input_required" and method.rounds:
        return messages.InputRequiredResult
    return messages.DetailedTask if kind == "task" and method.tasks and method.client else None
