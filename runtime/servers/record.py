"""What is known of a server over all its incarnations: written by its actor and its supervisor, read by everybody."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, final

import trio
from attrs import define, field, frozen

import actors
from runtime.config import ServerSpec
from runtime.protocol import Era, Implementation

if TYPE_CHECKING:
    from runtime.servers.link import Link


class State(Enum):
    """Where a server is in its life. A caller waits in all of them but the last two."""

    STARTING = "starting"
    HANDSHAKING = "handshaking"
    READY = "ready"
    DRAINING = "draining"
    BACKING_OFF = "backing_off"
    EJECTED = "ejected"
    STOPPED = "stopped"


DOWN = frozenset({State.EJECTED, State.STOPPED})
"""The states in which it answers nobody, until somebody brings it back."""


@final
@frozen
class ServerStatus:
    """A server at one moment. Times in seconds; ``uptime`` since it is ready, None while it is not.

    ``restarts`` counts over the whole life of the runtime; ``in_flight`` are calls on the wire, ``queued`` calls that
    wait; ``stderr`` are its last lines, ``noise`` the lines on its stdout that were no messages.
    """

    server: str
    state: State
    incarnation: int
    restarts: int
    pid: int | None
    era: Era | None
    version: str | None
    server_info: Implementation | None
    uptime: float | None
    tools: int
    in_flight: int
    queued: int
    last_error: BaseException | None
    stderr: tuple[str, ...]
    noise: int


@final
@define(eq=False)
class Record:
    """The memory of one server. Its actor writes what it does, the supervisor's events what becomes of it."""

    spec: ServerSpec
    state: State = State.STARTING
    incarnation: int = 0
    restarts: int = 0
    settled: bool = False  # its first attempt is over, whatever came of it
    ref: actors.Ref | None = None
    link: Link | None = None
    era: Era | None = None  # remembered: the next incarnation need not find out again
    version: str | None = None
    server_info: Implementation | None = None
    ready_at: float | None = None
    tools: int = 0
    in_flight: int = 0
    last_error: BaseException | None = None
    _changed: trio.Event = field(factory=trio.Event, init=False)

    @property
    def name(self) -> str:
        """The server's name in the configuration."""
        return self.spec.name

    def move(self, state: State) -> None:
        """Enter a state, and tell who waits for it."""
        self.state = state
        if state is not State.READY:
            self.ready_at = None
        if state in (State.READY, State.BACKING_OFF, State.EJECTED, State.STOPPED):
            self.settled = True
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    async def wait(self, until: Callable[[Record], bool]) -> None:
        """Wait until something is true of it."""
        while not until(self):
            await self._changed.wait()

    async def wait_other(self, ref: actors.Ref | None) -> None:
        """Wait until the server has another address than ``ref``, or is down for good."""
        await self.wait(lambda now: now.ref is not ref or now.state in DOWN)

    def status(self) -> ServerStatus:
        """Return a snapshot."""
        link, ref = self.link, self.ref
        return ServerStatus(
            server=self.name,
            state=self.state,
            incarnation=self.incarnation,
            restarts=self.restarts,
            pid=link.pid if link is not None else None,
            era=self.era,
            version=self.version,
            server_info=self.server_info,
            uptime=trio.current_time() - self.ready_at if self.ready_at is not None else None,
            tools=self.tools,
            in_flight=self.in_flight,
            queued=ref.statistics().queued if ref is not None else 0,
            last_error=self.last_error,
            stderr=link.stderr() if link is not None else getattr(self.last_error, "stderr", ()),
            noise=link.noise().count if link is not None else 0,
        )
