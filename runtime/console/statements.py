"""Text to statements, and statements to code: what the prompt and a pipe agree on.

A statement is compiled as a module with top-level ``await``. Each of its expression statements is settled: where
the value is awaitable it is awaited, so that ``kill("clock")`` does what it says whether ``await`` was typed or not.
The last one, if it is an expression, is shown. Both are calls to hidden names that the session puts in its namespace.
"""

import ast
import codeop
import enum
import re
from types import CodeType
from typing import Self, final

from attrs import define, field

SETTLE = "__settle__"
SHOW = "__show__"

_COMPOUND = (
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.With,
    ast.AsyncWith,
    ast.Try,
    ast.TryStar,
    ast.Match,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
)
# A line at the margin that goes on with the block above it instead of ending it.
_CLAUSE = re.compile(r"(else|elif|except|finally)\b")


class Ending(enum.Enum):
    """How far a text is from being a statement."""

    OPEN = enum.auto()  # something is missing: a bracket, a quote, a body
    BLOCK = enum.auto()  # complete, but a further indented line or clause would still belong to it
    CLOSED = enum.auto()  # complete; or wrong, which is for the compiler to say


@final
class Compiler:
    """Compiles statements; a ``from __future__ import`` in one holds for those after it."""

    def __init__(self) -> None:
        self._codeop = codeop.CommandCompiler()
        self._codeop.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT

    def ending(self, text: str) -> Ending:
        """Tell whether the text could run as it is, and if so, whether it could also go on."""
        try:
            if self._codeop(text, "<console>", "exec") is None:
                return Ending.OPEN
            tree = self._parse(text, "<console>")
        except (SyntaxError, ValueError, OverflowError):
            return Ending.CLOSED
        return Ending.BLOCK if tree.body and isinstance(tree.body[-1], _COMPOUND) else Ending.CLOSED

    def compile(self, text: str, filename: str) -> CodeType:
        """Compile a complete text; raises :class:`SyntaxError` (or ValueError, for a null byte)."""
        tree = _Settling().visit(self._parse(text, filename))
        if tree.body and isinstance(last := tree.body[-1], ast.Expr) and isinstance(last.value, ast.Await):
            last.value = _call(SHOW, last.value)
        # codeop's own compiler keeps the __future__ features that it meets.
        return self._codeop.compiler(ast.fix_missing_locations(tree), filename, "exec")

    def _parse(self, text: str, filename: str) -> ast.Module:
        flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        tree = compile(text, filename, "exec", flags, dont_inherit=True)
        assert isinstance(tree, ast.Module)
        return tree


class _Settling(ast.NodeTransformer):
    def visit_Expr(self, node: ast.Expr) -> ast.Expr:
        if not isinstance(node.value, ast.Starred):  # a SyntaxError that a call around it would hide
            node.value = ast.copy_location(ast.Await(_call(SETTLE, node.value)), node.value)
        return node

    def _keep(self, node: ast.AST) -> ast.AST:
        return node

    # Code that runs another time, or where await may not stand.
    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _keep


def _call(name: str, value: ast.expr) -> ast.expr:
    return ast.copy_location(ast.Call(ast.Name(name, ast.Load()), [value], []), value)


@final
class Statement(str):
    """A statement, and the line of the script that it begins at."""

    __slots__ = ("line",)
    line: int

    def __new__(cls, text: str, line: int) -> Self:
        statement = super().__new__(cls, text)
        statement.line = line
        return statement


@final
@define
class Blocks:
    """Cuts piped text into statements as a script means them: a block goes on over blank lines, and ends at the
    first line at the margin that does not continue it. Each statement comes out as soon as it is known to be whole,
    so that another program can write a line and read its answer."""

    _compiler: Compiler
    _pending: str = field(default="", init=False)
    _ending: Ending = field(default=Ending.CLOSED, init=False)  # of _pending
    _partial: str = field(default="", init=False)  # a line whose end has not come yet
    _line_number: int = field(default=1, init=False)  # of the first line of _pending

    def feed(self, text: str) -> list[Statement]:
        """Take some text, cut anywhere; give the statements that it completed."""
        *lines, self._partial = (self._partial + text).split("\n")
        return [statement for line in lines for statement in self._line(line + "\n")]

    def close(self) -> list[Statement]:
        """Give what is left at the end of the text, complete or not."""
        return (self.feed("\n") if self._partial else []) + self._take()

    def _line(self, line: str) -> list[Statement]:
        at_margin = bool(line.strip()) and line[0] not in " \t#"
        ended = at_margin and self._ending is Ending.BLOCK and not _CLAUSE.match(line)
        before = self._take() if ended else []
        self._pending += line
        self._ending = self._compiler.ending(self._pending)
        return before + (self._take() if self._ending is Ending.CLOSED else [])

    def _take(self) -> list[Statement]:
        text, self._pending, self._ending = self._pending, "", Ending.CLOSED
        number, self._line_number = self._line_number, self._line_number + text.count("\n")
        return [Statement(text, number)] if text.strip() else []
