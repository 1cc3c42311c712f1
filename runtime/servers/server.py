"""The actor that is a hosted server: it starts it, waits until it is ready, carries its calls, and falls with it.

Its init is instant (S8): start and handshake are its own work, in a task of its own, while the work lane is held and
control is served. What ends an incarnation comes to one place, :meth:`Server._end`: there the calls in flight are
failed at once, with what is known of the death and before any clean-up; then `run` raises, the actor crashes, and its
supervisor decides. What is still in the mailbox is never touched here: the next incarnation takes it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, final

import trio
from attrs import define, field, frozen

import actors
from runtime.call import Call
from runtime.errors import (
    HandshakeRefused,
    RequiredToolsMissing,
    ServerExited,
    ServerFailed,
    StartTimedOut,
    StdoutNoise,
    ToolNotFound,
    counted,
)
from runtime.journal import Feed, ServerReady, ServerStarting
from runtime.protocol import Era
from runtime.registry import Catalog
from runtime.servers.record import DOWN, State
from runtime.version import VERSION

if TYPE_CHECKING:
    from runtime.protocol import EraChoice, Opened, Tool
    from runtime.servers.conversation import Conversation
    from runtime.servers.flights import Flights
    from runtime.servers.link import Link, OpenLink
    from runtime.servers.record import Record

LAST_WORDS = 1.0  # seconds that a process gets to be seen dead once it has closed its output, and the other way round
RELIST_PAUSE = 0.1  # seconds between the news of changed tools and the new list: one list for a burst of changes


@final
@frozen(repr=False)
class KillChild(actors.Tell):
    """End the other end at once, as a crash would."""

    control = True


@final
@frozen(repr=False)
class Drain(actors.Tell):
    """Send no more calls, while those in flight finish; or, ``on`` being False, go on sending."""

    on: bool
    control = True


@final
@frozen
class Services:
    """What a server's actor uses of the runtime around it."""

    open_link: OpenLink
    feed: Feed
    publish: Callable[[Catalog], Awaitable[None]]
    """Told what an incarnation lists, when it is ready and when that changes."""


@asynccontextmanager
async def open_server(record: Record, services: Services) -> AsyncIterator[Server]:
    """Run one incarnation of a server; entered at once, long before it is ready."""
    context = actors.context()
    context.hold()
    server = Server(record, services, context)
    record.begin(context.ref)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.run)
        try:
            yield server
        finally:
            server.leave()
            nursery.cancel_scope.cancel()


@final
@define(eq=False, repr=False)
class Server:
    """One incarnation. ``receive`` is the caller's side, ``run`` the server's; neither waits for the other."""

    record: Record
    services: Services
    context: actors.Context
    conversation: Conversation | None = field(default=None, init=False)
    _flights: Flights = field(init=False)  # of the conversation
    _ending: bool = field(default=False, init=False)  # it sends nothing more
    _flows: bool = field(default=False, init=False)  # the work lane is not held

    # -- the caller's side

    def receive(self, message: object) -> None:
        """Send a call, drain, or kill. Plain: nothing here waits."""
        match message:
            case Call():
                self._send_call(message)
            case KillChild():
                if self.conversation is not None:
                    self._send_no_more()
                    self.conversation.link.kill()
            case Drain(on):
                if self.record.state is (State.READY if on else State.DRAINING):
                    self.record.move(State.DRAINING if on else State.READY)
                    self._regulate()
            case _:
                raise actors.UnhandledMessage(message)

    def _send_call(self, call: Call) -> None:
        assert self.conversation is not None, "work is held before it is ready"
        if call.method == "tools/call" and call.name not in self.record.tools:
            raise ToolNotFound(call.server, call.name, tuple(self.record.tools))
        self._flights.launch(call, self.context.defer)
        call.sent_to = self.record.incarnation

    def _count(self, in_flight: int) -> None:
        self.record.count(in_flight)
        self._regulate()

    def _regulate(self) -> None:
        """Hold the work lane exactly while a call may not be sent: then the mailbox is where it waits."""
        record = self.record
        flows = record.state is State.READY and not self._ending and record.in_flight < record.spec.in_flight
        if flows is not self._flows:
            self._flows = flows
            if flows:
                self.context.release()
            else:
                self.context.hold()
            # Of a burst as many may queue as can be sent at once, and the rest as many as may wait.
            self.context.resize(record.spec.queue + (record.spec.in_flight if flows else 0))

    def _send_no_more(self) -> None:
        """Leave what is not sent yet to the next incarnation."""
        self._ending = True
        self._regulate()

    # -- the server's side

    async def run(self) -> None:
        """Live one incarnation. Raises `ServerFailed` unless it ended in order."""
        for earlier in self.record.after:
            await earlier.wait(lambda other: other.state is State.READY or other.state in DOWN)
        feed, record = self.services.feed, self.record
        feed.publish(ServerStarting(feed.now(), record.name, record.incarnation))
        began = trio.current_time()
        try:
            conversation = await self._converse(self._era_to_try(), began)
            if conversation.failure is None and conversation.probing:  # it ended at the probe (P2)
                conversation = await self._converse("legacy", began)
        except ServerFailed as failure:  # there was no link to begin with
            record.end(failure)
            raise
        if conversation.failure is not None:
            raise conversation.failure
        self.context.ref.stop(now=True)

    def _era_to_try(self) -> EraChoice:
        era = self.record.spec.era
        if era == "auto" or era == "per_caller":
            return "legacy" if self.record.era is Era.LEGACY else "auto"
        return era

    async def _converse(self, era: EraChoice, began: float) -> Conversation:
        """Live through one connection, and return it when all of it is over."""
        record = self.record
        record.move(State.STARTING)
        async with self.services.open_link(record.spec, record.incarnation) as link:
            record.connect(link)
            self._ending = False
            self._flights = _flights(record.name, link, era, self._count)
            self.conversation = conversation = self._flights.conversation
            try:
                with conversation.over:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(self._prepare, conversation, began)
                        nursery.start_soon(self._watch_exit, conversation)
                        await self._listen(conversation)
            finally:
                self.conversation = None
        return conversation

    async def _prepare(self, conversation: Conversation, began: float) -> None:
        """Bring it from the first line to readiness (S2), then keep its catalog true."""
        try:
            with trio.CancelScope(deadline=began + self.record.spec.start_timeout) as patience:
                opened = await conversation.open(self.record.spec.start_timeout)
                self.record.agree(opened)
                lists = opened.capabilities.tools is not None
                tools = await _fetch_tools(conversation) if lists else {}
                if missing := [name for name in self.record.spec.required_tools if name not in tools]:
                    raise RequiredToolsMissing(self.record.name, conversation.link.stderr(), missing)
                await self._publish(tools)
            if patience.cancelled_caught:
                raise self._too_late(conversation)
            if not self._ending:  # it may have died of its last answer
                self._be_ready(opened, began)
            while lists:
                await conversation.tools_changed.wait()
                await trio.sleep(RELIST_PAUSE)
                await self._list_again(conversation)
        except ServerFailed as failure:
            self._end(conversation, failure)

    def _be_ready(self, opened: Opened, began: float) -> None:
        feed, record = self.services.feed, self.record
        record.move(State.READY)
        self._regulate()
        seconds = trio.current_time() - began
        feed.publish(
            ServerReady(feed.now(), record.name, record.incarnation, opened.version, len(record.tools), seconds)
        )

    async def _list_again(self, conversation: Conversation) -> None:
        """Take in what has changed; a list that cannot be had leaves the last one."""
        with trio.move_on_after(self.record.spec.start_timeout) as patience:
            try:
                await self._publish(await _fetch_tools(conversation))
            except HandshakeRefused as error:
                self.record.last_error = error
        if patience.cancelled_caught:
            self.record.last_error = self._too_late(conversation)

    async def _publish(self, tools: dict[str, Tool]) -> None:
        self.record.catalog = Catalog(self.record.name, self.record.incarnation, MappingProxyType(tools))
        await self.services.publish(self.record.catalog)

    def _too_late(self, conversation: Conversation) -> ServerFailed:
        name, seconds, link = self.record.name, self.record.spec.start_timeout, conversation.link
        noise = link.noise()
        if noise.count and not conversation.agreed:
            reason = f"{counted(noise.count, 'line')}, and no answer in {seconds:g} s"
            return StdoutNoise(name, link.stderr(), reason, noise.samples)
        return StartTimedOut(name, link.stderr(), seconds, conversation.waits_for)

    # -- how it ends

    async def _listen(self, conversation: Conversation) -> None:
        try:
            await conversation.read()
            self._send_no_more()
            failure = await self._how_it_ended(conversation)
        except StdoutNoise as noise:
            failure = noise
        self._end(conversation, failure)

    async def _watch_exit(self, conversation: Conversation) -> None:
        """See to it that a dead server ends even where something that it has started still holds its output."""
        await conversation.link.wait_exit()
        self._send_no_more()
        await trio.sleep(LAST_WORDS)
        conversation.hang_up("ended")

    async def _how_it_ended(self, conversation: Conversation) -> ServerFailed | None:
        """Say of a connection that is closed what it failed of. None: nothing; it was done, or ended at the probe."""
        link, record = conversation.link, self.record
        how = conversation.hung_up
        with trio.move_on_after(LAST_WORDS):
            how = await link.wait_exit()
        if conversation.probing:
            return None
        noise = link.noise()
        if noise.count and not conversation.agreed:
            reason = f"{counted(noise.count, 'line')}, then it {how}"
            return StdoutNoise(record.name, link.stderr(), reason, noise.samples)
        served = record.state in (State.READY, State.DRAINING)
        if served and link.ended_well and not record.in_flight and record.spec.restart != "permanent":
            return None
        return ServerExited(record.name, link.stderr(), how, record.state.value)

    def _end(self, conversation: Conversation, failure: ServerFailed | None) -> None:
        """End a conversation, because of the failure that comes first."""
        if conversation.over.cancel_called:
            return
        self._send_no_more()
        conversation.failure = failure
        if not conversation.agreed:
            self.record.era = None  # what was remembered may be what was wrong
        conversation.interrupt(failure)
        if failure is not None:
            self.record.end(failure)
        conversation.over.cancel()

    def leave(self) -> None:
        """End the incarnation, whoever wants it: nobody waits for its answers in vain."""
        self._send_no_more()
        if self.conversation is not None:
            self.conversation.interrupt(None)
        self.record.end(None)


def _flights(server: str, link: Link, era: EraChoice, count: Callable[[int], None]) -> Flights:
    # Imported only now: it takes as long as many a server to start, which it does meanwhile.
    from runtime.protocol import ClientConnection, Implementation
    from runtime.servers.conversation import Conversation
    from runtime.servers.flights import Flights

    us = Implementation(name="greenroom", version=VERSION)
    return Flights(Conversation(server, link, ClientConnection(us, era=era)), count)


async def _fetch_tools(conversation: Conversation) -> dict[str, Tool]:
    from runtime.servers.lists import fetch_tools

    return await fetch_tools(conversation)
