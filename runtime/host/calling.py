"""Calls on their way from the caller to a server's actor: a deadline over all of it, the cache, and what may befall."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, TypeVar, final

import msgspec
import trio
from attrs import define, field
from msgspec import Raw

import runtime.protocol as protocol
from actors import ActorCrashed, ActorStopped, MailboxFull
from runtime.cache import Lookup, Store, cache_key, time_to_live
from runtime.call import Call
from runtime.deadlines import DeadlinePassed, Deadlines
from runtime.errors import (
    CallInterrupted,
    CallRefused,
    CallTimedOut,
    InvalidAnswer,
    InvalidArguments,
    Sent,
    ToolNotFound,
    counted,
)
from runtime.host.house import House, why_down
from runtime.servers import CONNECTED, DOWN, Record, State

if TYPE_CHECKING:
    from runtime.call import ProgressCallback
    from runtime.protocol import CallToolResult

T = TypeVar("T")

_encode = msgspec.json.Encoder().encode


@final
@define(eq=False, repr=False)
class Calls:
    """Carries calls. Each ends in an answer or in a named error, at its deadline at the latest."""

    _house: House
    deadlines: Deadlines = field(factory=Deadlines, init=False)

    async def call_tool(
        self,
        server: str,
        tool: str,
        arguments: Mapping[str, Any] | None,
        timeout: float | None,
        progress: ProgressCallback | None,
    ) -> CallToolResult:
        """Do what `Runtime.call` promises."""
        record = self._house.known(server)
        if not isinstance(tool, str):
            raise ToolNotFound(server, str(tool), tuple(record.tools))
        if progress is not None:
            _check_progress(progress)
        encoded = _encoded(server, tool, arguments)
        call = Call(server, "tools/call", tool, {"name": tool, "arguments": encoded}, progress)
        ttl = time_to_live(record.spec.cache, tool)
        key = cache_key(encoded) if ttl else None
        answer = await self._carry(record, call, timeout, key)
        result = _typed(protocol.CallToolResult, call, answer)
        if key is not None and call.sent_to and not result.is_error:
            self._house.cache.tell(Store(server, call.sent_to, tool, key, answer, ttl))
        return result

    async def _remembered(self, record: Record, tool: str, key: str) -> Raw | None:
        if record.state is not State.READY:
            return None  # what it said before it went down may not be so any more (S3)
        try:
            return await self._house.cache.ask(Lookup(record.name, record.incarnation, tool, key))
        except (ActorCrashed, ActorStopped):
            return None  # a cache that has trouble is no trouble of its user

    async def _carry(self, record: Record, call: Call, timeout: float | None, key: str | None) -> Raw:
        seconds = record.spec.timeout if timeout is None else _seconds(timeout)
        deadline = trio.current_time() + seconds
        limit = self.deadlines.limit(deadline)
        try:
            if key is not None and (remembered := await self._remembered(record, call.name, key)) is not None:
                return remembered
            while trio.current_time() < deadline:
                if record.state in DOWN:
                    raise why_down(record)
                ref = record.ref
                try:
                    if ref is not None:
                        return await ref.ask(call)
                except MailboxFull as error:
                    waiting = counted(int(error.capacity), "call") + (" waits" if error.capacity == 1 else " wait")
                    reason = f"{waiting} for this server already; try again later"
                    raise CallRefused(call.server, call.name, Sent.NOT_SENT, reason, verb=call.verb) from None
                except ActorCrashed as error:
                    raise CallInterrupted(call.server, call.name, call.sent, verb=call.verb) from error.__cause__
                except CallInterrupted as error:
                    if error.sent is not Sent.NOT_SENT:
                        raise
                    continue  # its server is about to be seen dead, and holds its calls from now on
                except ActorStopped:
                    if call.sent is not Sent.NOT_SENT:
                        raise CallInterrupted(call.server, call.name, call.sent, verb=call.verb) from None
                # It waited in a mailbox that has ended. What was stopped or ejected is told above, once that is
                # settled; after a reload the server has another address.
                with trio.move_on_at(deadline):
                    await record.wait(lambda now, gone=ref: now.ref is not gone or now.state in DOWN)  # type: ignore[misc]
            raise DeadlinePassed
        except DeadlinePassed:
            cause = None if record.state in CONNECTED else record.last_error
            state = record.state.value
            raise CallTimedOut(call.server, call.name, call.sent, seconds, state, verb=call.verb) from cause
        finally:
            self.deadlines.lift(limit)


def _typed(kind: type[T], call: Call, answer: Raw) -> T:
    try:
        return protocol.result_from_wire(kind, answer)
    except protocol.WireError as error:
        raise InvalidAnswer(call.server, call.name, Sent.UNKNOWN, str(error), verb=call.verb) from error


def _check_progress(progress: object) -> None:
    if not callable(progress) or iscoroutinefunction(progress) or iscoroutinefunction(type(progress).__call__):
        raise TypeError(f"progress must be a plain function, for it is called and not awaited; got {progress!r:.200}")


def _seconds(timeout: object) -> float:
    if isinstance(timeout, bool) or not isinstance(timeout, int | float):
        raise TypeError(f"timeout must be a number of seconds; got {timeout!r:.80}")
    if not timeout >= 0:  # NaN is neither
        raise ValueError(f"timeout must be 0 seconds or more; got {timeout!r}")
    return timeout


def _encoded(server: str, tool: str, arguments: Mapping[str, Any] | None) -> Raw:
    if arguments is None:
        return Raw(b"{}")
    if not isinstance(arguments, Mapping):
        raise InvalidArguments(server, tool, f"got {type(arguments).__name__}: {arguments!r:.80}")
    try:
        return Raw(_encode(arguments if type(arguments) is dict else dict(arguments)))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidArguments(server, tool, str(error)) from error
