"""A call as a value: what the caller said, on its way from the host to the server's actor."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from attrs import define
from msgspec import Raw

import actors

ProgressCallback = Callable[[float, float | None, str | None], object]
"""Called with how far it is, of how much (None: not known), and a word about it."""


@final
@define(eq=False)
class ToolCall(actors.Ask[Raw]):
    """One ``tools/call``. Answered with the raw result; fails as :mod:`runtime.errors` says.

    ``sent`` is the one thing that changes: the server's actor sets it when the request goes to the wire, so that the
    caller, whatever happens to it, knows (S4).
    """

    server: str
    tool: str
    arguments: Raw
    progress: ProgressCallback | None = None
    sent: bool = False
