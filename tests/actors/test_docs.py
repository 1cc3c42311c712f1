"""What the tutorial shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TUTORIAL = Path(__file__).parents[2] / "docs" / "actors.md"
BLOCK = re.compile(r"^```(python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_each_block_runs_after_those_before_it_and_prints_what_stands_below_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = TUTORIAL.read_text("utf-8")
    names: dict[str, object] = {"__name__": "tutorial"}
    printed, blocks = "", 0
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start(2)) + 1
        if block[1] == "text":
            assert printed == block[2], f"printed above line {line}"
            printed = ""
            continue
        assert printed == "", f"printed above line {line}, and not shown"
        code = compile("\n" * (line - 1) + block[2], str(TUTORIAL), "exec")
        exec(code, names)
        printed, blocks = capsys.readouterr().out, blocks + 1
    assert printed == ""
    assert blocks > 10
