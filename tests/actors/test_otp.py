"""What Erlang's own supervisor did, 150 times, `actors` does too: R10-R107."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.otp_replay import MANNERS, TRACES, main, mismatch, recorded

RECORDS = recorded(TRACES)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record["scenario"]["id"])
def test_a_scenario_goes_as_it_went_in_otp(record: Any) -> None:
    """However its workers are written, and whether its end is ordered or a cancellation from outside."""
    for manner in MANNERS:
        assert not (text := mismatch(record, manner)), f"\n{text}"


def test_all_that_was_recorded_is_replayed() -> None:
    assert len(RECORDS) == 150


def test_the_command_prints_a_diff_of_each_mismatch_and_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = RECORDS[0], json.loads(json.dumps(RECORDS[1]))
    bad["trace"]["steps"][0]["events"][-1][2] = 7
    path = tmp_path / "records.jsonl"
    path.write_text(f"{json.dumps(good)}\n\n{json.dumps(bad)}\n")
    assert main([str(path)]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1] == "1 passed, 1 failed"
    assert [line for line in printed if line.startswith(("-", "+"))][2:] == [
        "-    start root/a 7",
        "+    start root/a 1",
    ]
    path.write_text(json.dumps(good))
    assert main([str(path)]) == 0
    assert capsys.readouterr().out == "1 passed, 0 failed\n"
    assert main([]) == 2
