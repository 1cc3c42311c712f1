"""The way to an HTTP server of our own: a process, at a port that stays the same, and its endpoint there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, final

from attrs import define, field

from runtime.config import reveal
from runtime.errors import CommandNotFound, NotSupported, PortTaken, ServerExited, StartTimedOut
from runtime.servers.link_process import stdio_command
from runtime.servers.link_remote import Renewal, open_endpoint, revealed
from runtime.servers.secrets import Secrets
from runtime.transports import NotSent, Transport
from runtime.transports.framing import Noise

if TYPE_CHECKING:
    from runtime.config import Owned, ServerSpec
    from runtime.servers.link import Link
    from runtime.transports.guard import Guard
    from runtime.transports.http import Way
    from runtime.transports.owned import OwnedServer, Step
    from runtime.transports.ports import Ports


@final
@define(eq=False, repr=False)
class OwnedLink:
    """The endpoint and the process behind it."""

    transport: Transport
    speaks_http: bool
    _server: OwnedServer
    _secrets: Secrets
    _renewal: Renewal
    remote: bool = field(default=False, init=False)

    @property
    def pid(self) -> int | None:
        return self._server.process.pid

    def kill(self) -> None:
        self._server.process.kill()

    def when_renewed(self, tell: Callable[[], object]) -> None:
        self._renewal.tell = tell

    async def wait_exit(self) -> str:
        return f"ended with {await self._server.process.wait_exit()}"

    @property
    def ended_well(self) -> bool:
        exited = self._server.process.exited
        return exited is not None and exited.code == 0

    def stderr(self) -> tuple[str, ...]:
        return tuple(map(self.hide, self._server.process.log()))

    def noise(self) -> Noise:
        return Noise(0, ())

    def hide(self, text: str) -> str:
        return self._secrets.hide(text)


@asynccontextmanager
async def open_owned_server(
    spec: ServerSpec,
    reach: Owned,
    incarnation: int,
    guard: Guard,
    ports: Ports,
    ways: MutableMapping[str, Way],
    observe: Callable[[str, str], object],
) -> AsyncIterator[Link]:
    """Start the server, wait until it answers, and connect to it.

    Raises `CommandNotFound`, `PortTaken`, `NotSupported`, `ServerExited` or `StartTimedOut`.
    """
    from runtime.transports import owned
    from runtime.transports.readiness import attempts_within
    from runtime.transports.stdio import ProcessesUnsupported

    name, secrets, url = spec.name, Secrets.of(reach), reveal(reach.remote.url)
    try:
        reservation = await ports.reserve(name, *owned.endpoint(url))
        async with owned.open_owned(
            stdio_command(reach.command),
            url,
            reservation,
            guard=guard,
            marker=guard.marker(name, incarnation),
            stop_timeout=spec.stop_timeout,
            attempts=attempts_within(spec.start_timeout),
            patience=spec.start_timeout,
            observe=lambda step: observe(name, _said(step)),
        ) as server:
            renewal = Renewal()
            headers = _after_a_check(server, revealed(reach.remote.headers))
            async with open_endpoint(spec, reach.remote, server.url, headers, ways, renewal) as transport:
                yield OwnedLink(transport, reach.remote.type != "ws", server, secrets, renewal)
    except owned.CommandUnusable as error:
        raise CommandNotFound(name, (), str(reach.command.argv[0]), error.reason) from error
    except ProcessesUnsupported as error:
        raise NotSupported(name, (), str(error)) from error
    except owned.PortTaken as error:
        raise PortTaken(name, (), str(error).removesuffix(f"; {error.remedy}"), error.remedy) from error
    except owned.PortUnusable as error:
        raise PortTaken(name, (), str(error), "name another port in its url") from error
    except owned.DiedAtStart as error:
        raise ServerExited(name, _hidden(secrets, error.log), f"ended with {error.status}", "starting") from error
    except owned.NeverReady as error:
        asked = f"a request to {reach.remote.url}"
        raise StartTimedOut(name, _hidden(secrets, error.log), error.seconds, asked) from error


def _said(step: Step) -> str:
    from runtime.transports import owned

    match step:
        case owned.PortPrepared(port, attempts):
            return f"port {port} is free" if attempts == 1 else f"port {port} is free, after {attempts} attempts"
        case owned.Spawned(pid, port):
            return f"process {pid} is started, to listen at port {port}"
        case owned.Asked(attempt, attempts):
            return f"not ready yet, attempt {attempt} of {attempts}"
        case owned.Ready(readiness, seconds):
            return f"answers after {seconds * 1000:.0f} ms, {readiness.value}"


def _hidden(secrets: Secrets, lines: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(secrets.hide, lines))


def _after_a_check(server: OwnedServer, headers: Callable[[], Mapping[str, str]]) -> Callable[[], Mapping[str, str]]:
    """Let nobody but our own process have the headers: somebody else may have taken its port meanwhile."""
    from runtime.transports.ports import PortTaken

    def checked() -> Mapping[str, str]:
        try:
            server.check()
        except PortTaken as error:
            server.process.kill()  # its next start says what is wrong
            raise NotSent(str(error) if error.holder else "its process does not listen any more") from error
        return headers()

    return checked
