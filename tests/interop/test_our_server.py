"""A server of ours in Python, asked by clients that nobody here wrote, all that there is to ask."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import need
from .peers import MARK, PEERS

OURS = Path(__file__).parent / "ours"
PATIENCE = 60  # seconds
CLIENTS = {
    "mcp 2.x, by itself": ("mcp2", "ask_mcp2.py", ("auto",), "2026-07-28"),
    "mcp 2.x, legacy": ("mcp2", "ask_mcp2.py", ("legacy",), "2025-11-25"),
    "mcp 1.x": ("mcp1", "ask_mcp1.py", (), "2025-11-25"),
}


@pytest.mark.parametrize("client", CLIENTS)
def test_it_is_understood_in_everything(client, mark):
    venv, program, arguments, version = CLIENTS[client]
    python = PEERS / venv / "bin" / "python"
    need(python)
    server = ["/usr/bin/env", f"{MARK}={mark}", f"PYTHONPATH={OURS.parents[2]}", sys.executable, OURS / "server.py"]
    command = [python, OURS / program, *arguments, *server]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    modern = version == "2026-07-28"
    assert told.pop("version") == version
    assert told.pop("grown", True)
    assert told == {
        "instructions": "One of everything.",
        "tools": ["add", "book", "grow", "hang", "several", "steps", "think", "were_cancelled"],
        "resources": ["our://motto"],
        "templates": ["our://pictures/{name}"],
        "prompts": ["greet"],
        "call": {"total": 3},
        "several": [1, 2] if modern else None,
        "wrong": True,
        "unknown": -32602,
        "steps": "done",
        "progress": [[n, 3, f"step {n}"] for n in (1, 2, 3)],
        "logs": [f"warning at {n}" for n in (1, 2, 3)],
        "cancelled": "hang",
        "asked": ["Which trip?", "And then?"],
        "book": "accept Trip(city='Which trip?', nights=1) accept Trip(city='And then?', nights=1)",
        "think": "thought of 9 file:///stage",
        "motto": "Break a leg",
        "picture": "iVBORw==",
        "missing": -32602 if modern else -32002,
        "prompt": "Greet Ada, warm.",
        "completion": ["warm"],
    }
