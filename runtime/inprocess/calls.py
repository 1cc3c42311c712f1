"""One request that a function works on, and the questions that it asks on the way.

A legacy client is asked with a request of its own, and the function waits for the answer. A modern client is asked by
*answering* its request: the function stays where it is, suspended, under a name that the answer tells the client as
``requestState``. The client comes back with the answers and that name, in a new request that the function then works
for; so it can see several requests, one after another. Between two of them it belongs to nobody, for `PATIENCE` at
most. Questions that are asked at the same time travel together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import trio
from attrs import define, field
from msgspec import Raw

from runtime.protocol import Era, JsonRpcError, LocalProtocolError, MissingCapability, RequestId
from runtime.protocol.jsonrpc import MALFORMED, encode_json
from runtime.protocol.server_state import lacks
from runtime.protocol.versions import MAY_ASK_BACK

from .failures import AskFailed

if TYPE_CHECKING:
    from .session import Session

__all__ = ["PATIENCE", "Call", "Question"]

PATIENCE = 600.0
"""Seconds that a suspended function waits for its client to come back."""

MOST_SUSPENDED = 256
"""Functions of one client that may be suspended at once; one more ends the one that waits longest."""


@define(eq=False)
class Question:
    """Something that the client was asked."""

    wire: Mapping[str, Any]
    _answered: trio.Event = field(factory=trio.Event, init=False)
    _answer: Any = field(default=None, init=False)

    def settle(self, answer: Any) -> None:
        """Take the answer: a result in wire names, raw or not; a JsonRpcError; or why there is none, an exception."""
        if not self._answered.is_set():
            self._answer = answer
            self._answered.set()

    async def answer(self) -> Mapping[str, Any]:
        await self._answered.wait()
        answer = self._answer
        if isinstance(answer, MissingCapability):
            raise answer
        if isinstance(answer, JsonRpcError):
            raise AskFailed(f"the client refused: {answer.message}", answer)
        if isinstance(answer, Raw):
            try:
                answer = msgspec.json.decode(answer)
            except MALFORMED as error:
                answer = error
        if not isinstance(answer, dict):
            raise AskFailed(f"the client's answer is no object but {answer!r}")
        return answer


@define(eq=False)
class Call:
    """A function at work."""

    session: Session
    method: str
    # of the request that it works for now; the id is None while it is suspended, and once it is cancelled
    id: RequestId | None
    params: Mapping[str, Any]
    declared: Mapping[str, Any] = field(init=False)
    scope: trio.CancelScope = field(factory=trio.CancelScope, init=False)
    # {key: question} asked and not answered, of a modern client
    questions: dict[str, Question] = field(factory=dict, init=False)
    _asked: int = field(default=0, init=False)
    _asking: bool = field(default=False, init=False)  # about to answer its request with its questions
    _name: str | None = field(default=None, init=False)  # while it is suspended
    _back: trio.Event = field(factory=trio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        assert self.id is not None
        self.declared = self.session.connection.client_capabilities(self.id)

    @property
    def era(self) -> Era:
        era = self.session.connection.era
        assert era is not None
        return era

    @property
    def client_info(self) -> Mapping[str, Any]:
        return {} if self.id is None else self.session.connection.client_info(self.id)

    # -- told in passing, from wherever the function runs

    def tell_progress(self, progress: float, total: float | None, message: str | None) -> None:
        if not trio.lowlevel.in_trio_run():  # in the worker thread of a plain function; ends it where it was cancelled
            return trio.from_thread.run_sync(self.tell_progress, progress, total, message)
        if self.id is not None:
            self.session.tell(self.session.connection.progress(self.id, progress, total, message))
        return None

    def tell_log(self, level: str, data: Any, logger: str | None) -> None:
        if not trio.lowlevel.in_trio_run():
            return trio.from_thread.run_sync(self.tell_log, level, data, logger)
        if self.id is not None:
            self.session.tell(self.session.connection.log(level, data, logger, id=self.id))
        return None

    # -- asked

    async def ask(self, method: str, params: Mapping[str, Any] | None) -> Mapping[str, Any]:
        """Ask the client and wait for what it answers.

        Raises:
            MissingCapability: the client did not declare that it can be asked this.
            LocalProtocolError: the request is of a kind that cannot ask.
            AskFailed: the answer is an error, or none.
        """
        if self.era is Era.LEGACY:
            return await self._ask_at_once(method, params)
        return await self._ask_in_answer(method, params)

    async def _ask_at_once(self, method: str, params: Mapping[str, Any] | None) -> Mapping[str, Any]:
        if self.id is None:
            raise LocalProtocolError(f"{method}: its request was cancelled")
        id, line = self.session.connection.ask(self.id, method, params)
        question = self.session.questions[id] = Question({})
        try:
            await self.session.send(line)
            return await question.answer()
        finally:
            del self.session.questions[id]
            self.session.tell(self.session.connection.withdraw(id))

    async def _ask_in_answer(self, method: str, params: Mapping[str, Any] | None) -> Mapping[str, Any]:
        if self.method not in MAY_ASK_BACK:
            raise LocalProtocolError(f"{self.method}: cannot be answered by asking for input")
        question = Question({"method": method} if params is None else {"method": method, "params": params})
        encode_json(question.wire)  # what JSON cannot tell fails here, in the function that asks it
        if (missing := self._missing(question)) is not None:
            raise missing
        self._asked += 1
        key = f"q{self._asked}"
        self.questions[key] = question
        self.ask_soon()
        try:
            return await question.answer()
        finally:
            self.questions.pop(key, None)

    def _missing(self, question: Question) -> MissingCapability | None:
        method = question.wire["method"]
        required = lacks(method, question.wire.get("params") or {}, self.declared)
        return None if required is None else MissingCapability(method, required)

    # -- suspended, and back

    def ask_soon(self) -> None:
        """Answer the request in hand with the questions that are open once those asked meanwhile are known."""
        if not self._asking:
            self._asking = True
            self.session.nursery.start_soon(self._suspend)

    async def _suspend(self) -> None:
        await trio.lowlevel.checkpoint()
        self._asking = False
        if self.id is None:
            return
        # The client may have come back with fewer capabilities than it had when these were asked.
        for key, question in list(self.questions.items()):
            if (missing := self._missing(question)) is not None:
                self.questions.pop(key).settle(missing)
        if not self.questions:
            return
        name, state = self.session.handles.mint(self.method, self.params)
        wanted = {key: question.wire for key, question in self.questions.items()}
        line = self.session.connection.require_input(self.id, wanted, state)
        if line is None:
            return
        self.session.calls.pop(self.id, None)
        if len(self.session.suspended) >= MOST_SUSPENDED:
            self.session.suspended.pop(next(iter(self.session.suspended))).scope.cancel()
        self.session.suspended[name] = self
        self.id, self._name, self._back = None, name, trio.Event()
        self.scope.deadline = trio.current_time() + PATIENCE
        await self.session.send(line)

    def resume(self, id: RequestId, params: Mapping[str, Any]) -> None:
        """Work for this request from now on; it brings answers."""
        self.id, self._name = id, None
        self.session.calls[id] = self
        self.params = params
        self.declared = self.session.connection.client_capabilities(id)
        self.scope.deadline = float("inf")
        for key, answer in (params.get("inputResponses") or {}).items():
            if key in self.questions:
                self.questions.pop(key).settle(answer)
        if self.questions:
            self.ask_soon()
        self._back.set()

    def cancel(self) -> None:
        """End: nobody waits for the answer, and the request's id may be another's soon."""
        self.id = None
        self.scope.cancel()

    async def wait_until_back(self) -> RequestId:
        """Wait, where it is suspended, for a request to answer; return its id. Cancelled it never comes back."""
        while self.id is None:
            await self._back.wait()
        return self.id

    def over(self) -> None:
        """Nobody needs to find it any more."""
        if self.id is not None and self.session.calls.get(self.id) is self:
            del self.session.calls[self.id]
        if self._name is not None:
            self.session.suspended.pop(self._name, None)
