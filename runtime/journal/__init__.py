"""What happened: events, who hears of them, and where they are written down."""

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
from runtime.journal.own_events import EventsUnwritten, HostsLost, JournalFailed, JournalRestored

__all__ = [
    "Event",
    "EventsLost",
    "EventsUnwritten",
    "Feed",
    "HandlerFailed",
    "HostsLost",
    "JournalFailed",
    "JournalRestored",
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
