"""`ToolServer`: functions in, an MCP server out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, ParamSpec, TypeVar, final, overload

import trio
from attrs import define, field

from runtime.protocol import (
    Asked,
    CancelRequested,
    Ignored,
    JsonRpcError,
    Notified,
    RequestId,
    Send,
    ServerConnection,
    ServerEvent,
    codes,
)
from runtime.transports import Transport

from .tools import FunctionTool, InvalidArguments, ToolError, result_of, text_result

__all__ = ["ToolServer"]

P = ParamSpec("P")
R = TypeVar("R")
OnFailure = Callable[[str, Exception], None]

GRACE = 1.0
"""Seconds that calls in progress get to end in once the client has sent its last."""


@final
@define(eq=False)
class ToolServer:
    """An MCP server whose tools are Python functions.

        server = ToolServer("clock")

        @server.tool
        async def now() -> str: ...

    The schema comes from the type hints, the description from the docstring. Calls run at the same time: an
    ``async def`` as a task, a ``def`` in a worker thread. What a function raises is the answer of its call, marked
    as an error, and harms nothing else; a cancelled call is cancelled. One server may serve many connections.
    """

    name: str
    version: str = "0"
    instructions: str | None = None
    _tools: dict[str, FunctionTool] = field(factory=dict, init=False)

    @overload
    def tool(self, function: Callable[P, R], /) -> Callable[P, R]: ...
    @overload
    def tool(
        self,
        /,
        *,
        name: str | None = None,
        title: str | None = None,
        description: str | None = None,
        annotations: Mapping[str, Any] | None = None,
        blocking: bool = True,
    ) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
    def tool(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        name: str | None = None,
        title: str | None = None,
        description: str | None = None,
        annotations: Mapping[str, Any] | None = None,
        blocking: bool = True,
    ) -> Any:
        """Offer a function as a tool; the function itself stays as it is.

        Args:
            name: by default the function's.
            description: by default the function's docstring.
            annotations: hints in wire names, such as ``{"readOnlyHint": True}``.
            blocking: False lets a quick ``def`` run without a thread; while it runs, nothing else does.
        Raises:
            TypeError: the signature cannot be told in JSON Schema.
            ValueError: there is a tool of this name.
        """

        def add(function: Callable[P, R]) -> Callable[P, R]:
            key = name or str(getattr(function, "__name__", "tool"))
            if key in self._tools:
                raise ValueError(f"server {self.name!r} has a tool {key!r} already")
            text = description or _docstring(function)
            self._tools[key] = FunctionTool(key, function, title, text, annotations, blocking)
            return function

        return add if function is None else add(function)

    async def serve(self, transport: Transport, *, on_failure: OnFailure | None = None) -> None:
        """Serve one client until it ends its side; calls then in progress get `GRACE` seconds to be answered.

        ``on_failure`` is told the tool's name and the exception of each call that raised something other than
        `ToolError`. The transport stays open: it is its opener's.
        """
        await _Session(self, transport, on_failure).run()

    def run_stdio(self) -> None:
        """Be an MCP server on this process's stdin and stdout until stdin ends.

        While it runs, only protocol reaches stdout: what anybody prints goes to stderr, with the tracebacks of
        failed calls.
        """
        from .stdio import open_own_stdio

        async def main() -> None:
            async with open_own_stdio() as transport:
                await self.serve(transport, on_failure=_print_failure)

        interrupted = False
        try:
            trio.run(main)
        except* KeyboardInterrupt:
            interrupted = True
        if interrupted:
            sys.exit(130)


@define(eq=False)
class _Session:
    """One connection of one server."""

    _server: ToolServer
    _transport: Transport
    _on_failure: OnFailure | None
    _connection: ServerConnection = field(init=False)
    # {id: scope of its call}; there from before the call's task starts, so that a cancellation finds it
    _calls: dict[RequestId, trio.CancelScope] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self._connection = ServerConnection(
            {"name": self._server.name, "version": self._server.version},
            {"tools": {}},
            self._server.instructions,
        )

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            try:
                while True:
                    for line in await self._transport.receive_batch():
                        for event in self._connection.receive(line):
                            await self._handle(event, nursery)
            except trio.EndOfChannel:
                nursery.cancel_scope.deadline = trio.current_time() + GRACE
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                nursery.cancel_scope.cancel()  # nobody is there to be answered

    async def _handle(self, event: ServerEvent, nursery: trio.Nursery) -> None:
        match event:
            case Send(data):
                await self._send(data)
            case Asked(id, "tools/call", params):
                await self._start_call(id, params, nursery)
            case Asked(id, "tools/list", params):
                await self._send(self._list(id, params))
            case Asked(id, method):
                error = JsonRpcError(codes.METHOD_NOT_FOUND, f"Method not found: {method}")
                await self._send(self._connection.fail(id, error))
            case CancelRequested(id):
                if id in self._calls:
                    self._calls[id].cancel()
            case Notified() | Ignored():
                pass  # nothing of ours depends on them

    def _list(self, id: RequestId, params: Mapping[str, Any]) -> bytes | None:
        if params.get("cursor") is not None:
            return self._connection.fail(id, _invalid("unknown cursor: the list has one page"))
        tools = [tool.wire for tool in self._server._tools.values()]
        return self._connection.answer(id, {"tools": tools})

    async def _start_call(self, id: RequestId, params: Mapping[str, Any], nursery: trio.Nursery) -> None:
        name, arguments = params.get("name"), params.get("arguments")
        tool = self._server._tools.get(name) if isinstance(name, str) else None
        if tool is None:
            await self._send(self._connection.fail(id, _invalid(f"Unknown tool: {name}")))
            return
        if not isinstance(arguments, dict | None):
            await self._send(self._connection.fail(id, _invalid("arguments must be an object")))
            return
        try:
            bound = tool.bind(arguments or {}, partial(self._progress, id))
        except InvalidArguments as error:
            await self._send(self._connection.answer(id, text_result(str(error), is_error=True)))
            return
        if tool.is_async or tool.blocking:
            scope = self._calls[id] = trio.CancelScope()
            nursery.start_soon(self._call, id, scope, tool, bound)
        else:
            await self._send(self._connection.answer(id, await self._result(tool, bound)))

    async def _call(self, id: RequestId, scope: trio.CancelScope, tool: FunctionTool, bound: dict[str, Any]) -> None:
        try:
            with scope:
                result = await self._result(tool, bound)
                await self._send(self._connection.answer(id, result))
        finally:
            del self._calls[id]

    async def _result(self, tool: FunctionTool, bound: dict[str, Any]) -> dict[str, Any]:
        try:
            if tool.is_async:
                return result_of(await tool.function(**bound))
            if tool.blocking:
                call = partial(tool.function, **bound)
                return result_of(await trio.to_thread.run_sync(call, abandon_on_cancel=True))
            return result_of(tool.function(**bound))
        except ToolError as error:
            return text_result(str(error), is_error=True)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the boundary: a tool's failure is its call's answer
            return self._failed(tool, error)
        except BaseExceptionGroup as group:  # of a tool with tasks of its own
            failure, others = group.split((Exception, SystemExit))
            answer = {} if failure is None else self._failed(tool, failure)
            if others is not None:
                raise others  # noqa: B904 - its cancellation: nobody waits for the answer
            return answer

    def _failed(self, tool: FunctionTool, error: BaseException) -> dict[str, Any]:
        if self._on_failure is not None and isinstance(error, Exception):
            self._on_failure(tool.name, error)
        return text_result(f"{type(error).__name__}: {error}", is_error=True)

    def _progress(self, id: RequestId, progress: float, total: float | None = None, message: str | None = None) -> None:
        if trio.lowlevel.in_trio_run():
            self._tell_progress(id, progress, total, message)
        else:  # the worker thread of a plain function; ends it where its call was cancelled
            trio.from_thread.run_sync(self._tell_progress, id, progress, total, message)

    def _tell_progress(self, id: RequestId, progress: float, total: float | None, message: str | None) -> None:
        line = self._connection.progress(id, progress, total, message)
        # A client that does not keep up misses reports, never answers.
        with suppress(trio.WouldBlock, trio.BrokenResourceError, trio.ClosedResourceError):
            if line is not None:
                self._transport.send_nowait(line)

    async def _send(self, line: bytes | None) -> None:
        if line is None:  # cancelled meanwhile: nobody waits for it
            return
        # A client that has left is no error here: receiving finds the end and closes the session.
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            try:
                self._transport.send_nowait(line)
            except trio.WouldBlock:
                await self._transport.send(line)


def _invalid(reason: str) -> JsonRpcError:
    return JsonRpcError(codes.INVALID_PARAMS, reason)


def _docstring(function: Callable[..., Any]) -> str | None:
    from inspect import getdoc

    return getdoc(function)


def _print_failure(tool: str, error: Exception) -> None:
    from traceback import print_exception

    sys.stderr.write(f"tool {tool!r} failed:\n")
    print_exception(error, file=sys.stderr)
