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

__all__ = [
    "Event",
    "EventsLost",
    "Feed",
    "HandlerFailed",
    "ListFlawed",
    "OrphanEnded",
    "PromptsChanged",
    "ResourcesChanged",
    "ServerCrashed",
    "ServerEjected",
    "ServerLogged",
    "ServerReady",
    "ServerStarting",
    "ServerStep",
    "ServerStopped",
    "Subscription",
    "ToolsChanged",
]
