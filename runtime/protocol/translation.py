"""An error of one era, told in the words of the other. Pure; for whoever stands between two peers.

Sources: MCP 2026-07-28, basic/index: error codes; 2025-11-25, server/resources and client/elicitation: error handling.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import evolve

from .codes import (
    HEADER_MISMATCH,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    MISSING_CLIENT_CAPABILITY,
    RESOURCE_NOT_FOUND,
    UNSUPPORTED_VERSION,
    URL_ELICITATION_REQUIRED,
)
from .jsonrpc import JsonRpcError
from .versions import Era

__all__ = ["error_for", "url_elicitations"]

_TO_MODERN: Final = {RESOURCE_NOT_FOUND: INVALID_PARAMS, URL_ELICITATION_REQUIRED: INTERNAL_ERROR}
# A legacy peer has nothing to do with headers and versions of ours; that it lacks a capability is its request's fault.
_TO_LEGACY: Final = {
    HEADER_MISMATCH: INTERNAL_ERROR,
    UNSUPPORTED_VERSION: INTERNAL_ERROR,
    MISSING_CLIENT_CAPABILITY: INVALID_REQUEST,
}


def error_for(error: JsonRpcError, method: str, era: Era | None) -> JsonRpcError:
    """An error that answers ``method``, with the code that ``era`` has for it; None is an era not settled yet.

    A missing resource is ``-32002`` in the legacy era and ``-32602`` in the modern one, where data that names the
    ``uri`` tells it from other wrong params. The codes of one era alone never reach a peer of the other. All others, a
    server's own and those that nobody knows, stay as they are.
    """
    code = error.code
    if era is Era.MODERN:
        code = _TO_MODERN.get(code, code)
    elif era is Era.LEGACY:
        missing = method == "resources/read" and code == INVALID_PARAMS and _names_a_uri(error.data)
        code = RESOURCE_NOT_FOUND if missing else _TO_LEGACY.get(code, code)
    return error if code == error.code else evolve(error, code=code)


def _names_a_uri(data: Any) -> bool:
    return isinstance(data, Mapping) and isinstance(data.get("uri"), str)


def url_elicitations(error: JsonRpcError) -> Mapping[str, Mapping[str, Any]] | None:
    """What ``-32042`` asks for, as the requests of an ``input_required`` result; None: it is no such error.

    The data of a URLElicitationRequiredError lists the params of the pages that must be visited before the request is
    made again. Each is named by its ``elicitationId``, or by its number where that is missing or there twice.
    """
    listed = error.data.get("elicitations") if isinstance(error.data, Mapping) else None
    if error.code != URL_ELICITATION_REQUIRED or not isinstance(listed, list):
        return None
    if not all(isinstance(params, Mapping) and params.get("mode") == "url" for params in listed):
        return None
    requests: dict[str, Mapping[str, Any]] = {}
    for number, params in enumerate(listed):
        id = params.get("elicitationId")
        key = id if isinstance(id, str) and id not in requests else f"elicitation {number}"
        requests[key] = {"method": "elicitation/create", "params": params}
    return requests
