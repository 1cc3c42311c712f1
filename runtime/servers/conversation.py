"""What is said over one link: the handshake, requests of our own, and calls, which overlap on the wire.

:meth:`Conversation.read` settles whoever is answered. Nothing here decides what follows from an end: that is the
server's actor.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Generic, TypeVar, final

import trio
from attrs import define, field
from msgspec import Raw
from outcome import Error, Outcome, Value

import actors
from runtime.call import ToolCall
from runtime.errors import CallInterrupted, CallRefused, HandshakeRefused, Sent, ServerError, ServerFailed, StdoutNoise
from runtime.protocol import (
    Answered,
    ClientConnection,
    ClientEvent,
    Failed,
    JsonRpcError,
    ListToolsResult,
    Notified,
    Opened,
    OpenFailed,
    Progressed,
    RequestId,
    Send,
    State,
    Tool,
    WireError,
    result_from_wire,
    warm_up,
)
from runtime.servers.link import Link
from runtime.transports import LineTooLong, NoiseBudgetSpent

PROBE_SILENCE = 10.0  # seconds without an answer after which a server is taken for a legacy one
PAGES = 1000  # of one list; a server that has more is not listing but looping

T = TypeVar("T")

_ASKED = {State.PROBING: "server/discover", State.DISCOVERING: "server/discover", State.INITIALIZING: "initialize"}


@final
@define(eq=False, repr=False)
class _Answer(Generic[T]):
    """What a task of our own waits for; ``request`` is what it asked."""

    request: str
    _done: trio.Event = field(factory=trio.Event, init=False)
    _outcome: Outcome[T] | None = field(default=None, init=False)

    def settle(self, value: T) -> None:
        self._outcome = Value(value)
        self._done.set()

    def fail(self, error: Exception) -> None:
        self._outcome = Error(error)
        self._done.set()

    async def wait(self) -> T:
        await self._done.wait()
        assert self._outcome is not None
        return self._outcome.unwrap()


@final
@define(eq=False, repr=False)
class _Call:
    """A call in flight."""

    call: ToolCall
    reply: actors.Reply[Raw]

    def fail(self, error: JsonRpcError) -> None:
        self.reply.fail(ServerError(self.call.server, self.call.tool, Sent.UNKNOWN, error))

    def interrupt(self, failure: ServerFailed | None) -> None:
        error = CallInterrupted(self.call.server, self.call.tool, Sent.UNKNOWN)
        error.__cause__ = failure
        self.reply.fail(error)


@final
@define(eq=False, repr=False)
class Conversation:
    """One connection, from its first line to its end. Writing never waits, and many calls may be in flight."""

    server: str
    link: Link
    _connection: ClientConnection
    _count: Callable[[int], None]  # told how many calls are in flight, whenever that changes
    failure: ServerFailed | None = field(default=None, init=False)  # what it ended of
    tools_changed: trio.Event = field(factory=trio.Event, init=False)  # since they were listed
    over: trio.CancelScope = field(factory=trio.CancelScope, init=False)  # around all that is done for it
    hung_up: str = field(default="closed its output", init=False)  # why there is nothing more to read
    _reading: trio.CancelScope = field(factory=trio.CancelScope, init=False)
    _opened: _Answer[Opened] = field(factory=lambda: _Answer("the handshake"), init=False)
    _own: dict[RequestId, _Answer[Raw]] = field(factory=dict, init=False)
    _calls: dict[RequestId, _Call] = field(factory=dict, init=False)

    # -- the handshake, and what we ask ourselves

    @property
    def probing(self) -> bool:
        """Whether it is not known yet which era the server speaks."""
        return self._connection.probing

    @property
    def agreed(self) -> bool:
        """Whether the handshake is done, with success."""
        return self._connection.state is State.OPEN

    @property
    def waits_for(self) -> str:
        """Which answer the start waits for."""
        return _ASKED.get(self._connection.state, "tools/list")

    async def open(self, patience: float) -> Opened:
        """Agree with the server, whichever era it speaks, as long as there is ``patience``. Raises `HandshakeRefused`.

        Silence is taken for a legacy server's while there is time enough left to speak with that.
        """
        self._write(self._connection.open())
        warm_up()  # the message classes are made while the server starts, and not when its answer is there
        with trio.move_on_after(min(PROBE_SILENCE, patience / 3)):
            return await self._opened.wait()
        if self.probing:
            self._write(self._connection.probe_expired())
        return await self._opened.wait()

    async def list_tools(self) -> dict[str, Tool]:
        """Fetch all pages. Raises `HandshakeRefused`."""
        self.tools_changed = trio.Event()
        tools: dict[str, Tool] = {}
        cursor: str | None = None
        for _ in range(PAGES):
            page = await self._list_page(cursor)
            tools.update((tool.name, tool) for tool in page.tools)
            cursor = page.next_cursor
            if cursor is None:
                return tools
        raise self._refused(f"tools/list has more than {PAGES} pages")

    async def _list_page(self, cursor: str | None) -> ListToolsResult:
        id, line = self._connection.list_tools(cursor)
        answer = self._own[id] = _Answer("tools/list")
        try:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):  # the reader learns of that, too
                await self.link.transport.send(line)
            return result_from_wire(ListToolsResult, await answer.wait())
        except WireError as error:
            raise self._refused(f"tools/list: {error}") from error
        finally:
            if self._own.pop(id, None) is not None and (goodbye := self._connection.cancel(id)) is not None:
                self._write(goodbye)

    def _refused(self, reason: str) -> HandshakeRefused:
        return HandshakeRefused(self.server, self.link.stderr(), reason)

    # -- calls

    def call(self, call: ToolCall, defer: Callable[[Callable[[], object]], actors.Reply[Raw]]) -> None:
        """Send a call, whose answer is deferred. Raises `CallRefused`, or `CallInterrupted`: it could not be sent."""
        id, line = self._connection.call_tool(call.tool, call.arguments, progress=call.progress is not None)
        try:
            self.link.transport.send_nowait(line)
        except trio.WouldBlock:
            self._connection.cancel(id)
            reason = "it does not read its input, and enough waits there already; try again later"
            raise CallRefused(call.server, call.tool, Sent.NOT_SENT, reason) from None
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._connection.cancel(id)
            self.hang_up("no longer reads its input")
            raise CallInterrupted(call.server, call.tool, Sent.NOT_SENT) from None
        self._calls[id] = _Call(call, defer(partial(self._forsake, id)))
        self._count(len(self._calls))

    def interrupt(self, failure: ServerFailed | None) -> None:
        """Fail every call in flight: it was sent, and nobody knows what became of it (S4)."""
        calls, self._calls = self._calls, {}
        self._count(0)
        for call in calls.values():
            call.interrupt(failure)

    def _forsake(self, id: RequestId) -> None:
        """A caller has gone: tell the server."""
        self._calls.pop(id, None)
        if (line := self._connection.cancel(id)) is not None:
            self._write(line)
        self._count(len(self._calls))

    def _write(self, line: bytes) -> None:
        """Write what is a courtesy, or what a deadline watches. A server that does not read goes without."""
        with suppress(trio.WouldBlock, trio.BrokenResourceError, trio.ClosedResourceError):
            self.link.transport.send_nowait(line)

    # -- reading

    def hang_up(self, why: str) -> None:
        """Read no more, as if the server had closed its output."""
        self.hung_up = why
        self._reading.cancel()

    async def read(self) -> None:
        """Read what the server says until it ends, or until :meth:`hang_up`. Raises `StdoutNoise`."""
        receive, understand = self.link.transport.receive_batch, self._connection.receive
        with self._reading:
            try:
                while True:
                    for line in await receive():
                        for event in understand(line):
                            self._hear(event)
            except trio.EndOfChannel:
                return
            except NoiseBudgetSpent as error:
                raise self._noisy(f"more than {error.budget} lines", error.samples) from error
            except LineTooLong as error:
                raise self._noisy(f"a line of more than {error.limit} bytes", (error.excerpt,)) from error

    def _noisy(self, reason: str, samples: tuple[str, ...]) -> StdoutNoise:
        return StdoutNoise(self.server, self.link.stderr(), reason, samples)

    def _hear(self, event: ClientEvent) -> None:
        match event:
            case Answered(id, result):
                if (call := self._calls.pop(id, None)) is not None:
                    self._count(len(self._calls))
                    call.reply.settle(result)
                elif (own := self._own.pop(id, None)) is not None:
                    own.settle(result)
            case Failed(id, error):
                if (call := self._calls.pop(id, None)) is not None:
                    self._count(len(self._calls))
                    call.fail(error)
                elif (own := self._own.pop(id, None)) is not None:
                    own.fail(self._refused(f"{own.request}: {error}"))
            case Progressed(id, progress, total, message):
                if (call := self._calls.get(id)) is not None and call.call.progress is not None:
                    self._tell_progress(id, call, partial(call.call.progress, progress, total, message))
            case Send(data):
                self._write(data)
            case Opened():
                self._opened.settle(event)
            case OpenFailed(error):
                self._opened.fail(self._refused(str(error)))
            case Notified("notifications/tools/list_changed"):
                self.tools_changed.set()

    def _tell_progress(self, id: RequestId, call: _Call, tell: Callable[[], object]) -> None:
        try:
            tell()
        except Exception as error:  # noqa: BLE001  # the caller's own code: its failure is the caller's, not ours
            self._forsake(id)
            call.reply.fail(error)
