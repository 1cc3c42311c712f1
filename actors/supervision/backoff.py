"""How long to wait before a restart. Pure; an addition to OTP, which does not wait."""

from __future__ import annotations

from attrs import frozen


@frozen
class Backoff:
    """Wait ``first`` seconds, then ``factor`` times longer after each failure, up to ``cap``.

    ``jitter`` spreads each wait by that fraction either way. After ``reset`` seconds of uptime it starts over. It never
    resets the restart window.
    """

    first: float = 0.1
    factor: float = 2.0
    cap: float = 5.0
    jitter: float = 0.1
    reset: float = 300.0

    def delay(self, failures: int, spread: float) -> float:
        """Return the seconds to wait after the ``failures``-th failure in a row (from 1).

        ``spread`` in [-1, 1] says where in the jitter's range: the caller's random number, so that this stays pure.
        """
        exponent = min(failures - 1, 64)  # beyond that any factor above 1 has long met its cap
        return float(min(self.first * self.factor**exponent, self.cap) * (1 + self.jitter * spread))
