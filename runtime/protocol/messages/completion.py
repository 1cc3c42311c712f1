"""Completion of an argument of a prompt or of a resource template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, TypeAlias

from .part import Params, Part, Result, part

__all__ = [
    "CompleteParams",
    "CompleteResult",
    "Completion",
    "CompletionArgument",
    "CompletionContext",
    "CompletionReference",
    "PromptReference",
    "ResourceTemplateReference",
]


@part
class PromptReference(Part):
    type: ClassVar[str] = "ref/prompt"
    name: str
    title: str | None = None


@part
class ResourceTemplateReference(Part):
    """``uri`` is a URI template."""

    type: ClassVar[str] = "ref/resource"
    uri: str


CompletionReference: TypeAlias = PromptReference | ResourceTemplateReference


@part
class CompletionArgument(Part):
    """``value`` is what was typed so far."""

    name: str
    value: str


@part
class CompletionContext(Part):
    """Arguments that are settled already."""

    arguments: Mapping[str, str] | None = None


@part
class CompleteParams(Params):
    """``completion/complete``."""

    ref: CompletionReference
    argument: CompletionArgument
    context: CompletionContext | None = None


@part
class Completion(Part):
    """At most 100 values; ``total`` may be more, and ``has_more`` says so where the number is not known."""

    values: tuple[str, ...]
    total: int | None = None
    has_more: bool | None = None


@part
class CompleteResult(Result):
    completion: Completion
