"""What a user of the runtime can meet. Each error says what happened, where, and what to do; its fields say it to code.

A server's own answer "that went wrong" is no exception: a tool that fails returns a result with ``is_error``. These are
for what the runtime, or the way to the server, could not do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, ClassVar, final

from attrs import define, field, fields, has

from actors import Refusal

if TYPE_CHECKING:
    from runtime.protocol import Era, JsonRpcError

_STDERR_SHOWN = 5
_HTTP_STATUSES = range(300, 600)
_STDERR_FOLLOWS = "; the last lines of its stderr:"


class Sent(Enum):
    """What is known of a call that did not bring an answer (S4)."""

    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"

    def __str__(self) -> str:
        return "it was not sent" if self is Sent.NOT_SENT else "it was sent, and may have run"


class GreenroomError(Exception):
    """Any error of the runtime."""


def in_short(error: BaseException) -> str:
    """Say in one line, and without the server's name where that is an error's own field, what an error is."""
    told = getattr(error, "what", None) or f"{type(error).__name__}: {error}"
    return str(told).partition("\n")[0]


def counted(number: int, thing: str) -> str:
    """Say how many there are of something, as ``1 tool`` or ``2 tools``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


# -- naming something that is not there, or wrongly


@final
@define(repr=False)
class ServerNotFound(GreenroomError):
    """No server of that name is configured. One that is configured and down raises something else."""

    server: str
    known: Sequence[str]

    def __str__(self) -> str:
        return f"no server {self.server!r}{_among('servers', self.server, self.known)}"


@final
@define(repr=False)
class ToolNotFound(GreenroomError, Refusal):
    """The server is there, and does not list that tool."""

    server: str
    tool: str
    known: Sequence[str]

    def __str__(self) -> str:
        return f"server {self.server!r} has no tool {self.tool!r}{_among('tools', self.tool, self.known)}"


@final
@define(repr=False)
class InvalidArguments(GreenroomError):
    """The arguments are no JSON object. Whether they suit the tool's schema is the server's to say."""

    server: str
    name: str
    reason: str
    verb: str = field(default="call", kw_only=True)

    def __str__(self) -> str:
        return f"{self.verb} {self.server}/{self.name}: arguments must be a JSON object: {self.reason}"


def _among(kind: str, name: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches  # only a mistake needs it

    if close := get_close_matches(name, known, n=1):
        return f"; did you mean {close[0]!r}?"
    return f"; there are these {kind}: {', '.join(sorted(known))}" if known else f"; there are no {kind}"


# -- a server that fails


@define(repr=False)
class ServerFailed(GreenroomError):
    """A server is of no use as it is; its supervisor decides what next. ``stderr`` holds its last lines (S7).

    A ``lasting`` one is not tried again by itself: it would fail of the same, until somebody mends something.
    """

    lasting: ClassVar[bool] = False
    server: str
    stderr: Sequence[str]

    @property
    def what(self) -> str:
        """What happened, without the server's name, its stderr and what to do about it."""
        raise TypeError("ServerFailed is a family, not an error")

    @property
    def remedy(self) -> str:
        """What to do about it; empty where it has its own way of saying so, or its restart is the remedy."""
        return ""

    def __str__(self) -> str:
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"server {self.server!r} {self.what}{remedy}{_last_lines(self.stderr)}"


def _last_lines(stderr: Sequence[str]) -> str:
    if not stderr:
        return ""
    shown = "".join(f"\n  | {line}" for line in stderr[-_STDERR_SHOWN:])
    return f"{_STDERR_FOLLOWS}{shown}"


class StartFailed(ServerFailed):
    """It did not become ready."""


@final
@define(repr=False)
class CommandNotFound(StartFailed):
    """There is no process, or no object, to speak to: the command or the module is missing or unusable."""

    lasting = True
    command: str
    reason: str

    @property
    def what(self) -> str:
        return f"cannot be started: {self.command!r}: {self.reason}"

    @property
    def remedy(self) -> str:
        return f"correct its configuration, or install what it names; then reload({self.server!r})"


@final
@define(repr=False)
class StartTimedOut(StartFailed):
    """It said nothing useful for the whole ``start_timeout``. ``waiting_for`` is the answer that did not come."""

    seconds: float
    waiting_for: str

    @property
    def what(self) -> str:
        return f"was not ready after {self.seconds:g} s: no answer to {self.waiting_for}"

    @property
    def remedy(self) -> str:
        return "if it only needs longer, raise its start_timeout"


@final
@define(repr=False)
class HandshakeRefused(StartFailed):
    """It answered the handshake, or the question for its tools, with something that nothing can come of."""

    reason: str

    @property
    def what(self) -> str:
        return f"did not come through the handshake: {self.reason}"


@final
@define(repr=False)
class RequiredToolsMissing(StartFailed):
    """It is up, and does not list what ``required_tools`` demands."""

    missing: Sequence[str]

    @property
    def what(self) -> str:
        return f"does not list the tools that its required_tools demand: {', '.join(self.missing)}"

    @property
    def remedy(self) -> str:
        return "correct required_tools, or take a version of the server that has them"


@final
@define(repr=False)
class NotSupported(StartFailed):
    """The configuration asks for something that this version cannot do; the server is not started."""

    lasting = True
    feature: str

    @property
    def what(self) -> str:
        return f"is not started: {self.feature} is not supported"


@final
@define(repr=False)
class PortTaken(StartFailed):
    """The port of an HTTP server of ours cannot be had: somebody else, who was left alone, listens there."""

    reason: str
    way_out: str

    @property
    def what(self) -> str:
        return f"has no port to listen at: {self.reason}"

    @property
    def remedy(self) -> str:
        return self.way_out


@final
@define(repr=False)
class ServerUnreachable(StartFailed):
    """Nobody answers at its URL: the name is unknown, the connection refused, TLS failed."""

    where: str
    reason: str

    @property
    def what(self) -> str:
        return f"cannot be reached at {self.where}: {self.reason}"


@final
@define(repr=False)
class NotAuthorized(ServerFailed):
    """It wants (other) credentials: HTTP 401 or 403. ``challenge`` is what its ``WWW-Authenticate`` says."""

    lasting = True
    status: int
    challenge: str | None

    @property
    def what(self) -> str:
        asks = f", and asks for {self.challenge[:200]}" if self.challenge else ""
        return f"does not let us in: HTTP {self.status}{asks}"

    @property
    def remedy(self) -> str:
        return (
            "give it what it asks for in its headers, such as "
            f'"headers": {{"Authorization": "Bearer ${{TOKEN}}"}}; then reload({self.server!r})'
        )


@final
@define(repr=False)
class ConnectionLost(ServerFailed):
    """The connection to it broke. Its process, where it is ours, may live on, and is ended with the connection."""

    reason: str

    @property
    def what(self) -> str:
        return f"is cut off: {self.reason}"


@final
@define(repr=False)
class ServerExited(ServerFailed):
    """Its process ended, or it closed the connection, while it was wanted. ``when`` says in which of its states."""

    how: str
    when: str

    @property
    def what(self) -> str:
        return f"{self.how} while it was {self.when}"


@final
@define(repr=False)
class ServerUnresponsive(ServerFailed):
    """It was idle and answered none of ``misses`` probes in a row, each within ``seconds``."""

    misses: int
    seconds: float

    @property
    def what(self) -> str:
        return f"no longer answers: {counted(self.misses, 'probe')} in a row, {self.seconds:g} s each"


@final
@define(repr=False)
class StdoutNoise(ServerFailed):
    """It writes to stdout what is no MCP message, and nothing that is, or too much of it. ``samples``: some of it."""

    reason: str
    samples: Sequence[str]

    @property
    def what(self) -> str:
        sample = f", for example {self.samples[-1]!r}" if self.samples else ""
        return f"writes something else than MCP to stdout ({self.reason}{sample})"

    @property
    def remedy(self) -> str:
        return "is this an MCP server? Its messages alone belong there, its log on stderr"


@final
@define(repr=False)
class ServerEjected(GreenroomError):
    """The server spent its restart window and is left alone. ``last_error`` is what it failed of last."""

    server: str
    restarts: int
    period: float
    last_error: BaseException | None

    def __str__(self) -> str:
        why = f". It failed last of this: {self.last_error}" if self.last_error is not None else ""
        budget = f"{counted(self.restarts, 'restart')} in {self.period:g} s"
        return (
            f"server {self.server!r} is ejected: it needed more than {budget}; "
            f"reload({self.server!r}) tries again with a fresh budget{why}"
        )


@final
@define(repr=False)
class ServerStopped(GreenroomError):
    """The server is not running because somebody stopped it, or because it ended and is not to be restarted.

    ``gone``: it was taken out of the configuration meanwhile, so that its name leads nowhere now.
    """

    server: str
    gone: bool = False

    def __str__(self) -> str:
        if self.gone:
            return f"server {self.server!r} is stopped: it is not in the configuration any more"
        return f"server {self.server!r} is stopped; reload({self.server!r}) starts it again"


@final
@define(repr=False)
class ServersNotReady(GreenroomError):
    """Required servers are not ready: the runtime did not open. ``causes`` says why, for each of them."""

    causes: Mapping[str, BaseException | None]

    def __str__(self) -> str:
        told = [str(cause or f"server {name!r} is not ready yet") for name, cause in self.causes.items()]
        return f"required servers are not ready: {'; '.join(told)}"


@final
@define(repr=False)
class RuntimeClosed(GreenroomError):
    """The block of `open_runtime` has been left."""

    def __str__(self) -> str:
        return "this runtime is closed; its servers are stopped. Call it inside the block of open_runtime"


@final
@define(repr=False)
class RuntimeFailed(GreenroomError):
    """The root of the tree gave up. The last crash is the ``__cause__``."""

    reason: str

    def __str__(self) -> str:
        return f"the runtime gave up: {self.reason}"


# -- a call that brings no answer


@define(repr=False)
class CallFailed(GreenroomError, Refusal):
    """A call that brought no result. ``sent`` says whether the server may have run it (S4).

    ``name`` is what was called, read or asked for: the tool, the URI, the prompt; ``verb`` says which of these. A
    refusal in the kernel's sense: the server's actor answers with it and lives on.
    """

    server: str
    name: str
    sent: Sent
    verb: str = field(default="call", kw_only=True)

    @property
    def what(self) -> str:
        """What happened, without the name of the call."""
        raise TypeError("CallFailed is a family, not an error")

    def __str__(self) -> str:
        return f"{self.verb} {self.server}/{self.name}: {self.what}"


@final
@define(repr=False)
class CallInterrupted(CallFailed):
    """The server's incarnation ended before it answered. The failure is the ``__cause__``, where there was one."""

    @property
    def what(self) -> str:
        why = f": {self.__cause__}" if self.__cause__ is not None else ""
        return f"interrupted, {self.sent}{why}"


@final
@define(repr=False)
class CallTimedOut(CallFailed):
    """No answer within ``seconds``; the server, which was then in ``state``, is told that nobody waits any more.

    Its last failure is the ``__cause__``, where it was not ready.
    """

    seconds: float
    state: str

    @property
    def what(self) -> str:
        why = f". It failed last of this: {self.__cause__}" if self.__cause__ is not None else ""
        return f"no answer after {self.seconds:g} s, {self.sent}; the server is {self.state.replace('_', ' ')}{why}"


@final
@define(repr=False)
class CallRefused(CallFailed):
    """Not sent, and not going to be: ``reason`` says why."""

    reason: str

    @property
    def what(self) -> str:
        return f"refused: {self.reason}"


@final
@define(repr=False)
class ServerError(CallFailed):
    """The server answered, with a JSON-RPC error; that is an answer, and costs it nothing (S6)."""

    error: JsonRpcError

    @property
    def what(self) -> str:
        if self.error.code in _HTTP_STATUSES:
            return f"the server answered with HTTP {self.error.code}: {self.error.message}"
        return f"the server answered with error {self.error.code}: {self.error.message}"


@final
@define(repr=False)
class InvalidAnswer(CallFailed):
    """The server's answer is not what MCP says a result looks like."""

    reason: str

    @property
    def what(self) -> str:
        return f"the server's answer is no result: {self.reason}"


@final
@define(repr=False)
class InputUnanswered(CallFailed):
    """The server wanted to know more, or did the work as a task, and nothing came of it: ``reason`` says why."""

    reason: str

    @property
    def what(self) -> str:
        return f"the server did not come to an answer: {self.reason}"


@final
@define(repr=False)
class Declined(GreenroomError):
    """Raised by a handler of the program's own: what a server asks for is not going to be answered."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@final
@define(repr=False)
class NameTaken(GreenroomError):
    """There is a server of that name already."""

    server: str

    def __str__(self) -> str:
        return f"there is a server {self.server!r} already; choose another name, or stop and reload that one"


@final
@define(repr=False)
class PlanOutdated(GreenroomError):
    """A plan was to be applied that was made for other servers than run now. Nothing of it was done."""

    def __str__(self) -> str:
        return "the plan is out of date: what runs has changed since it was made; make a new one"


@final
@define(repr=False)
class SpawnRefused(GreenroomError):
    """The server is not to be added, by the rule of the program's own: ``reason`` says which."""

    server: str
    reason: str

    def __str__(self) -> str:
        return f"spawn {self.server}: refused: {self.reason}"


# -- what a JSON-RPC peer is told (P4)

_CODES: Mapping[type[BaseException], int] = {
    ServerNotFound: -32602,
    ToolNotFound: -32602,
    InvalidArguments: -32602,
    # Our own, outside of what JSON-RPC reserves (-32768 to -32000).
    CallInterrupted: -31001,
    CallTimedOut: -31002,
    CallRefused: -31003,
    InvalidAnswer: -31004,
    InputUnanswered: -31009,
    ServerStopped: -31005,
    ServerEjected: -31006,
    ServerFailed: -31007,
    RuntimeClosed: -31008,
}


def json_rpc_error(error: BaseException, era: Era | None) -> JsonRpcError:
    """Say an exception to a JSON-RPC peer that speaks ``era``; None is one that has not said yet.

    An answer of a server behind us stays what it is. An error of the runtime is told with its class and its simple
    fields as ``data``, so that a program need not read the message. Anything else is told as an internal error and
    nothing more, for its text may say what is nobody's business.
    """
    from runtime.protocol import Era, JsonRpcError, MissingCapability, codes

    match error:
        case ServerError():
            return error.error
        case MissingCapability() if era is Era.LEGACY:
            return JsonRpcError(codes.INVALID_REQUEST, str(error))
        case MissingCapability():
            data = {"requiredCapabilities": error.required}
            return JsonRpcError(codes.MISSING_CLIENT_CAPABILITY, str(error), data)
        case GreenroomError():
            found = (code for cls in type(error).__mro__ if (code := _CODES.get(cls)) is not None)
            message = str(error).partition("\n")[0].removesuffix(_STDERR_FOLLOWS)  # its stderr is not theirs to read
            return JsonRpcError(next(found, codes.INTERNAL_ERROR), message, _told(error))
        case _:
            return JsonRpcError(codes.INTERNAL_ERROR, "Internal error")


def _told(error: GreenroomError) -> dict[str, str | int | float]:
    told: dict[str, str | int | float] = {"error": type(error).__name__}
    cls: type = type(error)
    for each in fields(cls) if has(cls) else ():
        value = getattr(error, each.name)
        if isinstance(value, Enum):
            value = value.value
        if isinstance(value, str | int | float):
            told[each.name] = value
    return told
