"""What the callers of a runtime have spent: the only thing here that changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from attrs import define, field

from runtime.policy.budget import Budget, Spent, charge
from runtime.policy.decision import ALLOWED, Decision


@final
@define(eq=False, repr=False)
class Ledger:
    """Keeps the accounts of callers that have a budget; nothing is kept of the others."""

    budgets: Mapping[str, Budget]
    _accounts: dict[str, Spent] = field(factory=dict, init=False)

    def charge(self, caller: str | None, now: float) -> Decision:
        """Charge a call to its caller; None is the program itself, which has no budget."""
        budget = None if caller is None else self.budgets.get(caller)
        if caller is None or budget is None:
            return ALLOWED
        decision, self._accounts[caller] = charge(budget, self.spent(caller), now)
        return decision

    def spent(self, caller: str) -> Spent:
        """Return what a caller has spent so far."""
        return self._accounts.get(caller, Spent())
