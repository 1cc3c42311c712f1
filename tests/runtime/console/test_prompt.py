import signal
from pathlib import Path

import pytest

PROGRAM = str(Path(__file__).with_name("prompt_program.py"))
CTRL_C, CTRL_D, TAB, UP = "\x03", "\x04", "\t", "\x1b[A"


@pytest.fixture
def person(terminal, tmp_path):
    return terminal(PROGRAM, str(tmp_path / "history"))


def test_statements_run_with_await_and_the_last_value_is_kept(person):
    person.enters("40 + 2")
    person.sees("= 42")
    person.enters("_ + await trio.to_thread.run_sync(lambda: 8)")
    person.sees("= 50")
    person.sees(">>> ")
    person.presses("def half(n):\rreturn n / 2\r\r")  # indented as one types, ended by an empty line
    person.enters("half(5)")
    person.sees("= 2.5")
    person.enters("exit(3)")
    person.sees("stopped in order")
    assert person.sees_the_end() == 3


def test_an_error_shows_what_was_typed_and_the_prompt_goes_on(person):
    person.enters("def f():\n  return {}['mis' 'sing']\n")
    person.enters("trio.run_sync_soon")
    person.sees("AttributeError: module 'trio' has no attribute 'run_sync_soon'")
    person.enters("f()")
    shown = person.sees("KeyError: 'missing'")
    assert "in f" in shown
    assert "return {}['mis' 'sing']" in shown
    assert "session.py" not in shown
    person.enters("1 +")
    person.sees("SyntaxError: ")
    person.enters("'still ' 'here'")
    person.sees("= 'still here'")


def test_ctrl_c_cancels_the_statement_and_nothing_else(person):
    person.enters("async def tick(n):\n  await trio.sleep(0)\n  print(n, 'ticks')\n  await trio.sleep_forever()\n")
    person.enters("nursery.start_soon(tick, 7)")
    person.sees("7 ticks")
    person.enters("print('wai' 'ting'); await trio.sleep_forever()")
    person.sees("waiting")
    person.presses(CTRL_C)
    person.sees("interrupted")
    person.enters("len(nursery.child_tasks)")
    person.sees("= 1")
    person.enters("print('bu' 'sy'); n = 0\nwhile True: n += 1\n")
    person.sees("busy")
    person.presses(CTRL_C)
    person.sees("interrupted")
    person.enters("n > 0 and len(nursery.child_tasks)")
    person.sees("= 1")


def test_ctrl_c_at_the_prompt_clears_the_line(person):
    person.sees(">>> ")
    person.presses("1 / 0 # typo")
    person.sees("typo")
    person.presses(CTRL_C)
    person.enters("'cle' 'ar'")
    person.sees("= 'clear'")
    person.sees(">>> ")
    person.presses(CTRL_C)
    person.sees("Ctrl-D")
    person.sees(">>> ")
    person.presses(CTRL_D)
    person.sees("stopped in order")
    assert person.sees_the_end() == 0


def test_output_in_the_background_leaves_the_line_that_is_being_typed(person):
    person.enters("go = trio.Event()")
    person.enters("async def later():\n  await go.wait()\n  print('first ' 'line\\nsecond ' 'line')\n")
    person.enters("nursery.start_soon(later)")
    person.enters("trio.lowlevel.current_trio_token().run_sync_soon(go.set)")
    person.sees("first line")
    person.sees("second line")
    person.enters("'still ' 'typing'")
    person.sees("= 'still typing'")


def test_tab_completes(person):
    person.sees(">>> ")
    person.presses("nurs" + TAB)
    person.sees("nursery")
    person.presses(CTRL_C)
    person.sees(">>> ")
    person.presses('call("cl' + TAB)
    person.sees('clock"')


def test_history_outlives_the_console_and_is_private(terminal, tmp_path):
    history = tmp_path / "history"
    history.touch(0o600)
    person = terminal(PROGRAM, str(history))
    person.enters("'kept ' 'line'")
    person.sees("= 'kept line'")
    person.sees(">>> ")
    person.presses(CTRL_D)
    assert person.sees_the_end() == 0
    person = terminal(PROGRAM, str(history))
    person.sees(">>> ")
    person.presses(UP + "\r")
    person.sees("= 'kept line'")
    assert history.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_at_the_prompt_stops_in_order_and_gives_the_terminal_back(person, number, code):
    person.sees(">>> ")
    person.process.kill(number)
    person.sees("stopped in order")
    assert person.sees_the_end() == code


def test_a_signal_in_a_statement_stops_in_order(person):
    person.enters("print('wai' 'ting'); await trio.sleep_forever()")
    person.sees("waiting")
    person.process.kill(signal.SIGTERM)
    person.sees("stopped in order")
    assert person.sees_the_end() == 143
