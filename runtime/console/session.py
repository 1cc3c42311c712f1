"""One statement after another in one namespace, each in its own cancel scope."""

import inspect
import linecache
import sys
import types
from collections.abc import Awaitable, Callable
from types import CodeType, FrameType
from typing import NoReturn, cast, final

import trio
from attrs import define, field, frozen

from runtime.console.report import USER_FILE, report
from runtime.console.statements import SETTLE, SHOW, Compiler

# While one of these packages runs, an exception out of nowhere could break what it was about to record.
_OURS = ("trio", "outcome", "actors", "runtime")


@final
@frozen
class Done:
    """The statement ran."""


@final
@frozen
class Failed:
    """The statement raised; ``report`` is what to print."""

    report: str


@final
@frozen
class Interrupted:
    """The statement was cancelled by the user. Whatever it had started in the tree lives on."""


@final
@frozen
class Left:
    """The statement asked to leave, by ``exit()`` or SystemExit, with this exit code."""

    code: int


Ending = Done | Failed | Interrupted | Left


@final
class Leave:
    """What ``exit`` and ``quit`` are: called, or only typed, they leave."""

    def __call__(self, code: int | None = None) -> NoReturn:
        raise SystemExit(code)


@final
@define(eq=False)
class Session:
    """Runs statements in ``namespace``, in the Trio task that calls :meth:`run`.

    No statement ends a session: what it raises comes back as a value. The value of a last expression goes to ``show``
    and into ``_``, unless it is None.
    """

    namespace: dict[str, object]
    _show: Callable[[object], None]
    _stopped: Callable[[], bool] = bool  # has the program been told to end?
    compiler: Compiler = field(factory=Compiler)
    _interrupted: bool = field(default=False, init=False)
    _count: int = field(default=0, init=False)
    _scope: trio.CancelScope | None = field(default=None, init=False)  # of the statement that runs

    async def run(self, text: str, line: int = 1) -> Ending:
        """Run one statement, or several in one text, to its end. Only an outer cancellation leaves as an exception.

        ``line`` is where it begins in a script, for what it raises to say so.
        """
        text = "\n" * (line - 1) + text
        self._count += 1
        self._interrupted = False
        filename = f"{USER_FILE} {self._count}>"
        # Tracebacks, and inspect.getsource of what is defined here, find the text where they look for files.
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
        self.namespace[SETTLE], self.namespace[SHOW] = _settle, self._shown
        try:
            code = self.compiler.compile(text, filename)
            with trio.CancelScope() as self._scope:
                await self._step(code)
            return Interrupted() if self._scope.cancelled_caught else Done()
        except KeyboardInterrupt:
            return Interrupted()
        except SystemExit as leave:
            return _left(leave)
        except Exception as error:  # noqa: BLE001  # whatever the user's statement raises is the user's to read
            return self._failed(error)
        except BaseExceptionGroup as group:
            if group.subgroup(KeyboardInterrupt) is None:
                raise
            return Interrupted()
        finally:
            self._scope = None

    async def _step(self, code: CodeType) -> None:
        # A signal that came before this line is seen by it; one that comes later finds this frame, or the user's, and
        # raises KeyboardInterrupt. So no statement that spins can begin after it was interrupted.
        if self._interrupted or self._stopped():
            raise KeyboardInterrupt
        result = types.FunctionType(code, self.namespace)()
        if code.co_flags & inspect.CO_COROUTINE:
            await result

    def interrupt(self) -> None:
        """Note that the statement is to end, in a signal handler: one that is about to run does not begin."""
        self._interrupted = True

    def cancel(self) -> None:
        """Cancel the statement that runs, if one does."""
        if self._scope is not None:
            self._scope.cancel()

    def _shown(self, value: object) -> None:
        if isinstance(value, Leave):
            value()
        if value is not None:
            self.namespace["_"] = value
            self._show(value)

    def _failed(self, error: Exception) -> Failed:
        # Where ``traceback.print_last()`` and ``pdb.pm()`` look for the whole story.
        sys.last_type, sys.last_value, sys.last_traceback = type(error), error, error.__traceback__
        return Failed(report(error))


def busy_in_user_code(frame: FrameType | None) -> bool:
    """Tell whether the innermost code at work, libraries aside, was typed by the user: such as an endless loop, which
    no cancel scope can end and a KeyboardInterrupt can, without breaking anything of the tree's."""
    while frame is not None:
        if frame.f_code.co_filename.startswith(USER_FILE) or frame.f_code is Session._step.__code__:
            return True
        if frame.f_globals.get("__name__", "").partition(".")[0] in _OURS:
            return False
        frame = frame.f_back
    return False


async def _settle(value: object) -> object:
    return await cast("Awaitable[object]", value) if inspect.isawaitable(value) else value


def _left(leave: SystemExit) -> Left:
    match leave.code:
        case None:
            return Left(0)
        case int(code):
            return Left(code)
        case words:
            print(words, file=sys.stderr)  # as the interpreter does at its own end
            return Left(1)
