"""The MCP runtime: every MCP server an actor, kept alive by a supervisor, called by one name.

Each name is imported when first used: a server written in Python lives below this package too, and starts the sooner.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runtime.call import ProgressCallback
    from runtime.config import ConfigError, RuntimeConfig, Secret
    from runtime.errors import (
        CallFailed,
        CallInterrupted,
        CallRefused,
        CallTimedOut,
        CommandNotFound,
        ConnectionLost,
        Declined,
        GreenroomError,
        HandshakeRefused,
        InputUnanswered,
        InvalidAnswer,
        InvalidArguments,
        NameTaken,
        NotAuthorized,
        NotSupported,
        PlanOutdated,
        RequiredToolsMissing,
        RuntimeClosed,
        RuntimeFailed,
        Sent,
        ServerEjected,
        ServerError,
        ServerExited,
        ServerFailed,
        ServerNotFound,
        ServersNotReady,
        ServerStopped,
        ServerUnreachable,
        ServerUnresponsive,
        SpawnRefused,
        StartFailed,
        StartTimedOut,
        StdoutNoise,
        ToolNotFound,
    )
    from runtime.host import Runtime, open_runtime
    from runtime.registry import PromptEntry, ResourceEntry, ResourceTemplateEntry, ToolEntry
    from runtime.servers import ResourceChanged, ServerStatus, State

__all__ = [
    "CallFailed",
    "CallInterrupted",
    "CallRefused",
    "CallTimedOut",
    "CommandNotFound",
    "ConfigError",
    "ConnectionLost",
    "Declined",
    "GreenroomError",
    "HandshakeRefused",
    "InputUnanswered",
    "InvalidAnswer",
    "InvalidArguments",
    "NameTaken",
    "NotAuthorized",
    "NotSupported",
    "PlanOutdated",
    "ProgressCallback",
    "PromptEntry",
    "RequiredToolsMissing",
    "ResourceChanged",
    "ResourceEntry",
    "ResourceTemplateEntry",
    "Runtime",
    "RuntimeClosed",
    "RuntimeConfig",
    "RuntimeFailed",
    "Secret",
    "Sent",
    "ServerEjected",
    "ServerError",
    "ServerExited",
    "ServerFailed",
    "ServerNotFound",
    "ServerStatus",
    "ServerStopped",
    "ServerUnreachable",
    "ServerUnresponsive",
    "ServersNotReady",
    "SpawnRefused",
    "StartFailed",
    "StartTimedOut",
    "State",
    "StdoutNoise",
    "ToolEntry",
    "ToolNotFound",
    "open_runtime",
]

# Where the names live.
_HOMES = ("errors", "call", "config", "registry", "servers", "host")


def __getattr__(name: str) -> Any:
    if name in __all__:
        for home in _HOMES:
            module = import_module(f"{__name__}.{home}")
            if hasattr(module, name):
                value = globals()[name] = getattr(module, name)
                return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
