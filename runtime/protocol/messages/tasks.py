"""Tasks: requests that outlive their answer. Experimental in 2025-11-25, since then an extension with its own shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

from .part import Page, Params, Part, Result, part

if TYPE_CHECKING:
    from .part import Json
    from .rounds import AnyInputRequest

__all__ = [
    "CreateTaskResult",
    "DetailedTask",
    "ListTasksResult",
    "RelatedTask",
    "Task",
    "TaskMetadata",
    "TaskParams",
    "TaskStatus",
    "UpdateTaskParams",
]

TaskStatus: TypeAlias = Literal["working", "input_required", "completed", "failed", "cancelled"]


@part
class TaskMetadata(Part):
    """The wish that a request become a task, kept for ``ttl`` milliseconds (2025-11-25)."""

    ttl: int | None = None


@part
class RelatedTask(Part):
    """What ``_meta["io.modelcontextprotocol/related-task"]`` holds (2025-11-25)."""

    task_id: str


@part
class Task(Result):
    """A task of 2025-11-25: also the answer to ``tasks/get`` and ``tasks/cancel``, and ``notifications/tasks/status``.

    Times are ISO 8601. ``ttl`` (milliseconds since the creation, None: for ever) and ``poll_interval``
    (milliseconds) are the server's.
    """

    task_id: str
    status: TaskStatus
    created_at: str
    last_updated_at: str
    ttl: int | None
    status_message: str | None = None
    poll_interval: int | None = None


@part
class CreateTaskResult(Result):
    """What answers a request that became a task (2025-11-25)."""

    task: Task


@part
class ListTasksResult(Page):
    tasks: tuple[Task, ...]


@part
class TaskParams(Params):
    """``tasks/get``, ``tasks/result`` and ``tasks/cancel``."""

    task_id: str


@part
class UpdateTaskParams(Params):
    """``tasks/update`` (extension); ``input_responses`` as in `Retryable`."""

    task_id: str
    input_responses: Mapping[str, Json]


@part
class DetailedTask(Result):
    """A task of the extension: the answer to what became a task (``result_type`` is ``task``) and to ``tasks/get``, and
    ``notifications/tasks``.

    As `Task`, but the milliseconds say so, and what belongs to the status is here too: ``input_requests`` while input
    is required, the ``result`` of what is completed, the JSON-RPC ``error`` of what failed.
    """

    task_id: str
    status: TaskStatus
    created_at: str
    last_updated_at: str
    ttl_ms: int | None
    status_message: str | None = None
    poll_interval_ms: int | None = None
    input_requests: Mapping[str, AnyInputRequest] | None = None
    result: Json | None = None
    error: Json | None = None
