"""A request that the server wants to know more for, said again (MCP 2026-07-28, basic/patterns/mrtr)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from .client_envelope import members_of
from .client_results import params_of
from .jsonrpc import Body, RequestId, encode_request

__all__ = ["asked_again", "state_of"]

_ROUND = frozenset({"inputResponses", "requestState"})  # what a retry brings along, anew in each round


class _State(msgspec.Struct, rename="camel"):
    request_state: Raw | UnsetType = UNSET


_decode_state = msgspec.json.Decoder(_State).decode


def state_of(result: Raw) -> Raw | None:
    """The ``requestState`` of an InputRequiredResult, byte for byte; None: it has none."""
    state = _decode_state(result).request_state
    return None if isinstance(state, UnsetType) or bytes(state) == b"null" else Raw(bytes(state))


def asked_again(
    method: str, line: bytes, id: RequestId, responses: Mapping[str, Body], state: Raw | None, *, progress: bool
) -> bytes:
    """The line that went out before, under a new id, with answers and the server's state.

    Args:
        progress: its progress token was its id, and is again.
    """
    params: dict[str, Any] = {key: value for key, value in params_of(line).items() if key not in _ROUND}
    if progress:
        params["_meta"] = {**members_of(params["_meta"]), "progressToken": id}
    if responses:
        params["inputResponses"] = responses
    if state is not None:
        params["requestState"] = state
    return encode_request(id, method, params)
