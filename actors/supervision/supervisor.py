"""The supervisor: an actor whose messages are its children's exits and its user's requests.

It decides nothing here that a pure function can decide (`strategy`, `window`, `backoff`), and it handles one message at
a time, so that a whole group restart is one turn (R20). Exits and requests share its work lane, in order; its own stop
comes by the control lane and overtakes them, and so any restart loop. A restart that must wait for its backoff, and one
that failed, leave the turn and come back as a message (R35): the supervisor is never asleep on a timer.
"""

from __future__ import annotations

import math
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, final

import trio
from attrs import define, evolve, field, frozen

from actors import watch
from actors.context import current_child
from actors.errors import ChildRefused, Refusal, SpecError, UnhandledMessage
from actors.exits import ExitReason, Normal, Shutdown, StartFailed, cause_of, is_interrupt
from actors.inspect import ChildExited, ChildStarted, ChildStopped, Node
from actors.mailbox import Mailbox, Personal, Stop
from actors.ref import Ref
from actors.stack import place
from actors.supervision.child import Child, StartError, Status, Surroundings, take_down_together
from actors.supervision.requests import (
    ChildCount,
    CountChildren,
    DeleteChild,
    GetSpec,
    RestartChild,
    StartChild,
    StartFromTemplate,
    TerminateChild,
    WhichChildren,
)
from actors.supervision.spec import ChildSpec, Spec, SupervisorSpec, check_child
from actors.supervision.strategy import AutoShutdown, Restart, Strategy, Verdict, group, verdict
from actors.watch import Exit


@frozen(repr=False)
class Exited(Personal):
    """A child's incarnation ended by itself. Matched by identity: an exit that has been dealt with is stale (R20)."""

    child: Child
    incarnation: int
    reason: ExitReason


@frozen(repr=False)
class TryAgain(Personal):
    """Come back to a child that is ``restarting``. ``counted``: its restart was counted before its backoff (K11)."""

    child: Child
    incarnation: int
    counted: bool


@frozen(repr=False)
class Starting(Personal):
    """A child is starting in its own task; nothing else is done until it is up (R14, R35)."""

    child: Child


@final
@define(eq=False, repr=False)
class Supervisor:
    """Keeps its children as their specs say. Everything here runs in its own task, one message at a time."""

    path: str
    spec: SupervisorSpec
    _mailbox: Mailbox = field(alias="mailbox")
    surroundings: Surroundings
    nursery: trio.Nursery = field(init=False)
    children: dict[str, Child] = field(factory=dict, init=False)  # in start order
    restarts: tuple[float, ...] = field(default=(), init=False)  # in the window, by time
    last_crash: ExitReason | None = field(default=None, init=False)
    started: int = field(default=0, init=False)  # from the template, for their names

    @trio.lowlevel.enable_ki_protection
    async def receive(self, message: Any) -> object:
        """Handle one exit or one request."""
        match message:
            case Exited(child, incarnation, reason):
                if self._is(child, incarnation, Status.EXITED):
                    child.status = Status.STOPPED
                    if (delay := self._decide(child, reason)) is not None:
                        await self._restart(child, delay)
            case TryAgain(child, incarnation, counted):
                if self._is(child, incarnation, Status.RESTARTING):
                    child.timer = None
                    assert child.last_exit is not None
                    if counted:
                        await self._start_group(child)
                    elif (delay := self._spend(child, child.last_exit)) is not None:
                        await self._restart(child, delay)
            case Starting(child):
                await child.wait_started()
                if self._failure(child) is not None:
                    self._try_again(child)
            case StartChild(spec):
                return await self._start_child(spec)
            case StartFromTemplate(arguments, name):
                return await self._start_from_template(arguments, name)
            case TerminateChild(name):
                await self._terminate_child(self._known(name))
            case RestartChild(name):
                return await self._restart_child(self._stopped(name))
            case DeleteChild(name):
                self._forget(self._stopped(name))
            case WhichChildren():
                return tuple(map(node_of, reversed(self.children.values())))
            case CountChildren():
                return self._count()
            case GetSpec(name):
                return self._known(name).spec
            case Exit():
                pass  # it traps exits, and those of strangers are none of its business (R91)
            case _:
                raise Refusal(str(UnhandledMessage(message)))  # a tell is dropped (R92)
        return None

    def _is(self, child: Child, incarnation: int, status: Status) -> bool:
        """Whether that is still so; the mailbox may hold exits of the last incarnation's children."""
        known = self.children.get(child.name)
        return known is child and child.status is status and child.incarnation == incarnation

    # -- start and stop

    async def start_all(self) -> None:
        """Start the children of the spec, strictly one after another (R10). Raises `_CouldNotStart` (R12)."""
        for spec in self.spec.first_children():
            child = self._adopt(spec)
            failure = await self._bring_up(child)
            if failure is not None:
                raise _CouldNotStart(child.name, failure)

    async def stop_all(self) -> None:
        """Stop all children, in reverse start order (R44), or all at once where the spec says so."""
        children = list(reversed(self.children.values()))
        if self.spec.template is not None:
            await take_down_together(children, self.spec.template.shutdown)
        elif self.spec.concurrent_stop:
            async with trio.open_nursery() as stops:
                for child in children:
                    stops.start_soon(child.take_down)
        else:
            for child in children:
                await child.take_down()

    def close_all(self, reason: ExitReason) -> None:
        """End all mailboxes below: nobody will serve them again."""
        for child in self.children.values():
            child.dismiss()
            child.close(reason)
            watch.forget(child)

    def _adopt(self, spec: Spec, arguments: tuple[object, ...] = ()) -> Child:
        path = f"{self.path}/{spec.name}" if self.path else spec.name
        start: Callable[[], Any]
        if isinstance(spec, ChildSpec):
            mailbox = Mailbox(path, spec.capacity, spec.overflow)
            start = partial(spec.start, *arguments) if arguments else spec.start
        else:
            mailbox, start = Mailbox(path, math.inf), partial(supervise, path, spec, self.surroundings)
        child = self.children[spec.name] = Child(spec, start, mailbox, self)
        return child

    async def _bring_up(self, child: Child) -> ExitReason | None:
        """Start a child and wait until it is up. Return why it did not start, if it did not."""
        child.begin()
        await child.wait_started()
        return self._failure(child)

    def _failure(self, child: Child) -> ExitReason | None:
        """Look at what has come of a start: return why it failed, if it did; an IGNORE is none (R11, R104)."""
        if child.status is not Status.STOPPED:
            return None
        if isinstance(child.last_exit, StartFailed):
            self._observe_exit(child, child.last_exit, None)
            return child.last_exit
        child.close(Normal())
        if self._is_forgotten_when_down(child):
            self._forget(child)
        return None

    def _is_forgotten_when_down(self, child: Child) -> bool:
        return child.spec.restart is Restart.TEMPORARY or self.spec.template is not None

    def _forget(self, child: Child) -> None:
        child.dismiss()
        child.close(child.last_exit or Shutdown())
        watch.forget(child)
        del self.children[child.name]

    # -- what its children tell it

    def came_up(self, child: Child) -> None:
        """Let it be seen."""
        if (observe := self.surroundings.observe) is not None:
            observe(ChildStarted(child.mailbox.path, child.incarnation))

    def ended(self, child: Child, reason: ExitReason) -> None:
        """Decide about an exit when its turn comes; let an ordered end be seen at once."""
        if child.status is not Status.EXITED:
            self.surroundings.tell(ChildStopped(child.mailbox.path, child.incarnation, reason))
        elif self._mailbox.closed_by is None and not is_interrupt(reason):  # else the system's stop absorbs it
            mailbox = self._mailbox
            is_free = mailbox.idle and not mailbox.attention and mailbox.override is None
            if is_free and self.spec.strategy is Strategy.ONE_FOR_ONE:
                self._exited_alone(child, reason)
            else:
                self._mailbox.put(Exited(child, child.incarnation, reason))

    # -- exits

    def _observe_exit(self, child: Child, reason: ExitReason, decided: Verdict | None, delay: float = 0.0) -> None:
        if (observe := self.surroundings.observe) is not None:
            observe(ChildExited(child.mailbox.path, child.incarnation, reason, decided, len(self.restarts), delay))

    def _exited_alone(self, child: Child, reason: ExitReason) -> None:
        """Decide about an exit here and now, in the task that is left of the child, and start it again there.

        Only where the supervisor is parked with nothing to do, so that it would take this next, and where nobody
        else is concerned: so the one thing to wait for is the start.
        """
        child.status = Status.STOPPED
        delay = self._decide(child, reason)
        if delay:
            self._come_back(child, delay)
        elif delay is not None:
            child.begin()
            if child.status is Status.STARTING:
                self._mailbox.put_control(Starting(child))
                assert self._mailbox.task is not None
                self._mailbox.task.custom_sleep_data = child  # from now on it waits for that one (`AskCycle`)
            elif child.status is not Status.RUNNING and self._failure(child) is not None:
                self._try_again(child)

    def _decide(self, child: Child, reason: ExitReason) -> float | None:
        """Settle what becomes of a child that has ended by itself. Return the pause before its restart, if there is to
        be one.
        """
        decided = verdict(child.spec.restart, reason)
        if decided is Verdict.RESTART:
            return self._spend(child, reason)
        self._observe_exit(child, reason, decided)
        child.dismiss()
        child.close(reason)
        if self._is_forgotten_when_down(child):
            self._forget(child)
        if child.spec.significant:
            self._consider_auto_shutdown()
        return None

    def _consider_auto_shutdown(self) -> None:
        """Give up after the end of a significant child: of any, or of the last one (R61, R62)."""
        others = any(
            child.spec.significant and (child.status.alive or child.status is Status.RESTARTING)
            for child in self.children.values()
        )
        if self.spec.auto_shutdown is AutoShutdown.ANY_SIGNIFICANT or not others:
            self._give_up()

    def _give_up(self) -> None:
        """End, as ordinary shutdown (R53, R64): before the next message, and with the children stopped in order."""
        self._mailbox.put_control(Stop(Shutdown(cause=cause_of(self.last_crash) if self.last_crash else None)))

    # -- restarts

    def _spend(self, child: Child, reason: ExitReason) -> float | None:
        """Count a restart, or give up (R50). Return the pause before it."""
        now = trio.current_time()
        self.last_crash = reason
        self.restarts = (now, *self.spec.window.counted(self.restarts, now))
        if self.spec.window.spent(self.restarts):
            self._observe_exit(child, reason, None)
            child.dismiss()
            self._give_up()
            return None
        delay = self._delay(child, now)
        self._observe_exit(child, reason, Verdict.RESTART, delay)
        child.status = Status.RESTARTING
        child.restarts += 1
        return delay

    async def _restart(self, child: Child, delay: float) -> None:
        """Stop the group, then wait, then start the group (R31, R32, K11)."""
        for sibling in reversed(group(self.spec.strategy, list(self.children.values()), child)):
            if sibling is not child:
                await sibling.take_down()
                if sibling.spec.restart is Restart.TEMPORARY:  # R33
                    self._forget(sibling)
        if delay > 0:
            self._come_back(child, delay)
        else:
            await self._start_group(child)

    def _delay(self, child: Child, now: float) -> float:
        backoff = child.spec.backoff
        if backoff is None:
            return 0.0
        if child.up_since is not None and now - child.up_since >= backoff.reset:
            child.failures = 0
        child.up_since = None
        child.failures += 1
        return backoff.delay(child.failures, random.uniform(-1, 1))

    def _come_back(self, child: Child, delay: float) -> None:
        child.timer = trio.CancelScope()
        self.nursery.start_soon(self._wait_backoff, child, child.timer, delay)

    async def _wait_backoff(self, child: Child, timer: trio.CancelScope, delay: float) -> None:
        with timer:
            await trio.sleep(delay)
            self._mailbox.put(TryAgain(child, child.incarnation, counted=True))

    async def _start_group(self, failed: Child) -> None:
        failed.status = Status.STOPPED
        for child in group(self.spec.strategy, list(self.children.values()), failed):
            if child.status is not Status.STOPPED:
                continue
            if await self._bring_up(child) is not None:  # R35: the rest of the group stays down meanwhile
                self._try_again(child)
                await trio.lowlevel.checkpoint()  # a loop of starts that fail at once leaves others their turns
                return

    def _try_again(self, child: Child) -> None:
        child.status = Status.RESTARTING
        self._mailbox.put(TryAgain(child, child.incarnation, counted=False))

    # -- requests (R70-R73)

    def _known(self, name: str) -> Child:
        if (child := self.children.get(name)) is None:
            raise self._refused(name, "not_found")
        return child

    def _stopped(self, name: str) -> Child:
        if self.spec.template is not None:
            raise self._refused(name, "dynamic")  # R101
        child = self._known(name)
        if child.status is not Status.STOPPED:
            raise self._refused(name, "restarting" if child.status is Status.RESTARTING else "running")
        return child

    def _refused(self, name: str, why: str, reason: ExitReason | None = None) -> ChildRefused:
        return ChildRefused(self.path, name, why, reason)

    async def _start_child(self, spec: Spec) -> Ref | None:
        if self.spec.template is not None:
            raise self._refused(str(getattr(spec, "name", "")), "dynamic")
        try:
            check_child(self.spec, spec)
        except SpecError as error:
            raise ChildRefused(self.path, str(getattr(spec, "name", "")), "bad_spec", error) from error
        if (known := self.children.get(spec.name)) is not None:
            raise self._refused(spec.name, "already_started" if known.status.alive else "already_present")
        return await self._start_new(self._adopt(spec))

    async def _start_from_template(self, arguments: tuple[object, ...], name: str | None) -> Ref | None:
        template = self.spec.template
        if template is None:
            raise self._refused(str(name), "not_dynamic")
        if len(self.children) >= self.spec.max_children:
            raise self._refused(template.name, "max_children")
        if name is None:
            self.started += 1
            name = f"{template.name}-{self.started}"
        if name in self.children:
            raise self._refused(name, "already_started")
        return await self._start_new(self._adopt(evolve(template, name=name), arguments))

    async def _start_new(self, child: Child) -> Ref | None:
        failure = await self._bring_up(child)
        if failure is not None:
            self._forget(child)
            raise self._refused(child.name, "start_failed", failure)
        return child.ref if child.status.alive else None

    async def _terminate_child(self, child: Child) -> None:
        await child.take_down()
        child.close(Shutdown())
        if self._is_forgotten_when_down(child):
            self._forget(child)
        # A group restart that this ends leaves its members down for good (R37); nobody may wait for them.
        if not any(other.status is Status.RESTARTING for other in self.children.values()):
            for other in self.children.values():
                if other.status is Status.STOPPED:
                    other.close(Shutdown())

    async def _restart_child(self, child: Child) -> Ref | None:
        failure = await self._bring_up(child)
        if failure is not None:
            child.close(failure)
            raise self._refused(child.name, "start_failed", failure)
        return child.ref if child.status.alive else None

    def _count(self) -> ChildCount:
        children = self.children.values()
        supervisors = sum(isinstance(child.spec, SupervisorSpec) for child in children)
        return ChildCount(
            specs=len(children) if self.spec.template is None else 1,
            active=sum(child.status.alive for child in children),
            supervisors=supervisors,
            workers=len(children) - supervisors,
        )


@final
@define(eq=False, repr=False)
class _CouldNotStart(Exception):
    child: str
    reason: ExitReason


@asynccontextmanager
async def supervise(path: str, spec: SupervisorSpec, surroundings: Surroundings) -> AsyncIterator[Supervisor]:
    """Be the supervisor of ``spec``, as an actor to be entered: started when all its children are (R14)."""
    failure: StartFailed | None = None
    killed = False
    supervisor = Supervisor(path, spec, current_child.get().mailbox, surroundings)
    try:
        async with trio.open_nursery() as supervisor.nursery:
            try:
                await supervisor.start_all()
                yield supervisor
            except _CouldNotStart as error:
                failure = StartFailed(error.reason, error.child)
            except trio.Cancelled:
                killed = True  # so the nursery kills its children, and waits for them (R94)
                raise
            finally:
                if not killed:
                    await supervisor.stop_all()
    finally:
        supervisor.close_all(failure or Shutdown())
    if failure is not None:
        raise StartError(failure)


def node_of(child: Child) -> Node:
    """Draw a child, and all below it, as data."""
    below = child.actor.children.values() if isinstance(child.actor, Supervisor) else ()
    return Node(
        name=child.name,
        kind="worker" if isinstance(child.spec, ChildSpec) else "supervisor",
        status=child.status.value,
        incarnation=child.incarnation,
        restarts=child.restarts,
        last_exit=child.last_exit,
        mailbox=child.mailbox.statistics(),
        uptime=None if child.up_since is None or not child.status.alive else trio.current_time() - child.up_since,
        children=tuple(map(node_of, below)),
        detail=f"at {place(child.mailbox.task)}" if child.status is Status.STUCK and child.mailbox.task else "",
    )
