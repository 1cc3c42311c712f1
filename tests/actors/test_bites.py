"""The properties are not idle. All planted bugs: ``python -m tests.actors.bites``."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from .bites import BITES, is_found
from .claims import Claim, claim, is_refuted
from .mutants import Mutant


@pytest.mark.parametrize(
    ("claimed", "mutant"), [pytest.param(claimed, planted[0], id=planted[0].name) for claimed, planted in BITES.items()]
)
def test_a_planted_bug_turns_its_property_red(claimed: Claim, mutant: Mutant) -> None:
    assert is_found(claimed, mutant)


def test_what_holds_is_not_refuted() -> None:
    @claim(st.integers(), examples=1)
    def holds(number: int) -> None:
        assert number == number + 0

    assert not is_refuted(holds, examples=20)
