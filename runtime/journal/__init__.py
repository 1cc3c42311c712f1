"""What happened: events, and who hears of them."""

from runtime.journal.events import (
    Event,
    EventsLost,
    ServerCrashed,
    ServerEjected,
    ServerReady,
    ServerStarting,
    ServerStopped,
    ToolsChanged,
)
from runtime.journal.feed import Feed, Subscription

__all__ = [
    "Event",
    "EventsLost",
    "Feed",
    "ServerCrashed",
    "ServerEjected",
    "ServerReady",
    "ServerStarting",
    "ServerStopped",
    "Subscription",
    "ToolsChanged",
]
