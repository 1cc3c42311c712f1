"""A client of ours in front of a server made of functions, joined in memory."""

import inspect
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio
from attrs import define, field

from runtime.inprocess import ToolServer
from runtime.protocol import (
    Answered,
    Asked,
    CallToolResult,
    ClientCapabilities,
    ClientConnection,
    EraChoice,
    Failed,
    Implementation,
    InputRequired,
    JsonRpcError,
    Opened,
    Send,
    from_wire,
    result_from_wire,
)
from runtime.transports.memory import MemoryTransport, memory_pair


@define(eq=False)
class Caller:
    """The least driver that a ClientConnection needs: asks, and waits for the events it is told to expect."""

    transport: MemoryTransport
    connection: ClientConnection
    events: list[Any] = field(factory=list)
    answers: Callable[[str, Any], Any] = field(default=None)
    seen: list[Any] = field(factory=list)  # what came between a question and its answer
    rounds: int = 0

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

    async def ask(self, method: str, params: Any = None) -> Any:
        """What the server answers to a request, its questions answered by `person`: the result as JSON, or Failed."""
        id, line = self.connection.request(method, params)
        await self.transport.send(line)
        while True:
            match await self.next():
                case Asked(question, asked, asked_params):
                    self.rounds += 1
                    match await self.person(asked, asked_params):
                        case JsonRpcError() as error:
                            await self.transport.send(self.connection.refuse(question, error))
                        case result:
                            await self.transport.send(self.connection.answer(question, result))
                case InputRequired(required, requests):
                    assert required == id
                    self.rounds += 1
                    responses = {key: await self.person(each.method, each.params) for key, each in requests.items()}
                    id, line = self.connection.retry(id, responses)
                    await self.transport.send(line)
                case Answered(answered, result):
                    assert answered == id
                    return json.loads(bytes(result))
                case Failed(failed) as failure:
                    assert failed == id
                    return failure
                case other:
                    self.seen.append(other)

    async def call_beside(self, name: str, arguments: Any = None) -> CallToolResult:
        """Call a tool; what else comes meanwhile is in `seen`."""
        return from_wire(CallToolResult, await self.ask("tools/call", {"name": name, "arguments": arguments or {}}))

    async def person(self, method: str, params: Any) -> Any:
        """Answer a question of the server."""
        answer = self.answers(method, params)
        return await answer if inspect.isawaitable(answer) else answer

    async def call(self, name: str, arguments: Any = None) -> CallToolResult | Failed:
        id = await self.start(name, arguments)
        event = await self.next()
        assert event.id == id
        if isinstance(event, Answered):
            return result_from_wire(CallToolResult, event.result)
        return event


@asynccontextmanager
async def served(server: ToolServer, era: EraChoice, offers: Any = None, **options: Any) -> AsyncIterator[Caller]:
    """A client of this era and with these capabilities, connected; ``options`` are the server's."""
    here, there = memory_pair()
    client = Implementation(name="test", version="0")
    connection = ClientConnection(client, from_wire(ClientCapabilities, offers or {}), era=era)
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
