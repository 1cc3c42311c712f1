"""One child of one supervisor: its mailbox, its task, and the life of each incarnation in it.

One task serves all incarnations that follow each other by restarts. It runs an incarnation, answers what that one owed,
reports the exit, and parks until its supervisor starts the next one in it, or dismisses it. An ordered stop ends it;
`restart_child` makes a new one.
"""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import Enum
from types import CoroutineType
from typing import Any, Protocol, final

import trio
from attrs import define, field
from outcome import Value
from trio.lowlevel import Abort, RaiseCancelT, Task, current_task, reschedule, wait_task_rescheduled

from actors.actor import DISMISSED, Actor, finish, serve
from actors.context import Context, current_child
from actors.errors import ActorCrashed, ActorStopped
from actors.exits import Crashed, ExitReason, Killed, Normal, Shutdown, StartFailed, crash, leaves
from actors.inspect import ChildStuck, TellsDropped, TreeEvent
from actors.mailbox import REPORTED, Mailbox, Stop
from actors.names import Names
from actors.ref import Ref
from actors.stack import draw
from actors.supervision.spec import BRUTAL_KILL, IGNORE, ChildSpec, Sentinel, ShutdownTime, Spec, SupervisorSpec
from actors.watch import Bonds, Exit

_log = logging.getLogger("actors")


class Status(Enum):
    """Where a child is in its life; OTP's pid, ``restarting`` and ``undefined`` in more words."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STUCK = "stuck"  # killed, and it does not end
    EXITED = "exited"  # by itself; its supervisor has yet to decide
    RESTARTING = "restarting"
    STOPPED = "stopped"

    @property
    def alive(self) -> bool:
        """Whether an incarnation is there, as far as its supervisor knows (a pid, in OTP's words)."""
        return self in _ALIVE


_ALIVE = frozenset({Status.STARTING, Status.RUNNING, Status.STOPPING, Status.STUCK, Status.EXITED})

OVERDUE = (10.0, 60.0, 600.0)
"""After how many further seconds a killed child that does not end is told of. In the end there is nobody left to tell,
and a timer that went on for ever would hide from a virtual clock that nothing happens any more.
"""


@final
@define(eq=False, repr=False)
class StartError(Exception):
    """Raised by the start of a supervisor that could not start a child: the reason, not a crash (R12)."""

    reason: StartFailed


@define(eq=False, repr=False)
class Surroundings:
    """What all of one system share: who is told of what happens, and who of what is no ordinary exception."""

    observe: Callable[[TreeEvent], None] | None  # None: nobody, so that nothing need be told
    interrupt: Callable[[BaseException], None]
    names: Names = field(factory=Names)

    def tell(self, event: TreeEvent) -> None:
        """Let it be seen."""
        if self.observe is not None:
            self.observe(event)


class Keeper(Protocol):
    """Who keeps a child: its supervisor, or the system where it is the root. None of this may wait."""

    surroundings: Surroundings
    nursery: trio.Nursery

    def came_up(self, child: Child) -> None:
        """An incarnation of it is up."""

    def ended(self, child: Child, reason: ExitReason) -> None:
        """One that was up has ended: by itself where the status is ``EXITED``, in order where it is ``STOPPED``."""


@final
@define(eq=False, repr=False, weakref_slot=False)
class Child:
    """The record of a child. Only its supervisor starts, stops and ends it."""

    spec: Spec
    start: Callable[[], Any]
    mailbox: Mailbox
    keeper: Keeper

    ref: Ref = field(init=False)
    status: Status = field(default=Status.STOPPED, init=False)
    incarnation: int = field(default=0, init=False)
    actor: Actor | None = field(default=None, init=False)
    last_exit: ExitReason | None = field(default=None, init=False)
    restarts: int = field(default=0, init=False)
    failures: int = field(default=0, init=False)  # in a row, for the backoff
    up_since: float | None = field(default=None, init=False)
    doom: ExitReason | None = field(default=None, init=False)  # what it was killed with
    bonds: Bonds | None = field(default=None, init=False)  # its watches and links
    timer: trio.CancelScope | None = field(default=None, init=False)  # of the backoff
    _made: Any = field(default=None, init=False)  # what start() returned, for the incarnation to come
    _parked: bool = field(default=False, init=False)  # its task is, between two incarnations
    _context: Context | None = field(default=None, init=False)  # made when something in it is first asked for
    _waiter: Task | None = field(default=None, init=False)  # who waits until it is up, or has ended

    def __attrs_post_init__(self) -> None:
        self.ref = Ref(self.mailbox, self)

    @property
    def name(self) -> str:
        """Its name among its siblings."""
        return self.spec.name

    @property
    def context(self) -> Context:
        """What its actor finds around it."""
        if self._context is None:
            self._context = Context(self)
        return self._context

    @property
    def running(self) -> bool:
        """Whether there is an incarnation, or one about to be."""
        return self.status in (Status.RUNNING, Status.STARTING, Status.STOPPING, Status.STUCK)

    # -- for its supervisor

    def begin(self) -> None:
        """Start an incarnation, in the task that is left of the last one, or in a new one.

        It is then up (``RUNNING``), or it will be (``STARTING``: see :meth:`wait_started`); or it is ``STOPPED``, and
        ``last_exit`` says why: it could not start (R13), or its start said IGNORE, which is ``Normal``.
        """
        mailbox = self.mailbox
        mailbox.renew()
        self.incarnation += 1
        self.doom = None
        self.status = Status.STARTING
        outer = current_child.set(self)
        try:
            made = self.start()
            if made is not IGNORE and not hasattr(made, "__aenter__"):
                self._check(made)
        except BaseException as error:
            self._fall(StartFailed(crash(error)))
            if not isinstance(error, Exception):
                raise  # it is for the whole system; any other is a start that failed (R13)
        else:
            if made is IGNORE:
                self._fall(Normal())
                self.dismiss()
                return
            if isinstance(self.spec, ChildSpec) and self.spec.nursery:
                made = _in_nursery(self.context, made)
            self._made = made
            if mailbox.task is None:
                self.keeper.nursery.start_soon(self._live, name=mailbox.path)
            elif self._parked:
                self._parked = False
                reschedule(mailbox.task)
        finally:
            current_child.reset(outer)
        if self.running and not hasattr(self._made, "__aenter__"):  # else its own task goes through its init
            self._up(self._made)

    async def wait_started(self) -> None:
        """Wait until it is up, or has not come up."""
        while self.status is Status.STARTING:
            await self._change()

    @trio.lowlevel.enable_ki_protection
    async def take_down(self) -> None:
        """Stop it as its spec says (R40-R43) and wait until it has ended: stopped, whatever it ended of (R46)."""
        self.cancel_timer()
        mailbox = self.mailbox
        if mailbox.idle and mailbox.scope is None and self.running:
            # A plain actor that is parked: nothing of the user's is left to run, so that it has ended here and now.
            self.status = Status.STOPPING
            mailbox.idle = False  # first: what is told of the fall may come back here
            self._fall(Killed() if self.spec.shutdown is BRUTAL_KILL else Shutdown())
            self._parked = True
            self.dismiss()
        else:
            await take_down_together([self], self.spec.shutdown)

    def tell_to_stop(self, shutdown: ShutdownTime) -> float:
        """Send the first signal of a stop; return for how many seconds it may be waited before a kill (R40-R42)."""
        self.status = Status.STOPPING
        if isinstance(shutdown, Sentinel):
            self.kill(Killed())
            return 0.0
        self.mailbox.put_control(Stop(Shutdown()))
        return shutdown

    def report_overdue(self) -> None:
        """Let it be known that it was killed and does not end (T11)."""
        if self.running and self.mailbox.task is not None:
            self.status = Status.STUCK
            event = ChildStuck(self.mailbox.path, self.incarnation, draw(self.mailbox.task, self.mailbox.path))
            _log.warning("%s", event)  # as well: a tree that never stops has no other voice
            self.keeper.surroundings.tell(event)

    async def wait_ended(self) -> None:
        """Wait until no incarnation runs."""
        while self.running:
            await self._change()

    def dismiss(self) -> None:
        """Settle that it stays down: its task, if one is parked for a restart, ends.

        An exit that its supervisor has not looked at yet is absorbed (R34).
        """
        self.cancel_timer()
        absorbed = self.status is Status.EXITED
        self.status = Status.STOPPED
        if absorbed:
            assert self.last_exit is not None
            self.keeper.ended(self, self.last_exit)
        if self._parked and (task := self.mailbox.task) is not None:
            self._parked, self.mailbox.task = False, None
            reschedule(task, Value(DISMISSED))

    def cancel_timer(self) -> None:
        """Forget a restart that waits for its backoff."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def kill(self, reason: ExitReason) -> None:
        """End its incarnation without asking it. Of several reasons the first counts (R42)."""
        if self.running:
            self.doom = self.doom or reason
            self.mailbox.kill(reason)

    def signal(self, reason: ExitReason, sender: Ref) -> None:
        """Take the exit of something linked to it: as a message if it traps exits, else as its own (R110-R112)."""
        if self.running:
            if isinstance(self.spec, SupervisorSpec) or self.spec.trap_exits:
                self.mailbox.put_control(Exit(sender, reason))
            elif not isinstance(reason, Normal):
                self.kill(reason)

    def close(self, reason: ExitReason) -> None:
        """End its mailbox: asks get `ActorStopped`, and the tells that are dropped are told of."""
        if tells := self.mailbox.close(reason):
            self.keeper.surroundings.tell(TellsDropped(self.mailbox.path, reason, len(tells), tuple(tells[:REPORTED])))

    # -- its task

    @trio.lowlevel.enable_ki_protection
    async def _live(self) -> None:
        mailbox = self.mailbox
        mailbox.task = task = current_task()
        pressed = False  # the next incarnation finds something to do: it might end of that, and so on without a pause
        while self.running:
            made, self._made = self._made, None
            try:
                if pressed:
                    await trio.lowlevel.checkpoint()
                # A plain actor is up, and is served from here: every frame in between would cost each its memory.
                served = await (
                    serve(mailbox, made.receive, scoped=False) if self.actor is not None else self._run_managed(made)
                )
                if served is DISMISSED:
                    return
                reason = await self._run_on(made, served) if isinstance(served, Coroutine) else served
            except BaseException as error:  # noqa: BLE001  # the supervision boundary
                # An interrupt of a task that was dismissed.
                if mailbox.task is not task:  # pragma: no cover  # tested, but by a tracer in coverage's place
                    self.keeper.surroundings.interrupt(error)
                    return
                reason = self._read(error)
                del error
            del made
            if self.doom is not None and isinstance(reason, Crashed | Killed):
                reason = self.doom  # it was cancelled, or fell over its cancellation
            started = self.actor is not None or isinstance(reason, StartFailed)
            self._fall(reason if started else StartFailed(reason))
            del reason  # it may keep a traceback alive, and this task lives on
            pressed = bool(mailbox.queue) or mailbox.attention
            if self.status in (Status.EXITED, Status.RESTARTING):
                self._parked = True
                if await wait_task_rescheduled(self._abort_park) is DISMISSED:
                    return  # whatever runs by now runs in another task
                pressed = False
        mailbox.task = None

    def _abort_park(self, _: RaiseCancelT) -> Abort:
        self._parked = False
        self.mailbox.task = None
        return Abort.SUCCEEDED

    def _read(self, error: BaseException) -> ExitReason:
        """Read what ended an incarnation as a reason. Raises it where it is nobody's crash."""
        if isinstance(error, StartError):
            return error.reason
        if isinstance(error, Exception) and not isinstance(error, BaseExceptionGroup):
            return crash(error, *self.mailbox.at_death())
        parts = list(leaves(error))
        if all(isinstance(part, trio.Cancelled) for part in parts):
            self._fall(Killed())  # from outside: its supervisor was killed, and it with it (R94)
            self.mailbox.task = None
            raise error
        for part in parts:
            if isinstance(part, GeneratorExit):
                raise error  # the run itself is being torn down, and there is nobody left to tell
            if not isinstance(part, Exception | trio.Cancelled):
                self.keeper.surroundings.interrupt(part)  # for the whole system, never for a restart (T12)
        # A cancellation that was among the parts comes again at the next checkpoint.
        return crash(error, *self.mailbox.at_death())

    async def _run_on(self, actor: Actor, handler: Coroutine[Any, Any, object]) -> ExitReason:
        """Serve on within a scope, by which it can be killed, from the first handler that may wait."""
        mailbox = self.mailbox
        assert mailbox.current is not None
        with trio.CancelScope() as mailbox.scope:
            await finish(mailbox, mailbox.current, handler)
            return await serve(mailbox, actor.receive, scoped=True)
        return Killed()

    async def _run_managed(self, manager: AbstractAsyncContextManager[Actor]) -> ExitReason:
        """Run an incarnation that has an init and a clean-up, all within a scope."""
        mailbox = self.mailbox
        with trio.CancelScope() as mailbox.scope:
            if self.doom is not None:
                mailbox.scope.cancel()  # killed before its first step
            reason: ExitReason = Killed()
            async with manager as actor:
                self._check(actor)
                self._up(actor)
                try:
                    reason = await serve(mailbox, actor.receive, scoped=True)
                except Exception as error:
                    reason = crash(error)  # and so it is, should its clean-up swallow the error
                    raise
            return reason
        return Killed()

    def _check(self, made: object) -> None:
        if type(made) is CoroutineType:
            made.close()
            raise TypeError(f"the start of {self.mailbox.path!r} is async: wait in an async context manager instead")
        if not callable(getattr(made, "receive", None)):
            raise TypeError(f"the start of {self.mailbox.path!r} gave {made!r}, which has no receive()")

    def _up(self, actor: Actor) -> None:
        self.actor = actor
        self.status = Status.RUNNING
        self.up_since = trio.current_time()
        self.keeper.came_up(self)
        self._tell_change()

    def _fall(self, reason: ExitReason) -> None:
        """Publish the end of an incarnation; synchronous, so that nothing can come between its parts (T16)."""
        was_up = self.actor is not None
        expected = self.status in (Status.STARTING, Status.STOPPING, Status.STUCK)
        self.actor = None
        if self._context is not None:
            self._context.end()
        self.last_exit = reason
        self.status = Status.STOPPED if expected else Status.EXITED
        self.mailbox.answer_owed(lambda: self._unanswered(reason))
        if self.bonds is not None:
            self.bonds.publish(self, reason)
        self._tell_change()
        if was_up:
            self.keeper.ended(self, reason)

    def _unanswered(self, reason: ExitReason) -> Exception:
        if isinstance(reason, Crashed):
            crashed = ActorCrashed(self.mailbox.path, self.incarnation)
            crashed.__cause__ = reason.exception
            return crashed
        return ActorStopped(self.mailbox.path, reason)

    # -- waiting for it

    def _tell_change(self) -> None:
        if (waiter := self._waiter) is not None:
            self._waiter = None
            reschedule(waiter)

    async def _change(self) -> None:
        """Wait until it is up, or has ended. Only its supervisor does, which meanwhile answers nobody (`AskCycle`)."""
        self._waiter = current_task()
        self._waiter.custom_sleep_data = self
        await wait_task_rescheduled(self._abort_change)

    def _abort_change(self, _: RaiseCancelT) -> Abort:
        self._waiter = None
        return Abort.SUCCEEDED


@asynccontextmanager
async def _in_nursery(context: Context, made: Any) -> AsyncIterator[Actor]:
    """Give an actor its nursery: around its init and its clean-up, if it has them."""
    async with trio.open_nursery() as context.helpers:
        if hasattr(made, "__aenter__"):
            async with made as actor:
                yield actor
        else:
            yield made
        context.helpers.cancel_scope.cancel()


async def take_down_together(children: Sequence[Child], shutdown: ShutdownTime) -> None:
    """Stop many children at once, with one time for all of them (R105), and wait for the last of them."""
    patience = 0.0
    running = [child for child in children if child.running]
    for child in running:
        patience = child.tell_to_stop(shutdown)
    if not await _all_ended(running, within=patience):
        for child in running:
            child.kill(Killed())
        for more in OVERDUE:
            if await _all_ended(running, within=more):
                break
            for child in running:
                child.report_overdue()
        await _all_ended(running, within=math.inf)
    for child in children:
        child.dismiss()


async def _all_ended(children: Sequence[Child], within: float) -> bool:
    with trio.move_on_after(within):
        for child in children:
            await child.wait_ended()
    return not any(child.running for child in children)
