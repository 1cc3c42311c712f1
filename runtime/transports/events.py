"""Bytes to server-sent events: pure, whatever the pieces in which the bytes come.

The rules are those of the HTML standard, section 9.2.6, "Interpreting an event stream". Data stays bytes, for it is
decoded once, by whoever knows what it is.
"""

from __future__ import annotations

import re
from typing import final

import trio
from attrs import define, field, frozen

__all__ = ["EventStream", "EventTooLong", "ServerSentEvent"]

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_ID_LIMIT = 4096  # characters: half of what many servers take of all headers
_TYPE_LIMIT = 100  # bytes: none that means anything is as long
_PLAIN = re.compile(r"[!-~]([ -~]*[!-~])?")


@final
@define(repr=False)
class EventTooLong(trio.BrokenResourceError):
    """The peer sent an event, or a line of one, of more than `limit` bytes."""

    limit: int

    def __str__(self) -> str:
        return f"an event of more than {self.limit} bytes"


@final
@frozen
class ServerSentEvent:
    type: str
    data: bytes


@final
@define(eq=False, repr=False)
class EventStream:
    """The events of one stream. No I/O; the result does not depend on how the stream is cut.

    An event without a ``data`` line is none, though its id counts; an event without its blank line at the end is
    not complete and is never returned. When an event, or one line of whatever kind, is longer than `limit` bytes,
    `failure` is set, the events before it are still returned, and all that follows is dropped.
    """

    limit: int
    last_id: str = ""
    """What ``Last-Event-ID`` says when the stream is resumed, if it can be."""
    retry: int | None = None
    """Milliseconds to wait before that, as the stream asked for."""
    brought: bool = field(default=False, init=False)
    """Whether it has brought anything: an event, or a new id."""
    failure: EventTooLong | None = field(default=None, init=False)
    _begun: bytearray = field(factory=bytearray, init=False)  # the line that has no end yet
    _after_return: bool = field(default=False, init=False)  # the last byte was \r, and \n would belong to it
    _fresh: bool = field(default=True, init=False)  # the first line, which may begin with a mark, is not complete
    _type: str = field(default="", init=False)
    _data: bytearray = field(factory=bytearray, init=False)  # each line with its end: no list, whose items cost more
    _id: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._id = self.last_id

    @property
    def can_be_resumed(self) -> bool:
        """Whether it has an id that a header can carry back, as MCP's ids are to be: all in ASCII, and no long ones."""
        return bool(self.last_id) and len(self.last_id) <= _ID_LIMIT and _PLAIN.fullmatch(self.last_id) is not None

    @property
    def size(self) -> int:
        """Bytes held of an event that is not complete."""
        return len(self._data) + len(self._begun)

    def again(self) -> EventStream:
        """The stream that goes on where this one broke off."""
        return EventStream(self.limit, self.last_id, self.retry)

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """The events that `data` completes."""
        if self.failure is not None or not data:
            return []
        if self._after_return and data.startswith(b"\n"):
            data = data[1:]
            self._after_return = False
        if b"\r" in data:
            self._after_return = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        elif data:
            self._after_return = False
        lines = data.split(b"\n")
        rest = lines.pop()
        if lines and self._begun:
            self._begun += lines[0]
            lines[0] = bytes(self._begun)
            self._begun.clear()
        events: list[ServerSentEvent] = []
        for line in lines:
            if not self._fits(len(line)):
                return events
            self._line(line, events)
        if rest and self._fits(len(self._begun) + len(rest)):
            self._begun += rest
        return events

    def _fits(self, size: int) -> bool:
        """Whether a line of that size may still come; else the stream has failed."""
        if len(self._data) + size <= self.limit:
            return True
        self.failure = EventTooLong(self.limit)
        self._begun.clear()
        self._data.clear()
        return False

    def _line(self, line: bytes, events: list[ServerSentEvent]) -> None:
        if self._fresh:
            self._fresh = False
            line = line.removeprefix(_BYTE_ORDER_MARK)
        if not line:
            self.brought |= bool(self._data) or self.last_id != self._id
            self.last_id = self._id
            if self._data:
                self._data.pop()
                events.append(ServerSentEvent(self._type or "message", bytes(self._data)))
                self._data.clear()
            self._type = ""
            return
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"data":
                self._data += value
                self._data += b"\n"
            case b"event":
                self._type = value[:_TYPE_LIMIT].decode("utf-8", "replace")
            case b"id" if b"\0" not in value:
                self._id = value[: _ID_LIMIT + 1].decode("utf-8", "replace")
            case b"retry" if value.isdigit():
                self.retry = int(value[:9])  # eleven days are enough
