"""Why an incarnation ended: four reasons, and the reading of an exception as one of them."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import TypeAlias

import trio
from attrs import field, frozen


@frozen
class Normal:
    """It finished what it was for."""

    def __str__(self) -> str:
        return "normal"


@frozen
class Shutdown:
    """It was told to end, in order; ``detail`` says why where there is something to say (OTP's ``{shutdown, T}``)."""

    detail: object = None
    cause: BaseException | None = field(default=None, eq=False, repr=False)  # what it gave up because of

    def __str__(self) -> str:
        return "shutdown" if self.detail is None else f"shutdown: {self.detail}"


@frozen
class Crashed:
    """It raised ``exception``, with ``in_hand`` the message it worked on, and the first of what was ``queued`` behind.

    Two crashes by the same exception are equal.
    """

    exception: BaseException
    in_hand: object = field(default=None, eq=False)
    queued: tuple[object, ...] = field(default=(), eq=False)

    def __str__(self) -> str:
        return f"crashed: {type(self.exception).__name__}: {self.exception}"

    def report(self) -> str:
        """Return the traceback, the message in hand and the messages queued, for people."""
        lines = traceback.format_exception(self.exception)
        if self.in_hand is not None:
            lines.append(f"while it handled {self.in_hand!r:.200}\n")
        lines += [f"queued: {message!r:.200}\n" for message in self.queued]
        return "".join(lines)


@frozen
class Killed:
    """It was ended without being asked; its clean-up ran cancelled."""

    def __str__(self) -> str:
        return "killed"


@frozen
class Gone:
    """It was gone already when somebody began to watch it, or to link to it (OTP's ``noproc``)."""

    def __str__(self) -> str:
        return "gone before"


@frozen
class StartFailed:
    """It never came up. ``reason`` is its own, or the name and reason of the child it could not start (R12)."""

    reason: ExitReason
    child: str | None = field(default=None)

    def __str__(self) -> str:
        return f"could not start {self.child}: {self.reason}" if self.child else f"could not start: {self.reason}"


ExitReason: TypeAlias = Normal | Shutdown | Crashed | Killed | Gone | StartFailed


def is_orderly(reason: ExitReason) -> bool:
    """Say whether a transient child with this reason stays down (R22). ``Killed`` is not orderly."""
    return isinstance(reason, Normal | Shutdown)


def is_interrupt(reason: ExitReason) -> bool:
    """Say whether it ended by what is no ordinary exception, such as a KeyboardInterrupt (T12)."""
    return isinstance(reason, Crashed) and not isinstance(reason.exception, Exception)


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield what an exception group holds at its leaves; an exception that is no group is its own leaf."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error


def crash(error: BaseException, in_hand: object = None, queued: tuple[object, ...] = ()) -> Crashed:
    """Read an exception as a crash. A group around one error is that error; cancellations in it are left out."""
    if not isinstance(error, BaseExceptionGroup):
        _release_locals(error.__traceback__)
        return Crashed(error, in_hand, queued)
    errors = [leaf for leaf in leaves(error) if not isinstance(leaf, trio.Cancelled)]
    cause = errors[0] if len(errors) == 1 else error
    for leaf in errors:
        _release_locals(leaf.__traceback__)
    return Crashed(cause, in_hand, queued)


def _release_locals(trace: TracebackType | None) -> None:
    """Clear the locals of the functions that an exception has left, so that a report keeps no dead state alive.

    Never those of a coroutine or generator: an exception that was raised before may name one that lives on, suspended,
    and clearing its frame would close it.
    """
    while trace is not None:
        if not trace.tb_frame.f_code.co_flags & _MAY_BE_SUSPENDED:
            try:  # noqa: SIM105  # every crash comes through here
                trace.tb_frame.clear()
            except RuntimeError:  # still running
                pass
        trace = trace.tb_next


_MAY_BE_SUSPENDED = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR


def cause_of(reason: ExitReason) -> BaseException | None:
    """Return the exception at the bottom of a reason, or None where there is none."""
    while isinstance(reason, StartFailed):
        reason = reason.reason
    if isinstance(reason, Crashed):
        return reason.exception
    return reason.cause if isinstance(reason, Shutdown) else None
