"""May this caller do this? Frozen rules, and pure functions over them: no clock, no I/O, nothing that waits."""

from runtime.policy.budget import Budget, Spent, charge
from runtime.policy.decision import ALLOWED, Act, Allowed, Decision, Denied, Wish
from runtime.policy.ledger import Ledger
from runtime.policy.rules import Guard, Patterns, Rules, as_guard, decide
from runtime.policy.sources import budgets_of, rules_of, tools_of

__all__ = [
    "ALLOWED",
    "Act",
    "Allowed",
    "Budget",
    "Decision",
    "Denied",
    "Guard",
    "Ledger",
    "Patterns",
    "Rules",
    "Spent",
    "Wish",
    "as_guard",
    "budgets_of",
    "charge",
    "decide",
    "rules_of",
    "tools_of",
]
