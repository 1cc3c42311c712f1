"""Who waits for an answer of a server: a task of our own, here, or a caller, whose call is in flight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, final

import trio
from attrs import define, field
from msgspec import Raw
from outcome import Error, Outcome, Value

from runtime.errors import ServerFailed
from runtime.protocol import JsonRpcError


class Pending(Protocol):
    """What a conversation tells whoever waits for the answer to one request. It tells one end, once."""

    def settle(self, result: Raw) -> None:
        """The server has answered."""

    def fail(self, error: JsonRpcError) -> None:
        """The server has answered with an error."""

    def interrupt(self, failure: ServerFailed | None) -> None:
        """There will be no answer: the conversation is over, because of ``failure`` or in order."""

    def progressed(self, progress: float, total: float | None, message: str | None) -> None:
        """It is on its way."""


@final
@define(eq=False, repr=False)
class Answer:
    """What a task of our own waits for. The end of a conversation cancels the task, and tells it nothing."""

    _refused: Callable[[str], Exception]  # makes what is raised of an error
    _done: trio.Event = field(factory=trio.Event, init=False)
    _outcome: Outcome[Raw] | None = field(default=None, init=False)

    def settle(self, result: Raw) -> None:
        self._outcome = Value(result)
        self._done.set()

    def fail(self, error: JsonRpcError) -> None:
        self._outcome = Error(self._refused(str(error)))
        self._done.set()

    def interrupt(self, failure: ServerFailed | None) -> None: ...

    def progressed(self, progress: float, total: float | None, message: str | None) -> None: ...

    async def wait(self) -> Raw:
        """Return the answer, or raise what has been made of an error."""
        await self._done.wait()
        assert self._outcome is not None
        return self._outcome.unwrap()
