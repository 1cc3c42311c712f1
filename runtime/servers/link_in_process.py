"""The way to a server that is made of functions in this process."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, final

import trio
from attrs import define, field

from actors.exits import leaves
from runtime.errors import CommandNotFound
from runtime.transports import Transport
from runtime.transports.framing import Noise

if TYPE_CHECKING:
    from runtime.config import InProcess
    from runtime.inprocess import ToolServer
    from runtime.servers.link import Link
    from runtime.transports.memory import MemoryTransport

_PRINTED = 50  # lines kept of what a server in this process prints


@final
@define(eq=False, repr=False)
class InProcessLink:
    transport: Transport
    _serving: trio.CancelScope
    _over: trio.Event = field(factory=trio.Event, init=False)
    _how: str = field(default="was ended", init=False)
    # what its functions printed last; in a process of its own they would have had a stderr for it
    _printed: deque[str] = field(factory=lambda: deque(maxlen=_PRINTED), init=False)
    pid: int | None = field(default=None, init=False)
    remote: bool = field(default=False, init=False)
    speaks_http: bool = field(default=False, init=False)
    ended_well: bool = field(default=False, init=False)

    def kill(self) -> None:
        self._serving.cancel()

    def when_renewed(self, tell: Callable[[], object]) -> None: ...

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

    def hide(self, text: str) -> str:
        return text  # it knows what the host knows


@asynccontextmanager
async def open_in_process(name: str, reach: InProcess) -> AsyncIterator[Link]:
    from runtime.transports.memory import memory_pair

    server = _loaded(name, reach)
    ours, theirs = memory_pair()
    link = InProcessLink(ours, trio.CancelScope())
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
