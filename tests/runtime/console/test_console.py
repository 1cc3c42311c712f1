"""The whole of it: what a newcomer does in the first minute."""

import json
import re

CTRL_C, CTRL_D = "\x03", "\x04"


def test_the_first_minute(terminal, tmp_path):
    (tmp_path / "mcp.json").write_text("{")
    person = terminal("-m", "runtime")
    opening = person.sees(">>> ")
    assert "Greenroom" in opening
    assert "root" in opening
    assert "clock" in opening
    assert "python -m runtime mcp.json" in opening
    person.presses('call("clock", "now")\r')
    person.sees('"unix"')
    person.enters('kill("clock")')
    person.sees("· ")
    person.sees("ready")
    person.enters('(await call("clock", "echo", {"text": "still" + " here"})).text')
    person.sees("'still here'")
    person.enters('print("wai" "ting"); call("clock", "wait", {"seconds": 600})')
    person.sees("waiting")
    person.presses(CTRL_C)
    person.sees("interrupted")
    person.enters('status("clock")')
    person.sees("ready")
    person.enters('call("clock", "nonesuch")')
    person.sees("ToolNotFound")
    person.sees(">>> ")
    person.presses(CTRL_D)
    person.sees("stopping the servers")
    assert person.sees_the_end() == 0


def test_a_server_that_does_not_start_leaves_the_prompt_usable(terminal, tmp_path):
    fleet = {
        "mcpServers": {
            "broken": {"command": "nonesuch-command", "required": True},
            "notes": {"python": "runtime.builtin.notes:server"},
        }
    }
    (tmp_path / "fleet.json").write_text(json.dumps(fleet))
    person = terminal("-m", "runtime", "fleet.json", HOME="", NO_COLOR="1")
    opening = person.sees(">>> ")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", opening.partition("help()")[0])
    person.presses('call("notes", "search_notes")\r')
    person.sees("{}")
    person.enters("str(status('broken').last_error)[:15]")
    person.sees("server 'broken'")
    person.enters("exit")
    assert person.sees_the_end() == 0
    assert not (tmp_path / ".local").exists()
