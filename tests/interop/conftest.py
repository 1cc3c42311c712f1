"""Foreign peers for tests, and the traces that a test of them must not leave."""

import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import marked

from .peers import MARK, Peer, furnish, peers

DEADLY = ("time", "git", "everything", "filesystem", "mcp1")  # are killed: one for each kind of server


def need(*programs: str | Path) -> None:
    """Skip the test where a program is missing; fail it where ``GREENROOM_REQUIRE_PEERS`` is set."""
    if missing := [str(program) for program in programs if not (Path(program).exists() or shutil.which(program))]:
        reason = f"not installed: {', '.join(missing)}; run tests/interop/install.sh"
        if os.environ.get("GREENROOM_REQUIRE_PEERS"):
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a directory that is a git repository with a note in it."""
    need("git")
    furnish(tmp_path)
    return tmp_path


@pytest.fixture(params=DEADLY)
def peer(request: pytest.FixtureRequest, place: Path) -> Peer:
    """Return each of the deadly peers in turn."""
    peer = peers(place)[request.param]
    need(*peer.programs)
    return peer


@pytest.fixture
def deadly(place: Path) -> list[Peer]:
    """Return the deadly peers."""
    each = [peers(place)[name] for name in DEADLY]
    need(*(program for peer in each for program in peer.programs))
    return each


@pytest.fixture(autouse=True)
def mark(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Mark each process that the test starts, whoever starts it, and find none of them alive after the test."""
    value = secrets.token_hex(8)
    monkeypatch.setenv(MARK, value)
    yield value
    assert marked(MARK, value) == {}
