import sys
import traceback

import pytest
import trio

from runtime.console.session import Done, Failed, Interrupted, Leave, Left, Session, busy_in_user_code


@pytest.fixture
def shown():
    return []


@pytest.fixture
def session(shown):
    return Session({"trio": trio, "exit": Leave(), "traceback": traceback}, shown.append)


async def test_the_namespace_lives_from_statement_to_statement(session, shown):
    assert await session.run("x = 20") == Done()
    assert await session.run("def double(): return 2 * x\n") == Done()
    assert await session.run("double()") == Done()
    assert await session.run("_ + 2") == Done()
    assert shown == [40, 42]
    assert await session.run("None") == Done()
    assert session.namespace["_"] == 42


async def test_an_awaitable_that_was_forgotten_is_awaited(session, shown):
    assert await session.run("trio.to_thread.run_sync(lambda: 'done')") == Done()
    assert shown == ["done"]


async def test_a_cancelled_statement_ends_alone(session, autojump_clock):
    async with trio.open_nursery() as nursery:
        session.namespace["nursery"] = nursery
        await session.run("nursery.start_soon(trio.sleep, 60)")
        nursery.start_soon(lambda: _cancel_soon(session))
        assert await session.run("trio.sleep_forever()") == Interrupted()
        assert trio.current_time() < 60
        assert len(nursery.child_tasks) == 1


async def _cancel_soon(session):
    await trio.testing.wait_all_tasks_blocked()
    session.cancel()


async def test_cancelling_nothing_is_nothing(session):
    session.cancel()
    assert await session.run("await trio.sleep(0)") == Done()


async def test_a_cancellation_from_outside_is_not_swallowed(session):
    with trio.CancelScope() as scope:
        scope.cancel()
        await session.run("async with trio.open_nursery() as n: await trio.sleep(1)")
    assert scope.cancelled_caught


@pytest.mark.parametrize(
    ("statement", "code"),
    [("exit", 0), ("exit()", 0), ("exit(4)", 4), ("raise SystemExit", 0), ("import sys; sys.exit(5)", 5)],
)
async def test_leaving_gives_the_exit_code(session, statement, code):
    assert await session.run(statement) == Left(code)


async def test_leaving_with_words_says_them(session, capsys):
    assert await session.run("exit('too much')") == Left(1)
    assert capsys.readouterr().err == "too much\n"


async def failure(session, statement):
    ending = await session.run(statement)
    assert isinstance(ending, Failed)
    return ending.report


async def test_a_failure_in_one_line_needs_only_its_words(session):
    assert await failure(session, "1 / 0") == "ZeroDivisionError: division by zero"
    assert await failure(session, "raise ValueError") == "ValueError"


async def test_a_failure_deeper_down_shows_the_lines_typed(session):
    await session.run("def f(n):\n    return 1 / n\n")
    report = await failure(session, "f(0)")
    assert 'File "<console 1>", line 2, in f' in report
    assert "return 1 / n" in report
    assert report.endswith("ZeroDivisionError: division by zero")
    assert "session.py" not in report


async def test_a_failure_inside_a_library_names_the_place(session):
    report = await failure(session, "import json; json.loads('{')")
    assert report.startswith("JSONDecodeError: Expecting property name")
    assert "(raised in decoder.py, line " in report


async def test_an_error_of_ours_says_enough_by_itself(session):
    report = await failure(session, "from runtime.config import load; load({'mcpServers': 1})")
    assert report.startswith("ConfigError: ")
    assert "raised in" not in report


async def test_a_group_tells_every_error_and_a_note_is_read(session):
    await session.run("inner = ValueError('first'); inner.add_note('with a note')")
    report = await failure(session, "raise ExceptionGroup('two', [inner, ExceptionGroup('', [OSError('second')])])")
    assert report == "two (2):\n  - ValueError: first\n    with a note\n  - OSError: second"


async def test_a_syntax_error_points_at_the_place(session):
    report = await failure(session, "a b")
    assert report.splitlines()[0] == '  File "<console 1>", line 1'
    assert report.splitlines()[-1].startswith("SyntaxError: ")
    assert "^" in report
    assert "null bytes" in await failure(session, "1\0")


async def test_the_whole_traceback_can_be_asked_for(session, capsys):
    await failure(session, "1 / 0")
    assert sys.last_value.args == ("division by zero",)
    await session.run("traceback.print_last()")
    assert "session.py" in capsys.readouterr().err


async def test_a_keyboard_interrupt_ends_the_statement_also_from_a_nursery(session):
    assert await session.run("raise KeyboardInterrupt") == Interrupted()
    group = "async with trio.open_nursery() as n:\n    n.cancel_scope.cancel(); raise KeyboardInterrupt"
    assert await session.run(group) == Interrupted()


async def test_a_statement_that_was_interrupted_before_it_began_does_not_begin(shown):
    stopped = []
    session = Session({}, shown.append, lambda: bool(stopped))
    session.compiler.compile = _then(session.compiler.compile, session.interrupt)
    assert await session.run("1") == Interrupted()
    assert await session.run("2") == Interrupted()
    session = Session({}, shown.append, lambda: bool(stopped))
    session.interrupt()  # of an earlier statement, or of none
    assert await session.run("3") == Done()
    stopped.append(True)
    assert await session.run("4") == Interrupted()
    assert shown == [3]


def _then(function, effect):
    def both(*args):
        result = function(*args)
        effect()
        return result

    return both


async def test_what_the_user_typed_may_be_broken_into_and_what_is_ours_may_not(session):
    session.namespace["look"] = lambda: busy_in_user_code(sys._getframe())
    session.namespace["ours"] = Session
    await session.run("mine = look()")
    assert session.namespace["mine"] is True
    assert busy_in_user_code(None) is False
    inside: dict[str, object] = {"__name__": "trio._fake", "look": session.namespace["look"]}
    exec("def step(): return look()", inside)
    session.namespace["step"] = inside["step"]
    inside["look"] = lambda: busy_in_user_code(sys._getframe(1))
    await session.run("theirs = step()")
    assert session.namespace["theirs"] is False
