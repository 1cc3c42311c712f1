"""The recent past of a host, kept for the prompt."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, final

from attrs import define, field

if TYPE_CHECKING:
    import trio

    from runtime.journal import Event

KEPT = 200


def is_news(event: Event) -> bool:
    return True


@final
@define(eq=False)
class EventLog:
    """Keeps the last 200 events of a subscription, oldest first."""

    _events: deque[Event] = field(factory=lambda: deque(maxlen=KEPT), init=False)

    # Told of each event as it comes; the console sets it once its opening screen is drawn.
    announce: Callable[[Event], None] | None = None

    async def follow(self, channel: trio.abc.ReceiveChannel[Event]) -> None:
        """Keep what arrives until the subscription ends."""
        async for event in channel:
            self._events.append(event)
            if self.announce is not None:
                self.announce(event)

    def last(self, count: int) -> tuple[Event, ...]:
        """Give at most the last ``count`` events."""
        return tuple(self._events)[-count:] if count > 0 else ()
