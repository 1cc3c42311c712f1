"""An actor in the hand of a test."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar, final

import trio
from attrs import define, field

from actors.context import context
from actors.mailbox import Envelope
from actors.reply import Reply

M = TypeVar("M")


@final
@define(eq=False)
class Unexpected(AssertionError):
    """A probe was not sent what it should have been: what was ``expected``, and what it ``got``."""

    expected: str
    got: tuple[Any, ...]

    def __str__(self) -> str:
        got = ", ".join(map(repr, self.got)) or "nothing"
        return f"expected {self.expected}; got {got}"


@final
@define(eq=False)
class Probe:
    """Records what it gets and answers what it is told to; use ``probe.start`` in a `ChildSpec`.

    An ask is answered with the next of the values given to :meth:`will_answer`; where there is none, it waits for
    :meth:`answer`. All incarnations of it are one probe.
    """

    received: list[Any] = field(factory=list, init=False)
    _unread: deque[Any] = field(factory=deque, init=False)
    _answers: deque[Any] = field(factory=deque, init=False)
    _owed: deque[Reply[Any]] = field(factory=deque, init=False)
    _arrived: trio.Event = field(factory=trio.Event, init=False)

    def start(self) -> Probe:
        """Be the next incarnation of an actor."""
        return self

    def receive(self, message: Any) -> Any:
        """Record a message, and answer it if an answer waits."""
        self.received.append(message)
        self._unread.append(message)
        self._arrived.set()
        here = context()
        if not isinstance(here._mailbox.current, Envelope):
            return None
        if not self._answers:
            self._owed.append(here.defer())
            return None
        value = self._answers.popleft()
        if isinstance(value, BaseException):
            raise value
        return value

    def will_answer(self, *values: object) -> None:
        """Queue answers for asks to come. An exception is raised: a `Refusal` refuses, any other crashes the probe."""
        self._answers.extend(values)

    def answer(self, value: object) -> None:
        """Answer the oldest ask that waits; with an exception, fail it. Raises `Unexpected` where none does."""
        while self._owed and not self._owed[0].wanted:
            self._owed.popleft()
        if not self._owed:
            raise Unexpected("an ask that waits for its answer", tuple(self.received))
        reply = self._owed.popleft()
        if isinstance(value, BaseException):
            reply.fail(value)
        else:
            reply.settle(value)

    async def expect(self, kind: type[M], where: Callable[[M], bool] = lambda _: True, *, within: float = 1.0) -> M:
        """Wait for the next message that was not expected yet, ``within`` so many seconds, and return it.

        Raises `Unexpected` where it is of another kind, or not as ``where`` says, or does not come.
        """
        expected = f"{kind.__name__} within {within:g} s"
        await self._wait_unread(within)
        if not self._unread:
            raise Unexpected(expected, ())
        message = self._unread.popleft()
        if not isinstance(message, kind) or not where(message):
            raise Unexpected(expected, (message,))
        return message

    async def expect_nothing(self, *, within: float = 1.0) -> None:
        """Wait so many seconds. Raises `Unexpected` if there is, or comes, a message that was not expected."""
        await self._wait_unread(within)
        if self._unread:
            raise Unexpected(f"no message within {within:g} s", tuple(self._unread))

    async def _wait_unread(self, seconds: float) -> None:
        await trio.lowlevel.checkpoint()
        with trio.move_on_after(seconds):
            while not self._unread:
                self._arrived = trio.Event()
                await self._arrived.wait()
