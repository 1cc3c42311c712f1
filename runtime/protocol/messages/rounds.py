"""Rounds of one request: the server asks back before it answers (modern)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from .part import Params, Part, Result, part

if TYPE_CHECKING:
    from .elicitation import ElicitParams
    from .sampling import CreateMessageParams

__all__ = [
    "AnyInputRequest",
    "CreateMessageRequest",
    "ElicitRequest",
    "InputRequiredResult",
    "ListRootsRequest",
    "UnknownInputRequest",
]


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
