"""What a client connection reports, beside the events of both ends.

A raw ``params`` or ``result`` is what came, whole, for whoever reads more of it or passes it on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from msgspec import Raw

from .errors import HandshakeFailed
from .events import Answered, Asked, CancelRequested, Event, Failed, Ignored, Invalid, Notified, Send
from .jsonrpc import RequestId
from .versions import Era

if TYPE_CHECKING:
    from .messages import Implementation, ServerCapabilities, SubscriptionFilter

__all__ = [
    "Acknowledged",
    "ClientEvent",
    "ElicitationCompleted",
    "InputRequest",
    "InputRequired",
    "ListChanged",
    "ListenEnded",
    "Logged",
    "OpenFailed",
    "Opened",
    "Progressed",
    "ResourceUpdated",
    "TaskCreated",
    "TaskUpdated",
    "TimedOut",
]


class Opened(Event, frozen=True):
    """The handshake is done; requests may be made. A modern server may keep ``server_info`` to itself."""

    era: Era
    version: str
    server_info: Implementation | None
    capabilities: ServerCapabilities
    instructions: str | None
    ttl_ms: int | None = None
    """For how long a modern server takes all this for true, in milliseconds."""
    cache_scope: str | None = None


class OpenFailed(Event, frozen=True):
    """The handshake is over without success; the connection is of no further use."""

    error: HandshakeFailed


class InputRequest(Event, frozen=True):
    """What a server wants to know before it goes on: the method and params of a request, without an id."""

    method: str
    params: Mapping[str, Any]


class InputRequired(Event, frozen=True):
    """A request that a modern server will answer when it knows more: gather it and `ClientConnection.retry`.

    Each of ``requests`` is for something that the request's sender has declared. None at all: the server only wants
    to be asked again. Whoever will not retry says `ClientConnection.cancel`.
    """

    id: RequestId
    requests: Mapping[str, InputRequest]
    result: Raw


class TaskCreated(Event, frozen=True):
    """A request that became a task, whose result is polled: `ClientConnection.get_task`."""

    id: RequestId
    task_id: str
    poll_interval_ms: int | None
    """How long to wait between two polls, where the server has a wish, in milliseconds."""
    result: Raw


class TimedOut(Event, frozen=True):
    """A request whose time is up. It is cancelled; the line that says so to the server comes before this."""

    id: RequestId


class Progressed(Event, frozen=True):
    id: RequestId
    progress: float
    total: float | None
    message: str | None


class ListChanged(Event, frozen=True):
    """A list of the server's is no longer what it was. ``listen`` is the subscription that said so (modern)."""

    kind: Literal["tools", "prompts", "resources"]
    listen: RequestId | None = None


class ResourceUpdated(Event, frozen=True):
    uri: str
    listen: RequestId | None = None


class TaskUpdated(Event, frozen=True):
    """A task's state, as `ClientConnection.get_task` would have it: ``params``."""

    task_id: str
    params: Raw
    listen: RequestId | None = None


class Logged(Event, frozen=True):
    """``data`` is any JSON value."""

    level: str
    logger: str | None
    data: Any


class ElicitationCompleted(Event, frozen=True):
    """What the user was sent to a URL for is done there (legacy)."""

    elicitation_id: str


class Acknowledged(Event, frozen=True):
    """A subscription stands, for as much of what was asked for as the server can: ``filter``."""

    id: RequestId
    filter: SubscriptionFilter


class ListenEnded(Event, frozen=True):
    """The server has ended a subscription. Nothing was kept: listen again, and fetch what is listened for."""

    id: RequestId
    reason: str | None


ClientEvent: TypeAlias = (
    Opened
    | OpenFailed
    | Answered
    | Failed
    | Invalid
    | InputRequired
    | TaskCreated
    | TimedOut
    | Progressed
    | Asked
    | CancelRequested
    | ListChanged
    | ResourceUpdated
    | TaskUpdated
    | Logged
    | ElicitationCompleted
    | Acknowledged
    | ListenEnded
    | Notified
    | Send
    | Ignored
)
