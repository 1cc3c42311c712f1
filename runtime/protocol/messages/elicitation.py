"""Elicitation: a server asks the user, by a form of flat fields or by a page to open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from attrs import field

from .part import Params, Part, Result, part

if TYPE_CHECKING:
    from .part import Json
    from .tasks import TaskMetadata

__all__ = [
    "BooleanSchema",
    "Choice",
    "Choices",
    "ElicitFormParams",
    "ElicitParams",
    "ElicitResult",
    "ElicitUrlParams",
    "ElicitationComplete",
    "FieldSchema",
    "FormSchema",
    "MultiSelectSchema",
    "NumberSchema",
    "StringSchema",
    "UnknownSchema",
]


@part
class Choice(Part):
    """A value with the title that the user sees."""

    const: str
    title: str


@part
class Titled(Part):
    title: str | None = None
    description: str | None = None


@part
class StringSchema(Titled):
    """Text, or one of several values: ``enum`` (2025-06-18 adds titles as ``enum_names``), or ``one_of``."""

    type: ClassVar[str] = "string"
    default: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    format: str | None = None
    """``email``, ``uri``, ``date`` or ``date-time``."""
    enum: tuple[str, ...] | None = None
    enum_names: tuple[str, ...] | None = None
    one_of: tuple[Choice, ...] | None = None

    @property
    def choices(self) -> tuple[tuple[str, str], ...] | None:
        """Each value that may be chosen with its title; None where the text is free."""
        if self.one_of is not None:
            return tuple((each.const, each.title) for each in self.one_of)
        if self.enum is None:
            return None
        names = self.enum_names or ()
        return tuple(zip(self.enum, (*names, *self.enum[len(names) :]), strict=False))


@part
class NumberSchema(Titled):
    type: Literal["number", "integer"]
    default: float | None = None
    minimum: float | None = None
    maximum: float | None = None


@part
class BooleanSchema(Titled):
    type: ClassVar[str] = "boolean"
    default: bool | None = None


@part
class Choices(Part):
    """What each of several chosen values may be: ``enum``, or ``any_of`` with titles."""

    type: str | None = None
    enum: tuple[str, ...] | None = None
    any_of: tuple[Choice, ...] | None = None


@part
class MultiSelectSchema(Titled):
    """Any number of several values."""

    type: ClassVar[str] = "array"
    items: Choices
    min_items: int | None = None
    max_items: int | None = None
    default: tuple[str, ...] | None = None

    @property
    def choices(self) -> tuple[tuple[str, str], ...]:
        """Each value that may be chosen with its title."""
        if self.items.any_of is not None:
            return tuple((each.const, each.title) for each in self.items.any_of)
        return tuple((value, value) for value in self.items.enum or ())


@part
class UnknownSchema(Part):
    """A field of a kind that this side does not know: kept whole."""

    type: str


FieldSchema: TypeAlias = StringSchema | NumberSchema | BooleanSchema | MultiSelectSchema | UnknownSchema


@part
class FormSchema(Part):
    """One flat object: the form's fields by name, in the order in which to show them."""

    type: ClassVar[str] = "object"
    properties: Mapping[str, FieldSchema]
    required: tuple[str, ...] | None = None
    schema: str | None = field(default=None, metadata={"wire": "$schema"})


@part
class ElicitFormParams(Params):
    """``elicitation/create`` with a form; an absent ``mode`` means ``form``."""

    message: str
    requested_schema: FormSchema
    mode: Literal["form"] | None = None
    task: TaskMetadata | None = None


@part
class ElicitUrlParams(Params):
    """``elicitation/create`` with a page for the user to open; what happens there stays there."""

    mode: ClassVar[str] = "url"
    message: str
    url: str
    elicitation_id: str | None = None
    """Required in 2025-11-25, gone since."""
    task: TaskMetadata | None = None


ElicitParams: TypeAlias = ElicitFormParams | ElicitUrlParams


@part
class ElicitResult(Result):
    """``content`` holds the form's values by field name, where they were accepted."""

    action: Literal["accept", "decline", "cancel"]
    content: Json | None = None


@part
class ElicitationComplete(Params):
    """``notifications/elicitation/complete`` (2025-11-25): the user is through with the page."""

    elicitation_id: str
