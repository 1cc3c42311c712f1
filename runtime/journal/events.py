"""The events of a runtime: frozen values that say themselves in one line."""

from __future__ import annotations

from typing import ClassVar, final

from attrs import frozen

from runtime.errors import counted
from runtime.value import Value


@frozen(repr=False)
class Event(Value):
    """Something that happened to ``server`` (empty: to the runtime), ``at`` seconds after the runtime opened."""

    name: ClassVar[str] = "event"
    at: float
    server: str

    def told(self) -> str:
        """Say what happened, without when and to whom."""
        return self.name

    def __str__(self) -> str:
        return f"{self.at:8.3f}s  {self.server}  {self.told()}"


@final
@frozen(repr=False)
class ServerStarting(Event):
    """An incarnation begins: a process is being started, or a connection opened."""

    name: ClassVar[str] = "starting"
    incarnation: int

    def told(self) -> str:
        return "starting" if self.incarnation == 1 else f"starting again, incarnation {self.incarnation}"


@final
@frozen(repr=False)
class ServerReady(Event):
    """Handshake done, lists fetched, required tools present (S2); ``seconds`` after its start."""

    name: ClassVar[str] = "ready"
    incarnation: int
    version: str
    tools: int
    seconds: float

    def told(self) -> str:
        return f"ready in {self.seconds * 1000:.0f} ms: {counted(self.tools, 'tool')}, MCP {self.version}"


@final
@frozen(repr=False)
class ServerCrashed(Event):
    """An incarnation ended that was wanted. ``restart_in``: seconds until the next; None: there is none."""

    name: ClassVar[str] = "crashed"
    incarnation: int
    reason: str
    restart_in: float | None

    def told(self) -> str:
        after = "" if self.restart_in is None else f"; restart in {self.restart_in:.2g} s"
        return f"crashed: {self.reason}{after}"


@final
@frozen(repr=False)
class ServerEjected(Event):
    """It spent its restart window: more than ``restarts`` in ``period`` seconds."""

    name: ClassVar[str] = "ejected"
    restarts: int
    period: float

    def told(self) -> str:
        budget = f"{counted(self.restarts, 'restart')} in {self.period:g} s"
        return f"ejected: more than {budget}; reload it to try again"


@final
@frozen(repr=False)
class ServerStopped(Event):
    """It ended and stays down: stopped by somebody, or finished and not to be restarted."""

    name: ClassVar[str] = "stopped"


@final
@frozen(repr=False)
class ToolsChanged(Event):
    """Its list of tools is another than before."""

    name: ClassVar[str] = "tools_changed"
    added: tuple[str, ...]
    removed: tuple[str, ...]

    def told(self) -> str:
        signs = [f"+{name}" for name in self.added] + [f"-{name}" for name in self.removed]
        return f"tools changed: {' '.join(signs) or 'definitions'}"


@final
@frozen(repr=False)
class EventsLost(Event):
    """This subscriber was too slow: so many of the oldest events were dropped for it."""

    name: ClassVar[str] = "events_lost"
    count: int

    def told(self) -> str:
        return f"{counted(self.count, 'event')} lost: this subscriber is too slow"
