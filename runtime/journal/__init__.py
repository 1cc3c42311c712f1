"""What happened: events, who hears of them, and where they are written down.

The writing is in modules of its own, which a runtime imports when it opens.
"""

from runtime.journal.events import (
    Event,
    EventsLost,
    HandlerFailed,
    ListFlawed,
    OrphanEnded,
    PromptsChanged,
    Refused,
    ResourcesChanged,
    ServerCrashed,
    ServerEjected,
    ServerLogged,
    ServerReady,
    ServerStarting,
    ServerStep,
    ServerStopped,
    ToolsChanged,
)
from runtime.journal.feed import Feed, Subscription
from runtime.journal.reconfiguring import ConfigApplied, ServerAdjusted, ServerRolledBack

__all__ = [
    "ConfigApplied",
    "Event",
    "EventsLost",
    "Feed",
    "HandlerFailed",
    "ListFlawed",
    "OrphanEnded",
    "PromptsChanged",
    "Refused",
    "ResourcesChanged",
    "ServerAdjusted",
    "ServerCrashed",
    "ServerEjected",
    "ServerLogged",
    "ServerReady",
    "ServerRolledBack",
    "ServerStarting",
    "ServerStep",
    "ServerStopped",
    "Subscription",
    "ToolsChanged",
]
