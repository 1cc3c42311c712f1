"""A call as a value: what the caller said, on its way from the host to the server's actor."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from attrs import define
from msgspec import Raw

import actors
from runtime.errors import Sent

ProgressCallback = Callable[[float, float | None, str | None], object]
"""Called with how far it is, of how much (None: not known), and a word about it."""


@final
@define(eq=False)
class ToolCall(actors.Ask[Raw]):
    """One ``tools/call``. Answered with the raw result; fails as :mod:`runtime.errors` says.

    ``sent_to`` is the one thing that changes: the server's actor writes its incarnation there when the request goes to
    the wire, so that the caller, whatever happens to it, knows (S4). 0: it was not sent.
    """

    server: str
    tool: str
    arguments: Raw
    progress: ProgressCallback | None = None
    sent_to: int = 0

    @property
    def sent(self) -> Sent:
        """What is known of it while it has no answer."""
        return Sent.UNKNOWN if self.sent_to else Sent.NOT_SENT
