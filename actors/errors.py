"""What an asker, a teller or the owner of a system can meet. Each error carries fields, and says what happened."""

from __future__ import annotations

from typing import final

from attrs import define

from actors.exits import ExitReason


class ActorError(Exception):
    """Any error of this package that tells something about an actor."""


class Refusal(Exception):
    """Raise it in a handler to answer the asker with this error and live on (K7); derive your own from it.

    In answer to a tell it has nobody to go to and is dropped.
    """


@final
@define(eq=False, repr=False)
class ActorCrashed(ActorError):
    """The actor crashed with *this* message in hand, or owing its answer; its exception is the ``__cause__``.

    Messages that were still queued never get this: they wait for the next incarnation.
    """

    actor: str
    incarnation: int

    def __str__(self) -> str:
        cause = self.__cause__
        why = f": {type(cause).__name__}: {cause}" if cause is not None else ""
        return f"actor {self.actor!r} crashed while it worked on this message{why}"


@final
@define(eq=False, repr=False)
class ActorStopped(ActorError):
    """The actor was ended (for good, by a kill, or with its group) before it answered.

    Already gone and ended meanwhile look alike. An actor that crashed with *your* message in hand raises
    :class:`ActorCrashed` instead.
    """

    actor: str
    reason: ExitReason | None = None

    def __str__(self) -> str:
        why = f" ({self.reason})" if self.reason is not None else ""
        return f"actor {self.actor!r} has stopped{why}"


@final
@define(eq=False, repr=False)
class MailboxFull(ActorError):
    """The work lane is at its capacity: the message was refused, or shed to make room for a newer one."""

    actor: str
    capacity: int

    def __str__(self) -> str:
        return f"the mailbox of actor {self.actor!r} is full ({self.capacity} messages); use send() to wait for room"


@final
@define(eq=False, repr=False)
class AskCycle(ActorError):
    """The ask would wait for itself: ``ring`` names the actors, from the asker round to the asker."""

    ring: tuple[str, ...]

    def __str__(self) -> str:
        return f"this ask can never be answered: {' asks '.join(self.ring)}; answer one of them with defer()"


@final
@define(eq=False, repr=False)
class UnhandledMessage(ActorError):
    """Raise it for a message that an actor does not know: the last case of its ``match``. It crashes, by name."""

    message: object

    def __str__(self) -> str:
        return f"this actor does not know the message {type(self.message).__name__}"


@final
@define(eq=False, repr=False)
class NameTaken(ActorError):
    """The name points at another living actor (R135)."""

    name: str
    holder: str

    def __str__(self) -> str:
        return f"the name {self.name!r} is taken by actor {self.holder!r}"


@final
@define(eq=False, repr=False)
class ReplyDropped(ActorError):
    """The actor deferred its answer and then lost the :class:`~actors.Reply`: nobody can answer any more."""

    actor: str

    def __str__(self) -> str:
        return f"actor {self.actor!r} deferred its answer and dropped it"


@final
@define(eq=False, repr=False)
class SupervisorExit(ActorError):
    """The root supervisor gave up: a child spent its restart window. The last crash is the ``__cause__``."""

    supervisor: str
    reason: ExitReason

    def __str__(self) -> str:
        cause = self.__cause__
        last = f"; last crash: {type(cause).__name__}: {cause}" if cause is not None else ""
        return f"supervisor {self.supervisor!r} gave up ({self.reason}){last}"


@final
@define(eq=False, repr=False)
class ChildRefused(ActorError, Refusal):
    """A supervisor did not do what was asked of a child. ``why`` is OTP's word for it (R70-R73).

    ``already_started``, ``already_present``, ``running``, ``restarting``, ``not_found``, ``start_failed``,
    ``max_children``, ``dynamic`` (not of a dynamic supervisor's child), ``not_dynamic`` (there is no template),
    ``bad_spec`` (R4). ``reason`` says why a start failed, or what is wrong with the spec.
    """

    supervisor: str
    child: str
    why: str
    reason: ExitReason | SpecError | None = None

    def __str__(self) -> str:
        detail = f" ({self.reason})" if self.reason is not None else ""
        return f"supervisor {self.supervisor!r}, child {self.child!r}: {self.why.replace('_', ' ')}{detail}"


@final
@define(eq=False, repr=False)
class SpecError(ValueError):
    """A child spec or a supervisor's flags do not make sense; nothing was started (R1-R6).

    ``of`` says whose, ``field`` and ``value`` what is wrong with it.
    """

    of: str
    field: str
    value: object
    expected: str

    def __str__(self) -> str:
        return f"{self.of}: {self.field} {self.expected}, not {self.value!r}"
