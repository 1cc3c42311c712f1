"""Tools: listed, described, called, answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .part import Page, Part, Result, Retryable, part

if TYPE_CHECKING:
    from .content import ContentBlock
    from .icons import Icon
    from .part import Json
    from .tasks import TaskMetadata

__all__ = ["CallToolParams", "CallToolResult", "ListToolsResult", "Tool", "ToolAnnotations", "ToolExecution"]


@part
class ToolAnnotations(Part):
    """A server's hints about a tool: claims, not facts."""

    title: str | None = None
    read_only_hint: bool | None = None
    destructive_hint: bool | None = None
    idempotent_hint: bool | None = None
    open_world_hint: bool | None = None


@part
class ToolExecution(Part):
    """Whether a call may be made a task: ``forbidden`` (also when absent), ``optional``, ``required`` (2025-11-25)."""

    task_support: str | None = None


@part
class Tool(Part):
    name: str
    input_schema: Json
    title: str | None = None
    description: str | None = None
    output_schema: Json | None = None
    annotations: ToolAnnotations | None = None
    icons: tuple[Icon, ...] | None = None
    execution: ToolExecution | None = None
    meta: Json | None = None


@part
class ListToolsResult(Page):
    tools: tuple[Tool, ...]


@part
class CallToolParams(Retryable):
    """``tools/call``."""

    name: str
    arguments: Json | None = None
    task: TaskMetadata | None = None
    """The call is to become a task (2025-11-25)."""


@part
class CallToolResult(Result):
    """What a tool answered. ``is_error`` is the tool's own failure: an answer, not a protocol error.

    A structured content of null, which 2026-07-28 allows, is ``extra["structuredContent"]``; None is its absence.
    """

    content: tuple[ContentBlock, ...] = ()
    structured_content: Any = None
    is_error: bool | None = None

    @property
    def text(self) -> str:
        """The text blocks, joined by line ends."""
        from .content import TextContent

        return "\n".join(block.text for block in self.content if isinstance(block, TextContent))

    def __str__(self) -> str:
        """The answer for people: text as it is, every other block by its type."""
        from .content import TextContent

        shown = (block.text if isinstance(block, TextContent) else f"[{block.type}]" for block in self.content)
        return "\n".join(shown)
