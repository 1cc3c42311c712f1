"""The actor that is a hosted server: it starts it, waits until it is ready, carries its calls, and falls with it.

Its init is instant (S8): start and handshake are its own work, in a task of its own, while the work lane is held and
control is served. What ends an incarnation comes to one place, :meth:`Server._end`: there the calls in flight are
failed at once, with what is known of the death and before any clean-up; then `run` raises, the actor crashes, and its
supervisor decides. What is still in the mailbox is never touched here: the next incarnation takes it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, final

import trio
from attrs import define, field, frozen
from msgspec import Raw

import actors
from runtime.call import Call
from runtime.errors import (
    CallInterrupted,
    CallRefused,
    HandshakeRefused,
    RequiredToolsMissing,
    Sent,
    ServerExited,
    ServerFailed,
    StartTimedOut,
    StdoutNoise,
    ToolNotFound,
    counted,
)
from runtime.journal import Feed, ServerCrashed, ServerLogged, ServerReady, ServerStarting
from runtime.protocol import Era
from runtime.registry import Catalog
from runtime.servers.handlers import Handlers
from runtime.servers.record import DOWN, State

if TYPE_CHECKING:
    from runtime.protocol import EraChoice, ListChanged, Logged, Opened, RequestId, ResourceUpdated
    from runtime.servers.conversation import Conversation
    from runtime.servers.flights import Flight
    from runtime.servers.link import OpenLink
    from runtime.servers.record import Record
    from runtime.servers.talk import Talk

LAST_WORDS = 1.0  # seconds that a process gets to be seen dead once it has closed its output, and the other way round
RELIST_PAUSE = 0.1  # seconds between the news of a change and the new list: one list for a burst of changes

_OFFERS = {"resources/read": "resources", "resources/subscribe": "resources", "prompts/get": "prompts"}


@final
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
class Adjust(actors.Tell):
    """The spec is another: of what it allows, let more or less come from now on."""

    control = True


@final
@frozen(repr=False)
class Unsubscribe(actors.Tell):
    """Nobody wants to hear of this resource any more."""

    uri: str
    control = True


@final
class Relist(actors.Ask[None]):
    """Fetch all lists again; answered when they are published."""

    control = True


@final
@frozen
class Services:
    """What a server's actor uses of the runtime around it."""

    open_link: OpenLink
    feed: Feed
    publish: Callable[[Catalog], Awaitable[None]]
    """Told what an incarnation lists, when it is ready and when that changes."""
    is_down: Callable[[Record, State], None]
    """Told of a server that no restart can mend."""
    handlers: Handlers


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
    talk: Talk | None = field(default=None, init=False)
    _over: trio.CancelScope = field(factory=trio.CancelScope, init=False)  # around all that is done for the talk
    _ending: bool = field(default=False, init=False)  # it sends nothing more
    _flows: bool = field(default=False, init=False)  # the work lane is not held
    _relists: list[actors.Reply[None]] = field(factory=list, init=False)  # who wants the lists fetched again
    _relisting: list[actors.Reply[None]] = field(factory=list, init=False)  # for whom they are being fetched

    # -- the caller's side

    def receive(self, message: object) -> Raw | None:
        """Send a call, drain, or kill. Plain: nothing here waits."""
        match message:
            case Call():
                return self._send(message)
            case KillChild():
                if self.talk is not None:
                    self._send_no_more()
                    self.talk.conversation.link.kill()
            case Drain(on):
                if self.record.state is (State.READY if on else State.DRAINING):
                    self.record.move(State.DRAINING if on else State.READY)
                    self._regulate()
            case Adjust():
                self._regulate()
                self._fit()
            case Unsubscribe(uri):
                if self.talk is not None and self.talk.conversation.agreed:
                    self.talk.subscriptions.unsubscribe(uri)
            case Relist():
                self._relists.append(self.context.defer())
                if self.record.state in DOWN:
                    self._take_relists()
                    self._tell_listed(self.record.last_error)
                elif self.talk is not None:
                    self.talk.lists.change_all()
            case _:
                raise actors.UnhandledMessage(message)
        return None

    def _send(self, call: Call) -> Raw | None:
        """Send a call, whose answer comes later; return the answer where there is nothing to send."""
        talk, record = self.talk, self.record
        if talk is None:  # it has just come down for good, and says so itself
            raise CallInterrupted(call.server, call.name, Sent.NOT_SENT, verb=call.verb)
        send: Callable[[Call, Flight], RequestId] = talk.conversation.send_call
        if call.method == "tools/call":
            if call.name not in record.tools:
                raise ToolNotFound(call.server, call.name, tuple(record.tools))
        elif (feature := _OFFERS.get(call.method)) and getattr(record.capabilities, feature) is None:
            raise CallRefused(call.server, call.name, Sent.NOT_SENT, f"it offers no {feature}", verb=call.verb)
        elif record.era is Era.MODERN:
            if call.method == "logging/setLevel":
                talk.conversation.connection.set_log_level(call.name)
                return Raw(b"{}")
            if call.method == "resources/subscribe":
                send = talk.subscriptions.send_call
        talk.flights.launch(call, send, self.context.defer)
        call.sent_to = record.incarnation
        return None

    def _count(self, in_flight: int) -> None:
        record = self.record
        record.count(in_flight)
        if (in_flight < record.spec.in_flight) is not self._flows:  # else it stays as it is
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
            self._fit()

    def _fit(self) -> None:
        """Let as many calls queue as may; of a burst as many more as can be sent at once."""
        spec = self.record.spec
        self.context.resize(spec.queue + (spec.in_flight if self._flows else 0))

    def _send_no_more(self) -> None:
        """Leave what is not sent yet to the next incarnation."""
        self._ending = True
        self._regulate()

    def _hear(self, news: ListChanged | ResourceUpdated | Logged) -> None:
        """Take in what the server tells unasked."""
        from runtime.protocol import ListChanged, Logged, ResourceUpdated

        match news:
            case ListChanged("resources") if self.talk is not None:
                self.talk.lists.change("resources", "resource_templates")
            case ListChanged(kind) if self.talk is not None:
                self.talk.lists.change(kind)
            case ResourceUpdated(uri):
                self.record.watched.updated(uri)
            case Logged(level, logger, data):
                feed = self.services.feed
                feed.publish(ServerLogged(feed.now(), self.record.name, level, logger, data))

    # -- the server's side

    async def run(self) -> None:
        """Live one incarnation. Raises `ServerFailed` unless it ended in order, or no restart could mend it."""
        for earlier in self.record.after:
            await earlier.wait(lambda other: other.state is State.READY or other.state in DOWN)
        feed, record = self.services.feed, self.record
        feed.publish(ServerStarting(feed.now(), record.name, record.incarnation))
        began = trio.current_time()
        try:
            conversation = await self._converse(self._era_to_try(), began)
            if conversation.failure is None and conversation.probing:  # it ended at the probe (P2)
                conversation = await self._converse("legacy", began)
            failure = conversation.failure
        except ServerFailed as error:  # there was no link to begin with
            record.end(error)
            failure = error
        if failure is not None and failure.lasting:
            await self._stay_down(failure)
        if failure is not None:
            raise failure
        self.context.ref.stop(now=True)

    async def _stay_down(self, failure: ServerFailed) -> None:
        """Wait for somebody to mend what no restart can, and tell all callers of it until then."""
        feed, record = self.services.feed, self.record
        feed.publish(ServerCrashed(feed.now(), record.name, record.incarnation, failure.what, None))
        self.services.is_down(record, State.STOPPED)
        self._take_relists()
        self._tell_listed(failure)
        self.context.release()
        await trio.sleep_forever()

    def _era_to_try(self) -> EraChoice:
        era = self.record.spec.era
        return "auto" if era == "per_caller" else era

    async def _converse(self, era: EraChoice, began: float) -> Conversation:
        """Live through one connection, and return it when all of it is over."""
        record = self.record
        record.move(State.STARTING)
        async with self.services.open_link(record.spec, record.incarnation) as link:
            # Imported only now: it takes as long as many a server to start, which it does meanwhile.
            from runtime.servers import talk

            record.connect(link)
            self._ending = False
            self._over = trio.CancelScope()
            try:
                with self._over:
                    async with trio.open_nursery() as nursery:
                        handlers = self.services.handlers
                        self.talk = begun = talk.begin(record, link, era, handlers, nursery, self._count, self._hear)
                        link.when_renewed(partial(nursery.start_soon, self._renew, begun))
                        nursery.start_soon(self._prepare, begun, began)
                        nursery.start_soon(self._watch_exit, begun.conversation)
                        await self._listen(begun.conversation)
            finally:
                self.talk = None
        return begun.conversation

    async def _prepare(self, talk: Talk, began: float) -> None:
        """Bring it from the first line to readiness (S2), then keep its catalog true."""
        conversation, lists, record = talk.conversation, talk.lists, self.record
        try:
            with trio.CancelScope(deadline=began + record.spec.start_timeout) as patience:
                opened = await conversation.open(record.spec.start_timeout)
                record.agree(opened)
                lists.expect(opened.capabilities)
                talk.subscriptions.listen_to_lists(opened.capabilities, lists.change_all)
                self._take_relists()
                await lists.fetch()
                catalog = lists.catalog(record.name, record.incarnation)
                if missing := [name for name in record.spec.required_tools if name not in catalog.tools]:
                    raise RequiredToolsMissing(record.name, conversation.link.stderr(), missing)
                await self._tell_again(talk)
                await self._publish(catalog)
            if patience.cancelled_caught:
                raise self._too_late(conversation)
            if not self._ending:  # it may have died of its last answer
                self._be_ready(opened, began)
                self._tell_listed(None)
                conversation.nursery.start_soon(self._watch_health, conversation)
            while True:
                await lists.wait_changed()
                await trio.sleep(RELIST_PAUSE)
                await self._list_again(talk)
        except ServerFailed as failure:
            self._end(conversation, failure)

    async def _watch_health(self, conversation: Conversation) -> None:
        from runtime.servers.health import watch_health  # with the conversation, not before it

        try:
            await watch_health(conversation, self.record)
        except ServerFailed as failure:
            self._end(conversation, failure)

    async def _tell_again(self, talk: Talk) -> None:
        """Tell a new incarnation what the last one was told: the log level, and which resources to watch."""
        record = self.record
        if record.log_level is not None:
            connection = talk.conversation.connection
            if record.era is Era.MODERN:
                connection.set_log_level(record.log_level)
            else:
                await talk.conversation.ask_in_vain("logging/setLevel", {"level": record.log_level})
        if record.watched.uris():
            await talk.subscriptions.replay()

    async def _renew(self, talk: Talk) -> None:
        """It goes on as a new one, which was told nothing and may list something else."""
        await self._tell_again(talk)
        talk.lists.change_all()

    def _be_ready(self, opened: Opened, began: float) -> None:
        feed, record = self.services.feed, self.record
        record.move(State.READY)
        self._regulate()
        seconds = trio.current_time() - began
        feed.publish(
            ServerReady(feed.now(), record.name, record.incarnation, opened.version, len(record.tools), seconds)
        )

    async def _list_again(self, talk: Talk) -> None:
        """Take in what has changed; a list that cannot be had leaves the last one."""
        record = self.record
        self._take_relists()
        failure: ServerFailed | None = None
        with trio.move_on_after(record.spec.start_timeout) as patience:
            try:
                await talk.lists.fetch()
                await self._publish(talk.lists.catalog(record.name, record.incarnation))
            except HandshakeRefused as error:
                failure = error
        if patience.cancelled_caught:
            failure = self._too_late(talk.conversation)
        if failure is not None:
            record.last_error = failure
        self._tell_listed(failure)

    def _take_relists(self) -> None:
        """Those who wait now are to be told of the lists that are fetched next; who comes later wants newer ones."""
        self._relisting += self._relists
        self._relists = []

    def _tell_listed(self, failure: BaseException | None) -> None:
        relisting, self._relisting = self._relisting, []
        for reply in relisting:
            if failure is None:
                reply.settle(None)
            else:
                reply.fail(failure)

    async def _publish(self, catalog: Catalog) -> None:
        self.record.catalog = catalog
        await self.services.publish(catalog)

    def _too_late(self, conversation: Conversation) -> ServerFailed:
        name, seconds, link = self.record.name, self.record.spec.start_timeout, conversation.link
        noise = link.noise()
        if noise.count and not conversation.agreed:
            reason = f"{counted(noise.count, 'line')}, and no answer in {seconds:g} s"
            return StdoutNoise(name, link.stderr(), reason, noise.samples)
        return StartTimedOut(name, link.stderr(), seconds, conversation.waits_for)

    # -- how it ends

    async def _listen(self, conversation: Conversation) -> None:
        failure: ServerFailed | None
        try:
            await conversation.read()
            self._send_no_more()
            failure = await self._how_it_ended(conversation)
        except ServerFailed as error:
            failure = error
        self._end(conversation, failure)

    async def _watch_exit(self, conversation: Conversation) -> None:
        """See to it that a dead server ends even where something that it has started still holds its output."""
        how = await conversation.link.wait_exit()
        self._send_no_more()
        if not conversation.link.remote:
            await trio.sleep(LAST_WORDS)
        conversation.hang_up(how)

    async def _how_it_ended(self, conversation: Conversation) -> ServerFailed | None:
        """Say of a connection that is closed what it failed of. None: nothing; it was done, or ended at the probe."""
        link, record = conversation.link, self.record
        how = conversation.hung_up
        if not link.remote:
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
        if self._over.cancel_called:
            return
        self._send_no_more()
        conversation.failure = failure
        if not conversation.agreed:
            self.record.era = None  # what was remembered may be what was wrong
        conversation.interrupt(failure)
        if failure is not None and failure.lasting and self.record.state is State.HANDSHAKING:
            self.record.last_error = failure  # it is not tried again, and down as soon as its link is closed
        elif failure is not None:
            self.record.end(failure)
        self._over.cancel()

    def leave(self) -> None:
        """End the incarnation, whoever wants it: nobody waits for its answers in vain."""
        self._send_no_more()
        if self.talk is not None:
            self.talk.conversation.interrupt(None)
        self.record.end(None)
