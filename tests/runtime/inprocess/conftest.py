"""A client of ours in front of a server made of functions, joined in memory."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
import trio
from attrs import define, field

from runtime.inprocess import ToolServer
from runtime.protocol import (
    Answered,
    CallToolResult,
    ClientConnection,
    Failed,
    Implementation,
    Opened,
    Send,
    result_from_wire,
)
from runtime.transports.memory import MemoryTransport, memory_pair


@define(eq=False)
class Caller:
    """The least driver that a ClientConnection needs: asks, and waits for the events it is told to expect."""

    transport: MemoryTransport
    connection: ClientConnection
    events: list[Any] = field(factory=list)

    async def next(self) -> Any:
        while not self.events:
            for event in self.connection.receive(await self.transport.receive()):
                if isinstance(event, Send):
                    await self.transport.send(event.data)
                else:
                    self.events.append(event)
        return self.events.pop(0)

    async def start(self, name: str, arguments: Any = None, *, progress: bool = False) -> Any:
        id, line = self.connection.call_tool(name, arguments, progress=progress)
        await self.transport.send(line)
        return id

    async def call(self, name: str, arguments: Any = None) -> CallToolResult | Failed:
        id = await self.start(name, arguments)
        event = await self.next()
        assert event.id == id
        if isinstance(event, Answered):
            return result_from_wire(CallToolResult, event.result)
        return event


Serve = Callable[..., AbstractAsyncContextManager[Caller]]


@pytest.fixture(params=["modern", "legacy"])
def serve(request: pytest.FixtureRequest) -> Serve:
    """Opens a server for a client of each era."""

    @asynccontextmanager
    async def open(server: ToolServer, **options: Any) -> AsyncIterator[Caller]:
        here, there = memory_pair()
        connection = ClientConnection(Implementation(name="test", version="0"), era=request.param)
        caller = Caller(here, connection)
        async with trio.open_nursery() as nursery:

            async def serve_and_close() -> None:
                await server.serve(there, **options)
                await there.aclose()

            nursery.start_soon(serve_and_close)
            await here.send(connection.open())
            assert isinstance(await caller.next(), Opened)
            yield caller
            here.close()

    return open
