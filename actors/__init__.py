"""The actor model on Trio: mailboxes, addresses that outlive crashes, and supervision as OTP has it."""

from actors.actor import Actor, Context, Reply, context
from actors.errors import (
    ActorCrashed,
    ActorError,
    ActorStopped,
    AskCycle,
    ChildRefused,
    MailboxFull,
    Refusal,
    ReplyDropped,
    SpecError,
    SupervisorExit,
)
from actors.exits import Crashed, ExitReason, Killed, Normal, Shutdown, StartFailed
from actors.inspect import ChildExited, ChildStarted, Node, TreeEvent
from actors.mailbox import MailboxStatistics, Overflow
from actors.message import Ask, Tell
from actors.ref import Ref
from actors.supervision.backoff import Backoff
from actors.supervision.spec import BRUTAL_KILL, IGNORE, ChildSpec, Spec, SupervisorSpec
from actors.supervision.strategy import AutoShutdown, Restart, Strategy, Verdict
from actors.supervision.window import RestartWindow
from actors.system import SupervisorRef, System, open_system

__all__ = [
    "BRUTAL_KILL",
    "IGNORE",
    "Actor",
    "ActorCrashed",
    "ActorError",
    "ActorStopped",
    "Ask",
    "AskCycle",
    "AutoShutdown",
    "Backoff",
    "ChildExited",
    "ChildRefused",
    "ChildSpec",
    "ChildStarted",
    "Context",
    "Crashed",
    "ExitReason",
    "Killed",
    "MailboxFull",
    "MailboxStatistics",
    "Node",
    "Normal",
    "Overflow",
    "Ref",
    "Refusal",
    "Reply",
    "ReplyDropped",
    "Restart",
    "RestartWindow",
    "Shutdown",
    "Spec",
    "SpecError",
    "StartFailed",
    "Strategy",
    "SupervisorExit",
    "SupervisorRef",
    "SupervisorSpec",
    "System",
    "Tell",
    "TreeEvent",
    "Verdict",
    "context",
    "open_system",
]
