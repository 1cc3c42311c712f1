"""What a server asks of a client: what it may, by the capabilities that were offered, and what is open of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from attrs import define, field

from . import codes
from .events import Asked, Send
from .jsonrpc import MALFORMED, Body, JsonRpcError, Request, RequestId, encode_error, encode_response
from .messages import ClientCapabilities
from .versions import TASKS, Era
from .wire import to_wire

__all__ = ["Questions", "declares_extensions", "declares_tasks", "objection"]

_AT_ONCE = 128  # requests of a server that may be open; more is a flood, and is refused

_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


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


@define(eq=False, repr=False)
class Questions:
    """A server's own requests. Every one is answered: what was offered by the driver, all else at once.

    Some servers do not end at EOF while one is open. Modern servers may not ask at all, not even for a ping; one that
    does gets a refusal all the same.
    """

    _capabilities: ClientCapabilities
    # {id: method} of what the driver has not answered
    _open: dict[RequestId, str] = field(factory=dict, init=False)

    @property
    def open(self) -> Mapping[RequestId, str]:
        return dict(self._open)

    def asked(self, request: Request, era: Era | None) -> Asked | Send:
        """What becomes of a request; ``era`` is None before the handshake is done."""
        id, method = request.id, request.method
        if method == "ping" and era is not Era.MODERN:
            return Send(encode_response(id, {}))
        if era is not Era.LEGACY:
            return _refuse(id, codes.METHOD_NOT_FOUND, f"Method not found: {method}")
        if id in self._open:
            return _refuse(id, codes.INVALID_REQUEST, f"Request id {id!r} is in use")
        try:
            params = {} if request.params is None else _decode_object(request.params)
        except MALFORMED as error:
            return _refuse(id, codes.INVALID_PARAMS, f"Invalid params: {error}")
        if (why := objection(to_wire(self._capabilities), method, params)) is not None:
            return Send(encode_error(id, why))
        if len(self._open) >= _AT_ONCE:
            return _refuse(id, codes.INTERNAL_ERROR, f"More than {_AT_ONCE} requests at once")
        self._open[id] = method
        return Asked(id, method, params)

    def answer(self, id: RequestId, result: Body) -> bytes | None:
        """See `ClientConnection.answer`."""
        if id not in self._open:
            return None
        line = encode_response(id, result)
        del self._open[id]
        return line

    def refuse(self, id: RequestId, error: JsonRpcError) -> bytes | None:
        """See `ClientConnection.refuse`."""
        if id not in self._open:
            return None
        line = encode_error(id, error)
        del self._open[id]
        return line

    def withdrawn(self, id: RequestId) -> bool:
        """Forget what the server does not wait for any more; False: it does not wait for that."""
        return self._open.pop(id, None) is not None


def _refuse(id: RequestId, code: int, message: str) -> Send:
    return Send(encode_error(id, JsonRpcError(code, message)))
