"""Who waits for an answer of a server: a task of our own, here, or a caller, whose call is in flight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, final

import trio
from attrs import define, field
from msgspec import Raw
from outcome import Error, Outcome, Value

from runtime.errors import ServerFailed
from runtime.protocol import JsonRpcError, WireError

if TYPE_CHECKING:
    from runtime.protocol import InputRequest, SubscriptionFilter


class Pending:
    """What a conversation tells whoever waits for the answer to one request.

    It tells one end, once: ``settle``, ``fail``, ``invalid`` or ``interrupt``. Of what happens before, who does not
    care hears nothing.
    """

    __slots__ = ()

    def settle(self, result: Raw) -> None:
        """The server has answered."""
        raise NotImplementedError

    def fail(self, error: JsonRpcError) -> None:
        """The server has answered with an error."""
        raise NotImplementedError

    def invalid(self, error: WireError) -> None:
        """The server has answered with what is no result."""
        raise NotImplementedError

    def interrupt(self, failure: ServerFailed | None) -> None:
        """There will be no answer: the conversation is over, because of ``failure`` or in order."""

    def progressed(self, progress: float, total: float | None, message: str | None) -> None:
        """It is on its way."""

    def asked_back(self, requests: Mapping[str, InputRequest]) -> None:
        """The server wants to know more before it answers."""

    def became_task(self, task_id: str, interval: float | None) -> None:
        """The answer is to be fetched, every ``interval`` seconds where the server has a wish."""

    def acknowledged(self, filter: SubscriptionFilter) -> None:
        """A subscription stands, for so much of what was asked."""

    def lost(self) -> None:
        """A subscription has been ended by the server."""


class Refused(Exception):
    """The server has refused what we asked for our own purposes; its message says why."""

    def __init__(self, reason: str, code: int | None) -> None:
        super().__init__(reason)
        self.code = code


class TaskFailed(Exception):
    """A task has no result: the server's own ``error``, or the message of this."""

    def __init__(self, reason: str, error: JsonRpcError | None = None) -> None:
        super().__init__(reason)
        self.error = error


@final
@define(eq=False, repr=False)
class Answer(Pending):
    """What a task of our own waits for. The end of a conversation cancels the task, and tells it nothing."""

    _method: str
    _done: trio.Event = field(factory=trio.Event, init=False)
    _outcome: Outcome[Raw] | None = field(default=None, init=False)

    def settle(self, result: Raw) -> None:
        self._end(Value(result))

    def fail(self, error: JsonRpcError) -> None:
        self._end(Error(Refused(f"{self._method}: {error}", error.code)))

    def invalid(self, error: WireError) -> None:
        self._end(Error(Refused(f"{self._method}: {error}", None)))

    def _end(self, outcome: Outcome[Raw]) -> None:
        self._outcome = outcome
        self._done.set()

    async def wait(self) -> Raw:
        """Return the answer. Raises `Refused`."""
        await self._done.wait()
        assert self._outcome is not None
        return self._outcome.unwrap()
