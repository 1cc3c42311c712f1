"""The two queues of a transport whose peer is not read and written by the callers themselves, bounded in bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar, final

import outcome
import trio
from attrs import define, field

__all__ = ["Inbox", "Outbox", "Sized"]


class Sized(Protocol):
    @property
    def size(self) -> int:
        """Bytes that it holds."""


T = TypeVar("T", bound=Sized)


@final
@define(eq=False, repr=False)
class Outbox(Generic[T]):
    """What callers send, in their order, until it is handed over and released.

    Beyond `limit` bytes nobody adds to it, except that into an empty one a message of any size goes.
    """

    limit: int
    _arrived: Callable[[], object] | None = None  # called for each message, by whoever takes them without waiting
    size: int = field(default=0, init=False)  # bytes put and not yet released
    _waiting: deque[T] = field(factory=deque, init=False)  # not yet taken
    # {task: what it wants to put}; not empty only while there is no room for the first of them
    _senders: dict[trio.lowlevel.Task, T] = field(factory=dict, init=False)
    _taker: trio.lowlevel.Task | None = field(default=None, init=False)
    _end: type[trio.ClosedResourceError] | type[trio.BrokenResourceError] | None = field(default=None, init=False)
    _why: str = field(default="", init=False)

    @property
    def senders_waiting(self) -> int:
        return len(self._senders)

    def put_nowait(self, message: T) -> None:
        """Raises `trio.WouldBlock`, or what `end` was told."""
        if self._end is not None:
            raise self._end(self._why)
        if self._senders or not self._has_room(message):
            raise trio.WouldBlock
        self._append(message)

    async def put(self, message: T) -> None:
        """Waits for room. Cancelled, it has put nothing."""
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            self.put_nowait(message)
        except trio.WouldBlock:
            task = trio.lowlevel.current_task()
            self._senders[task] = message

            def abort(_: object) -> trio.lowlevel.Abort:
                del self._senders[task]
                self._admit()  # a smaller one behind it may fit
                return trio.lowlevel.Abort.SUCCEEDED

            await trio.lowlevel.wait_task_rescheduled(abort)
        else:
            await trio.lowlevel.cancel_shielded_checkpoint()

    async def take(self) -> T:
        """The next message; it counts until it is released. One task takes."""
        if self._waiting:
            await trio.lowlevel.checkpoint()
        while not self._waiting:
            self._taker = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._abort_take)
        return self._waiting.popleft()

    def take_nowait(self) -> T | None:
        return self._waiting.popleft() if self._waiting else None

    def release(self, size: int) -> None:
        """So many bytes of what was taken are gone."""
        self.size -= size
        self._admit()

    def end(self, kind: type[trio.ClosedResourceError] | type[trio.BrokenResourceError], why: str) -> None:
        """Nothing will be sent any more: what waits is dropped, and whoever waits is told; the first end counts."""
        if self._end is None:
            self._end, self._why = kind, why
        self.size -= sum(message.size for message in self._waiting)
        self._waiting.clear()
        senders, self._senders = self._senders, {}
        for task in senders:
            trio.lowlevel.reschedule(task, outcome.Error(kind(why)))

    def _has_room(self, message: T) -> bool:
        return not self.size or self.size + message.size <= self.limit

    def _append(self, message: T) -> None:
        self._waiting.append(message)
        self.size += message.size
        if self._taker is not None:
            trio.lowlevel.reschedule(self._taker)
            self._taker = None
        if self._arrived is not None:
            self._arrived()

    def _admit(self) -> None:
        while self._senders:
            task, message = next(iter(self._senders.items()))
            if not self._has_room(message):
                return
            del self._senders[task]
            self._append(message)
            trio.lowlevel.reschedule(task)

    def _abort_take(self, _: object) -> trio.lowlevel.Abort:
        self._taker = None
        return trio.lowlevel.Abort.SUCCEEDED


@final
@define(eq=False, repr=False)
class Inbox:
    """What the peer has said and nobody has received yet, and then how it ended.

    Whoever puts waits after it while more than `limit` bytes are there, and so reads no more from the peer.
    """

    limit: int
    size: int = field(default=0, init=False)
    stalls: int = field(default=0, init=False)
    """How often whoever puts has had to wait."""
    _messages: deque[bytes] = field(factory=deque, init=False)
    _room: trio.lowlevel.ParkingLot = field(factory=trio.lowlevel.ParkingLot, init=False)
    _receiver: trio.lowlevel.Task | None = field(default=None, init=False)
    _end: Exception | None = field(default=None, init=False)
    _closed: bool = field(default=False, init=False)

    @property
    def full(self) -> bool:
        """Whether whoever puts has to wait."""
        return self.size > self.limit

    @property
    def ended(self) -> bool:
        return self._closed or self._end is not None

    def put_nowait(self, message: bytes) -> None:
        """Adds a message whatever the bound; after the end it is dropped."""
        if self.ended:
            return
        self._messages.append(message)
        self.size += len(message)
        self._wake()

    async def put(self, message: bytes) -> None:
        """Adds a message at once, then waits until there is room again, and is no checkpoint if there is: reading
        from the peer is one. Cancelled, it has put it nevertheless."""
        self.put_nowait(message)
        self.stalls += self.full
        while self.full and not self.ended:
            await self._room.park()

    def end(self, error: Exception) -> None:
        """Nothing more will come: once all is received, `error` is raised; the first end counts."""
        if self._end is None:
            self._end = error
        self._room.unpark_all()
        self._wake()

    def close(self) -> None:
        self._closed = True
        self._messages.clear()
        self.size = 0
        self._room.unpark_all()
        self._wake()

    async def receive(self) -> bytes:
        await self._arrival()
        message = self._messages.popleft()
        self._shrink(len(message))
        return message

    async def receive_batch(self) -> list[bytes]:
        await self._arrival()
        messages = list(self._messages)
        self._messages.clear()
        self._shrink(self.size)
        return messages

    async def _arrival(self) -> None:
        """Waits for a message; between its return and the taking nothing awaits, so no cancellation loses one."""
        if self._messages or self.ended:
            await trio.lowlevel.checkpoint()
        while not self._messages or self._closed:
            if self._closed:
                raise trio.ClosedResourceError("this transport was closed")
            if self._end is not None:
                raise self._end.with_traceback(None)
            self._receiver = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._abort_receive)

    def _abort_receive(self, _: object) -> trio.lowlevel.Abort:
        self._receiver = None
        return trio.lowlevel.Abort.SUCCEEDED

    def _wake(self) -> None:
        if self._receiver is not None:
            trio.lowlevel.reschedule(self._receiver)
            self._receiver = None

    def _shrink(self, size: int) -> None:
        self.size -= size
        if not self.full:
            self._room.unpark_all()
