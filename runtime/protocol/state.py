"""The states of a client connection, in one table, and the pure rules that choose the way through it.

A handshake is a question (``server/discover`` or ``initialize``) and what its answer *means*:

- an answer that a modern server gives: the connection is open, in the modern era;
- ``-32022`` to the probe: modern, but no common revision. The server named what it speaks: a legacy revision
  of ours in that list means ``initialize``, anything else is the end;
- any other error, a result that is no DiscoverResult, or silence: legacy. Never keyed to one code: TypeScript
  servers say ``-32601``, Python 1.x servers ``-32602``, others what they like (MCP 2026-07-28, versioning);
- ``-32022`` to ``initialize`` after a probe that met silence: a slow modern server, which took the probe as
  its first request after all. It is asked once more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum, auto
from typing import Any

from . import codes
from .jsonrpc import JsonRpcError
from .versions import LEGACY_VERSIONS, MODERN_VERSION

__all__ = [
    "TRANSITIONS",
    "Meaning",
    "State",
    "advance",
    "named_versions",
    "newest_common",
    "probe_error_means",
]


class State(Enum):
    IDLE = auto()
    PROBING = auto()
    """``server/discover`` is out; `initialize` may follow (era ``auto``)."""
    DISCOVERING = auto()
    """``server/discover`` is out and is the only way: era ``modern``, or the second probe."""
    INITIALIZING = auto()
    OPEN = auto()
    FAILED = auto()


class Meaning(Enum):
    """What happened to the handshake."""

    PROBED = auto()
    DISCOVERED = auto()
    LEGACY = auto()
    """Not a modern server, as far as the probe can tell."""
    INITIALIZED = auto()
    MODERN_AFTER_ALL = auto()
    REFUSED = auto()
    ASKED_MODERN_ONLY = auto()


TRANSITIONS: Mapping[State, Mapping[Meaning, State]] = {
    State.IDLE: {
        Meaning.PROBED: State.PROBING,
        Meaning.ASKED_MODERN_ONLY: State.DISCOVERING,
        Meaning.LEGACY: State.INITIALIZING,
    },
    State.PROBING: {
        Meaning.DISCOVERED: State.OPEN,
        Meaning.LEGACY: State.INITIALIZING,
        Meaning.REFUSED: State.FAILED,
    },
    State.DISCOVERING: {Meaning.DISCOVERED: State.OPEN, Meaning.REFUSED: State.FAILED},
    State.INITIALIZING: {
        Meaning.INITIALIZED: State.OPEN,
        Meaning.MODERN_AFTER_ALL: State.DISCOVERING,
        Meaning.REFUSED: State.FAILED,
    },
    State.OPEN: {},
    State.FAILED: {},
}


def advance(state: State, meaning: Meaning) -> State:
    """The next state. KeyError is a bug of this package: the rules never ask for what the table lacks."""
    return TRANSITIONS[state][meaning]


def newest_common(supported: Iterable[str], ours: Iterable[str]) -> str | None:
    """The first of ``ours`` (newest first) that the peer supports too."""
    theirs = frozenset(supported)
    return next((version for version in ours if version in theirs), None)


def named_versions(error: JsonRpcError) -> tuple[str, ...]:
    """The revisions that an UnsupportedProtocolVersion error names; whatever is no string is passed over."""
    data: Any = error.data
    supported = data.get("supported") if isinstance(data, dict) else None
    return tuple(v for v in supported if isinstance(v, str)) if isinstance(supported, list) else ()


def probe_error_means(error: JsonRpcError) -> Meaning:
    """What an error in answer to ``server/discover`` says about the server."""
    if error.code not in codes.MODERN_ERRORS:
        return Meaning.LEGACY
    if error.code == codes.UNSUPPORTED_VERSION and MODERN_VERSION not in named_versions(error):
        return Meaning.LEGACY if newest_common(named_versions(error), LEGACY_VERSIONS) else Meaning.REFUSED
    return Meaning.REFUSED
