import types
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.console.statements import SETTLE, SHOW, Blocks, Compiler, Ending


def ending(text: str) -> Ending:
    return Compiler().ending(text)


@pytest.mark.parametrize("text", ["def f():", "x = (1,", "'''a", "@decorated", "try:\n    1", "a \\"])
def test_a_text_that_lacks_something_is_open(text):
    assert ending(text) is Ending.OPEN


@pytest.mark.parametrize("text", ["def f():\n    1", "if 1: pass", "for i in x: i\n", "if 1:\n    2\n# a remark"])
def test_a_block_could_always_go_on(text):
    assert ending(text) is Ending.BLOCK


@pytest.mark.parametrize("text", ["", "# a remark", "1", "x = 1\ny = 2", "await f()", "async with a() as b: c\nd"])
def test_a_whole_text_is_closed(text):
    assert ending(text) is Ending.CLOSED


@pytest.mark.parametrize("text", ["a b", "if 1:\n2", ")", "1\0", "def f():\n    a b\n"])
def test_a_wrong_text_is_closed_so_that_its_error_is_seen(text):
    compiler = Compiler()
    assert compiler.ending(text) is Ending.CLOSED
    with pytest.raises((SyntaxError, ValueError)):
        compiler.compile(text, "<test>")


async def outcome_of(text: str, **names: object) -> tuple[dict[str, object], list[object]]:
    """The namespace after running a text, and what it showed."""
    shown: list[object] = []

    async def settle(value: object) -> object:
        return await value if hasattr(value, "__await__") else value

    namespace: dict[str, object] = {SETTLE: settle, SHOW: shown.append, **names}
    result = types.FunctionType(Compiler().compile(text, "<test>"), namespace)()
    if result is not None:
        await result
    return namespace, shown


async def test_only_the_last_expression_is_shown():
    _, shown = await outcome_of("1\n2\nx = 3\n4; 5")
    assert shown == [5]
    _, shown = await outcome_of("1\nx = 3")
    assert shown == []


async def test_each_expression_statement_is_awaited_in_blocks_too_but_not_in_functions():
    done: list[int] = []

    async def do(number: int) -> int:
        done.append(number)
        return number

    class Promise:
        def __init__(self, number: int) -> None:
            self.number = number

        def __await__(self):
            return do(self.number).__await__()

    text = """\
do(1)
for i in (2, 3):
    do(i)
def later():
    do(4)
later()
await do(5)
do(6)"""
    _, shown = await outcome_of(text, do=Promise)
    assert done == [1, 2, 3, 5, 6]
    assert shown == [6]


async def test_a_starred_expression_stays_the_error_that_it_is():
    with pytest.raises(SyntaxError):
        await outcome_of("*range(3)")


async def test_a_future_feature_holds_for_later_statements():
    compiler = Compiler()
    assert compiler.ending("from __future__ import annotations") is Ending.CLOSED
    namespace: dict[str, object] = {}
    exec(compiler.compile("def f(x: undefined): ...", "<test>"), namespace)
    assert namespace["f"].__annotations__ == {"x": "undefined"}


SCRIPT = '''\
import os
def f(n):
    a = n

# at the margin, and yet inside
    if a:
        return """
at the margin
"""
    return 2

if f(0):
    x = 1
elif f(1):
    x = [
1,
]
else:
    x = 3
try:
    y = 1
finally:
    z = 2
@staticmethod
class C:
    pass
last = 1'''

PARTS = ["import os", "def f(n)", "if f(0)", "try:", "@staticmethod", "last = 1"]


@given(st.lists(st.integers(0, len(SCRIPT)), max_size=8))
def test_a_script_is_cut_the_same_whatever_the_pieces_it_comes_in(cuts):
    blocks = Blocks(Compiler())
    edges = [0, *sorted(cuts), len(SCRIPT)]
    statements = [each for a, b in pairwise(edges) for each in blocks.feed(SCRIPT[a:b])]
    statements += blocks.close()
    assert [
        statement.strip().split("\n")[0][: len(part)] for statement, part in zip(statements, PARTS, strict=True)
    ] == PARTS
    assert "".join(statements).split() == SCRIPT.split()


def test_a_simple_line_comes_out_before_the_next_one_is_there():
    blocks = Blocks(Compiler())
    assert blocks.feed("x = 1\n") == ["x = 1\n"]
    assert blocks.feed("for i in x:\n    i\n\n") == []
    assert blocks.feed("y = 2\n") == ["for i in x:\n    i\n\n", "y = 2\n"]


def test_what_is_left_at_the_end_is_given_as_it_is():
    blocks = Blocks(Compiler())
    assert blocks.feed("x = (1,") == []
    assert blocks.close() == ["x = (1,\n"]
    assert blocks.close() == []


@given(st.text("a1:=()[]'\"\n #\\@", max_size=30))
def test_nothing_of_a_text_is_lost(text):
    blocks = Blocks(Compiler())
    given_back = "".join([*blocks.feed(text), *blocks.close()])
    code = [line for line in text.split("\n") if line.strip() and not line.strip().startswith("#")]
    assert all(line in given_back for line in code)
