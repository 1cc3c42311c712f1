"""Sampling: a server asks the client's language model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from .content import AudioContent, ImageContent, TextContent, UnknownContent
from .part import Params, Part, Result, part

if TYPE_CHECKING:
    from .content import ContentBlock
    from .part import Json
    from .prompts import Role
    from .tasks import TaskMetadata
    from .tools import Tool

__all__ = [
    "CreateMessageParams",
    "CreateMessageResult",
    "ModelHint",
    "ModelPreferences",
    "SamplingContent",
    "SamplingMessage",
    "ToolChoice",
    "ToolResultContent",
    "ToolUseContent",
]


@part
class ToolUseContent(Part):
    """The model wants a tool to be called."""

    type: ClassVar[str] = "tool_use"
    id: str
    name: str
    input: Json
    meta: Json | None = None


@part
class ToolResultContent(Part):
    """What the tool answered, for the model; ``structured_content`` as in `CallToolResult`."""

    type: ClassVar[str] = "tool_result"
    tool_use_id: str
    content: tuple[ContentBlock, ...]
    structured_content: Any = None
    is_error: bool | None = None
    meta: Json | None = None


SamplingContent: TypeAlias = (
    TextContent | ImageContent | AudioContent | ToolUseContent | ToolResultContent | UnknownContent
)


@part
class SamplingMessage(Part):
    """``content`` is one block, or since 2025-11-25 several; which of the two is kept."""

    role: Role
    content: SamplingContent | tuple[SamplingContent, ...]
    meta: Json | None = None


@part
class ModelHint(Part):
    """``name`` is part of a model's name."""

    name: str | None = None


@part
class ModelPreferences(Part):
    """How much cost, speed and intelligence matter, each from 0 to 1. The client decides."""

    hints: tuple[ModelHint, ...] | None = None
    cost_priority: float | None = None
    speed_priority: float | None = None
    intelligence_priority: float | None = None


@part
class ToolChoice(Part):
    """``auto`` (also when absent), ``required``, ``none``."""

    mode: str | None = None


@part
class CreateMessageParams(Params):
    """``sampling/createMessage``; ``max_tokens`` is the most that may be sampled."""

    messages: tuple[SamplingMessage, ...]
    max_tokens: int
    model_preferences: ModelPreferences | None = None
    system_prompt: str | None = None
    include_context: str | None = None
    temperature: float | None = None
    stop_sequences: tuple[str, ...] | None = None
    metadata: Json | None = None
    tools: tuple[Tool, ...] | None = None
    tool_choice: ToolChoice | None = None
    task: TaskMetadata | None = None


@part
class CreateMessageResult(Result):
    """What the model said; ``content`` as in `SamplingMessage`."""

    role: Role
    content: SamplingContent | tuple[SamplingContent, ...]
    model: str
    stop_reason: str | None = None
