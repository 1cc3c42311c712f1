"""Planted bugs: each is one function of the kernel done wrong, and turns one of the properties red.

A property that none of these turns red would hold of any kernel.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Any

import trio
from attrs import frozen
from trio.lowlevel import Abort

from actors import AutoShutdown, Restart, RestartWindow, Shutdown, Strategy, Verdict
from actors.exits import Killed, Normal
from actors.mailbox import Envelope, Mailbox, Stop
from actors.supervision.child import Child, Status
from actors.supervision.strategy import group
from actors.supervision.supervisor import Supervisor, TryAgain


@frozen
class Mutant:
    """What is wrong, in which function, and what is put in its place."""

    name: str
    place: str
    bug: Any


# -- decisions


def _only_the_failed(strategy: Strategy, children: Sequence[Any], failed: Any) -> Sequence[Any]:
    return [failed] if strategy is Strategy.REST_FOR_ONE else group(strategy, children, failed)


def _later_ones_too(strategy: Strategy, children: Sequence[Any], failed: Any) -> Sequence[Any]:
    return list(children[children.index(failed) :])


def _kill_is_orderly(restart: Restart, reason: Any) -> Verdict:
    if restart is Restart.TRANSIENT and isinstance(reason, Normal | Shutdown | Killed):
        return Verdict.KEEP
    return Verdict.DELETE if restart is Restart.TEMPORARY else Verdict.RESTART


def _open_edge(window: RestartWindow, restarts: tuple[float, ...], now: float) -> tuple[float, ...]:
    return tuple(at for at in restarts if now - at < window.period)


# -- the supervisor


async def _stop_in_start_order(supervisor: Supervisor) -> None:
    for child in list(supervisor.children.values()):
        await child.take_down()


async def _go_on_after_a_failed_start(supervisor: Supervisor, failed: Child) -> None:
    failed.status = Status.STOPPED
    for child in group(supervisor.spec.strategy, list(supervisor.children.values()), failed):
        if child.status is Status.STOPPED and await supervisor._bring_up(child) is not None:
            child.status = Status.RESTARTING
            supervisor._mailbox.put(TryAgain(child, child.incarnation, counted=False))


async def _try_again_for_nothing(supervisor: Supervisor, failed: Child) -> None:
    failed.status = Status.STOPPED
    for child in group(supervisor.spec.strategy, list(supervisor.children.values()), failed):
        if child.status is Status.STOPPED and await supervisor._bring_up(child) is not None:
            child.status = Status.RESTARTING
            supervisor._mailbox.put(TryAgain(child, child.incarnation, counted=True))
            await trio.lowlevel.checkpoint()
            return


async def _try_again_at_once(supervisor: Supervisor, failed: Child) -> None:
    while await supervisor._bring_up(failed) is not None:
        await trio.lowlevel.checkpoint()


def _any_is_all(supervisor: Supervisor) -> None:
    if not any(child.spec.significant and child.status.alive for child in supervisor.children.values()):
        supervisor._give_up()


def _any_end_is_significant(supervisor: Supervisor) -> None:
    if supervisor.spec.auto_shutdown is not AutoShutdown.NEVER:
        supervisor._give_up()


def _crash_at_giving_up(supervisor: Supervisor) -> None:
    supervisor._mailbox.put_control(Stop(Killed()))


async def _terminate_and_keep(supervisor: Supervisor, child: Child) -> None:
    await child.take_down()
    child.close(Shutdown())


# -- a child


async def _always_killed(child: Child) -> None:
    if child.running:
        child.status = Status.STOPPING
        child.kill(Killed())
        await child.wait_ended()
    child.dismiss()


async def _never_killed(child: Child) -> None:
    if child.running:
        child.tell_to_stop(math.inf if child.spec.shutdown != 0 else 1.0)
        await child.wait_ended()
    child.dismiss()


async def _do_not_wait(child: Child) -> None:
    return None


def _end_unseen(child: Child) -> None:
    child.cancel_timer()
    child.status = Status.STOPPED
    if (task := child._parked) is not None:
        child._parked = None
        trio.lowlevel.reschedule(task)


def _die_of_any_signal(child: Child, reason: Any, sender: Any) -> None:
    child.kill(reason)


# -- a mailbox


def _take_the_last(mailbox: Mailbox) -> Any:
    """Take what came last, while there is anything unusual."""
    if mailbox.control:
        return mailbox.control.popleft()
    mailbox.attention = bool(mailbox.senders)
    item = mailbox.queue.pop() if mailbox.queue else None
    mailbox._admit_senders()
    return item


def _drop_the_queue(mailbox: Mailbox) -> None:
    mailbox.queue.clear()
    mailbox.credits = math.inf
    mailbox.scope = mailbox.handler = mailbox.override = None


def _begin_anew(mailbox: Mailbox) -> None:
    """What `renew` does, and the message in hand at the crash comes again."""
    _drop_nothing(mailbox)
    if mailbox.queue and mailbox.handled:
        mailbox.queue.rotate(1)


def _drop_nothing(mailbox: Mailbox) -> None:
    mailbox.credits = math.inf
    mailbox.scope = mailbox.handler = mailbox.override = None
    mailbox.control = deque(item for item in mailbox.control or () if type(item) is not Stop)


def _keep_the_dead(envelope: Envelope, _: Any) -> Abort:
    """The asker goes, its message stays in the queue as if it were alive."""
    envelope.mailbox.tombstones += 0
    return Abort.SUCCEEDED


async def _send_first(mailbox: Mailbox, message: Any) -> None:
    """Wait after the message is in, though it found no room."""
    mailbox.queue.append(message)
    mailbox.wake()
    await trio.lowlevel.checkpoint()


async def _stop_nothing(_: Child) -> None:
    return None


S, C, M = "actors.supervision.supervisor", "actors.supervision.child.Child", "actors.mailbox.Mailbox"

AGAINST_THE_MODEL = (
    Mutant("rest_for_one restarts only the failed child", f"{S}.group", _only_the_failed),
    Mutant("one_for_all and one_for_one restart the later ones", f"{S}.group", _later_ones_too),
    Mutant("a kill is an orderly end", f"{S}.verdict", _kill_is_orderly),
    Mutant("what stays down is kept", f"{S}.Supervisor._is_forgotten_when_down", lambda supervisor, child: False),
    Mutant("the window's edge is open", "actors.supervision.window.RestartWindow.counted", _open_edge),
    Mutant("no restart is forgotten", "actors.supervision.window.RestartWindow.counted", lambda _, past, now: past),
    Mutant("children stop in start order", f"{S}.Supervisor.stop_all", _stop_in_start_order),
    Mutant("a group goes on after a failed start", f"{S}.Supervisor._start_group", _go_on_after_a_failed_start),
    Mutant("trying again is not counted", f"{S}.Supervisor._start_group", _try_again_for_nothing),
    Mutant("any significant end waits for all", f"{S}.Supervisor._consider_auto_shutdown", _any_is_all),
    Mutant("any end at all is enough", f"{S}.Supervisor._consider_auto_shutdown", _any_end_is_significant),
    Mutant("giving up is no shutdown", f"{S}.Supervisor._give_up", _crash_at_giving_up),
    Mutant("a terminated temporary child is kept", f"{S}.Supervisor._terminate_child", _terminate_and_keep),
    Mutant("a wrong child is taken", f"{S}.check_child", lambda supervisor, child: None),
    Mutant("a stop is a kill", f"{C}.take_down", _always_killed),
    Mutant("a trapped signal kills", f"{C}.signal", _die_of_any_signal),
)

AGAINST_THE_CHRONICLE = (
    Mutant("one_for_one takes siblings along", f"{S}.group", _later_ones_too),
    Mutant("the window is never spent", "actors.supervision.window.RestartWindow.spent", lambda _, restarts: False),
    Mutant("no restart is remembered", "actors.supervision.window.RestartWindow.counted", lambda _, past, now: ()),
    Mutant("a supervisor leaves its children running", f"{C}.take_down", _stop_nothing),
    Mutant("an absorbed exit is not told", f"{C}.dismiss", _end_unseen),
    Mutant("a stop does not wait", f"{C}.wait_ended", _do_not_wait),
    Mutant("an end is not told", f"{S}.Supervisor.ended", lambda *_: None),
)

AGAINST_ORDER = (
    Mutant("what came last is taken first", f"{M}.take", _take_the_last),
    Mutant("a crash drops the queue", f"{M}.renew", _drop_the_queue),
    Mutant("a restart turns the queue round", f"{M}.renew", _begin_anew),
)

AGAINST_LOOPS = (
    Mutant("a failed restart is tried again in the same turn", f"{S}.Supervisor._start_group", _try_again_at_once),
)

AGAINST_CANCELLATION = {
    "start": (
        Mutant("children stop in start order", f"{S}.Supervisor.stop_all", _stop_in_start_order),
        Mutant("a supervisor leaves its children running", f"{C}.take_down", _stop_nothing),
    ),
    "end": (Mutant("children stop in start order", f"{S}.Supervisor.stop_all", _stop_in_start_order),),
    "ask": (Mutant("the dead stay queued", "actors.mailbox.Envelope.abort", _keep_the_dead),),
    "send": (Mutant("a send waits for nothing", f"{M}.put_when_room", _send_first),),
    "request": (Mutant("a request can be cancelled in its middle", "actors.message.Ask.cancellable", True),),
}
