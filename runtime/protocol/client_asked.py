"""What a client has offered to be asked: by its capabilities, and in no other way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import codes
from .jsonrpc import JsonRpcError
from .versions import TASKS

__all__ = ["declares_extensions", "declares_tasks", "objection"]


def objection(capabilities: Mapping[str, Any], method: str, params: Mapping[str, Any]) -> JsonRpcError | None:
    """Why a server may not ask this of a client with such capabilities (in wire names); None: it may.

    Sources: MCP 2025-11-25, client/roots, client/sampling, client/elicitation: capabilities and error handling. An
    elicitation capability without members means forms, and a request without a mode is for a form.
    """
    match method:
        case "roots/list":
            offered = isinstance(capabilities.get("roots"), Mapping)
        case "sampling/createMessage":
            sampling = capabilities.get("sampling")
            offered = isinstance(sampling, Mapping)
            if isinstance(sampling, Mapping) and "tools" in params and "tools" not in sampling:
                return JsonRpcError(codes.INVALID_PARAMS, "Sampling with tools is not offered")
        case "elicitation/create":
            elicitation = capabilities.get("elicitation")
            offered = isinstance(elicitation, Mapping)
            mode = params.get("mode", "form")
            if isinstance(elicitation, Mapping) and mode not in list(elicitation or ("form",)):  # it may have no hash
                return JsonRpcError(codes.INVALID_PARAMS, f"Elicitation in mode {mode!r} is not offered")
        case _:
            offered = False
    return None if offered else JsonRpcError(codes.METHOD_NOT_FOUND, f"Method not found: {method}")


def declares_tasks(capabilities: Mapping[str, Any]) -> bool:
    """Whether a request with such capabilities may be answered with a task."""
    return TASKS in _extensions(capabilities)


def declares_extensions(capabilities: Mapping[str, Any]) -> bool:
    """Whether a request with such capabilities may be answered in words that only an extension knows."""
    return bool(_extensions(capabilities).keys() - {TASKS})


def _extensions(capabilities: Mapping[str, Any]) -> Mapping[str, Any]:
    extensions = capabilities.get("extensions")
    return extensions if isinstance(extensions, Mapping) else {}
