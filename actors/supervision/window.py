"""The restart window: how many restarts in how much time are too many. Pure."""

from __future__ import annotations

import math

from attrs import field, frozen

from actors.errors import SpecError


@frozen
class RestartWindow:
    """At most ``intensity`` restarts within ``period`` seconds; the one after that makes the supervisor give up (R50).

    The edge is inclusive: a restart exactly ``period`` old still counts (R51). Intensity 0 allows none.
    """

    intensity: int = field(default=1)
    period: float = field(default=5.0)

    def __attrs_post_init__(self) -> None:
        if type(self.intensity) is not int or self.intensity < 0:
            raise SpecError("restart window", "intensity", self.intensity, "is a whole number from 0")
        if isinstance(self.period, bool) or not 0 < self.period < math.inf:
            raise SpecError("restart window", "period", self.period, "is a number of seconds above 0")

    def counted(self, restarts: tuple[float, ...], now: float) -> tuple[float, ...]:
        """Return the times of the restarts that still count at ``now``, without one of now."""
        return tuple([at for at in restarts if now - at <= self.period])

    def spent(self, restarts: tuple[float, ...]) -> bool:
        """Say whether so many restarts are too many."""
        return len(restarts) > self.intensity
