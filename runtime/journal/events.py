"""The events of a runtime: frozen values that say themselves in one line."""

from __future__ import annotations

from typing import Any, ClassVar, final

from msgspec import Struct

from runtime.errors import counted

_SHOWN = 10  # names that a line shows of a changed list
_TEXT = 500  # characters that a line shows of a log


class Event(Struct, frozen=True, repr_omit_defaults=True):
    """Something that happened to ``server`` (empty: to the runtime), ``at`` seconds after the runtime opened.

    A struct, as there are twenty of them: attrs takes twenty times as long to make a class, at every start anew.
    """

    name: ClassVar[str] = "event"
    at: float
    server: str

    def told(self) -> str:
        """Say what happened, without when and to whom."""
        return self.name

    def __str__(self) -> str:
        return f"{self.at:8.3f}s  {self.server}  {self.told()}"


@final
class ServerStarting(Event, frozen=True):
    """An incarnation begins: a process is being started, or a connection opened."""

    name: ClassVar[str] = "starting"
    incarnation: int

    def told(self) -> str:
        return "starting" if self.incarnation == 1 else f"starting again, incarnation {self.incarnation}"


@final
class ServerStep(Event, frozen=True):
    """The start of an HTTP server of ours has come so far."""

    name: ClassVar[str] = "step"
    said: str

    def told(self) -> str:
        return self.said


@final
class OrphanEnded(Event, frozen=True):
    """A process that a host left behind when it was killed has been ended; ``server`` is whose it was there."""

    name: ClassVar[str] = "orphan_ended"
    pid: int
    program: str

    def told(self) -> str:
        return f"ended what a dead host had left: {self.program}, pid {self.pid}"


@final
class ServerReady(Event, frozen=True):
    """Handshake done, lists fetched, required tools present (S2); ``seconds`` after its start."""

    name: ClassVar[str] = "ready"
    incarnation: int
    version: str
    tools: int
    seconds: float

    def told(self) -> str:
        return f"ready in {self.seconds * 1000:.0f} ms: {counted(self.tools, 'tool')}, MCP {self.version}"


@final
class ServerCrashed(Event, frozen=True):
    """An incarnation ended that was wanted. ``restart_in``: seconds until the next; None: there is none."""

    name: ClassVar[str] = "crashed"
    incarnation: int
    reason: str
    restart_in: float | None

    def told(self) -> str:
        after = "" if self.restart_in is None else f"; restart in {self.restart_in:.2g} s"
        return f"crashed: {self.reason}{after}"


@final
class ServerEjected(Event, frozen=True):
    """It spent its restart window: more than ``restarts`` in ``period`` seconds."""

    name: ClassVar[str] = "ejected"
    restarts: int
    period: float

    def told(self) -> str:
        budget = f"{counted(self.restarts, 'restart')} in {self.period:g} s"
        return f"ejected: more than {budget}; reload it to try again"


@final
class ServerStopped(Event, frozen=True):
    """It ended and stays down: stopped by somebody, or finished and not to be restarted."""

    name: ClassVar[str] = "stopped"


class ListChanged(Event, frozen=True):
    """A list of its is another than before; nothing added and nothing removed: something in it is."""

    noun: ClassVar[str] = "list"
    added: tuple[str, ...]
    removed: tuple[str, ...]

    def told(self) -> str:
        signs = [f"+{name}" for name in self.added] + [f"-{name}" for name in self.removed]
        shown = " ".join(signs[:_SHOWN]) + (f" and {len(signs) - _SHOWN} more" if len(signs) > _SHOWN else "")
        return f"{self.noun} changed: {shown or 'definitions'}"


@final
class ToolsChanged(ListChanged, frozen=True):
    """Its list of tools is another than before."""

    name: ClassVar[str] = "tools_changed"
    noun: ClassVar[str] = "tools"


@final
class ResourcesChanged(ListChanged, frozen=True):
    """Its list of resources, or of their templates, is another than before. They are named by their URIs."""

    name: ClassVar[str] = "resources_changed"
    noun: ClassVar[str] = "resources"


@final
class PromptsChanged(ListChanged, frozen=True):
    """Its list of prompts is another than before."""

    name: ClassVar[str] = "prompts_changed"
    noun: ClassVar[str] = "prompts"


@final
class ListFlawed(Event, frozen=True):
    """Something in its lists, or a whole list other than that of its tools, cannot be read, and is left out."""

    name: ClassVar[str] = "list_flawed"
    flaws: tuple[str, ...]

    def told(self) -> str:
        more = f" and {counted(len(self.flaws) - 1, 'more flaw')}" if len(self.flaws) > 1 else ""
        return f"lists something unreadable: {self.flaws[0]}{more}"


@final
class ServerLogged(Event, frozen=True):
    """It has written to its log. ``data`` is any JSON value; ``level`` one of MCP's, from debug to emergency."""

    name: ClassVar[str] = "logged"
    level: str
    logger: str | None
    data: Any

    def told(self) -> str:
        logger = f" {self.logger}" if self.logger else ""
        text = self.data if isinstance(self.data, str) else repr(self.data)
        return f"{self.level}{logger}: {text:.{_TEXT}}"


@final
class HandlerFailed(Event, frozen=True):
    """The program's own handler failed on what this server asked of it; the server was told so."""

    name: ClassVar[str] = "handler_failed"
    method: str
    reason: str

    def told(self) -> str:
        return f"the handler of {self.method} failed: {self.reason}"


@final
class Refused(Event, frozen=True):
    """Somebody wanted what the rules do not allow, or had spent its budget, which is told once until it is fresh.

    ``caller`` None: the program itself. ``tool`` None: it was about no tool.
    """

    name: ClassVar[str] = "refused"
    verb: str
    tool: str | None
    caller: str | None
    reason: str

    def told(self) -> str:
        caller = "" if self.caller is None else f" to {self.caller}"
        tool = "" if self.tool is None else f" {self.tool}"
        return f"refused{caller}: {self.verb}{tool}: {self.reason}"


@final
class EventsLost(Event, frozen=True):
    """This subscriber was too slow: so many of the oldest events were dropped for it."""

    name: ClassVar[str] = "events_lost"
    count: int

    def told(self) -> str:
        return f"{counted(self.count, 'event')} lost: this subscriber is too slow"
