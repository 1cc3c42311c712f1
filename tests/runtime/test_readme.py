"""What the README shows is what happens."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from runtime.config import load

README = Path(__file__).parents[2] / "README.md"


def example(language: str) -> str:
    """Return the first block of that language."""
    found = re.search(rf"^```{language}\n(.*?)^```$", README.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_the_embedding_example_survives_a_crash_on_screen() -> None:
    run = subprocess.run(
        [sys.executable, "-c", example("python")], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.stderr == ""
    assert run.returncode == 0
    assert len(re.findall(r'^{"time":', run.stdout, re.MULTILINE)) == 2
    assert re.search(r"clock +crashed: .*SIGKILL.*restart in", run.stdout)
    assert re.search(r"clock +starting again, incarnation 2", run.stdout)


def test_the_configuration_that_it_shows_is_one(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text(example("jsonc"), "utf-8")
    loaded = load(tmp_path / "mcp.json", environ={"SEARCH_TOKEN": "secret", "WIKI_TOKEN": "secret"})
    assert list(loaded.servers) == ["files", "search", "wiki", "mine"]
    assert loaded.notes == ()
