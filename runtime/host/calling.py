"""Calls on their way from the caller to a server's actor: a deadline over all of it, the cache, and what may befall."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
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
from runtime.servers import CONNECTED, DOWN, Changes, Record, State, Unsubscribe

if TYPE_CHECKING:
    from runtime.call import ProgressCallback
    from runtime.protocol import (
        CallToolResult,
        Completion,
        CompletionReference,
        GetPromptResult,
        LoggingLevel,
        ReadResourceResult,
    )

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
        caller: str | None,
    ) -> CallToolResult:
        """Do what `Runtime.call` promises."""
        admission = self._house.admission
        record = self._house.known(server, caller)
        if not isinstance(tool, str):
            raise ToolNotFound(server, str(tool), admission.tools(record, caller))
        params: dict[str, Any] = {"name": tool}
        call = Call(server, "tools/call", tool, params, _checked(progress) if progress is not None else None, caller)
        admission.admit(record, call)
        params["arguments"] = encoded = _encoded(server, tool, arguments)
        ttl = time_to_live(record.spec.cache, tool)
        key = cache_key(encoded) if ttl else None
        try:
            answer = await self._carry(record, call, timeout, key)
        except ToolNotFound as error:
            error.known = admission.tools(record, caller)
            raise
        result = _typed(protocol.CallToolResult, call, answer)
        if key is not None and call.sent_to and not result.is_error:
            self._house.cache.tell(Store(server, call.sent_to, tool, key, answer, ttl))
        return result

    async def read_resource(
        self, server: str, uri: str, timeout: float | None, progress: ProgressCallback | None, caller: str | None
    ) -> ReadResourceResult:
        """Do what `Runtime.read_resource` promises."""
        record = self._house.known(server, caller)
        call = Call(server, "resources/read", _text("uri", uri), {"uri": uri}, _checked(progress), caller)
        self._house.admission.admit(record, call)
        return _typed(protocol.ReadResourceResult, call, await self._carry(record, call, timeout))

    async def get_prompt(
        self,
        server: str,
        name: str,
        arguments: Mapping[str, str] | None,
        timeout: float | None,
        progress: ProgressCallback | None,
        caller: str | None,
    ) -> GetPromptResult:
        """Do what `Runtime.get_prompt` promises."""
        record = self._house.known(server, caller)
        params: dict[str, Any] = {"name": _text("name", name)}
        call = Call(server, "prompts/get", name, params, _checked(progress), caller)
        self._house.admission.admit(record, call)
        if arguments is not None:
            if not isinstance(arguments, Mapping) or not all(isinstance(each, str) for each in arguments.values()):
                raise InvalidArguments(server, name, "of strings, for a prompt", verb="get prompt")
            params["arguments"] = dict(arguments)
        return _typed(protocol.GetPromptResult, call, await self._carry(record, call, timeout))

    async def complete(
        self,
        server: str,
        ref: str | CompletionReference,
        argument: str,
        value: str,
        context: Mapping[str, str] | None,
        timeout: float | None,
        caller: str | None,
    ) -> Completion:
        """Do what `Runtime.complete` promises."""
        record = self._house.known(server, caller)
        if isinstance(ref, str):
            is_prompt = record.catalog is not None and ref in record.catalog.prompts
            ref = (
                protocol.ResourceTemplateReference(uri=ref)
                if "://" in ref and not is_prompt
                else protocol.PromptReference(name=ref)
            )
        name = ref.name if isinstance(ref, protocol.PromptReference) else ref.uri
        params: dict[str, Any] = {
            "ref": protocol.to_wire(ref),
            "argument": {"name": _text("argument", argument), "value": _text("value", value)},
        }
        if context:
            params["context"] = {"arguments": dict(context)}
        call = Call(server, "completion/complete", name, params, caller=caller)
        self._house.admission.admit(record, call)
        answer = await self._carry(record, call, timeout)
        return _typed(protocol.CompleteResult, call, answer).completion

    async def set_log_level(self, server: str, level: LoggingLevel, timeout: float | None, caller: str | None) -> None:
        """Do what `Runtime.set_log_level` promises."""
        record = self._house.known(server, caller)
        if level not in protocol.LOG_LEVELS:
            raise ValueError(f"level must be one of {', '.join(protocol.LOG_LEVELS)}; got {level!r:.80}")
        call = Call(server, "logging/setLevel", level, {"level": level}, caller=caller)
        self._house.admission.admit(record, call)
        await self._carry(record, call, timeout)
        record.log_level = level

    @asynccontextmanager
    async def subscribe(
        self, server: str, uri: str, timeout: float | None, caller: str | None
    ) -> AsyncIterator[Changes]:
        """Do what `Runtime.subscribe` promises."""
        record = self._house.known(server, caller)
        call = Call(server, "resources/subscribe", _text("uri", uri), {"uri": uri}, caller=caller)
        self._house.admission.admit(record, call)
        changes = record.watched.add(uri)
        try:
            await self._carry(record, call, timeout)
            yield changes
        finally:
            if record.watched.remove(changes) and record.ref is not None:
                record.ref.tell(Unsubscribe(uri))

    async def _remembered(self, record: Record, tool: str, key: str) -> Raw | None:
        if record.state is not State.READY:
            return None  # what it said before it went down may not be so any more (S3)
        try:
            return await self._house.cache.ask(Lookup(record.name, record.incarnation, tool, key))
        except (ActorCrashed, ActorStopped):
            return None  # a cache that has trouble is no trouble of its user

    async def _carry(self, record: Record, call: Call, timeout: float | None, key: str | None = None) -> Raw:
        seconds = record.spec.timeout if timeout is None else seconds_of(timeout)
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


def _checked(progress: ProgressCallback | None) -> ProgressCallback | None:
    if progress is None:
        return None
    if not callable(progress) or iscoroutinefunction(progress) or iscoroutinefunction(type(progress).__call__):
        raise TypeError(f"progress must be a plain function, for it is called and not awaited; got {progress!r:.200}")
    return progress


def _text(what: str, value: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{what} must be a string; got {value!r:.80}")
    return value


def seconds_of(timeout: object) -> float:
    """Return a timeout as a number. Raises `TypeError` or `ValueError` for what is none."""
    if isinstance(timeout, bool) or not isinstance(timeout, int | float):
        raise TypeError(f"timeout must be a number of seconds; got {timeout!r:.80}")
    if not timeout >= 0:  # NaN is neither
        raise ValueError(f"timeout must be 0 seconds or more; got {timeout!r}")
    return timeout


def _encoded(server: str, tool: str, arguments: Mapping[str, Any] | None) -> Raw:
    if type(arguments) is not dict:  # nearly always it is, and any other mapping takes as long to be known as to encode
        if arguments is None:
            return Raw(b"{}")
        if not isinstance(arguments, Mapping):
            raise InvalidArguments(server, tool, f"got {type(arguments).__name__}: {arguments!r:.80}")
        arguments = dict(arguments)
    try:
        return Raw(_encode(arguments))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidArguments(server, tool, str(error)) from error
