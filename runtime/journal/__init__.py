"""What happened: events, and who hears of them."""

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
