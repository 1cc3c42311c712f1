"""Calls that became tasks: their result is fetched, by polling, until there is one (the tasks extension)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import trio
from msgspec import Raw

from runtime.protocol.jsonrpc import MALFORMED
from runtime.servers.pending import TaskFailed

if TYPE_CHECKING:
    from runtime.protocol import InputRequest

POLL = 1.0  # seconds between two polls where the server has no wish
SHORTEST_POLL = 0.05  # whatever it wishes

Ask: TypeAlias = Callable[[str, Mapping[str, Any]], Awaitable[Raw]]
Gather: TypeAlias = "Callable[[Mapping[str, InputRequest]], Awaitable[Mapping[str, Any]]]"


class _Request(msgspec.Struct):
    method: str
    params: dict[str, Any] = {}


class _Error(msgspec.Struct):
    code: int
    message: str
    data: Any = None


class _Task(msgspec.Struct, rename="camel"):
    """What is needed of a task; the result stays raw."""

    status: str
    status_message: str | None = None
    poll_interval_ms: int | None = None
    input_requests: dict[str, _Request] = {}
    result: Raw | msgspec.UnsetType = msgspec.UNSET
    error: _Error | None = None


_decode = msgspec.json.Decoder(_Task).decode


async def result_of(task_id: str, interval: float | None, ask: Ask, gather: Gather) -> Raw:
    """Return the result of a task. Raises `TaskFailed`, `Refused`, and what ``gather`` raises.

    ``interval`` is in seconds; a later wish of the server replaces it. What the server wants to know on the way is
    gathered, each question once.
    """
    from runtime.protocol import InputRequest, JsonRpcError

    answered: set[str] = set()
    while True:
        await trio.sleep(max(POLL if interval is None else interval, SHORTEST_POLL))
        try:
            task = _decode(await ask("tasks/get", {"taskId": task_id}))
        except MALFORMED as error:
            raise TaskFailed(f"tasks/get: {error}") from error
        match task.status:
            case "completed" if not isinstance(task.result, msgspec.UnsetType):
                return task.result
            case "failed" if task.error is not None:
                told = JsonRpcError(task.error.code, task.error.message, task.error.data)
                raise TaskFailed(str(told), told)
            case "working":
                pass
            case "input_required":
                new = {key: asked for key, asked in task.input_requests.items() if key not in answered}
                if new:
                    wanted = {key: InputRequest(asked.method, asked.params) for key, asked in new.items()}
                    await ask("tasks/update", {"taskId": task_id, "inputResponses": await gather(wanted)})
                    answered |= new.keys()
            case status:
                raise TaskFailed(f"its task is {status}{f': {task.status_message}' if task.status_message else ''}")
        if task.poll_interval_ms is not None:
            interval = task.poll_interval_ms / 1000
