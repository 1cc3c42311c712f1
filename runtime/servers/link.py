"""The way to one server: a transport, and what there is to know and to do about whatever is at its other end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Protocol, TypeAlias, final

from attrs import define, field

from runtime.transports import Transport
from runtime.transports.framing import Noise

if TYPE_CHECKING:
    from runtime.config import ServerSpec
    from runtime.transports.guard import Guard
    from runtime.transports.http import Way
    from runtime.transports.ports import Ports


class Link(Protocol):
    """What a server's actor needs of the way to its server."""

    @property
    def transport(self) -> Transport:
        """The channel of messages."""

    @property
    def pid(self) -> int | None:
        """The process, where there is one."""

    @property
    def remote(self) -> bool:
        """Whether it ends with its connection: there is nobody of ours at the other end."""

    @property
    def speaks_http(self) -> bool:
        """Whether messages travel with headers, by which those on the way may read something of them."""

    def kill(self) -> None:
        """End the other end at once, as a crash would; of one that is not ours, the connection."""

    def when_renewed(self, tell: Callable[[], object]) -> None:
        """Have it told when the other end has forgotten what it was told, and goes on as a new one."""

    async def wait_exit(self) -> str:
        """Wait until the other end is gone; return how it went, for people."""

    @property
    def ended_well(self) -> bool:
        """Whether it ended by itself and without an error."""

    def stderr(self) -> tuple[str, ...]:
        """Its last lines on stderr."""

    def noise(self) -> Noise:
        """What it wrote to stdout that was no message."""

    def hide(self, text: str) -> str:
        """Leave out of its words what it was told in confidence (S9); `stderr` and `noise` are without it already."""


OpenLink: TypeAlias = "Callable[[ServerSpec, int], AbstractAsyncContextManager[Link]]"
"""Opens the way to a server, for one of its incarnations, for as long as the block; raises `ServerFailed`."""


@final
@define(eq=False, repr=False)
class Links:
    """Opens links for one runtime, and keeps what holds over all of them: its guard, its ports, what is known of URLs.

    A context manager: at its end the ports are given back. ``observe`` is told, by server, of each step of the start of
    an HTTP server of ours.
    """

    guard: Guard
    observe: Callable[[str, str], object]
    _ways: dict[str, Way] = field(factory=dict, init=False)  # how an address turned out to be spoken to
    _ports: Ports | None = field(default=None, init=False)  # made for the first server that needs one

    def __enter__(self) -> Links:
        return self

    def __exit__(self, *_: object) -> None:
        if self._ports is not None:
            self._ports.close()

    def leave(self, server: str) -> None:
        """Give back what is kept for a server over its restarts: its port."""
        if self._ports is not None:
            self._ports.forget(server)

    @asynccontextmanager
    async def open(self, spec: ServerSpec, incarnation: int) -> AsyncIterator[Link]:
        """Open the way that the configuration names; leaving the block ends what was started for it.

        Raises `ServerFailed`: there is no such way.
        """
        async with AsyncExitStack() as stack:
            yield await stack.enter_async_context(self._way(spec, incarnation))

    def _way(self, spec: ServerSpec, incarnation: int) -> AbstractAsyncContextManager[Link]:
        # Each is imported when it is used: a host of child processes needs no HTTP.
        from runtime.config import Command, InProcess, Remote

        match spec.reach:
            case Command():
                from runtime.servers.link_process import open_process

                return open_process(spec.name, spec.reach, spec.stop_timeout, incarnation, self.guard)
            case InProcess():
                from runtime.servers.link_in_process import open_in_process

                return open_in_process(spec.name, spec.reach)
            case Remote():
                from runtime.servers.link_remote import open_remote

                return open_remote(spec, spec.reach, self._ways)
            case owned:
                from runtime.servers.link_owned import open_owned_server
                from runtime.transports.ports import Ports

                if self._ports is None:
                    self._ports = Ports()
                return open_owned_server(spec, owned, incarnation, self.guard, self._ports, self._ways, self.observe)
