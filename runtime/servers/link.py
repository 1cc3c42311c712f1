"""The way to one server: a transport, and what there is to know and to do about whatever is at its other end."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Protocol, TypeAlias, final

import trio
from attrs import define, field

from actors.exits import leaves
from runtime.config import Secret, reveal
from runtime.errors import CommandNotFound, NotSupported
from runtime.transports import Transport
from runtime.transports.framing import Noise

if TYPE_CHECKING:
    from runtime.config import Command, InProcess, ServerSpec
    from runtime.inprocess import ToolServer
    from runtime.transports.guard import Guard
    from runtime.transports.memory import MemoryTransport
    from runtime.transports.stdio import StdioTransport


_PRINTED = 50  # lines kept of what a server in this process prints
_SECRET = 6  # characters from which on a value in `env` can be told from the text around it


class Link(Protocol):
    """What a server's actor needs of the way to its server."""

    @property
    def transport(self) -> Transport:
        """The channel of messages."""

    @property
    def pid(self) -> int | None:
        """The process, where there is one."""

    @property
    def speaks_http(self) -> bool:
        """Whether messages travel with headers, by which those on the way may read something of them."""

    def kill(self) -> None:
        """End the other end at once, as a crash would."""

    async def wait_exit(self) -> str:
        """Wait until the other end is gone; return how it went, for people."""

    @property
    def ended_well(self) -> bool:
        """Whether it ended by itself and without an error."""

    def stderr(self) -> tuple[str, ...]:
        """Its last lines on stderr."""

    def noise(self) -> Noise:
        """What it wrote to stdout that was no message."""


OpenLink: TypeAlias = "Callable[[ServerSpec, int], AbstractAsyncContextManager[Link]]"
"""Opens the way to a server, for one of its incarnations, for as long as the block; raises `StartFailed`."""


@asynccontextmanager
async def open_link(spec: ServerSpec, incarnation: int, *, guard: Guard) -> AsyncIterator[Link]:
    """Open the way that the configuration names; leaving the block ends what was started for it.

    Raises `CommandNotFound` or `NotSupported`.
    """
    from runtime.config import Command, InProcess

    match spec.reach:
        case Command():
            async with _open_process(spec.name, spec.reach, spec.stop_timeout, incarnation, guard) as link:
                yield link
        case InProcess():
            async with _open_inprocess(spec.name, spec.reach) as link:
                yield link
        case _:
            raise NotSupported(spec.name, (), "a server reached by its url")


# -- a child process


@final
@define(eq=False, repr=False)
class _ProcessLink:
    transport: StdioTransport
    _secrets: tuple[str, ...]  # values that its output may repeat, and ours may not (S9)
    speaks_http: bool = field(default=False, init=False)

    @property
    def pid(self) -> int | None:
        return self.transport.pid

    def kill(self) -> None:
        self.transport.kill()

    async def wait_exit(self) -> str:
        return f"ended with {await self.transport.wait_exit()}"

    @property
    def ended_well(self) -> bool:
        return self.transport.exited is not None and self.transport.exited.code == 0

    def stderr(self) -> tuple[str, ...]:
        return tuple(map(self._without_secrets, self.transport.stderr_tail()))

    def noise(self) -> Noise:
        noise = self.transport.noise
        return Noise(noise.count, tuple(map(self._without_secrets, noise.samples)))

    def _without_secrets(self, line: str) -> str:
        for secret in self._secrets:
            line = line.replace(secret, "***")
        return line


@asynccontextmanager
async def _open_process(
    server: str, command: Command, stop_timeout: float, incarnation: int, guard: Guard
) -> AsyncIterator[Link]:
    from runtime.transports.environment import child_environment
    from runtime.transports.stdio import CommandUnusable, ProcessesUnsupported, StdioCommand, open_stdio

    declared = {name: value.reveal() for name, value in command.env.items()}
    environment = child_environment(os.environ, inherit=command.inherit_env, extra=declared)
    for name in command.unset:
        environment.pop(name, None)
    run = StdioCommand(list(map(reveal, command.argv)), environment, reveal(command.cwd or "") or None)
    hidden = [*declared.values(), *(word.reveal() for word in command.argv if isinstance(word, Secret))]
    secrets = sorted((value for value in hidden if len(value) >= _SECRET), key=len, reverse=True)
    try:
        async with open_stdio(
            run, guard=guard, marker=guard.marker(server, incarnation), stop_timeout=stop_timeout
        ) as transport:
            yield _ProcessLink(transport, tuple(secrets))
    except CommandUnusable as error:
        raise CommandNotFound(server, (), str(command.argv[0]), error.reason) from error
    except ProcessesUnsupported as error:
        raise NotSupported(server, (), str(error)) from error


# -- a server in this process


@final
@define(eq=False, repr=False)
class _InProcessLink:
    transport: Transport
    _serving: trio.CancelScope
    _over: trio.Event = field(factory=trio.Event, init=False)
    _how: str = field(default="was ended", init=False)
    # what its functions printed last; in a process of its own they would have had a stderr for it
    _printed: deque[str] = field(factory=lambda: deque(maxlen=_PRINTED), init=False)
    pid: int | None = field(default=None, init=False)
    speaks_http: bool = field(default=False, init=False)
    ended_well: bool = field(default=False, init=False)

    def kill(self) -> None:
        self._serving.cancel()

    async def serve(self, server: ToolServer, theirs: MemoryTransport) -> None:
        try:
            with self._serving:
                await server.serve(theirs, on_print=self._printed.append)
        # The boundary: what runs here may fail, and exit, as a process may.
        except (Exception, SystemExit) as error:  # noqa: BLE001
            self._fell(error)
        except BaseExceptionGroup as group:
            failure, others = group.split((Exception, SystemExit))
            if others is not None:
                raise others  # noqa: B904
            self._fell(failure or group)
        finally:
            theirs.close()
            self._over.set()

    def _fell(self, error: BaseException) -> None:
        first = next(leaves(error))
        self._how = f"raised {type(first).__name__}: {first}"

    async def wait_exit(self) -> str:
        await self._over.wait()
        return self._how

    def stderr(self) -> tuple[str, ...]:
        return tuple(self._printed)

    def noise(self) -> Noise:
        return Noise(0, ())


@asynccontextmanager
async def _open_inprocess(name: str, reach: InProcess) -> AsyncIterator[Link]:
    from runtime.transports.memory import memory_pair

    server = _loaded(name, reach)
    ours, theirs = memory_pair()
    link = _InProcessLink(ours, trio.CancelScope())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.serve, server, theirs)
        yield link
        link.kill()


def _loaded(name: str, reach: InProcess) -> ToolServer:
    from runtime.inprocess.loading import NoServer, load_server

    try:
        return load_server(reach.module, reach.object, directory=reach.directory or None)
    except NoServer as error:
        raise CommandNotFound(name, (), f"{reach.module}:{reach.object}", str(error)) from error
