"""JSON-RPC and MCP as values: messages, their wire mapping, and connection state machines.

No I/O, no clock, no logging. Bytes and values in, values and bytes out. Each name is imported when first used: a
server written in Python needs neither the client's half nor the message classes, and starts the sooner.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import codes as codes
from .messages import __all__ as _MESSAGES

if TYPE_CHECKING:
    from .client import ClientConnection as ClientConnection
    from .client_events import Acknowledged as Acknowledged
    from .client_events import ClientEvent as ClientEvent
    from .client_events import ElicitationCompleted as ElicitationCompleted
    from .client_events import InputRequest as InputRequest
    from .client_events import InputRequired as InputRequired
    from .client_events import ListChanged as ListChanged
    from .client_events import ListenEnded as ListenEnded
    from .client_events import Logged as Logged
    from .client_events import Opened as Opened
    from .client_events import OpenFailed as OpenFailed
    from .client_events import Progressed as Progressed
    from .client_events import ResourceUpdated as ResourceUpdated
    from .client_events import TaskCreated as TaskCreated
    from .client_events import TaskUpdated as TaskUpdated
    from .client_events import TimedOut as TimedOut
    from .client_paging import Paging as Paging
    from .errors import HandshakeFailed as HandshakeFailed
    from .errors import InvalidMessage as InvalidMessage
    from .errors import LocalProtocolError as LocalProtocolError
    from .errors import MissingCapability as MissingCapability
    from .errors import ProtocolError as ProtocolError
    from .errors import UnexpectedResultType as UnexpectedResultType
    from .errors import UnknownMethod as UnknownMethod
    from .errors import WireError as WireError
    from .events import Answered as Answered
    from .events import Asked as Asked
    from .events import CancelRequested as CancelRequested
    from .events import Failed as Failed
    from .events import Ignored as Ignored
    from .events import Invalid as Invalid
    from .events import Notified as Notified
    from .events import Send as Send
    from .jsonrpc import Body as Body
    from .jsonrpc import ErrorResponse as ErrorResponse
    from .jsonrpc import JsonRpcError as JsonRpcError
    from .jsonrpc import Message as Message
    from .jsonrpc import Notification as Notification
    from .jsonrpc import Request as Request
    from .jsonrpc import RequestId as RequestId
    from .jsonrpc import Response as Response
    from .jsonrpc import decode as decode
    from .jsonrpc import decode_batch as decode_batch
    from .jsonrpc import encode_error as encode_error
    from .jsonrpc import encode_notification as encode_notification
    from .jsonrpc import encode_request as encode_request
    from .jsonrpc import encode_response as encode_response
    from .messages import *  # noqa: F403
    from .methods import METHODS as METHODS
    from .methods import Method as Method
    from .methods import method_of as method_of
    from .methods import params_of as params_of
    from .methods import result_of as result_of
    from .server import LevelSet as LevelSet
    from .server import ServerConnection as ServerConnection
    from .server import ServerEvent as ServerEvent
    from .server_admission import LOG_LEVELS as LOG_LEVELS
    from .server_shape import CacheHint as CacheHint
    from .server_state import ServerState as ServerState
    from .state import State as State
    from .translation import error_for as error_for
    from .translation import url_elicitations as url_elicitations
    from .versions import LEGACY_VERSIONS as LEGACY_VERSIONS
    from .versions import MODERN_VERSION as MODERN_VERSION
    from .versions import Era as Era
    from .versions import EraChoice as EraChoice
    from .wire import from_wire as from_wire
    from .wire import items_from_wire as items_from_wire
    from .wire import result_from_wire as result_from_wire
    from .wire import to_wire as to_wire
    from .wire import warm_up as warm_up

_ROOMS = {
    "client": "ClientConnection",
    "client_events": (
        "Acknowledged ClientEvent ElicitationCompleted InputRequest InputRequired ListChanged ListenEnded "
        "Logged OpenFailed Opened Progressed ResourceUpdated TaskCreated TaskUpdated TimedOut"
    ),
    "client_paging": "Paging",
    "errors": (
        "HandshakeFailed InvalidMessage LocalProtocolError MissingCapability ProtocolError UnexpectedResultType "
        "UnknownMethod WireError"
    ),
    "events": "Answered Asked CancelRequested Failed Ignored Invalid Notified Send",
    "jsonrpc": (
        "Body ErrorResponse JsonRpcError Message Notification Request RequestId Response decode decode_batch "
        "encode_error encode_notification encode_request encode_response"
    ),
    "methods": "METHODS Method method_of params_of result_of",
    "server": "LevelSet ServerConnection ServerEvent",
    "server_admission": "LOG_LEVELS",
    "server_shape": "CacheHint",
    "server_state": "ServerState",
    "state": "State",
    "translation": "error_for url_elicitations",
    "versions": "LEGACY_VERSIONS MODERN_VERSION Era EraChoice",
    "wire": "from_wire items_from_wire result_from_wire to_wire warm_up",
}
_HOMES = {name: room for room, names in _ROOMS.items() for name in names.split()} | dict.fromkeys(_MESSAGES, "messages")
__all__ = ["codes", *_HOMES]


def __getattr__(name: str) -> Any:
    if (room := _HOMES.get(name)) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{room}"), name)
    return value
