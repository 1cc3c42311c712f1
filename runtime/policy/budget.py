"""How much a caller may call. What it has spent is a value; charging gives the next one."""

from __future__ import annotations

from typing import final

from msgspec import Struct
from msgspec.structs import replace

from runtime.errors import counted
from runtime.policy.decision import ALLOWED, Decision, Denied


@final
class Budget(Struct, frozen=True, repr_omit_defaults=True):
    """``calls`` in all, and ``rate`` per second, of which a second's worth may come at once. None: no limit."""

    calls: int | None = None
    rate: float | None = None

    @property
    def burst(self) -> float:
        """Calls that may come at once: one second's, and at least one."""
        return 1.0 if self.rate is None else max(1.0, self.rate)


@final
class Spent(Struct, frozen=True, repr_omit_defaults=True):
    """What a caller has had: so many calls, and the tokens that were left ``at`` a time."""

    calls: int = 0
    tokens: float | None = None  # None: it has not called yet, and has all of them
    at: float = 0.0


def charge(budget: Budget, spent: Spent, now: float) -> tuple[Decision, Spent]:
    """Charge one call, at ``now``, before any work for it, so that an answer from the cache costs as much as any.

    What is denied is not charged. ``now`` may be of any clock that does not go back.
    """
    if budget.calls is not None and spent.calls >= budget.calls:
        return Denied(
            f"the budget of {counted(budget.calls, 'call')} is spent, until the runtime is opened again"
        ), spent
    charged = replace(spent, calls=spent.calls + 1)
    if budget.rate is None:
        return ALLOWED, charged
    passed = max(0.0, now - spent.at)
    tokens = budget.burst if spent.tokens is None else min(budget.burst, spent.tokens + passed * budget.rate)
    if tokens < 1.0 - _ROUNDING:
        wait = (1.0 - tokens) / budget.rate
        return Denied(f"more than {budget.rate:g} calls per second; the next is due in {wait:.3g} s"), spent
    return ALLOWED, replace(charged, tokens=max(0.0, tokens - 1.0), at=now)


_ROUNDING = 1e-9  # who waits as long as it was told to is not sent away for the last bit of a float
