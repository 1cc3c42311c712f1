"""Rounds of one request: the server asks back before it answers (modern)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from .part import Params, Part, Result, part

if TYPE_CHECKING:
    from .elicitation import ElicitParams
    from .part import Json
    from .sampling import CreateMessageParams

__all__ = [
    "AnyInputRequest",
    "CreateMessageRequest",
    "ElicitRequest",
    "InputRequiredResult",
    "ListRootsRequest",
    "Retryable",
    "UnknownInputRequest",
]


@part
class Retryable(Params):
    """Params of a request that the server may answer with an `InputRequiredResult`."""

    input_responses: Mapping[str, Json] | None = None
    """The results asked for, by key; what each must be is known to who asked: `result_from_wire` reads it."""
    request_state: str | None = None
    """The server's own words, back unchanged. To the server they are an attacker's."""


@part
class ElicitRequest(Part):
    method: ClassVar[str] = "elicitation/create"
    params: ElicitParams


@part
class CreateMessageRequest(Part):
    method: ClassVar[str] = "sampling/createMessage"
    params: CreateMessageParams


@part
class ListRootsRequest(Part):
    method: ClassVar[str] = "roots/list"
    params: Params | None = None


@part
class UnknownInputRequest(Part):
    """A request that no client can have offered to answer."""

    method: str


AnyInputRequest: TypeAlias = ElicitRequest | CreateMessageRequest | ListRootsRequest | UnknownInputRequest


@part
class InputRequiredResult(Result):
    """Not yet an answer: answer these, and ask again with ``request_state`` as it is. One of both is there."""

    result_type: str = "input_required"
    input_requests: Mapping[str, AnyInputRequest] | None = None
    request_state: str | None = None
