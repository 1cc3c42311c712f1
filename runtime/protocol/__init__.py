"""JSON-RPC and MCP as values: messages, their wire mapping, and connection state machines.

No I/O, no clock, no logging. Bytes and values in, values and bytes out. Each name is imported when first used: a
server written in Python needs neither the client's half nor the message classes, and starts the sooner.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import codes
    from .client import (
        Answered,
        ClientConnection,
        ClientEvent,
        Failed,
        Opened,
        OpenFailed,
        Progressed,
    )
    from .errors import (
        HandshakeFailed,
        InvalidMessage,
        LocalProtocolError,
        ProtocolError,
        UnexpectedResultType,
        WireError,
    )
    from .events import Ignored, Notified, Send
    from .jsonrpc import (
        Body,
        ErrorResponse,
        JsonRpcError,
        Message,
        Notification,
        Request,
        RequestId,
        Response,
        decode,
        encode_error,
        encode_notification,
        encode_request,
        encode_response,
    )
    from .messages import (
        AudioContent,
        CallToolResult,
        Cancelled,
        ClientCapabilities,
        ContentBlock,
        DiscoverResult,
        EmbeddedResource,
        ImageContent,
        Implementation,
        InitializeResult,
        ListsCapability,
        ListToolsResult,
        Progress,
        ResourceContents,
        ResourceLink,
        ServerCapabilities,
        TextContent,
        Tool,
        ToolAnnotations,
        UnknownContent,
    )
    from .server import Asked, CancelRequested, ServerConnection, ServerEvent
    from .state import State
    from .versions import LEGACY_VERSIONS, MODERN_VERSION, Era, EraChoice
    from .wire import from_wire, result_from_wire, to_wire, warm_up

__all__ = [
    "LEGACY_VERSIONS",
    "MODERN_VERSION",
    "Answered",
    "Asked",
    "AudioContent",
    "Body",
    "CallToolResult",
    "CancelRequested",
    "Cancelled",
    "ClientCapabilities",
    "ClientConnection",
    "ClientEvent",
    "ContentBlock",
    "DiscoverResult",
    "EmbeddedResource",
    "Era",
    "EraChoice",
    "ErrorResponse",
    "Failed",
    "HandshakeFailed",
    "Ignored",
    "ImageContent",
    "Implementation",
    "InitializeResult",
    "InvalidMessage",
    "JsonRpcError",
    "ListToolsResult",
    "ListsCapability",
    "LocalProtocolError",
    "Message",
    "Notification",
    "Notified",
    "OpenFailed",
    "Opened",
    "Progress",
    "Progressed",
    "ProtocolError",
    "Request",
    "RequestId",
    "ResourceContents",
    "ResourceLink",
    "Response",
    "Send",
    "ServerCapabilities",
    "ServerConnection",
    "ServerEvent",
    "State",
    "TextContent",
    "Tool",
    "ToolAnnotations",
    "UnexpectedResultType",
    "UnknownContent",
    "WireError",
    "codes",
    "decode",
    "encode_error",
    "encode_notification",
    "encode_request",
    "encode_response",
    "from_wire",
    "result_from_wire",
    "to_wire",
    "warm_up",
]

# Where the names live, the cheap modules first.
_HOMES = ("versions", "errors", "jsonrpc", "events", "server", "state", "messages", "wire", "client")


def __getattr__(name: str) -> Any:
    if name in __all__:
        for home in _HOMES:
            module = import_module(f"{__name__}.{home}")
            if name in module.__all__:
                value = globals()[name] = getattr(module, name)
                return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
