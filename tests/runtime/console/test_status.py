"""``status`` without a host to ask: what the journal knows, and where that is from."""

import json
import os
import sys

import pytest
import trio

import runtime
from runtime.journal.journal import Flush

NEVER = "(no host of this configuration is running, and the journal knows of none that was)\n"
LEFT = "(from the journal: no host of this configuration is running, and this is how it was left)\n"


@pytest.fixture
def fleet(tmp_path):
    """One good server, one that cannot start."""
    path = tmp_path / "fleet.json"
    servers = {
        "clock": {"command": sys.executable, "args": ["-m", "runtime.builtin.clock"]},
        "broken": {"command": "nonesuch-command"},
    }
    path.write_text(json.dumps({"mcpServers": servers}))
    return str(path)


def test_of_what_never_ran_nothing_is_known_and_nothing_is_started(greenroom, fleet):
    run = greenroom(fleet, "status")
    assert (run.code, run.err) == (1, NEVER)
    assert [line.split()[0] for line in run.out.splitlines()] == ["server", "clock", "broken"]
    assert run.out.count("never seen") == 2
    run = greenroom(fleet, "status", "--json")
    assert (run.code, run.err, json.loads(run.out)) == (1, NEVER, {"clock": None, "broken": None})


def test_of_what_ran_it_is_told_how_it_was_left_and_each_error_once(greenroom, fleet):
    greenroom(fleet, "tools")
    run = greenroom(fleet, "status")
    assert (run.code, run.err) == (1, LEFT)
    assert [line.split()[:2] for line in run.out.splitlines()[1:3]] == [["clock", "stopped"], ["broken", "stopped"]]
    assert (run.out + run.err).count("nonesuch-command") == 1
    run = greenroom(fleet, "status", "--json")
    told = json.loads(run.out)
    assert (told["clock"]["state"], told["clock"]["running"], told["clock"]["last_error"]) == ("stopped", False, None)
    assert told["clock"]["start_up_ms"] > 0
    assert "nonesuch-command" in told["broken"]["last_error"]


async def test_of_what_runs_it_is_told_how_it_is(greenroom, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / ".local" / "state"))  # where it is by default in that home
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"mcpServers": {"notes": {"python": "runtime.builtin.notes:server"}}}))
    async with runtime.open_runtime(path) as host:
        await host._house.system["services/journal"].ask(Flush())
        run = await trio.to_thread.run_sync(greenroom, "mcp.json", "status", "--json")
    told = json.loads(run.out)
    assert (run.code, told["notes"]["state"], told["notes"]["running"]) == (0, "ready", True)
    assert run.err == f"(from the journal: a host of this configuration is running, pid {os.getpid()})\n"


def test_a_journal_that_cannot_be_read_is_an_error_and_so_is_none(greenroom, tmp_path):
    (tmp_path / "journal.sqlite3").write_bytes(b"no database" * 99)
    for journal, words in ((str(tmp_path), "file is not a database"), (False, "keeps no journal")):
        (tmp_path / "mcp.json").write_text(json.dumps({"mcpServers": {}, "journal": journal and {"path": journal}}))
        run = greenroom("mcp.json", "status")
        assert (run.code, run.out) == (1, "")
        assert words in run.err
        assert "Traceback" not in run.err


def test_what_goes_unheeded_in_a_configuration_is_said_on_stderr(greenroom, tmp_path):
    (tmp_path / "mcp.json").write_text(json.dumps({"mcpServers": {"off": {"command": "x", "disabled": True}}}))
    run = greenroom("mcp.json", "status")
    assert "note: " in run.err
    assert "off" not in run.out
