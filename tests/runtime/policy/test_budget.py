"""What a caller may call in all, and in a time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runtime.policy import ALLOWED, Budget, Denied, Ledger, Spent, charge


def test_a_budget_of_calls_is_spent_call_by_call_and_then_denied_for_good():
    spent = Spent()
    for _ in range(3):
        decision, spent = charge(Budget(calls=3), spent, 0.0)
        assert decision == ALLOWED
    for now in (0.0, 1e9):
        assert charge(Budget(calls=3), spent, now) == (
            Denied("the budget of 3 calls is spent, until the runtime is opened again"),
            spent,
        )


def test_a_budget_of_nothing_denies_the_first_call():
    assert charge(Budget(calls=0), Spent(), 0.0)[0] == Denied(
        "the budget of 0 calls is spent, until the runtime is opened again"
    )


def test_a_rate_lets_a_seconds_worth_through_at_once_and_says_when_the_next_is_due():
    spent = Spent()
    for _ in range(4):
        decision, spent = charge(Budget(rate=4.0), spent, 10.0)
        assert decision
    decision, spent = charge(Budget(rate=4.0), spent, 10.0)
    assert decision == Denied("more than 4 calls per second; the next is due in 0.25 s")
    assert charge(Budget(rate=4.0), spent, 10.2)[0] == Denied("more than 4 calls per second; the next is due in 0.05 s")
    assert charge(Budget(rate=4.0), spent, 10.25)[0]


def test_a_rate_below_one_lets_one_through():
    decision, spent = charge(Budget(rate=0.1), Spent(), 0.0)
    assert decision
    assert not charge(Budget(rate=0.1), spent, 9.9)[0]
    assert charge(Budget(rate=0.1), spent, 10.0)[0]


budgets = st.builds(Budget, st.none() | st.integers(0, 20), st.none() | st.floats(0.1, 50))
pauses = st.lists(st.floats(0, 3), max_size=60)


@given(budgets, pauses)
def test_no_budget_is_ever_exceeded(budget, pauses):
    """In all, and in every stretch of time: no more than come at once, and the rate over that time."""
    now, spent, allowed = 0.0, Spent(), []
    for pause in pauses:
        now += pause
        decision, spent = charge(budget, spent, now)
        if decision:
            allowed.append(now)
    assert spent.calls == len(allowed)
    if budget.calls is not None:
        assert len(allowed) <= budget.calls
    if budget.rate is not None:
        for first, begin in enumerate(allowed):
            for last, end in enumerate(allowed[first:], first):
                assert last - first + 1 <= budget.burst + budget.rate * (end - begin) + 1e-6


@given(st.floats(0.1, 50), pauses)
def test_who_keeps_to_the_rate_is_never_denied(rate, pauses):
    now, spent = 0.0, Spent()
    for pause in pauses:
        now += 1 / rate + pause
        decision, spent = charge(Budget(rate=rate), spent, now)
        assert decision


@given(budgets, pauses)
def test_what_is_denied_costs_nothing(budget, pauses):
    now, spent = 0.0, Spent()
    for pause in pauses:
        now += pause
        before = spent
        decision, spent = charge(budget, spent, now)
        if not decision:
            assert spent == before


def test_each_caller_has_an_account_of_its_own_and_who_has_no_budget_has_none():
    ledger = Ledger({"ci": Budget(calls=1), "me": Budget(calls=1)})
    assert ledger.charge("ci", 0.0)
    assert not ledger.charge("ci", 0.0)
    assert ledger.charge("me", 0.0)
    for caller in ("free", None):
        for _ in range(5):
            assert ledger.charge(caller, 0.0)
    assert (ledger.spent("ci").calls, ledger.spent("free").calls) == (1, 0)
