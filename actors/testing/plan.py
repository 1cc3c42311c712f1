"""What is done to a tree, as data: asks that give up, kills, stops, pauses; and how each of the asks ended."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TypeAlias, final

import trio
from attrs import define, field, frozen
from trio.testing import wait_all_tasks_blocked

from actors.errors import ActorError, MailboxFull, Refusal
from actors.message import Ask, Tell
from actors.ref import Ref
from actors.system import System


@frozen
class Knock(Ask[Any]):
    """What :class:`Asking` asks; ``number`` is its place in the plan."""

    number: int


@frozen
class Nudge(Tell):
    """What :class:`Telling` tells; ``number`` is its place in the plan."""

    number: int


@frozen
class Asking:
    """Ask the actor at ``path``, in a task of its own, and give up after ``patience`` seconds, by default never."""

    path: str
    patience: float = math.inf


@frozen
class Telling:
    """Tell the actor at ``path`` something."""

    path: str


@frozen
class Killing:
    """Kill what is at ``path``, a supervisor too."""

    path: str


@frozen
class Stopping:
    """Stop the actor at ``path``, after what is queued or ``now``."""

    path: str
    now: bool = False


@frozen
class Pausing:
    """Let so many seconds pass; none: until no task can run."""

    seconds: float = 0.0


Action: TypeAlias = Asking | Telling | Killing | Stopping | Pausing


@final
@frozen
class End:
    """How an ask of a plan ended: in an answer or error, its ``value``, or ``gave_up``; ``after`` how many seconds."""

    number: int
    path: str
    value: object
    gave_up: bool
    after: float


@final
@define(eq=False)
class Outcome:
    """What became of a plan's asks: the numbers of those ``asked``, and their ``ends`` in the order they came."""

    asked: list[int] = field(factory=list, init=False)
    ends: list[End] = field(factory=list, init=False)

    def assert_each_ended_once(self) -> None:
        """Check that no ask was lost, and none ended twice. Raises `AssertionError`."""
        ended = sorted(end.number for end in self.ends)
        assert ended == self.asked, f"asked: {self.asked}, ended: {ended}"


async def carry_out(system: System, plan: Iterable[Action], outcome: Outcome | None = None) -> Outcome:
    """Do to a tree what ``plan`` says, one after another, wait for all asks, and return what became of them.

    A path that is not there at its moment is passed over, for a fault may have removed it; so is a tell that a full
    mailbox refuses. If this is cancelled, because the tree gives up for one, the asks give up; an ``outcome`` that you
    pass in can then still be read. Raises what an ask ends in if it is no `ActorError` and no `Refusal`.
    """
    outcome = outcome or Outcome()
    async with trio.open_nursery() as asks:
        for number, action in enumerate(plan):
            if isinstance(action, Pausing):
                if action.seconds:
                    await trio.sleep(action.seconds)
                else:
                    await wait_all_tasks_blocked()
            elif action.path in system:
                _do(action, number, system[action.path], asks, outcome)
    return outcome


def _do(
    action: Asking | Telling | Killing | Stopping, number: int, ref: Ref, asks: trio.Nursery, outcome: Outcome
) -> None:
    match action:
        case Asking(_, patience):
            outcome.asked.append(number)
            asks.start_soon(_ask, number, ref, patience, outcome, name=f"ask {number} of {ref.path}")
        case Telling():
            with suppress(MailboxFull):
                ref.tell(Nudge(number))
        case Killing():
            ref.kill()
        case _:
            ref.stop(now=action.now)


async def _ask(number: int, ref: Ref, patience: float, outcome: Outcome) -> None:
    began, value, gave_up = trio.current_time(), None, True
    try:
        with trio.move_on_after(patience):
            try:
                value = await ref.ask(Knock(number))
            except (ActorError, Refusal) as error:
                value = error
            gave_up = False
    finally:
        outcome.ends.append(End(number, ref.path, value, gave_up, trio.current_time() - began))
