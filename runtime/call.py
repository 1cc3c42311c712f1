"""A call as a value: what the caller said, on its way from the host to the server's actor."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any, final

from attrs import define
from msgspec import Raw

import actors
from runtime.errors import Sent

ProgressCallback = Callable[[float, float | None, str | None], object]
"""Called with how far it is, of how much (None: not known), and a word about it."""

VERBS = MappingProxyType(
    {
        "tools/call": "call",
        "resources/read": "read",
        "prompts/get": "get prompt",
        "completion/complete": "complete",
        "logging/setLevel": "set log level",
        "resources/subscribe": "subscribe",
    }
)
"""What a server can be asked for on a caller's behalf, and what that is called in an error."""


@final
@define(eq=False)
class Call(actors.Ask[Raw]):
    """One request of a caller to a server: a tool call, or any other of `VERBS`.

    Answered with the raw result; fails as :mod:`runtime.errors` says. ``name`` is what it is about: the tool, the
    prompt, the URI. ``caller`` is a client's name; None: the program itself. ``sent_to`` is the one thing that changes:
    the server's actor writes its incarnation there when the request goes to the wire, so that the caller, whatever
    happens to it, knows (S4). 0: it was not sent.
    """

    server: str
    method: str
    name: str
    params: dict[str, Any]
    progress: ProgressCallback | None = None
    caller: str | None = None
    sent_to: int = 0

    @property
    def verb(self) -> str:
        """What its method is called in an error."""
        return VERBS[self.method]

    @property
    def sent(self) -> Sent:
        """What is known of it while it has no answer."""
        return Sent.UNKNOWN if self.sent_to else Sent.NOT_SENT
