import os
import signal
import subprocess
import sys
import threading

import pytest


def test_a_line_on_stdin_is_run_and_its_answer_printed(greenroom):
    run = greenroom(text='print(await call("clock", "now", {}))\n')
    assert (run.code, run.err) == (0, "")
    assert "unix" in run.out


def test_a_script_runs_in_order_and_shows_values_without_colour(greenroom):
    script = """\
import json
def unix(answer):

    return json.loads(answer.text)["unix"]

first = unix(await call("clock", "now"))
for text in ("one", "two"):
    call("notes", "write_note", {"title": text, "text": text})
first <= unix(await call("clock", "now"))
call("notes", "search_notes")
tree()
status()
tools("note")
tools("nothing like it")
events()
call"""
    run = greenroom(text=script, FORCE_COLOR="")
    assert (run.code, run.err) == (0, "")
    assert "\x1b" not in run.out
    lines = run.out.splitlines()
    assert lines[0] == "True"
    assert "two" in run.out
    assert any(line.startswith("root") for line in lines)
    assert any(line.startswith("clock") and "ready" in line for line in lines)
    assert any("write_note(title, text)" in line for line in lines)
    assert "no tool matches 'nothing like it'" in lines
    assert any(line.startswith("call(server, tool") for line in lines)


def test_the_first_failure_ends_the_run(greenroom):
    run = greenroom(text="print('before')\nawait call('clock', 'nonesuch')\nprint('after')\n")
    assert run.code == 1
    assert run.out == "before\n"
    assert "ToolNotFound" in run.err
    assert "nonesuch" in run.err


@pytest.mark.parametrize(("text", "code"), [("", 0), ("exit(3)\nprint('after')", 3), ("if True:", 1)])
def test_the_exit_code_is_the_scripts(greenroom, text, code):
    run = greenroom(text=text)
    assert (run.code, run.out) == (code, "")


@pytest.fixture
def running(tmp_path):
    """The console with both ends in a pipe, as another program would hold it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "runtime"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        text=True,
        bufsize=1,
    )
    watchdog = threading.Timer(30, process.kill)  # what it would have said then never comes: readline returns ""
    watchdog.start()
    with process:
        yield process
        process.kill()
    watchdog.cancel()


def asked(process, line):
    process.stdin.write(line + "\n")
    return process.stdout.readline().strip()


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("statement", [None, "await trio.sleep_forever()", "while True: pass"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_servers_in_order(running, number, statement):
    """While it waits for a line, while a statement waits, and while one spins."""
    pid = int(asked(running, "status()['clock'].pid"))
    assert asked(running, "1 + 1") == "2"
    if statement is not None:
        assert asked(running, f"print('here', flush=True)\n{statement}\n0") == "here"
    running.send_signal(number)
    assert running.wait(10) == 128 + number
    assert gone(pid)


def test_a_failure_is_told_with_its_line_in_the_script(greenroom):
    run = greenroom(text="x = 1\n\n# a note\nfor n in [1]:\n    pass\n\ny = 1 / 0\n")
    assert run.code == 1
    assert "line 7" in run.err
    assert "y = 1 / 0" in run.err
    assert "ZeroDivisionError" in run.err
