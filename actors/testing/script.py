"""Crash scripts: an actor that does, message by message, what data says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, TypeAlias, final

import trio
from attrs import define, field, frozen

from actors.actor import Actor
from actors.context import Context, context
from actors.errors import Refusal
from actors.mailbox import Envelope
from actors.reply import Reply
from actors.supervision.spec import IGNORE, Sentinel


class Boom(Exception):
    """What a script crashes with, where it says nothing else."""


@frozen
class Answer:
    """Answer with ``value``; ``after`` so many seconds, in an ``async`` handler, or at once in a plain one."""

    value: object = None
    after: float | None = None


@frozen
class Crash:
    """Raise ``error``. As a start: fail to start."""

    error: BaseException = field(factory=Boom)
    after: float | None = None


@frozen
class Refuse:
    """Raise a `Refusal`."""

    why: str = "no"


@frozen
class Stall:
    """Wait for ever, until cancelled. As a start: never come up."""


@frozen
class Swallow:
    """Wait for ever; when cancelled, swallow the cancellation and answer with ``value``."""

    value: object = None


@frozen
class Defer:
    """Defer the answer ``value`` until so many ``messages`` more have been handled. A tell is just taken."""

    value: object = None
    messages: int = 1


@frozen
class Drop:
    """Defer the answer and lose it. A tell is just taken."""


@frozen
class Overrun:
    """Answer with ``value``, and let the clean-up of this incarnation take ``seconds``, longer than its stop allows.

    ``shielded`` keeps a kill from cutting it short. Only a script that is ``managed`` has a clean-up.
    """

    seconds: float
    value: object = None
    shielded: bool = False


@frozen
class Ignore:
    """As a start: there is nothing to start now (`IGNORE`)."""


Step: TypeAlias = Answer | Crash | Refuse | Stall | Swallow | Defer | Drop | Overrun
StartStep: TypeAlias = Answer | Crash | Stall | Ignore


@final
@define(eq=False)
class Script:
    """What the n-th message meets, and the n-th start, over all incarnations; use ``script.start`` in a `ChildSpec`.

    Messages beyond the ``steps`` meet ``then``, starts beyond ``starts`` come up. A ``managed`` script is an async
    context manager, else it is a plain actor; one whose starts wait or whose steps overrun their stop is always
    managed. A script runs one incarnation at a time.

    Read from outside: ``handled``, each message with the incarnation that got it; ``started``, how many starts were
    tried; ``ended``, how many incarnations have run their clean-up (of a managed one); ``forsaken``, how many deferred
    answers lost their asker.
    """

    steps: Sequence[Step] = ()
    then: Step = field(factory=Answer, kw_only=True)
    starts: Sequence[StartStep] = field(default=(), kw_only=True)
    managed: bool = field(default=False, kw_only=True)

    handled: list[tuple[int, Any]] = field(factory=list, init=False, repr=False)
    started: int = field(default=0, init=False, repr=False)
    ended: int = field(default=0, init=False, repr=False)
    forsaken: int = field(default=0, init=False, repr=False)

    def start(self) -> Actor | AbstractAsyncContextManager[Actor] | Sentinel:
        """Start an incarnation, or do not, as the script says."""
        self.started += 1
        step = self.starts[self.started - 1] if self.started <= len(self.starts) else Answer()
        waits = any(isinstance(step, Stall) or getattr(step, "after", None) is not None for step in self.starts)
        if isinstance(step, Ignore):
            return IGNORE
        if self.managed or waits or any(isinstance(step, Overrun) for step in (*self.steps, self.then)):
            return self._run(step)
        if isinstance(step, Crash):
            raise step.error.with_traceback(None)
        return _Incarnation(self, context())

    @asynccontextmanager
    async def _run(self, step: StartStep) -> AsyncIterator[Actor]:
        actor = _Incarnation(self, context())
        await _act(step)
        try:
            yield actor
        finally:
            try:
                with trio.CancelScope(shield=actor.shielded):
                    await trio.sleep(actor.clean_up)
            finally:
                self.ended += 1

    def next(self, incarnation: int, message: object) -> Step:
        """Take the next step: it has met ``message``."""
        self.handled.append((incarnation, message))
        return self.steps[len(self.handled) - 1] if len(self.handled) <= len(self.steps) else self.then


async def _act(step: Step | StartStep) -> object:
    """Do what takes time, or fails."""
    match step:
        case Answer(value, after):
            await trio.sleep(after or 0)
            return value
        case Crash(error, after):
            await trio.sleep(after or 0)
            raise error.with_traceback(None)
        case Swallow(value):
            with suppress(trio.Cancelled):
                await trio.sleep_forever()
            return value
        case _:
            return await trio.sleep_forever()


@final
@define(eq=False)
class _Incarnation:
    script: Script
    context: Context
    clean_up: float = field(default=0.0, init=False)
    shielded: bool = field(default=False, init=False)
    owed: list[tuple[int, Reply[Any], object]] = field(factory=list, init=False)  # due at that many messages

    def receive(self, message: object) -> object:
        step = self.script.next(self.context.ref.incarnation, message)
        self._settle_due(len(self.script.handled))
        match step:
            case Answer(value, None):
                return value
            case Crash(error, None):
                raise error.with_traceback(None)  # else it would keep those of its last time, and grow
            case Refuse(why):
                raise Refusal(why)
            case Defer() | Drop():
                self._defer(step)
                return None
            case Overrun(seconds, value, shielded):
                self.clean_up, self.shielded = seconds, shielded
                return value
        return _act(step)

    def _defer(self, step: Defer | Drop) -> None:
        if not isinstance(self.context._mailbox.current, Envelope):
            return
        reply = self.context.defer(self._forsake)
        if isinstance(step, Defer):
            self.owed.append((len(self.script.handled) + step.messages, reply, step.value))

    def _forsake(self) -> None:
        self.script.forsaken += 1

    def _settle_due(self, handled: int) -> None:
        due = [entry for entry in self.owed if entry[0] <= handled]
        for entry in due:
            self.owed.remove(entry)
            entry[1].settle(entry[2])
