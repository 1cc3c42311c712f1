"""Nothing lost, nothing left over: assertions on a tree at rest, and on what a tree leaves behind.

This file knows where the kernel keeps an ask, and which tasks it starts; no other of this package does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import final

import trio
from attrs import define
from trio.lowlevel import Task
from trio.testing import wait_all_tasks_blocked

from actors.mailbox import Envelope, Mailbox
from actors.supervision.child import Child, Status
from actors.supervision.supervisor import Supervisor
from actors.system import System


@final
@define(eq=False)
class Unsettled(AssertionError):
    """A tree is not as it should be: one sentence for each of its ``faults``."""

    faults: tuple[str, ...]

    def __str__(self) -> str:
        return "; ".join(self.faults)


async def assert_settled(system: System) -> None:
    """Wait until no task can run, then check that the tree is at rest and that nothing in it is lost.

    Each child is running, stopped, or waits for its backoff. What a running one has queued it is kept from by a
    `hold`, by `suspend`, or by the message in hand. Each ask that somebody waits for is where it can be answered. Each
    task of the tree belongs to a child or to one of its timers. Raises `Unsettled` with all that is not so.
    """
    await wait_all_tasks_blocked()
    children = list(_below(system._root))
    faults = [fault for child in children for fault in (*_at_rest(child), *_tasks(child))]
    faults.extend(_lost_asks())
    if faults:
        raise Unsettled(tuple(faults))


@asynccontextmanager
async def no_task_left() -> AsyncIterator[None]:
    """Check that the block leaves no task behind anywhere in the run. Raises `Unsettled` with their names."""
    before = set(_tasks_below(_root()))
    yield
    await wait_all_tasks_blocked()
    left = [task for task in _tasks_below(_root()) if task not in before]
    if left:
        raise Unsettled(tuple(f"task {task.name!r} is left" for task in left))


def _below(child: Child) -> Iterator[Child]:
    yield child
    if isinstance(child.actor, Supervisor):
        for inner in child.actor.children.values():
            yield from _below(inner)


def _at_rest(child: Child) -> Iterator[str]:
    path, mailbox = child.mailbox.path, child.mailbox
    if child.status is Status.RESTARTING:
        if child.timer is None:
            yield f"{path!r} is restarting, and nothing will start it"
    elif child.status not in (Status.RUNNING, Status.STOPPED):
        yield f"{path!r} is still {child.status.value}"
    kept = mailbox.held or mailbox.suspended or not (mailbox.idle or mailbox.resting)
    if mailbox.statistics().queued and child.running and not kept:
        yield f"{path!r} has {mailbox.statistics().queued} messages queued and does not take them"


def _tasks(child: Child) -> Iterator[str]:
    """Name the tasks in a supervisor's nursery that belong to no child of it."""
    if not isinstance(child.actor, Supervisor):
        return
    children = child.actor.children.values()
    known = {inner.mailbox.task for inner in children if inner.running or inner.status is Status.RESTARTING}
    timers = sum(len(inner.context.timers or ()) + (inner.timer is not None) for inner in children)
    others = [task for task in child.actor.nursery.child_tasks if task not in known]
    if len(others) > timers:
        names = ", ".join(sorted(task.name for task in others))
        yield f"{child.mailbox.path!r} has {len(others)} tasks for {timers} timers beside its children: {names}"


def _lost_asks() -> Iterator[str]:
    for task in _tasks_below(_root()):
        envelope = task.custom_sleep_data
        if isinstance(envelope, Envelope) and envelope.task is not None and not _is_held(envelope):
            kind = type(envelope.message).__name__
            yield f"task {task.name!r} waits for an answer to {kind} that {envelope.mailbox.path!r} has lost"


def _is_held(envelope: Envelope) -> bool:
    mailbox: Mailbox = envelope.mailbox
    lanes: Iterable[object] = (*mailbox.queue, *(mailbox.control or ()), *(mailbox.owed or ()))
    return mailbox.current is envelope or any(item is envelope for item in lanes)


def _root() -> Task:
    root = trio.lowlevel.current_root_task()
    assert root is not None  # inside a run there is one
    return root


def _tasks_below(task: Task) -> Iterator[Task]:
    yield task
    for nursery in task.child_nurseries:
        for child in nursery.child_tasks:
            yield from _tasks_below(child)
