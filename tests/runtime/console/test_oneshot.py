import json
import os
import subprocess
import sys

import pytest


@pytest.fixture
def fleet(tmp_path):
    """One good server, one that cannot start."""
    path = tmp_path / "fleet.json"
    servers = {
        "clock": {"command": sys.executable, "args": ["-m", "runtime.builtin.clock"]},
        "broken": {"command": "nonesuch-command", "window": {"intensity": 1, "period": 60}, "backoff": {"first": 0.01}},
    }
    path.write_text(json.dumps({"mcpServers": servers}))
    return str(path)


def test_a_call_prints_its_answer_and_nothing_else(greenroom, fleet):
    run = greenroom(fleet, "call", "clock", "echo", '{"text": "wörds"}')
    assert (run.code, run.out, run.err) == (0, "wörds\n", "")


def test_a_call_in_json_is_the_result_as_it_came(greenroom):
    run = greenroom("call", "clock", "now", "--json")
    assert (run.code, run.err) == (0, "")
    assert json.loads(run.out)["structuredContent"]["timezone"] == "UTC"


def test_a_tools_own_failure_is_one_and_goes_to_stderr(greenroom):
    run = greenroom("call", "clock", "now", '{"timezone": "Nowhere"}')
    assert (run.code, run.out) == (1, "")
    assert "Nowhere" in run.err
    run = greenroom("call", "clock", "now", '{"timezone": "Nowhere"}', "--json")
    assert run.code == 1
    assert json.loads(run.out)["isError"] is True


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("call", "clok", "now"), 1, "clock"),
        (("call", "clock", "nonesuch"), 1, "nonesuch"),
        (("call", "clock", "wait", '{"seconds": 600}', "--timeout", "0.2"), 1, "CallTimedOut"),
        (("call", "clock", "now", "[]"), 2, "JSON object"),
        (("call", "clock"), 2, "TOOL"),
        (("tols",), 2, 'Did you mean "tools"?'),
        (("serve",), 2, "gateway"),
        (("nonesuch.json",), 2, "nonesuch.json"),
    ],
)
def test_an_error_has_its_words_on_stderr_and_its_code(greenroom, arguments, code, words):
    run = greenroom(*arguments)
    assert (run.code, run.out) == (code, "")
    assert words in run.err
    assert "Traceback" not in run.err


def test_tools_are_listed_and_a_server_that_is_missing_is_named(greenroom, fleet):
    run = greenroom(fleet, "tools", "--json")
    assert run.code == 1
    assert {(tool["server"], tool["name"]) for tool in json.loads(run.out)} >= {("clock", "now"), ("clock", "wait")}
    assert "broken" in run.err
    run = greenroom("tools", "timezone")
    assert (run.code, run.err) == (0, "")
    assert [line.split()[:2] for line in run.out.splitlines()] == [["server", "tool"], ["clock", "now(timezone?)"]]


@pytest.mark.parametrize(
    ("words", "text"),
    [(("tools", "timezone"), ""), (("call", "notes", "search_notes"), ""), ((), "1 + 1")],
    ids=["tools", "call", "console"],
)
def test_what_goes_unheeded_in_a_configuration_is_said_on_stderr(greenroom, tmp_path, words, text):
    servers = {"notes": {"python": "runtime.builtin.notes:server"}, "off": {"command": "x", "disabled": True}}
    (tmp_path / "fleet.json").write_text(json.dumps({"mcpServers": servers}))
    run = greenroom("fleet.json", *words, text=text)
    assert run.code == 0
    assert "note: " in run.err
    assert "disabled" in run.err
    assert "disabled" not in run.out


def test_a_configuration_that_is_there_and_was_not_named_is_pointed_at(greenroom, tmp_path):
    (tmp_path / "mcp.json").write_text("{")
    run = greenroom("tools", "timezone")
    assert run.code == 0
    assert run.err == ("note: this asks the built-in fleet; python -m runtime mcp.json ... asks the one of mcp.json\n")


def test_a_timeout_that_is_none_is_misuse(greenroom):
    run = greenroom("call", "clock", "now", "--timeout=-1")
    assert (run.code, run.out, run.err) == (2, "", "--timeout wants 0 seconds or more, not -1\n")


def test_check_starts_nothing(greenroom, fleet, tmp_path):
    run = greenroom(fleet, "check")
    assert (run.code, run.err) == (0, "")
    assert "nonesuch-command" in run.out
    (tmp_path / "wrong.json").write_text('{"mcpServers": {"a": {"comand": "x"}, "b": {}}}')
    run = greenroom("wrong.json", "check")
    assert (run.code, run.out) == (2, "")
    assert '"command"' in run.err
    run = greenroom("wrong.json", "check", "--json")
    assert run.code == 2
    assert len(json.loads(run.out)["mistakes"]) >= 2
    run = greenroom("check")
    assert (run.code, run.out) == (2, "")


def test_help_is_short_and_needs_no_configuration(greenroom):
    run = greenroom("nonesuch.json", "--help")
    assert (run.code, run.err) == (0, "")
    assert all(f" {command} " in run.out for command in ("call", "tools", "check", "status"))
    assert " serve " not in run.out
    assert "\x1b" not in run.out


def test_a_reader_that_had_enough_ends_it_quietly(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as out:
        done = subprocess.run(
            [sys.executable, "-m", "runtime", "tools"],
            stdout=out,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            timeout=30,
            check=False,
        )
    assert done.returncode == 141
    assert done.stderr == b""
