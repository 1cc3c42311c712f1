"""Ways to reach a server, each a channel of messages with the same promises.

=========================  =========================================  ==========================================
a child process            ``stdio.open_stdio(command, guard=...)``   raises `CommandUnusable` at once
an address                 ``http.open_http(url, type=..., ...)``     Streamable HTTP of both eras, and HTTP+SSE
a WebSocket                ``websocket.open_websocket(url, ...)``
a server in this process   ``memory.memory_pair()``                   two ends
=========================  =========================================  ==========================================

Each opener is an async context manager that owns all it starts. Those that take an address connect when the first
message is sent or at once, but always behind the channel's back: that nobody is there (`Unreachable`), or that it
wants credentials (`Unauthorized`), is raised by `Transport.receive`, as every other end is.

This module holds the contract and its errors and imports nothing but Trio and attrs; each transport is
a module of its own, imported by whoever opens it.
"""

from abc import abstractmethod
from typing import Final, final

import trio
from attrs import define

__all__ = [
    "NOT_SENT",
    "NO_ANSWER",
    "LineTooLong",
    "NoiseBudgetSpent",
    "NotSent",
    "Transport",
    "Unauthorized",
    "Unreachable",
]

NOT_SENT: Final = 1
"""Code of the error that a transport over HTTP receives for a request which never left: it did not run.

An HTTP error without a JSON-RPC error in its body has its status for a code; both kinds have a ``reason`` or a
``status`` in their ``data``.
"""

NO_ANSWER: Final = 2
"""Code of the error for a request whose answer was lost or never came: nobody knows whether it ran."""


class Transport(trio.abc.Channel[bytes]):
    """A two-way channel of messages, one JSON-RPC message each.

    A message sent ends in its ``\\n`` (the form the protocol encodes it in); a message received comes
    without it. Whatever the peer does, the same holds: order is kept (over HTTP: that of each answer and each
    stream, for requests that overlap are exchanges of their own), a cancelled call loses and duplicates
    nothing, memory is bounded, a peer that stops reading delays only its own senders, and closing twice is
    closing once. One task at a time may receive; any number may send.
    """

    @abstractmethod
    def send_nowait(self, message: bytes) -> None:
        """Queues a message for the next write; all that one scheduler pass queues leaves in one write.

        Raises `trio.WouldBlock` while more bytes are queued than the transport's bound (into an empty queue
        one message is always taken, whatever its size), `trio.ClosedResourceError` after `aclose`, and
        `trio.BrokenResourceError` once the peer can no longer read. Queued does not mean read.
        """

    @abstractmethod
    async def send(self, message: bytes) -> None:
        """Like `send_nowait`, but waits for room instead of raising `trio.WouldBlock`, in the order of calls.

        Cancelled, it has sent nothing.
        """

    @abstractmethod
    async def receive(self) -> bytes:
        """The next message. Raises as `receive_batch` does."""

    @abstractmethod
    async def receive_batch(self) -> list[bytes]:
        """All messages that have arrived, at least one, at the price of one checkpoint.

        Raises `trio.EndOfChannel` when the peer has ended its side, `trio.ClosedResourceError` after
        `aclose`, also in a task that was waiting here, and `trio.BrokenResourceError` when the stream can
        no longer be understood (`LineTooLong`, `NoiseBudgetSpent`). What arrived before such an end is
        delivered first.
        """

    @abstractmethod
    async def aclose(self) -> None:
        """Ends the connection and all that belongs to it; idempotent. Cancelled, it ends without grace."""


@final
@define(repr=False)
class LineTooLong(trio.BrokenResourceError):
    """The peer sent a line of more than `limit` bytes; it was dropped, and what follows cannot be trusted.

    `excerpt` is how the line begins, where that was kept.
    """

    limit: int
    excerpt: str

    def __str__(self) -> str:
        begins = f", which begins {self.excerpt!r}" if self.excerpt else ""
        return f"a line of more than {self.limit} bytes{begins}"


@final
@define(repr=False)
class NoiseBudgetSpent(trio.BrokenResourceError):
    """The peer wrote more than `budget` lines in a row that are no messages: it speaks something else.

    `samples` are the last of those lines, shortened.
    """

    budget: int
    samples: tuple[str, ...]

    def __str__(self) -> str:
        last = self.samples[-1] if self.samples else ""
        return (
            f"more than {self.budget} lines in a row that are no JSON-RPC messages, the last one {last!r}; "
            "a server must write its log to stderr, not to stdout"
        )


class NotSent(Exception):
    """There is no connection to send by, or nobody at it who may be told.

    A function that gives headers may raise it, in place of giving them to somebody whom they are not for.
    """


@final
@define(repr=False)
class Unreachable(trio.BrokenResourceError):
    """Nobody has answered at that address yet: the name is unknown, the connection refused, TLS failed.

    Not raised once the server has been reached; then the request alone fails, with `NOT_SENT`.
    """

    where: str
    reason: str

    def __str__(self) -> str:
        return f"{self.where} cannot be reached: {self.reason}"


@final
@define(repr=False)
class Unauthorized(trio.BrokenResourceError):
    """The server wants (other) credentials: it answered 401, or 403 before it had answered anything else.

    `challenge` is its ``WWW-Authenticate`` header, where it sent one (RFC 9110, 11.6.1).
    """

    status: int
    challenge: str | None

    def __str__(self) -> str:
        told = "" if self.challenge is None else f", and asks for {self.challenge[:200]!r}"
        return f"the server refused with HTTP {self.status}{told}"
