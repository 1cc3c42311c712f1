"""Prompts: listed, filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

from .part import Page, Part, Result, Retryable, part

if TYPE_CHECKING:
    from .content import ContentBlock
    from .icons import Icon
    from .part import Json

__all__ = [
    "GetPromptParams",
    "GetPromptResult",
    "ListPromptsResult",
    "Prompt",
    "PromptArgument",
    "PromptMessage",
    "Role",
]

Role: TypeAlias = Literal["user", "assistant"]


@part
class PromptArgument(Part):
    name: str
    title: str | None = None
    description: str | None = None
    required: bool | None = None


@part
class Prompt(Part):
    name: str
    title: str | None = None
    description: str | None = None
    arguments: tuple[PromptArgument, ...] | None = None
    icons: tuple[Icon, ...] | None = None
    meta: Json | None = None


@part
class ListPromptsResult(Page):
    prompts: tuple[Prompt, ...]


@part
class GetPromptParams(Retryable):
    """``prompts/get``."""

    name: str
    arguments: Mapping[str, str] | None = None


@part
class PromptMessage(Part):
    role: Role
    content: ContentBlock


@part
class GetPromptResult(Result):
    messages: tuple[PromptMessage, ...]
    description: str | None = None
