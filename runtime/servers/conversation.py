"""What is said over one link: the handshake, then requests and their answers, which overlap on the wire.

:meth:`Conversation.read` tells whoever is concerned. Nothing here decides what follows from an end: that is the
server's actor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, final

import trio
from attrs import define, field
from msgspec import Raw

from runtime.call import Call
from runtime.errors import (
    CallInterrupted,
    CallRefused,
    ConnectionLost,
    HandshakeRefused,
    NotAuthorized,
    Sent,
    ServerFailed,
    ServerUnreachable,
    StdoutNoise,
)
from runtime.protocol import (
    Acknowledged,
    Answered,
    Asked,
    CancelRequested,
    ClientConnection,
    ClientEvent,
    Failed,
    InputRequired,
    Invalid,
    ListChanged,
    ListenEnded,
    Logged,
    Opened,
    OpenFailed,
    Progressed,
    ResourceUpdated,
    Send,
    State,
    TaskCreated,
    warm_up,
)
from runtime.servers.link import Link
from runtime.servers.pending import Answer, Pending, Refused
from runtime.transports import LineTooLong, NoiseBudgetSpent, Unauthorized, Unreachable

if TYPE_CHECKING:
    from runtime.protocol import JsonRpcError, RequestId, SubscriptionFilter
    from runtime.servers.questions import Questions

PROBE_SILENCE = 10.0  # seconds without an answer after which a server is taken for a legacy one

_ASKED = {State.PROBING: "server/discover", State.DISCOVERING: "server/discover", State.INITIALIZING: "initialize"}


@final
@define(eq=False, repr=False)
class Conversation:
    """One connection, from its first line to its end. Writing never waits, and many requests may be out."""

    server: str
    link: Link
    nursery: trio.Nursery  # of what is done for it
    _connection: ClientConnection
    _questions: Callable[[Conversation], Questions]
    _hear_news: Callable[[ListChanged | ResourceUpdated | Logged], object]
    failure: ServerFailed | None = field(default=None, init=False)  # what it ended of; written by its actor
    heard: int = field(default=0, init=False)  # how often it has said something
    hung_up: str = field(default="closed its output", init=False)  # why there is nothing more to read
    _reading: trio.CancelScope = field(factory=trio.CancelScope, init=False)
    _handshake_over: trio.Event = field(factory=trio.Event, init=False)
    _opened: Opened | OpenFailed | None = field(default=None, init=False)
    _waiting: dict[RequestId, Pending] = field(factory=dict, init=False)
    _unanswered: str = field(default="nothing", init=False)  # what we asked last and waited for in vain
    _asked: Questions | None = field(default=None, init=False)  # once the server has asked anything

    # -- the handshake

    @property
    def connection(self) -> ClientConnection:
        """The protocol's side of it."""
        return self._connection

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
        """Which answer the start waits for, or has waited for in vain."""
        return _ASKED.get(self._connection.state, self._unanswered)

    async def open(self, patience: float) -> Opened:
        """Agree with the server, whichever era it speaks, as long as there is ``patience``. Raises `HandshakeRefused`.

        Silence is taken for a legacy server's while there is time enough left to speak with that.
        """
        self._write(self._connection.open())
        warm_up()  # the message classes are made while the server starts, and not when its answer is there
        with trio.move_on_after(min(PROBE_SILENCE, patience / 3)):
            await self._handshake_over.wait()
        if self.probing:
            self._write(self._connection.probe_expired())
        await self._handshake_over.wait()
        if isinstance(self._opened, OpenFailed):
            raise self.refused(str(self._opened.error))
        assert self._opened is not None
        return self._opened

    def refused(self, reason: str) -> HandshakeRefused:
        """Make the error of a start that nothing comes of."""
        return HandshakeRefused(self.server, self.link.stderr(), self.link.hide(reason))

    # -- asking

    async def ask(self, method: str, params: Mapping[str, Any]) -> Raw:
        """Ask for our own purposes. Raises `Refused` of an error; cancelled, the server is told."""
        answer = Answer(method)
        id, line = self._connection.request(method, params)
        self._waiting[id] = answer
        try:
            await self.send(line)
            return await answer.wait()
        finally:
            if id in self._waiting:
                self._unanswered = method
                self.forget(id)

    async def ask_in_vain(self, method: str, params: Mapping[str, Any]) -> None:
        """Ask for something that can be done without."""
        with suppress(Refused):
            await self.ask(method, params)

    def tell(self, method: str, params: Mapping[str, Any]) -> None:
        """Ask for something whose answer nobody waits for."""
        _, line = self._connection.request(method, params)
        self._write(line)

    def listen(self, filter: SubscriptionFilter, pending: Pending) -> RequestId:
        """Subscribe, in the modern era, for as long as it is not forgotten."""
        id, line = self._connection.listen(filter)
        self._waiting[id] = pending
        self._write(line)
        return id

    def send_call(self, call: Call, pending: Pending) -> RequestId:
        """Send a call. Raises `CallRefused`, or `CallInterrupted`: it could not be sent."""
        id, line = self._connection.request(call.method, call.params, progress=call.progress is not None)
        try:
            self.link.transport.send_nowait(line)
        except trio.WouldBlock:
            self._connection.cancel(id)
            reason = "it does not read its input, and enough waits there already; try again later"
            raise CallRefused(call.server, call.name, Sent.NOT_SENT, reason, verb=call.verb) from None
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._connection.cancel(id)
            self.hang_up("no longer reads its input")
            raise CallInterrupted(call.server, call.name, Sent.NOT_SENT, verb=call.verb) from None
        self._waiting[id] = pending
        return id

    def retry(self, id: RequestId, responses: Mapping[str, Raw], pending: Pending) -> tuple[RequestId, bytes]:
        """Make the line that says a request again, with what the server wanted to know; return its id, too."""
        new_id, line = self._connection.retry(id, responses)
        self._waiting.pop(id, None)
        self._waiting[new_id] = pending
        return new_id, line

    def forget(self, id: RequestId) -> None:
        """Wait for an answer no more, and tell the server if it still owes one."""
        self._waiting.pop(id, None)
        if (line := self._connection.cancel(id)) is not None:
            self._write(line)

    def interrupt(self, failure: ServerFailed | None) -> None:
        """Tell whoever waits that no answer comes any more."""
        waiting, self._waiting = self._waiting, {}
        for pending in waiting.values():
            pending.interrupt(failure)

    async def send(self, line: bytes) -> None:
        """Write, and wait for room. Of a server that does not read any more, the reader learns, too."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await self.link.transport.send(line)

    def _write(self, line: bytes | None) -> None:
        """Write what is a courtesy, or what a deadline watches. A server that does not read goes without."""
        if line is not None:
            with suppress(trio.WouldBlock, trio.BrokenResourceError, trio.ClosedResourceError):
                self.link.transport.send_nowait(line)

    # -- answering

    def reply(self, id: RequestId, result: Raw) -> None:
        """Answer a question of the server's."""
        self._write(self._connection.answer(id, result))

    def refuse(self, id: RequestId, error: JsonRpcError) -> None:
        """Answer a question of the server's with an error."""
        self._write(self._connection.refuse(id, error))

    # -- reading

    def hang_up(self, why: str) -> None:
        """Read no more, as if the server had closed its output."""
        self.hung_up = why
        self._reading.cancel()

    async def read(self) -> None:
        """Read what the server says until it ends, or until :meth:`hang_up`. Raises `ServerFailed`."""
        receive, understand = self.link.transport.receive_batch, self._connection.receive
        with self._reading:
            try:
                while True:
                    lines = await receive()
                    self.heard += 1
                    for line in lines:
                        for event in understand(line):
                            self._hear(event)
            except trio.EndOfChannel:
                return
            except Unauthorized as error:
                raise NotAuthorized(self.server, self.link.stderr(), error.status, error.challenge) from error
            except Unreachable as error:
                reason = self.link.hide(error.reason)
                raise ServerUnreachable(self.server, self.link.stderr(), error.where, reason) from error
            except NoiseBudgetSpent as error:
                raise self._noisy(f"more than {error.budget} lines", error.samples) from error
            except LineTooLong as error:
                raise self._noisy(f"a line of more than {error.limit} bytes", (error.excerpt,)) from error
            except trio.BrokenResourceError as error:
                raise ConnectionLost(self.server, self.link.stderr(), self.link.hide(str(error))) from error

    def _noisy(self, reason: str, samples: tuple[str, ...]) -> StdoutNoise:
        return StdoutNoise(self.server, self.link.stderr(), reason, tuple(map(self.link.hide, samples)))

    def _hear(self, event: ClientEvent) -> None:
        if type(event) is Answered:  # nearly always; a pattern takes twice as long to see it
            if (pending := self._waiting.pop(event.id, None)) is not None:
                pending.settle(event.result)
            return
        match event:
            case Failed(id, error):
                if (pending := self._waiting.pop(id, None)) is not None:
                    pending.fail(error)
            case Invalid(id, mistake):
                if (pending := self._waiting.pop(id, None)) is not None:
                    pending.invalid(mistake)
            case Progressed(id, progress, total, message):
                if (pending := self._waiting.get(id)) is not None:
                    pending.progressed(progress, total, message)
            case Send(data):
                self._write(data)
            case _:
                self._hear_more(event)

    def _hear_more(self, event: ClientEvent) -> None:
        """Take in what is rare."""
        match event:
            case Opened() | OpenFailed():
                self._opened = event
                self._handshake_over.set()
            case ListChanged() | ResourceUpdated() | Logged():
                self._hear_news(event)
            case InputRequired(id, requests):
                if (pending := self._waiting.get(id)) is not None:  # and goes on waiting, for the answer to a retry
                    pending.asked_back(requests)
            case TaskCreated(id, task_id, interval):
                if (pending := self._waiting.get(id)) is not None:
                    pending.became_task(task_id, None if interval is None else interval / 1000)
            case Acknowledged(id, filter):
                if (pending := self._waiting.get(id)) is not None:
                    pending.acknowledged(filter)
            case ListenEnded(id):
                if (pending := self._waiting.pop(id, None)) is not None:
                    pending.lost()
            case Asked(id, method, params):
                if self._asked is None:
                    self._asked = self._questions(self)
                self._asked.begin(self.nursery, id, method, params)
            case CancelRequested(id):
                if self._asked is not None:
                    self._asked.cancel(id)
