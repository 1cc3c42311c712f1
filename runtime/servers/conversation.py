"""What is said over one link: the handshake, then requests and their answers, which overlap on the wire.

:meth:`Conversation.read` settles whoever is answered. Nothing here decides what follows from an end: that is the
server's actor.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, final

import trio
from attrs import define, field
from msgspec import Raw

from runtime.call import Call
from runtime.errors import CallInterrupted, CallRefused, HandshakeRefused, Sent, ServerFailed, StdoutNoise
from runtime.protocol import (
    Answered,
    ClientConnection,
    ClientEvent,
    Failed,
    ListChanged,
    Opened,
    OpenFailed,
    Progressed,
    RequestId,
    Send,
    State,
    warm_up,
)
from runtime.servers.link import Link
from runtime.servers.pending import Answer, Pending
from runtime.transports import LineTooLong, NoiseBudgetSpent

PROBE_SILENCE = 10.0  # seconds without an answer after which a server is taken for a legacy one

_ASKED = {State.PROBING: "server/discover", State.DISCOVERING: "server/discover", State.INITIALIZING: "initialize"}


@final
@define(eq=False, repr=False)
class Conversation:
    """One connection, from its first line to its end. Writing never waits, and many requests may be out."""

    server: str
    link: Link
    _connection: ClientConnection
    failure: ServerFailed | None = field(default=None, init=False)  # what it ended of
    tools_changed: trio.Event = field(factory=trio.Event, init=False)  # since they were listed
    over: trio.CancelScope = field(factory=trio.CancelScope, init=False)  # around all that is done for it
    hung_up: str = field(default="closed its output", init=False)  # why there is nothing more to read
    _reading: trio.CancelScope = field(factory=trio.CancelScope, init=False)
    _handshake_over: trio.Event = field(factory=trio.Event, init=False)
    _opened: Opened | OpenFailed | None = field(default=None, init=False)
    _waiting: dict[RequestId, Pending] = field(factory=dict, init=False)
    _unanswered: str = field(default="nothing", init=False)  # what we asked last and waited for in vain

    # -- the handshake

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
        """Make the error of a handshake that nothing comes of."""
        return HandshakeRefused(self.server, self.link.stderr(), reason)

    # -- asking

    async def ask(self, method: str, params: Mapping[str, Any]) -> Raw:
        """Ask for our own purposes. Raises `HandshakeRefused` of an error; cancelled, the server is told."""
        answer = Answer(lambda error: self.refused(f"{method}: {error}"))
        id, line = self._connection.request(method, params)
        self._waiting[id] = answer
        try:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):  # the reader learns of that, too
                await self.link.transport.send(line)
            return await answer.wait()
        finally:
            if id in self._waiting:
                self._unanswered = method
                self.forget(id)

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

    def forget(self, id: RequestId) -> None:
        """Wait for an answer no more, and tell the server."""
        self._waiting.pop(id, None)
        if (line := self._connection.cancel(id)) is not None:
            self._write(line)

    def interrupt(self, failure: ServerFailed | None) -> None:
        """Tell whoever waits that no answer comes any more."""
        waiting, self._waiting = self._waiting, {}
        for pending in waiting.values():
            pending.interrupt(failure)

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
                if (pending := self._waiting.pop(id, None)) is not None:
                    pending.settle(result)
            case Failed(id, error):
                if (pending := self._waiting.pop(id, None)) is not None:
                    pending.fail(error)
            case Progressed(id, progress, total, message):
                if (pending := self._waiting.get(id)) is not None:
                    pending.progressed(progress, total, message)
            case Send(data):
                self._write(data)
            case Opened() | OpenFailed():
                self._opened = event
                self._handshake_over.set()
            case ListChanged("tools"):
                self.tools_changed.set()
