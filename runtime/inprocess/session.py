"""One connection of one server: what the client asks goes to the functions, what they return goes back."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import trio
from attrs import define, field

from runtime.protocol import (
    Answered,
    Asked,
    CancelRequested,
    Era,
    Failed,
    Invalid,
    JsonRpcError,
    MissingCapability,
    RequestId,
    Send,
    ServerConnection,
    ServerEvent,
    codes,
)
from runtime.protocol.versions import MAY_ASK_BACK
from runtime.transports import Transport

from .calls import Call, Question
from .context import Context
from .failures import InvalidArguments, NotFound, ToolError
from .functions import Function
from .tools import text_result

if TYPE_CHECKING:
    from runtime.protocol.server import Kind

    from .handles import Handles
    from .server import OnFailure, ToolServer

__all__ = ["GRACE", "Session"]

GRACE = 1.0
"""Seconds that calls in progress get to end in once the client has sent its last."""

Result: TypeAlias = Mapping[str, Any] | JsonRpcError
Work: TypeAlias = Callable[[], Coroutine[Any, Any, Result]]
Failure: TypeAlias = Callable[[Call, BaseException], Result]


@define(eq=False)
class Session:
    server: ToolServer
    _transport: Transport
    _on_failure: OnFailure | None
    connection: ServerConnection = field(init=False)
    nursery: trio.Nursery = field(init=False)
    # {id: its call}; there from before the call's task starts, so that a cancellation finds it
    calls: dict[RequestId, Call] = field(factory=dict, init=False)
    # {id: question} that a legacy client was asked
    questions: dict[RequestId, Question] = field(factory=dict, init=False)
    # {name: call} that a modern client is to come back to, the longest suspended first
    suspended: dict[str, Call] = field(factory=dict, init=False)
    _handles: Handles | None = field(default=None, init=False)
    # what listeners are to be told: lists as (kind, None), resources as (None, uri); a dict, for the order
    _news: dict[tuple[Kind | None, str | None], None] = field(factory=dict, init=False)
    _has_news: trio.Event = field(factory=trio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        server = self.server
        self.connection = ServerConnection(server.info, server.capabilities, server.instructions, hints=server.hints)

    @property
    def handles(self) -> Handles:
        if self._handles is None:
            from .handles import Handles

            self._handles = Handles()
        return self._handles

    async def run(self) -> None:
        async with trio.open_nursery() as beside:
            beside.start_soon(self._announce)
            async with trio.open_nursery() as self.nursery:
                try:
                    while True:
                        for line in await self._transport.receive_batch():
                            for event in self.connection.receive(line):
                                await self._handle(event)
                except trio.EndOfChannel:
                    self._let_end()
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    self.nursery.cancel_scope.cancel()  # nobody is there to be answered
            beside.cancel_scope.cancel()

    def _let_end(self) -> None:
        """Let the calls in progress end soon, and those at once that wait for what will not come."""
        self.nursery.cancel_scope.deadline = trio.current_time() + GRACE
        for question in self.questions.values():
            question.settle(JsonRpcError(codes.INTERNAL_ERROR, "the client has gone"))
        for call in self.suspended.values():
            call.scope.cancel()

    # -- news

    def announce(self, kind: Kind | None, uri: str | None) -> None:
        """Have whoever listens told, soon and once, that a list or a resource has changed."""
        self._news[kind, uri] = None
        self._has_news.set()

    async def _announce(self) -> None:
        while True:
            await self._has_news.wait()
            self._has_news = trio.Event()
            news, self._news = self._news, {}
            for kind, uri in news:
                for line in self.connection.updated(uri or "") if kind is None else self.connection.changed(kind):
                    await self.send(line)

    # -- lines out

    async def send(self, line: bytes | None) -> None:
        if line is None:  # cancelled meanwhile: nobody waits for it
            return
        # A client that has left is no error here: receiving finds the end and closes the session.
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            try:
                self._transport.send_nowait(line)
            except trio.WouldBlock:
                await self._transport.send(line)

    def tell(self, line: bytes | None) -> None:
        """Send what can be missed: a client that does not keep up misses reports, never answers."""
        with suppress(trio.WouldBlock, trio.BrokenResourceError, trio.ClosedResourceError):
            if line is not None:
                self._transport.send_nowait(line)

    async def _answer(self, id: RequestId, result: Result) -> None:
        await self.send(self._line(id, result))

    def _line(self, id: RequestId, result: Result) -> bytes | None:
        if isinstance(result, JsonRpcError):
            return self.connection.fail(id, result)
        return self.connection.answer(id, result)

    # -- events in

    async def _handle(self, event: ServerEvent) -> None:
        match event:
            case Send(data):
                await self.send(data)
            case Asked(id, method, params):
                await self._take(id, method, params)
            case CancelRequested(id):
                if (call := self.calls.pop(id, None)) is not None:
                    call.cancel()
            case Answered(id, answer) | Failed(id, answer) | Invalid(id, answer) if id in self.questions:
                self.questions[id].settle(answer)
            case _:
                pass  # nothing of ours depends on it

    async def _take(self, id: RequestId, method: str, params: Mapping[str, Any]) -> None:
        match method:
            case _ if method in MAY_ASK_BACK and self._brings_state(params):
                await self._come_back(id, method, params)
            case "tools/call":
                await self._call_tool(id, params)
            case "resources/read":
                await self._read(id, params)
            case "prompts/get":
                await self._get_prompt(id, params)
            case "completion/complete":
                await self._complete(id, params)
            case "subscriptions/listen":
                await self.send(self.connection.acknowledge(id))
            case "resources/subscribe":
                found = self.server.resource_at(params["uri"]) is not None
                await self._answer(id, {} if found else _not_found(params["uri"]))
            case "resources/unsubscribe":
                await self._answer(id, {})
            case _ if (listed := self.server.listed(method)) is None:
                await self._answer(id, JsonRpcError(codes.METHOD_NOT_FOUND, f"Method not found: {method}"))
            case _ if params.get("cursor") is not None:
                await self._answer(id, _invalid("unknown cursor: the list has one page"))
            case _:
                await self._answer(id, listed)

    def _brings_state(self, params: Mapping[str, Any]) -> bool:
        """Whether a request goes on where one of before was suspended; the word means that in the modern era alone."""
        return self.connection.era is Era.MODERN and params.get("requestState") is not None

    async def _come_back(self, id: RequestId, method: str, params: Mapping[str, Any]) -> None:
        name = self.handles.read(params["requestState"], method, params)
        call = None if name is None else self.suspended.pop(name, None)
        if call is None or call.scope.cancel_called:  # a function that has expired may still be cleaning up
            await self._answer(id, _invalid("requestState was not given for this, was used, or has expired"))
        else:
            call.resume(id, params)

    async def _call_tool(self, id: RequestId, params: Mapping[str, Any]) -> None:
        name, arguments = params.get("name"), params.get("arguments")
        tool = self.server.tools.get(name) if isinstance(name, str) else None
        if tool is None:
            return await self._answer(id, _invalid(f"Unknown tool: {name}"))
        if not isinstance(arguments, dict | None):
            return await self._answer(id, _invalid("arguments must be an object"))
        call = Call(self, "tools/call", id, params)

        async def work() -> Result:
            bound = tool.function.bind(arguments or {}, Context(call))
            return tool.result_of(await tool.function.run(bound))

        return await self._start(call, tool.function, work, _tool_failure)

    async def _read(self, id: RequestId, params: Mapping[str, Any]) -> None:
        uri = params.get("uri")
        found = self.server.resource_at(uri) if isinstance(uri, str) else None
        if found is None:
            return await self._answer(id, _not_found(uri))
        resource, arguments = found
        call = Call(self, "resources/read", id, params)

        async def work() -> Result:
            bound = resource.function.bind(arguments, Context(call))
            return resource.result_of(await resource.function.run(bound), str(uri))

        return await self._start(call, resource.function, work, partial(_resource_failure, uri))

    async def _get_prompt(self, id: RequestId, params: Mapping[str, Any]) -> None:
        name, arguments = params.get("name"), params.get("arguments")
        prompt = self.server.prompts.get(name) if isinstance(name, str) else None
        if prompt is None:
            return await self._answer(id, _invalid(f"Unknown prompt: {name}"))
        if not isinstance(arguments, dict | None):
            return await self._answer(id, _invalid("arguments must be an object"))
        call = Call(self, "prompts/get", id, params)

        async def work() -> Result:
            bound = prompt.function.bind(arguments or {}, Context(call))
            return prompt.result_of(await prompt.function.run(bound))

        return await self._start(call, prompt.function, work, _failure)

    async def _complete(self, id: RequestId, params: Mapping[str, Any]) -> None:
        from .completions import choices, complete, completion_of

        ref, argument = params.get("ref"), params.get("argument")
        match argument:
            case {"name": str(name), "value": str(value)}:
                pass
            case _:
                return await self._answer(id, _invalid("argument must have a name and a value"))
        if (found := self.server.completable(ref)) is None:
            return await self._answer(id, _invalid(f"Unknown prompt or resource template: {ref}"))
        key, function = found
        if (completion := self.server.completions.get((key, name))) is None:
            return await self._answer(id, completion_of(choices(function, name, value)))
        call = Call(self, "completion/complete", id, params)
        match params.get("context"):
            case {"arguments": dict(chosen)}:
                pass
            case _:
                chosen = {}

        async def work() -> Result:
            return completion_of(await complete(completion, value, chosen, Context(call)))

        return await self._start(call, completion, work, _failure)

    # -- functions at work

    async def _start(self, call: Call, function: Function, work: Work, failure: Failure) -> None:
        assert call.id is not None
        if function.at_once:
            await self._finish(call, function, await self._outcome(call, function, work, failure), failure)
        else:
            self.calls[call.id] = call
            self.nursery.start_soon(self._run, call, function, work, failure)

    async def _run(self, call: Call, function: Function, work: Work, failure: Failure) -> None:
        try:
            with call.scope:
                await self._finish(call, function, await self._outcome(call, function, work, failure), failure)
        finally:
            call.over()

    async def _finish(self, call: Call, function: Function, result: Result, failure: Failure) -> None:
        id = await call.wait_until_back()
        try:
            line = self._line(id, result)
        except (TypeError, ValueError, RecursionError) as error:  # JSON cannot tell what it returned
            line = self._line(id, self._failed(call, function, error, failure))
        await self.send(line)

    async def _outcome(self, call: Call, function: Function, work: Work, failure: Failure) -> Result:
        try:
            return await work()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the boundary: a function's failure is its answer
            return self._failed(call, function, error, failure)
        except BaseExceptionGroup as group:  # of a function with tasks of its own
            fallen, others = group.split((Exception, SystemExit))
            answer: Result = {} if fallen is None else self._failed(call, function, fallen, failure)
            if others is not None:
                raise others  # noqa: B904 - its cancellation: nobody waits for the answer
            return answer

    def _failed(self, call: Call, function: Function, error: BaseException, failure: Failure) -> Result:
        ours = isinstance(error, ToolError | NotFound | InvalidArguments)
        if self._on_failure is not None and isinstance(error, Exception) and not ours:
            self._on_failure(function.name, error)
        return failure(call, error)


def _invalid(reason: str) -> JsonRpcError:
    return JsonRpcError(codes.INVALID_PARAMS, reason)


def _not_found(uri: Any) -> JsonRpcError:
    return JsonRpcError(codes.RESOURCE_NOT_FOUND, f"Resource not found: {uri}", {"uri": uri})


def _text_of(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - the boundary: an exception of a function's own may not know how to say itself
        text = "it cannot be told"
    if not isinstance(error, ToolError | NotFound | InvalidArguments):
        text = f"{type(error).__name__}: {text}"
    return text.encode(errors="backslashreplace").decode()  # the name of a file may have half a surrogate pair in it


def _missing(call: Call, error: BaseException) -> JsonRpcError | None:
    """What a modern client is told of a capability that it would need: that, and not what a function made of it."""
    if not isinstance(error, MissingCapability) or call.era is Era.LEGACY:
        return None
    from runtime.errors import json_rpc_error

    return json_rpc_error(error, call.era)


def _tool_failure(call: Call, error: BaseException) -> Result:
    return _missing(call, error) or text_result(_text_of(error), is_error=True)


def _failure(call: Call, error: BaseException) -> Result:
    if isinstance(error, InvalidArguments):
        return _invalid(str(error))
    return _missing(call, error) or JsonRpcError(codes.INTERNAL_ERROR, _text_of(error))


def _resource_failure(uri: Any, call: Call, error: BaseException) -> Result:
    if isinstance(error, NotFound | InvalidArguments):  # a variable that does not fit is of no resource there is
        return _not_found(uri)
    return _failure(call, error)
