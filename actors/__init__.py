"""The actor model on Trio: mailboxes, addresses that outlive crashes, and supervision as OTP has it."""

from actors.actor import Actor
from actors.context import Context, Timer, context
from actors.debug import Trace, Traced, get_state, replace_state, resume, suspend, trace
from actors.errors import (
    ActorCrashed,
    ActorError,
    ActorStopped,
    AskCycle,
    ChildRefused,
    MailboxFull,
    NameTaken,
    Refusal,
    ReplyDropped,
    SpecError,
    SupervisorExit,
    UnhandledMessage,
)
from actors.exits import Crashed, ExitReason, Gone, Killed, Normal, Shutdown, StartFailed
from actors.inspect import ChildExited, ChildStarted, ChildStopped, ChildStuck, Node, TellsDropped, TreeEvent
from actors.mailbox import MailboxStatistics, Overflow
from actors.message import Ask, Tell
from actors.names import Names
from actors.ref import Ref, withdraw
from actors.reply import Reply
from actors.supervision.backoff import Backoff
from actors.supervision.requests import ChildCount, SupervisorRef
from actors.supervision.spec import BRUTAL_KILL, IGNORE, ChildSpec, Spec, SupervisorSpec
from actors.supervision.strategy import AutoShutdown, Restart, Strategy, Verdict
from actors.supervision.window import RestartWindow
from actors.system import System, open_system
from actors.watch import Down, Exit, Watch

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
    "ChildCount",
    "ChildExited",
    "ChildRefused",
    "ChildSpec",
    "ChildStarted",
    "ChildStopped",
    "ChildStuck",
    "Context",
    "Crashed",
    "Down",
    "Exit",
    "ExitReason",
    "Gone",
    "Killed",
    "MailboxFull",
    "MailboxStatistics",
    "NameTaken",
    "Names",
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
    "TellsDropped",
    "Timer",
    "Trace",
    "Traced",
    "TreeEvent",
    "UnhandledMessage",
    "Verdict",
    "Watch",
    "context",
    "get_state",
    "open_system",
    "replace_state",
    "resume",
    "suspend",
    "trace",
    "withdraw",
]
