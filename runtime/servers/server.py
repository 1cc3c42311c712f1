"""The actor that is a hosted server: it starts it, waits until it is ready, carries its calls, and falls with it.

Its init is instant (S8): start and handshake are its own work, in a task of its own nursery, while the work lane is
held and control is served. A call is written and its answer deferred, so that calls overlap on the wire; the reader
settles them. When the other end goes, the reader fails what is owed, with what is known of the death, and raises: the
nursery collapses, the actor crashes, and its supervisor decides.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import final

import trio
from attrs import define, field, frozen
from msgspec import Raw

import actors
from runtime.call import ToolCall
from runtime.errors import (
    CallInterrupted,
    CallRefused,
    HandshakeRefused,
    RequiredToolsMissing,
    Sent,
    ServerError,
    ServerExited,
    ServerFailed,
    StartTimedOut,
    StdoutNoise,
    ToolNotFound,
)
from runtime.journal import Feed, ServerReady, ServerStarting
from runtime.protocol import (
    Answered,
    ClientConnection,
    ClientEvent,
    Era,
    EraChoice,
    Failed,
    Implementation,
    JsonRpcError,
    ListToolsResult,
    LocalProtocolError,
    Notified,
    Opened,
    OpenFailed,
    Progressed,
    RequestId,
    Send,
    Tool,
    WireError,
    result_from_wire,
    warm_up,
)
from runtime.protocol import State as ConnectionState
from runtime.servers.link import Link, open_link
from runtime.servers.record import Record, State
from runtime.transports import LineTooLong, NoiseBudgetSpent
from runtime.transports.framing import Noise
from runtime.transports.guard import Guard

PROBE_SILENCE = 10.0  # seconds without an answer after which a server is taken for a legacy one
LAST_WORDS = 1.0  # seconds that a process gets to be seen dead once it has closed its output, and the other way round
PAGES = 1000  # of one list; a server that has more is not listing but looping


_ASKED = {ConnectionState.PROBING: "server/discover", ConnectionState.INITIALIZING: "initialize"}


@final
@frozen
class KillChild(actors.Tell):
    """End the other end at once, as a crash would."""

    control = True


@final
@frozen
class Drain(actors.Ask[None]):
    """Send nothing more; answered when no call is in flight."""

    control = True


@final
@frozen
class Services:
    """What a server's actor uses of the runtime around it."""

    guard: Guard
    feed: Feed
    publish: Callable[[str, int, tuple[Tool, ...]], Awaitable[None]]
    """Told the tools of an incarnation, when it is ready and when they change."""
    client_info: Implementation


@asynccontextmanager
async def open_server(record: Record, services: Services) -> AsyncIterator[Server]:
    """Run one incarnation of a server; entered at once, long before it is ready."""
    context = actors.context()
    context.hold()
    async with trio.open_nursery() as nursery:
        server = Server(record, services, context, nursery)
        nursery.start_soon(server.run)
        try:
            yield server
        finally:
            server.interrupt(None)
            nursery.cancel_scope.cancel()


@final
@define(eq=False)
class _Call:
    """A call in flight."""

    call: ToolCall
    reply: actors.Reply[Raw]

    def settle(self, result: Raw) -> None:
        self.reply.settle(result)

    def fail(self, error: JsonRpcError) -> None:
        self.reply.fail(ServerError(self.call.server, self.call.tool, Sent.UNKNOWN, error))

    def interrupt(self, failure: ServerFailed | None) -> None:
        error = CallInterrupted(self.call.server, self.call.tool, Sent.UNKNOWN)
        error.__cause__ = failure
        self.reply.fail(error)


@final
@define(eq=False)
class _Own:
    """A request of the actor itself."""

    done: trio.Event = field(factory=trio.Event, init=False)
    result: Raw | None = field(default=None, init=False)
    error: JsonRpcError | None = field(default=None, init=False)

    def settle(self, result: Raw) -> None:
        self.result = result
        self.done.set()

    def fail(self, error: JsonRpcError) -> None:
        self.error = error
        self.done.set()


@final
@define(eq=False)
class Server:
    """One incarnation. ``receive`` is the caller's side, ``run`` the server's; neither waits for the other."""

    record: Record
    services: Services
    context: actors.Context
    nursery: trio.Nursery

    connection: ClientConnection = field(init=False)
    link: Link | None = field(default=None, init=False)
    calls: dict[RequestId, _Call] = field(factory=dict, init=False)  # in flight
    own: dict[RequestId, _Own] = field(factory=dict, init=False)
    tools: dict[str, Tool] = field(factory=dict, init=False)
    closing: bool = field(default=False, init=False)  # it sends nothing more
    full: bool = field(default=False, init=False)  # as many calls are in flight as may be
    drained: actors.Reply[None] | None = field(default=None, init=False)
    listing: bool = field(default=False, init=False)  # tools are being fetched
    changed: bool = field(default=False, init=False)  # they changed meanwhile
    last_words: tuple[str, ...] = field(default=(), init=False)  # of stderr, once the link is gone
    noise: Noise = field(default=Noise(0, ()), init=False)  # the same of stdout
    starting: trio.CancelScope = field(factory=trio.CancelScope, init=False)

    def __attrs_post_init__(self) -> None:
        self.record.ref = self.context.ref
        self.record.incarnation = self.context.ref.incarnation
        self.record.move(State.STARTING)

    @property
    def name(self) -> str:
        return self.record.name

    # -- the caller's side

    def receive(self, message: object) -> object:
        """Send a call, drain, or kill. Plain: nothing here waits."""
        match message:
            case ToolCall():
                self._send_call(message)
            case KillChild():
                self._send_nothing_more()
                if self.link is not None:
                    self.link.kill()
            case Drain():
                self._send_nothing_more()
                self.record.move(State.DRAINING)
                if self.calls:
                    self.drained = self.context.defer()
            case _:
                raise TypeError(f"server {self.name!r} does not know the message {type(message).__name__}")
        return None

    def _send_call(self, call: ToolCall) -> None:
        assert self.link is not None
        if call.tool not in self.tools:
            raise ToolNotFound(self.name, call.tool, tuple(self.tools))
        id, line = self.connection.call_tool(call.tool, call.arguments, progress=call.progress is not None)
        try:
            self.link.transport.send_nowait(line)
        except trio.WouldBlock:
            self.connection.cancel(id)
            raise CallRefused(self.name, call.tool, Sent.NOT_SENT, "the server does not read its input") from None
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.connection.cancel(id)
            raise CallInterrupted(self.name, call.tool, Sent.NOT_SENT) from None
        call.sent = True
        self.calls[id] = _Call(call, self.context.defer(partial(self._forsake, id)))
        self._count_calls()

    def _send_nothing_more(self) -> None:
        """Leave what is not sent yet to the next incarnation."""
        self.closing = True
        self.context.hold()

    def _forsake(self, id: RequestId) -> None:
        """A caller has gone: tell the server."""
        del self.calls[id]
        self._count_calls()
        if (line := self.connection.cancel(id)) is not None:
            self._send(line)

    def _count_calls(self) -> None:
        """Keep the work lane held exactly while the in-flight limit is reached, or while it drains."""
        self.record.in_flight = in_flight = len(self.calls)
        if self.closing:
            if not in_flight and self.drained is not None:
                self.drained.settle(None)
        elif (full := in_flight >= self.record.spec.in_flight) != self.full:
            self.full = full
            if full:
                self.context.hold()
            else:
                self.context.release()

    def _send(self, line: bytes) -> None:
        """Send what nobody waits for. A server that does not read goes without; its deadlines will tell."""
        if self.link is not None:
            with suppress(trio.WouldBlock, trio.BrokenResourceError, trio.ClosedResourceError):
                self.link.transport.send_nowait(line)

    def interrupt(self, failure: ServerFailed | None) -> None:
        """Fail every call in flight: it was sent, and nobody knows what became of it (S4)."""
        calls, self.calls = self.calls, {}
        self.record.in_flight = 0
        for call in calls.values():
            call.interrupt(failure)
        if self.drained is not None:
            self.drained.settle(None)

    # -- the server's side

    async def run(self) -> None:
        """Start the server and read what it says until it ends. Raises `ServerFailed` unless that was in order."""
        self.services.feed.publish(
            ServerStarting(self.services.feed.now(), self.name, self.record.incarnation),
        )
        choice: EraChoice = "auto" if self.record.spec.era == "per_caller" else self.record.spec.era
        if choice == "auto" and self.record.era is Era.LEGACY:
            choice = "legacy"
        self.starting.deadline = trio.current_time() + self.record.spec.start_timeout
        with self.starting:
            if await self._attempt(choice):
                await self._attempt("legacy")
        if self.starting.cancelled_caught:
            raise self._start_timed_out()

    async def _attempt(self, choice: EraChoice) -> bool:
        """Live through one connection. True: it ended at the probe, and deserves one with ``initialize`` first (P2)."""
        connection = self.connection = ClientConnection(self.services.client_info, era=choice)
        async with open_link(self.record.spec, self.record.incarnation, self.services.guard) as link:
            self.link = self.record.link = link
            self.record.move(State.HANDSHAKING)
            try:
                self._send(connection.open())
                warm_up()  # the message classes are made while the server starts, and not when its answer is there
                self.nursery.start_soon(self._watch_exit, link)
                if connection.probing:
                    self.nursery.start_soon(self._watch_probe, connection)
                await self._read(link)
                if connection.probing and self.link is link:
                    return True
                failure = await self._how_it_ended(link)
                if failure is not None:
                    raise failure
            except ServerFailed as failure:
                self.interrupt(failure)
                raise
            finally:
                self.link = self.record.link = None
                self.last_words, self.noise = link.stderr(), link.noise()
        return False

    async def _read(self, link: Link) -> None:
        receive, understand = link.transport.receive_batch, self.connection.receive
        try:
            while True:
                for line in await receive():
                    for event in understand(line):
                        self._handle(event)
        except trio.EndOfChannel:
            return
        except NoiseBudgetSpent as error:
            raise StdoutNoise(self.name, link.stderr(), f"more than {error.budget} lines", error.samples) from error
        except LineTooLong as error:
            raise StdoutNoise(
                self.name, link.stderr(), f"a line of more than {error.limit} bytes", (error.excerpt,)
            ) from error

    def _handle(self, event: ClientEvent) -> None:
        match event:
            case Answered(id, result):
                if (call := self.calls.pop(id, None)) is not None:
                    self._count_calls()
                    call.settle(result)
                elif (own := self.own.pop(id, None)) is not None:
                    own.settle(result)
            case Failed(id, error):
                if (call := self.calls.pop(id, None)) is not None:
                    self._count_calls()
                    call.fail(error)
                elif (own := self.own.pop(id, None)) is not None:
                    own.fail(error)
            case Progressed(id, progress, total, message):
                if (call := self.calls.get(id)) is not None and call.call.progress is not None:
                    self._tell_progress(id, call, partial(call.call.progress, progress, total, message))
            case Send(data):
                self._send(data)
            case Opened():
                self.nursery.start_soon(self._get_ready, event)
            case OpenFailed(error):
                self.record.era = None  # what was remembered may be what was wrong
                raise HandshakeRefused(self.name, self._stderr(), str(error)) from error
            case Notified("notifications/tools/list_changed"):
                self.changed = True
                if self.record.state is State.READY and not self.listing:
                    self.nursery.start_soon(self._relist)

    def _tell_progress(self, id: RequestId, call: _Call, tell: Callable[[], object]) -> None:
        try:
            tell()
        except Exception as error:  # noqa: BLE001  # the caller's own code: its failure is the caller's, not ours
            self._forsake(id)
            call.reply.fail(error)

    async def _get_ready(self, opened: Opened) -> None:
        """From the handshake to readiness (S2)."""
        self.record.era, self.record.version = opened.era, opened.version
        self.record.server_info = opened.server_info
        if opened.capabilities.tools is not None:
            await self._list_tools()
        missing = [name for name in self.record.spec.required_tools if name not in self.tools]
        if missing:
            raise RequiredToolsMissing(self.name, self._stderr(), missing)
        now = trio.current_time()
        seconds = now - (self.starting.deadline - self.record.spec.start_timeout)
        self.starting.deadline = math.inf
        self.record.tools = len(self.tools)
        await self.services.publish(self.name, self.record.incarnation, tuple(self.tools.values()))
        self.record.move(State.READY)
        self.record.ready_at = now
        self.context.release()
        feed = self.services.feed
        feed.publish(
            ServerReady(feed.now(), self.name, self.record.incarnation, opened.version, len(self.tools), seconds)
        )
        if self.changed:
            await self._relist()

    async def _relist(self) -> None:
        """Fetch the tools again, as often as they changed; a list that cannot be had leaves the last one."""
        while self.changed:
            try:
                await self._list_tools()
            except HandshakeRefused as error:
                self.record.last_error = error
                return
            self.record.tools = len(self.tools)
            await self.services.publish(self.name, self.record.incarnation, tuple(self.tools.values()))

    async def _list_tools(self) -> None:
        self.listing, self.changed = True, False
        tools: dict[str, Tool] = {}
        cursor: str | None = None
        try:
            for _ in range(PAGES):
                page = result_from_wire(ListToolsResult, await self._request(*self.connection.list_tools(cursor)))
                tools.update((tool.name, tool) for tool in page.tools)
                cursor = page.next_cursor
                if cursor is None:
                    break
            else:
                raise HandshakeRefused(self.name, self._stderr(), f"tools/list has more than {PAGES} pages")
        except (WireError, LocalProtocolError) as error:
            raise HandshakeRefused(self.name, self._stderr(), f"tools/list: {error}") from error
        finally:
            self.listing = False
        self.tools = tools

    async def _request(self, id: RequestId, line: bytes) -> Raw:
        assert self.link is not None
        own = self.own[id] = _Own()
        await self.link.transport.send(line)
        await own.done.wait()
        if own.error is not None:
            raise HandshakeRefused(
                self.name, self._stderr(), f"tools/list: error {own.error.code}: {own.error.message}"
            )
        assert own.result is not None
        return own.result

    # -- how it ends

    async def _watch_probe(self, connection: ClientConnection) -> None:
        await trio.sleep(min(PROBE_SILENCE, self.record.spec.start_timeout / 3))
        if self.connection is connection and connection.probing and self.link is not None:
            self._send(connection.probe_expired())

    async def _watch_exit(self, link: Link) -> None:
        """See to it that a dead server ends even where a grandchild still holds its stdout."""
        how = await link.wait_exit()
        await trio.sleep(LAST_WORDS)
        if self.link is link:
            failure = ServerExited(
                self.name, link.stderr(), f"{how} (its output was left open)", self.record.state.value
            )
            self.interrupt(failure)
            raise failure

    async def _how_it_ended(self, link: Link) -> ServerFailed | None:
        """Say of a connection that has ended what it failed of. None: nothing; it was done."""
        how = "closed its output"
        with trio.move_on_after(LAST_WORDS):
            how = await link.wait_exit()
        serving = self.record.state is State.READY
        if link.ended_well and serving and not self.calls and self.record.spec.restart == "transient":
            self.context.ref.stop(now=True)
            return None
        if not serving and link.noise().count and self.record.version is None:
            noise = link.noise()
            return StdoutNoise(self.name, link.stderr(), f"{noise.count} lines, then it {how}", noise.samples)
        return ServerExited(self.name, link.stderr(), how, self.record.state.value)

    def _start_timed_out(self) -> ServerFailed:
        seconds = self.record.spec.start_timeout
        if self.noise.count and self.connection.state is not ConnectionState.OPEN:
            return StdoutNoise(
                self.name,
                self.last_words,
                f"{self.noise.count} lines, and no answer in {seconds:g} s",
                self.noise.samples,
            )
        waiting_for = _ASKED.get(self.connection.state, "tools/list")
        return StartTimedOut(self.name, self.last_words, seconds, waiting_for)

    def _stderr(self) -> tuple[str, ...]:
        return self.link.stderr() if self.link is not None else self.last_words
