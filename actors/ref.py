"""The address of an actor: what everybody else holds of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, final

import trio
from outcome import Error
from trio.lowlevel import Task, checkpoint, checkpoint_if_cancelled, current_task, reschedule, wait_task_rescheduled

from actors.errors import AskCycle
from actors.exits import ExitReason, Killed, Normal
from actors.mailbox import Envelope, Mailbox, MailboxStatistics, Stop
from actors.message import Ask, Route, Tell

if TYPE_CHECKING:
    from actors.supervision.child import Child

R = TypeVar("R")

ASK, TELL = Route.ASK, Route.TELL  # looked up once: these two are met on every send


@final
class Ref:
    """The address of one child of one running supervisor. It outlives that child's crashes: same address, same mailbox,
    next incarnation (K3). It ends when the child is deleted or its supervisor ends.
    """

    __slots__ = ("__weakref__", "_child", "_mailbox")

    def __init__(self, mailbox: Mailbox, child: Child) -> None:
        self._mailbox = mailbox
        self._child = child

    def __repr__(self) -> str:
        return f"<Ref {self.path!r} incarnation {self.incarnation}>"

    @property
    def path(self) -> str:
        """The names from below the root down to it, joined by ``/``."""
        return self._mailbox.path

    @property
    def incarnation(self) -> int:
        """How many times it has been started; 0 before the first."""
        return self._child.incarnation

    @property
    def alive(self) -> bool:
        """Whether messages reach it, now or once it is restarted."""
        return self._mailbox.closed_by is None

    @trio.lowlevel.enable_ki_protection
    async def ask(self, message: Ask[R]) -> R:
        """Send ``message`` and wait for the answer. Cancelling takes the message back (K6).

        Every ask ends: in the reply, in the `Refusal` that the actor raised, in `ActorCrashed`, `ActorStopped`,
        `MailboxFull`, `AskCycle`, `ReplyDropped`, or in the asker's own cancellation (K4).
        """
        mailbox = self._mailbox
        task = current_task()
        envelope = Envelope(message, task, mailbox)
        if mailbox.idle and message.route is ASK:  # so its lane is empty, and it waits for nobody
            mailbox.queue.append(envelope)
            mailbox.idle = False
            reschedule(mailbox.task)  # type: ignore[arg-type]  # idle: it has one
        else:
            busy = mailbox.task
            if busy is not None and (busy is task or busy.custom_sleep_data is not None):
                _refuse_a_ring(task, mailbox)
            if message.route is ASK and 0 < len(mailbox.queue) < mailbox.limit:
                mailbox.queue.append(envelope)
            else:
                await checkpoint_if_cancelled()
                mailbox.post(envelope, message.route)
        task.custom_sleep_data = envelope  # how a ring of asks is found; Trio clears it at the wake-up
        return await wait_task_rescheduled(envelope.abort)  # type: ignore[no-any-return]

    @trio.lowlevel.enable_ki_protection
    def tell(self, message: Tell) -> None:
        """Send ``message`` and go on. To an actor that is gone it is silently lost (R130).

        Raises `MailboxFull` where the lane is full and its policy is to refuse.
        """
        mailbox = self._mailbox
        if message.route is TELL and 0 < len(mailbox.queue) < mailbox.limit:
            mailbox.queue.append(message)  # and who serves it is awake
        elif mailbox.closed_by is None:
            mailbox.post(message, message.route)

    @trio.lowlevel.enable_ki_protection
    async def send(self, message: Tell) -> None:
        """Send ``message`` as :meth:`tell` does, but wait for room in a full lane."""
        if message.route is Route.TELL:
            await self._mailbox.put_when_room(message)
        else:
            self.tell(message)
            await checkpoint()

    @trio.lowlevel.enable_ki_protection
    def stop(self, reason: ExitReason | None = None, *, now: bool = False) -> None:
        """Ask it to end: after the messages queued before this, or ``now``, after the one in hand.

        ``reason`` is by default normal. Its supervisor then acts by restart type: a permanent child comes back.
        """
        mailbox = self._mailbox
        if mailbox.closed_by is None:
            stop = Stop(reason if reason is not None else Normal())
            if now:
                mailbox.put_control(stop)
            else:
                mailbox.stops += 1
                mailbox.attention = True
                mailbox.queue.append(stop)
                if mailbox.idle:
                    mailbox.wake()

    @trio.lowlevel.enable_ki_protection
    def kill(self) -> None:
        """End its incarnation without asking it; its clean-up runs cancelled. Nothing, where it is not running."""
        self._child.kill(Killed())

    def statistics(self) -> MailboxStatistics:
        """Return a snapshot of its mailbox."""
        return self._mailbox.statistics()


def _refuse_a_ring(asker: Task, mailbox: Mailbox) -> None:
    """Raise `AskCycle` if an ask of ``asker`` to ``mailbox`` would close a ring.

    Follows who waits for whom. A deferred answer breaks the ring: its actor is free to go on.
    """
    names: list[str] = []
    at: Any = mailbox
    while at.task is not asker:
        names.append(at.path)
        # An asker sleeps on its envelope, a supervisor that starts or stops a child on the child.
        waits_for = at.task.custom_sleep_data if at.task is not None else None
        at = getattr(waits_for, "mailbox", None)
        if at is None or (at.owed and waits_for in at.owed):
            return
    raise AskCycle((at.path, *names, at.path))


@trio.lowlevel.enable_ki_protection
def withdraw(asker: Task, error: Exception) -> bool:
    """Take back the ask that a task waits in, as its cancellation would (K6), and let it raise ``error`` there.

    False, and nothing is done, where the task waits for anything else or has its answer already.
    """
    envelope = asker.custom_sleep_data
    if not isinstance(envelope, Envelope) or envelope.task is not asker:
        return False
    envelope.task = None
    envelope.mailbox.forsake(envelope)
    reschedule(asker, Error(error))
    return True


__all__ = ["Ref", "withdraw"]
