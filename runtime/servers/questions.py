"""What a legacy server asks of us, each question in a task of its own, so that the reader never waits for an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, final

import trio
from attrs import define, field
from msgspec import Raw

from runtime.servers.handlers import Handlers, Unanswered

if TYPE_CHECKING:
    from runtime.protocol import JsonRpcError, RequestId


@final
@define(eq=False, repr=False)
class Questions:
    """The open questions of one conversation. ``reply`` and ``refuse`` say an answer to the server."""

    _server: str
    _handlers: Handlers
    _reply: Callable[[RequestId, Raw], object]
    _refuse: Callable[[RequestId, JsonRpcError], object]
    _open: dict[RequestId, trio.CancelScope] = field(factory=dict, init=False)

    def begin(self, nursery: trio.Nursery, id: RequestId, method: str, params: Mapping[str, Any]) -> None:
        """Ask the handler; the nursery is the conversation's, with which the question ends."""
        self._open[id] = trio.CancelScope()
        nursery.start_soon(self._answer, id, method, params)

    def cancel(self, id: RequestId) -> None:
        """The server does not wait any more."""
        if (scope := self._open.get(id)) is not None:
            scope.cancel()

    async def _answer(self, id: RequestId, method: str, params: Mapping[str, Any]) -> None:
        try:
            with self._open[id]:
                self._reply(id, await self._handlers.answer(self._server, method, params))
        except Unanswered as unanswered:
            self._refuse(id, unanswered.error)
        finally:
            del self._open[id]
