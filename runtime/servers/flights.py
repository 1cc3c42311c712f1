"""Calls on the wire: who has asked, what became of it, and how many there are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, final

import trio
from attrs import define, field
from msgspec import Raw

import actors
from runtime.call import Call
from runtime.errors import (
    CallInterrupted,
    CallRefused,
    ConnectionLost,
    InputUnanswered,
    InvalidAnswer,
    Sent,
    ServerError,
    ServerFailed,
)
from runtime.protocol import JsonRpcError, RequestId, WireError
from runtime.servers.handlers import Handlers, Unanswered
from runtime.servers.pending import Pending, Refused, TaskFailed
from runtime.transports import NO_ANSWER, NOT_SENT

if TYPE_CHECKING:
    from runtime.protocol import InputRequest
    from runtime.servers.conversation import Conversation

Reply: TypeAlias = actors.Reply[Raw]

ROUNDS = 20  # of one call; a server that asks back more often is not asking but looping
PAUSE = 0.1  # seconds before a call is said again that nothing was asked for; twice as many each time
LONGEST_PAUSE = 5.0


@final
@define(eq=False, repr=False)
class Flights:
    """The calls in flight of one conversation."""

    conversation: Conversation
    handlers: Handlers
    count: Callable[[int], None]  # told how many calls are in flight, whenever that changes
    number: int = field(default=0, init=False)

    def launch(
        self, call: Call, send: Callable[[Call, Flight], RequestId], defer: Callable[[Callable[[], object]], Reply]
    ) -> None:
        """Send a call, whose answer is deferred. Raises what ``send`` raises."""
        flight = Flight(call, self)
        flight.id = send(call, flight)
        flight.reply = defer(flight.forsake)
        self.number += 1
        self.count(self.number)

    def landed(self) -> None:
        """One call less."""
        self.number -= 1
        self.count(self.number)


@final
@define(eq=False, repr=False)
class _Aside:
    """What is done for a call between two requests of it: the answers of a round, or following a task."""

    rounds: int = 0  # so many of them, with this one
    task_id: str | None = None
    scope: trio.CancelScope = field(factory=trio.CancelScope, init=False)


@final
@define(eq=False, repr=False)
class Flight(Pending):
    """One call. Its place is free before its caller is told, so that who waited for the place can have it.

    Between two requests of it, while an answer is gathered or a task is under way, it is *aside*: nothing of it is on
    the wire, and it still is in flight.
    """

    call: Call
    _flights: Flights
    id: RequestId = field(init=False)  # of the request that was sent last
    reply: Reply = field(init=False)
    _aside: _Aside | None = field(default=None, init=False)  # once it has been

    # -- how it ends

    def settle(self, result: Raw) -> None:
        flights = self._flights
        flights.number = number = flights.number - 1  # as `landed` does, without the call
        flights.count(number)
        self.reply.settle(result)

    def fail(self, error: JsonRpcError) -> None:
        call = self.call
        if self._flights.conversation.link.speaks_http and error.code in (NOT_SENT, NO_ANSWER):
            self._fail_on_the_way(error)
        else:
            self._fall(ServerError(call.server, call.name, Sent.UNKNOWN, error, verb=call.verb))

    def _fail_on_the_way(self, error: JsonRpcError) -> None:
        """One exchange of HTTP has failed; the others may be well, and so may the server."""
        call, conversation = self.call, self._flights.conversation
        if error.code == NOT_SENT:
            call.sent_to = 0
            if conversation.link.remote:
                self._fall(CallRefused(call.server, call.name, Sent.NOT_SENT, error.message, verb=call.verb))
            else:  # it has died, and is about to be seen dead; or is as good as that
                conversation.hang_up("does not listen any more")
                self._fall(CallInterrupted(call.server, call.name, Sent.NOT_SENT, verb=call.verb))
        else:
            interrupted = CallInterrupted(call.server, call.name, Sent.UNKNOWN, verb=call.verb)
            interrupted.__cause__ = ConnectionLost(call.server, (), error.message)
            self._fall(interrupted)

    def invalid(self, error: WireError) -> None:
        call = self.call
        self._fall(InvalidAnswer(call.server, call.name, Sent.UNKNOWN, str(error), verb=call.verb))

    def interrupt(self, failure: ServerFailed | None) -> None:
        """It was sent, and nobody knows what became of it (S4)."""
        if self._aside is not None:
            self._aside.scope.cancel()
        error = CallInterrupted(self.call.server, self.call.name, Sent.UNKNOWN, verb=self.call.verb)
        error.__cause__ = failure
        self._fall(error)

    def forsake(self) -> None:
        """Its caller has gone: tell the server."""
        if self._aside is not None:
            self._aside.scope.cancel()
            if self._aside.task_id is not None:
                self._flights.conversation.tell("tasks/cancel", {"taskId": self._aside.task_id})
        self._flights.conversation.forget(self.id)
        self._flights.landed()

    def _fall(self, error: Exception) -> None:
        self._flights.landed()
        self.reply.fail(error)

    # -- what may come before

    def progressed(self, progress: float, total: float | None, message: str | None) -> None:
        if self.call.progress is None:
            return
        try:
            self.call.progress(progress, total, message)
        except Exception as error:  # noqa: BLE001  # the caller's own code: its failure is the caller's, not ours
            self.forsake()
            self.reply.fail(error)

    def asked_back(self, requests: Mapping[str, InputRequest]) -> None:
        rounds = 1 if self._aside is None else self._aside.rounds + 1
        self._step_aside(_Aside(rounds), self._answer_back, requests)

    def became_task(self, task_id: str, interval: float | None) -> None:
        self._step_aside(_Aside(task_id=task_id), self._follow, interval)

    def _step_aside(self, aside: _Aside, work: Callable[..., Awaitable[None]], *args: Any) -> None:
        self._aside = aside
        self._flights.conversation.nursery.start_soon(self._go_aside, aside, work, args)

    async def _go_aside(self, aside: _Aside, work: Callable[..., Awaitable[None]], args: tuple[Any, ...]) -> None:
        with aside.scope:
            try:
                await work(aside, *args)
            except (Unanswered, Refused, TaskFailed) as error:
                # Who has been told of an end meanwhile, is not told again.
                if not aside.scope.cancel_called:
                    self._give_up(error)

    def _give_up(self, error: Unanswered | Refused | TaskFailed) -> None:
        call = self.call
        self._flights.conversation.forget(self.id)
        if isinstance(error, TaskFailed) and error.error is not None:
            self.fail(error.error)
        else:
            told = InputUnanswered(call.server, call.name, Sent.UNKNOWN, str(error), verb=call.verb)
            told.__cause__ = error.__cause__
            self._fall(told)

    async def _answer_back(self, aside: _Aside, requests: Mapping[str, InputRequest]) -> None:
        if aside.rounds > ROUNDS:
            raise Refused(f"it has asked back more than {ROUNDS} times", None)
        if not requests:
            await trio.sleep(min(PAUSE * 2**aside.rounds, LONGEST_PAUSE))
        responses = await self._flights.handlers.gather(self.call.server, requests)
        await trio.lowlevel.checkpoint_if_cancelled()
        conversation = self._flights.conversation
        self.id, line = conversation.retry(self.id, responses, self)
        await conversation.send(line)

    async def _follow(self, aside: _Aside, interval: float | None) -> None:
        from runtime.servers.tasks import result_of

        def gather(requests: Mapping[str, InputRequest]) -> Awaitable[Mapping[str, Any]]:
            return self._flights.handlers.gather(self.call.server, requests)

        conversation = self._flights.conversation
        assert aside.task_id is not None
        result = await result_of(aside.task_id, interval, conversation.ask, gather)
        if not aside.scope.cancel_called:
            conversation.forget(self.id)
            self.settle(result)
