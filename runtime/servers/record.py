"""What is known of a server over all its incarnations: written by its actor and its supervisor, read by everybody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, final

import trio
from attrs import define, field
from msgspec import Struct

import actors
from runtime.servers.watching import Watched

if TYPE_CHECKING:
    from runtime.config import ServerSpec, Window
    from runtime.protocol import Era, Implementation, Opened, ServerCapabilities, Tool
    from runtime.registry import Catalog
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

CONNECTED = frozenset({State.HANDSHAKING, State.READY, State.DRAINING})
"""The states in which there is somebody at the other end."""

_UP = frozenset({State.READY, State.DRAINING})
_SETTLED = DOWN | {State.READY, State.BACKING_OFF}


@final
class ServerStatus(Struct, frozen=True):
    """A server at one moment. Times in seconds; ``uptime`` since it is ready, None while it is not.

    ``incarnation`` and ``restarts`` count over the whole life of the runtime; ``in_flight`` are calls on the wire,
    ``queued`` calls that wait. ``stderr`` are the last lines of its last process, ``noise`` the lines on its stdout
    that were no messages. ``last_error`` is the last failure, also of a server that has recovered since. ``flaws`` says
    what of its lists could not be had and is left out; ``instructions`` is what it says on how to use it.
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
    resources: int
    prompts: int
    in_flight: int
    queued: int
    last_error: BaseException | None
    stderr: tuple[str, ...]
    noise: int
    flaws: tuple[str, ...]
    instructions: str | None


@final
@define(eq=False, repr=False)
class Record:
    """The memory of one server. Its actor writes what it does, the supervisors' events what becomes of it."""

    spec: ServerSpec
    window: Window  # of its island, which is its group's if it has one
    after: tuple[Record, ...] = ()  # those that must be up before it starts
    state: State = State.STARTING
    incarnation: int = 0  # counted over reloads, too, so that no two are ever mistaken for each other (S3)
    restarts: int = 0
    settled: bool = False  # its first attempt is over, whatever came of it
    ref: actors.Ref | None = None
    link: Link | None = None  # the last; what it said on stderr is worth knowing after its end
    catalog: Catalog | None = None
    era: Era | None = None  # remembered: the next incarnation need not find out again
    version: str | None = None
    server_info: Implementation | None = None
    capabilities: ServerCapabilities | None = None  # of the last handshake
    instructions: str | None = None
    log_level: str | None = None  # what was asked for; the next incarnation is told, too
    watched: Watched = field(init=False)
    ready_at: float | None = None
    in_flight: int = 0
    last_error: BaseException | None = None
    gone: bool = False  # it is not in the configuration any more
    _changed: trio.Event = field(factory=trio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        self.watched = Watched(self.name)

    @property
    def name(self) -> str:
        """The server's name in the configuration."""
        return self.spec.name

    @property
    def tools(self) -> Mapping[str, Tool]:
        """What it lists."""
        return self.catalog.tools if self.catalog is not None else {}

    # -- written by its actor

    def begin(self, ref: actors.Ref) -> None:
        """Begin the next incarnation, at this address."""
        self.ref = ref
        self.incarnation += 1
        self.in_flight = 0
        self.move(State.STARTING)

    def connect(self, link: Link) -> None:
        """There is somebody to speak to."""
        self.link = link
        self.move(State.HANDSHAKING)

    def agree(self, opened: Opened) -> None:
        """The handshake is done."""
        self.era, self.version, self.server_info = opened.era, opened.version, opened.server_info
        self.capabilities, self.instructions = opened.capabilities, opened.instructions

    def count(self, in_flight: int) -> None:
        """Say how many calls are on the wire."""
        self.in_flight = in_flight
        if not in_flight and self.state is State.DRAINING:
            self._tell()

    def end(self, failure: BaseException | None) -> None:
        """End the incarnation; what becomes of the server is its supervisor's to say."""
        if failure is not None:
            self.last_error = failure
        if self.state not in DOWN:
            self.move(State.BACKING_OFF)

    # -- written by others

    def respecify(self, spec: ServerSpec, window: Window, after: tuple[Record, ...]) -> None:
        """It is to be as this says: in part at once, for the rest from its next incarnation on."""
        if (spec.reach, spec.era) != (self.spec.reach, self.spec.era):
            self.era = None  # that of somebody else
        self.spec, self.window, self.after = spec, window, after

    def revive(self) -> None:
        """It is about to be started afresh, by somebody's wish."""
        self.settled = False
        self.move(State.STARTING)

    def move(self, state: State) -> None:
        """Enter a state, and tell who waits for it."""
        if state is State.READY and self.state is not State.DRAINING:
            self.ready_at = trio.current_time()
        elif state not in _UP:
            self.ready_at = None
        self.state = state
        if state in _SETTLED:
            self.settled = True
        self._tell()

    # -- for everybody

    async def wait(self, until: Callable[[Record], bool]) -> None:
        """Wait until something is true of it."""
        while not until(self):
            await self._changed.wait()

    def _tell(self) -> None:
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    def status(self) -> ServerStatus:
        """Return a snapshot."""
        link, ref, catalog = self.link, self.ref, self.catalog
        return ServerStatus(
            server=self.name,
            state=self.state,
            incarnation=self.incarnation,
            restarts=self.restarts,
            pid=link.pid if link is not None and self.state in CONNECTED else None,
            era=self.era,
            version=self.version,
            server_info=self.server_info,
            uptime=trio.current_time() - self.ready_at if self.ready_at is not None else None,
            tools=len(self.tools),
            resources=len(catalog.resources) if catalog is not None else 0,
            prompts=len(catalog.prompts) if catalog is not None else 0,
            in_flight=self.in_flight,
            queued=ref.statistics().queued if ref is not None else 0,
            last_error=self.last_error,
            stderr=link.stderr() if link is not None else (),
            noise=link.noise().count if link is not None else 0,
            flaws=tuple(flaw for flaws in catalog.flaws.values() for flaw in flaws) if catalog is not None else (),
            instructions=self.instructions,
        )
