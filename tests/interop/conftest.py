"""MCP servers that nobody here wrote, what each of them can be asked, and the traces that a test must not leave."""

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from runtime.protocol import Era
from tests.processes import marked

HERE = Path(__file__).parent
PYTHON_PEERS = HERE.parents[1] / ".peers" / "mcp2" / "bin"
NODE_PEERS = HERE / "node_modules" / ".bin"
MARK = "GREENROOM_INTEROP_TEST"
NAMES = ("time", "git", "everything", "filesystem")


@frozen
class Call:
    tool: str
    arguments: Mapping[str, Any]


@frozen(kw_only=True)
class Peer:
    """A foreign server that is installed."""

    name: str
    program: Path
    args: tuple[str, ...] = ()
    era: Era
    tools: int
    call: Call
    answer: str  # is part of what the call answers
    wrong: Call  # a call of a tool that it has, which the server refuses

    @property
    def server(self) -> dict[str, Any]:
        """The configuration of the server."""
        return {"command": str(self.program), "args": list(self.args), "inherit_env": [MARK]}


def peers(place: Path) -> dict[str, Peer]:
    """Return the peers by name; those that need files work in ``place``."""
    each = (
        Peer(
            name="time",
            program=PYTHON_PEERS / "mcp-server-time",
            era=Era.MODERN,
            tools=2,
            call=Call("get_current_time", {"timezone": "Etc/UTC"}),
            answer="Etc/UTC",
            wrong=Call("get_current_time", {"timezone": "Nowhere/City"}),
        ),
        Peer(
            name="git",
            program=PYTHON_PEERS / "mcp-server-git",
            args=("--repository", str(place)),
            era=Era.MODERN,
            tools=12,
            call=Call("git_status", {"repo_path": str(place)}),
            answer="On branch trunk",
            wrong=Call("git_status", {"repo_path": "/"}),
        ),
        Peer(
            name="everything",
            program=NODE_PEERS / "mcp-server-everything",
            era=Era.LEGACY,
            tools=13,  # it has more for clients that declare sampling, elicitation or roots
            call=Call("get-sum", {"a": 2, "b": 3}),
            answer="is 5",
            wrong=Call("get-sum", {"a": "two", "b": 3}),
        ),
        Peer(
            name="filesystem",
            program=NODE_PEERS / "mcp-server-filesystem",
            args=(str(place),),
            era=Era.LEGACY,
            tools=14,
            call=Call("read_text_file", {"path": str(place / "note.txt")}),
            answer="left by the test",
            wrong=Call("read_text_file", {"path": "/etc/hostname"}),
        ),
    )
    return {peer.name: peer for peer in each}


def need(*programs: str | Path) -> None:
    """Skip the test where a program is missing; fail it where ``GREENROOM_REQUIRE_PEERS`` is set."""
    if missing := [str(program) for program in programs if shutil.which(program) is None]:
        reason = f"not installed: {', '.join(missing)}; run tests/interop/install.sh"
        if os.environ.get("GREENROOM_REQUIRE_PEERS"):
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a directory that is a git repository with a note in it."""
    need("git")
    subprocess.run(["git", "init", "--quiet", "--initial-branch=trunk", tmp_path], check=True)
    (tmp_path / "note.txt").write_text("left by the test\n")
    return tmp_path


@pytest.fixture(params=NAMES)
def peer(request: pytest.FixtureRequest, place: Path) -> Peer:
    """Return each peer in turn."""
    peer = peers(place)[request.param]
    need(peer.program)
    return peer


@pytest.fixture
def all_peers(place: Path) -> list[Peer]:
    """Return all peers."""
    each = list(peers(place).values())
    need(*(peer.program for peer in each))
    return each


@pytest.fixture(autouse=True)
def mark(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Mark each process that the test starts, whoever starts it, and find none of them alive after the test."""
    value = secrets.token_hex(8)
    monkeypatch.setenv(MARK, value)
    yield value
    assert marked(MARK, value) == {}
