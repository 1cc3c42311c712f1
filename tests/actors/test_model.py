"""A model of the rules that OTP agrees with, and that `actors` agrees with where nobody made a recording."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st

from actors.testing.strategies import seeds
from tests.otp_replay import MANNERS, TRACES, Manner, lines, mismatch, normalized, recorded

from .claims import claim
from .model import foretell
from .scenarios import scenarios


@pytest.mark.parametrize("record", recorded(TRACES), ids=lambda record: record["scenario"]["id"])
def test_the_model_foretells_what_otp_did(record: Any) -> None:
    scenario = record["scenario"]
    assert lines(normalized(scenario, foretell(scenario))) == lines(normalized(scenario, record["trace"]))


@claim(scenarios(), st.sampled_from(MANNERS), seeds(), examples=250)
def test_any_tree_under_any_faults_goes_as_the_rules_say(scenario: Any, manner: Manner, seed: int) -> None:  # R1-R107
    assert not (text := mismatch({"scenario": scenario, "trace": foretell(scenario)}, manner, seed)), f"\n{text}"
