"""Calls on the wire: who has asked, what became of it, and how many there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, final

from attrs import define, field
from msgspec import Raw

import actors
from runtime.call import Call
from runtime.errors import CallInterrupted, Sent, ServerError, ServerFailed
from runtime.protocol import JsonRpcError, RequestId

if TYPE_CHECKING:
    from runtime.servers.conversation import Conversation


@final
@define(eq=False, repr=False)
class Flights:
    """The calls in flight of one conversation."""

    conversation: Conversation
    _count: Callable[[int], None]  # told how many calls are in flight, whenever that changes
    _number: int = field(default=0, init=False)

    def launch(self, call: Call, defer: Callable[[Callable[[], object]], actors.Reply[Raw]]) -> None:
        """Send a call, whose answer is deferred. Raises `CallRefused`, or `CallInterrupted`: it could not be sent."""
        flight = Flight(call, self)
        flight.id = self.conversation.send_call(call, flight)
        flight.reply = defer(flight.forsake)
        self._number += 1
        self._count(self._number)

    def landed(self) -> None:
        self._number -= 1
        self._count(self._number)

    def forsake(self, id: RequestId) -> None:
        self.conversation.forget(id)
        self.landed()


@final
@define(eq=False, repr=False)
class Flight:
    """One call. Its place is free before its caller is told, so that who waited for the place can have it."""

    call: Call
    _flights: Flights
    id: RequestId = field(init=False)
    reply: actors.Reply[Raw] = field(init=False)

    def settle(self, result: Raw) -> None:
        self._flights.landed()
        self.reply.settle(result)

    def fail(self, error: JsonRpcError) -> None:
        self._flights.landed()
        call = self.call
        self.reply.fail(ServerError(call.server, call.name, Sent.UNKNOWN, error, verb=call.verb))

    def interrupt(self, failure: ServerFailed | None) -> None:
        """It was sent, and nobody knows what became of it (S4)."""
        self._flights.landed()
        error = CallInterrupted(self.call.server, self.call.name, Sent.UNKNOWN, verb=self.call.verb)
        error.__cause__ = failure
        self.reply.fail(error)

    def progressed(self, progress: float, total: float | None, message: str | None) -> None:
        if self.call.progress is None:
            return
        try:
            self.call.progress(progress, total, message)
        except Exception as error:  # noqa: BLE001  # the caller's own code: its failure is the caller's, not ours
            self.forsake()
            self.reply.fail(error)

    def forsake(self) -> None:
        """Its caller has gone: tell the server."""
        self._flights.forsake(self.id)
