"""A server of Python functions, named by a file that lies beside it."""

import json
import sys

import pytest

from runtime import open_runtime

TEXT = """
from runtime.inprocess import ToolServer

server = ToolServer("mine")

@server.tool
def talk() -> str:
    print("said aside")
    return "told"
"""


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """Return the path of a configuration with a module beside it, which no search path knows."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "talks_aside.py").write_text(TEXT)
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"mcpServers": {"mine": {"python": "talks_aside:server"}}, "journal": False}))
    yield path
    sys.modules.pop("talks_aside", None)


async def test_it_is_found_and_what_it_prints_is_not_the_hosts(beside, capsys):
    async with open_runtime(beside) as host:
        assert (await host.call("mine", "talk")).text == "told"
        assert sys.stdout.isatty() is False
    assert "said aside" not in capsys.readouterr().out
