"""The way to a child process, by its standard input and output; and what is the same for every command that is run."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, final

from attrs import define, field

from runtime.config import reveal
from runtime.errors import CommandNotFound, NotSupported
from runtime.servers.secrets import Secrets
from runtime.transports.framing import Noise

if TYPE_CHECKING:
    from runtime.config import Command
    from runtime.servers.link import Link
    from runtime.transports.guard import Guard
    from runtime.transports.stdio import StdioCommand, StdioTransport


def stdio_command(command: Command) -> StdioCommand:
    """Return what is to be run, with its whole environment."""
    from runtime.transports.environment import child_environment
    from runtime.transports.stdio import StdioCommand

    declared = {name: value.reveal() for name, value in command.env.items()}
    environment = child_environment(os.environ, inherit=command.inherit_env, extra=declared)
    for name in command.unset:
        environment.pop(name, None)
    return StdioCommand(list(map(reveal, command.argv)), environment, reveal(command.cwd or "") or None)


@final
@define(eq=False, repr=False)
class ProcessLink:
    transport: StdioTransport
    _secrets: Secrets
    remote: bool = field(default=False, init=False)
    speaks_http: bool = field(default=False, init=False)

    @property
    def pid(self) -> int | None:
        return self.transport.pid

    def kill(self) -> None:
        self.transport.kill()

    def when_renewed(self, tell: Callable[[], object]) -> None: ...

    async def wait_exit(self) -> str:
        return f"ended with {await self.transport.wait_exit()}"

    @property
    def ended_well(self) -> bool:
        return self.transport.exited is not None and self.transport.exited.code == 0

    def stderr(self) -> tuple[str, ...]:
        return tuple(map(self.hide, self.transport.stderr_tail()))

    def noise(self) -> Noise:
        noise = self.transport.noise
        return Noise(noise.count, tuple(map(self.hide, noise.samples)))

    def hide(self, text: str) -> str:
        return self._secrets.hide(text)


@asynccontextmanager
async def open_process(
    server: str, command: Command, stop_timeout: float, incarnation: int, guard: Guard
) -> AsyncIterator[Link]:
    from runtime.transports.stdio import CommandUnusable, ProcessesUnsupported, open_stdio

    run = stdio_command(command)
    try:
        async with open_stdio(
            run, guard=guard, marker=guard.marker(server, incarnation), stop_timeout=stop_timeout
        ) as transport:
            yield ProcessLink(transport, Secrets.of(command))
    except CommandUnusable as error:
        raise CommandNotFound(server, (), str(command.argv[0]), error.reason) from error
    except ProcessesUnsupported as error:
        raise NotSupported(server, (), str(error)) from error
