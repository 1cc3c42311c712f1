"""What all messages have in common: frozen, told by name, compared by value, keeping what they do not know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias, TypeVar, dataclass_transform

from attrs import Attribute, field, fields, frozen

from runtime.value import Value

__all__ = ["CacheableResult", "Json", "Page", "PageParams", "Params", "Part", "Result", "Retryable"]

C = TypeVar("C", bound=type)

Json: TypeAlias = Mapping[str, Any]
"""An object of the peer's, as it came: relayed, never interpreted here."""


@dataclass_transform(frozen_default=True, kw_only_default=True, eq_default=False, field_specifiers=(field,))
def part(cl: C) -> C:
    """Make ``cl`` a frozen attrs class. What attrs would write for each anew, `Part` has once for all.

    Without slots, for a frozen instance is filled twice as fast by its dict.
    """
    return frozen(kw_only=True, repr=False, eq=False, slots=False)(cl)


@part
class Part(Value):
    """Base of what messages consist of. Equal are two of one class with equal fields; they hold mappings, so none has a
    hash."""

    extra: Json = field(factory=dict)
    """What the peer sent beyond the fields known here, in the wire's names; it travels on."""

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        known: tuple[Attribute[Any], ...] = fields(type(self))
        return all(getattr(self, each.name) == getattr(other, each.name) for each in known)


@part
class Params(Part):
    """What a request or a notification brings along; as it stands, for those that bring nothing of their own."""

    meta: Json | None = None
    """``_meta`` as it came; `RequestMeta` and `NotificationMeta` read it."""


@part
class Result(Part):
    """What answers a request; as it stands, for those that are answered with no more than "done"."""

    result_type: str | None = None
    """None, as in the legacy era, means ``complete``."""
    meta: Json | None = None
    """``_meta`` as it came; `ResultMeta` reads it."""


@part
class CacheableResult(Result):
    ttl_ms: int | None = None
    """For how many milliseconds the result stays fresh; None: the server does not say."""
    cache_scope: str | None = None
    """``public``, or ``private`` to whoever was authorized to ask."""


@part
class Page(CacheableResult):
    """One page of a list; the last has no ``next_cursor``."""

    next_cursor: str | None = None


@part
class PageParams(Params):
    """What asks for a page of a list; no ``cursor`` asks for the first."""

    cursor: str | None = None


@part
class Retryable(Params):
    """Params of a request that the server may answer with an `InputRequiredResult`."""

    input_responses: Mapping[str, Json] | None = None
    """The results asked for, by key; what each must be is known to who asked: `result_from_wire` reads it."""
    request_state: str | None = None
    """The server's own words, back unchanged. To the server they are an attacker's."""
