"""An HTTP server that we start ourselves, at a port that stays the same however often it is started.

The order is fixed: see whether there is such a command, prepare the port, let go of it, spawn, wait until the server
answers there, see that it is the server who answers. What each step came to is told to an observer. How one then
speaks to the server is the HTTP transports' affair, as it is for servers that others run.

The server learns its port from ``{port}`` in its command line, in its environment or in its url, or from the variable
``PORT``; and whom it serves from a file (see `session`).
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final, TypeAlias, final
from urllib.parse import urlsplit

import trio
from attrs import define, field, frozen

from runtime.tasks import beside

from .environment import Marker
from .guard import Guard
from .logged import LoggedProcess, open_logged
from .ping import connected, ping
from .ports import Listener, PortTaken, PortUnusable, Reservation
from .process import CommandUnusable, ExitStatus, verify
from .readiness import ATTEMPTS, Answer, Readiness, attempt_at, judge, next_look
from .session import SESSION_VARIABLE, session_file
from .stdio import STOP_TIMEOUT, StdioCommand

__all__ = [
    "Asked",
    "CommandUnusable",
    "DiedAtStart",
    "NeverReady",
    "OwnedServer",
    "PortPrepared",
    "PortTaken",
    "PortUnusable",
    "Ready",
    "Spawned",
    "Step",
    "endpoint",
    "open_owned",
]

PORT: Final = "{port}"
PORT_VARIABLE: Final = "PORT"


# What happens at a start, step by step


@final
@frozen
class PortPrepared:
    """The port is free, and held for the server."""

    port: int
    attempts: int


@final
@frozen
class Spawned:
    """There is a process."""

    pid: int
    port: int


@final
@frozen
class Asked:
    """An attempt is over without the server being ready; `answer` is its last, None: there was none."""

    attempt: int
    attempts: int
    answer: Answer | None


@final
@frozen
class Ready:
    """The server answers, so many `seconds` after its process was started."""

    readiness: Readiness
    seconds: float


Step: TypeAlias = PortPrepared | Spawned | Asked | Ready


# What can go wrong, beside a command or a port that cannot be used


@final
@define(repr=False)
class DiedAtStart(Exception):
    """The process ended before the server was ready. `log` are its last lines."""

    status: ExitStatus
    log: tuple[str, ...]

    def __str__(self) -> str:
        return f"it ended with {self.status} before it answered"


@final
@define(repr=False)
class NeverReady(Exception):
    """The process runs, and the server did not get ready in `seconds`. `answer` is its last; None: there was none."""

    attempts: int
    seconds: float
    answer: Answer | None
    log: tuple[str, ...]

    def __str__(self) -> str:
        last = "nobody answered"
        if self.answer is not None:
            status = self.answer.status
            said = "it took a connection" if status is None else f"it answered with status {status}"
            last = f"{said} after {self.answer.seconds:.1f} s"
        return f"not ready after {self.attempts} attempts in {self.seconds:.1f} s: {last}"


def endpoint(url: str) -> tuple[str, int | None]:
    """The host and the port that a configured url names; no port: any will do, for it says ``{port}``.

    Raises `ValueError` for a url that names no place.
    """
    parts = urlsplit(url.replace(f":{PORT}", ":0"))
    if not parts.hostname:
        raise ValueError("a url needs a host")
    named = parts.port if parts.port is not None else {"https": 443, "wss": 443}.get(parts.scheme, 80)
    return parts.hostname, named or None


def _placed(text: str, port: int) -> str:
    return text.replace(PORT, str(port))


@asynccontextmanager
async def open_owned(
    command: StdioCommand,
    url: str,
    at: Reservation,
    *,
    guard: Guard | None = None,
    marker: Marker | None = None,
    session: Mapping[str, object] | None = None,
    stop_timeout: float = STOP_TIMEOUT,
    attempts: int = ATTEMPTS,
    patience: float = 0.0,
    observe: Callable[[Step], object] = lambda step: None,
) -> AsyncIterator["OwnedServer"]:
    """Starts an HTTP server and enters once it answers at its port, or wants to know who asks; stops it afterwards.

    `at` is the port that `endpoint` and `Ports.reserve` gave; it is held again when the block is left. `session`: what
    the server is told of itself in a file, which is removed once the process is reaped. The last of the
    `attempts` lasts until `patience` seconds after the start of the process. For the rest see `open_logged`.

    Raises `CommandUnusable` or `ProcessesUnsupported`, `PortTaken` or `PortUnusable`, `DiedAtStart`, `NeverReady`; of
    whatever was started nothing is left then.
    """
    verify(command.argv, command.env, command.cwd)
    observe(PortPrepared(at.port, await at.prepare()))
    if marker is None and guard is not None:
        marker = guard.marker()
    argv = [_placed(word, at.port) for word in command.argv]
    env = {name: _placed(value, at.port) for name, value in command.env.items()}
    address = _placed(url, at.port)
    told = {"url": address, "port": at.port, **(session or {})}
    with session_file(told, marker) as file:
        env = {PORT_VARIABLE: str(at.port), **env, **({} if file.path is None else {SESSION_VARIABLE: file.path})}
        at.release()
        try:
            async with open_logged(
                argv, env, command.cwd, guard=guard, marker=marker, stop_timeout=stop_timeout
            ) as process:
                file.reader = process
                observe(Spawned(process.pid, at.port))
                server = OwnedServer(address, process, at)
                await server._get_ready(attempts, patience, observe)
                yield server
        finally:
            with suppress(PortUnusable):
                at.hold()


@final
@define(eq=False, repr=False)
class OwnedServer:
    """An HTTP server of ours. Made by `open_owned`."""

    url: str
    process: LoggedProcess
    _port: Reservation
    readiness: Readiness = field(default=Readiness.HEALTHY, init=False)
    _listener: Listener | None = field(default=None, init=False)  # as last seen

    def check(self) -> None:
        """To be said before a credential is sent: that whoever listens at the port belongs to the process.

        Cheap as long as its listener is there. Raises `PortTaken`.
        """
        if self._listener is None or not self._listener.is_there():
            self._listener = self._port.check(self.process.members)
            if self._listener is None:
                raise PortTaken(self._port.host, self._port.port, None)

    async def _get_ready(self, attempts: int, patience: float, observe: Callable[[Step], object]) -> None:
        began = trio.current_time()
        found, answer = None, None
        with trio.CancelScope() as life:
            async with beside(partial(self._watch, life)):
                found, answer = await wait_ready(self._look, attempts, observe, patience)
        seconds = trio.current_time() - began
        if (status := self.process.exited) is not None:
            raise DiedAtStart(status, self.process.log())
        if found is None:
            raise NeverReady(attempts, seconds, answer, self.process.log())
        self.readiness = found
        observe(Ready(found, seconds))

    async def _watch(self, life: trio.CancelScope) -> None:
        await self.process.wait_exit()
        life.cancel()

    async def _look(self) -> Answer | None:
        stream = await connected(self._port.addresses, self._port.port)
        if stream is None:
            return None
        async with stream:
            self._listener = self._port.check(self.process.members)
            return None if self._listener is None else await ping(stream, self.url)


async def wait_ready(
    look: Callable[[], Awaitable[Answer | None]],
    attempts: int,
    observe: Callable[[Step], object],
    patience: float = 0.0,
) -> tuple[Readiness | None, Answer | None]:
    """Looks, and looks again, until an answer will do or the attempts are over; what it was found to be, and the last
    answer. Between two looks there is at most a tenth of the time gone by."""
    began = trio.current_time()
    attempt, answer = 1, None
    while True:
        elapsed = trio.current_time() - began
        current = attempt_at(elapsed, attempts, patience)
        for over in range(attempt, current or attempts + 1):
            observe(Asked(over, attempts, answer))
        if current is None:
            return None, answer
        attempt = current
        answer = await look()
        if (found := judge(answer, attempt, attempts)) is not None:
            return found, answer
        await trio.sleep(next_look(elapsed))
