"""The states of a server connection, and what exists in which era, in tables.

The first request that states an era binds the connection to it: an envelope in ``_meta`` is modern, ``initialize`` is
legacy. A legacy client is *greeted* once its ``initialize`` is answered; whatever it says next, be it
``notifications/initialized`` or a request, shows that it took the answer, and only then may the server speak unasked.

What a state has no way for is refused, and the refusal is in a table too. That both tables are in one file is what
keeps them true to each other: a meeting is in exactly one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, Final

from . import codes
from .versions import MODERN_VERSION, PROTOCOL_VERSION, Era

__all__ = ["ERAS", "REFUSALS", "TRANSITIONS", "Met", "ServerState", "exists", "lacks"]


class ServerState(Enum):
    UNBOUND = auto()
    GREETED = auto()
    """``initialize`` is answered."""
    LEGACY = auto()
    MODERN = auto()


class Met(Enum):
    """What a client can come with, as far as the era goes."""

    INITIALIZE = auto()
    ENVELOPED = auto()
    """A request with a good envelope of a revision that is spoken here."""
    PLAIN = auto()
    """Any other request but ``ping``."""
    PING = auto()
    """``ping`` without an envelope: the one thing that may be asked before the greeting."""
    INITIALIZED = auto()


_S, _M = ServerState, Met

TRANSITIONS: Final[Mapping[ServerState, Mapping[Met, ServerState]]] = {
    _S.UNBOUND: {_M.INITIALIZE: _S.GREETED, _M.ENVELOPED: _S.MODERN, _M.PING: _S.UNBOUND, _M.INITIALIZED: _S.UNBOUND},
    _S.GREETED: {_M.INITIALIZED: _S.LEGACY, _M.PLAIN: _S.LEGACY, _M.PING: _S.GREETED},
    _S.LEGACY: {_M.INITIALIZED: _S.LEGACY, _M.PLAIN: _S.LEGACY, _M.PING: _S.LEGACY},
    _S.MODERN: {_M.ENVELOPED: _S.MODERN, _M.INITIALIZED: _S.MODERN},
}

_GREETED_ALREADY = (codes.INVALID_REQUEST, "The connection is initialized already")
_LEGACY_SPOKEN = (codes.INVALID_REQUEST, "This connection was opened by initialize and speaks its revision")
_NO_ENVELOPE = (codes.INVALID_PARAMS, f"Invalid params: _meta lacks {PROTOCOL_VERSION}")

REFUSALS: Final[Mapping[ServerState, Mapping[Met, tuple[int, str]]]] = {
    _S.UNBOUND: {
        _M.PLAIN: (codes.INVALID_PARAMS, f"Not initialized, and invalid params: _meta lacks {PROTOCOL_VERSION}"),
    },
    _S.GREETED: {_M.INITIALIZE: _GREETED_ALREADY, _M.ENVELOPED: _LEGACY_SPOKEN},
    _S.LEGACY: {_M.INITIALIZE: _GREETED_ALREADY, _M.ENVELOPED: _LEGACY_SPOKEN},
    _S.MODERN: {
        _M.INITIALIZE: (codes.UNSUPPORTED_VERSION, f"This connection speaks {MODERN_VERSION}"),
        _M.PLAIN: _NO_ENVELOPE,
        _M.PING: _NO_ENVELOPE,
    },
}

ERAS: Final[Mapping[ServerState, Era | None]] = {
    _S.UNBOUND: None,
    _S.GREETED: Era.LEGACY,
    _S.LEGACY: Era.LEGACY,
    _S.MODERN: Era.MODERN,
}

LEGACY_ONLY = frozenset({"initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"})
MODERN_ONLY = frozenset({"server/discover", "subscriptions/listen"})

# What must be offered for a request to exist: a capability, and perhaps one of its switches.
_OFFERS: Mapping[str, tuple[str, str | None]] = {
    "tools/list": ("tools", None),
    "tools/call": ("tools", None),
    "prompts/list": ("prompts", None),
    "prompts/get": ("prompts", None),
    "resources/list": ("resources", None),
    "resources/templates/list": ("resources", None),
    "resources/read": ("resources", None),
    "resources/subscribe": ("resources", "subscribe"),
    "resources/unsubscribe": ("resources", "subscribe"),
    "completion/complete": ("completions", None),
    "logging/setLevel": ("logging", None),
}


def exists(method: str, era: Era, capabilities: Mapping[str, Any]) -> bool:
    """Whether a client may ask this of a server that offers these capabilities.

    A method that MCP does not define exists as far as this side can tell: an extension's, for the driver to judge.
    """
    if method in (LEGACY_ONLY if era is Era.MODERN else MODERN_ONLY):
        return False
    if (offer := _OFFERS.get(method)) is None:
        return True
    capability, switch = offer
    offered = capabilities.get(capability)
    return offered is not None and (switch is None or offered.get(switch) is True)


def lacks(method: str, params: Mapping[str, Any], declared: Mapping[str, Any]) -> dict[str, Any] | None:
    """The capabilities that a client would have to declare to be asked this, if it does not; None: it may be asked."""
    needed: dict[str, Any]
    match method:
        case "roots/list":
            needed, has = {"roots": {}}, _settings(declared, "roots") is not None
        case "sampling/createMessage" if "tools" in params or "toolChoice" in params:
            needed, has = {"sampling": {"tools": {}}}, "tools" in (_settings(declared, "sampling") or ())
        case "sampling/createMessage":
            needed, has = {"sampling": {}}, _settings(declared, "sampling") is not None
        case "elicitation/create" if params.get("mode") == "url":
            needed, has = {"elicitation": {"url": {}}}, "url" in (_settings(declared, "elicitation") or ())
        case "elicitation/create":
            # 2025-11-25, elicitation: an empty object is equivalent to declaring form mode alone.
            modes = _settings(declared, "elicitation")
            needed, has = {"elicitation": {"form": {}}}, modes is not None and ("form" in modes or "url" not in modes)
        case _:
            return None
    return None if has else needed


def _settings(declared: Mapping[str, Any], capability: str) -> Mapping[str, Any] | None:
    """What a client says about a capability; None when that is no object, for then it is not declared."""
    found = declared.get(capability)
    return found if isinstance(found, Mapping) else None
