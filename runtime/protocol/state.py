"""The states of a client connection, in one table, and the pure rules that choose the way through it.

A handshake is a question (``server/discover`` or ``initialize``) and what its answer *means*:

- an answer that a modern server gives: the connection is open, in the modern era;
- ``-32022`` to the probe that names the very revision which was asked for: a server of which one part does not know
  yet what another serves. It is asked again, once;
- else ``-32022`` to the probe, or a DiscoverResult without a modern revision of ours: the server names what it
  speaks. A legacy revision of ours in that list is chosen with ``initialize``, the one way to speak it;
  anything else is the end;
- ``-32020`` and ``-32021`` to the probe: a modern server that this side cannot satisfy. The end;
- any other error, a result that is no DiscoverResult, or silence: legacy. Never keyed to one code: TypeScript
  servers say ``-32601``, Python 1.x servers ``-32602``, over HTTP it is what a transport makes of a status;
- an error to ``initialize`` when no probe has been answered (it met silence, or was left out because the server
  spoke legacy the last time): perhaps a modern server, whose code for this is its own choice. It is asked
  ``server/discover``, once.

Sources: MCP 2026-07-28, basic/versioning and basic/transports/stdio: backward compatibility. These say two
things about ``-32022``: the client "SHOULD select a mutually supported version from the ``supported`` list and
retry", with an example whose list names 2025-11-25; and a modern error is no reason to "fall back to
``initialize``". The second forbids to *guess* a legacy server from an error. A server that names a legacy revision
leaves nothing to guess: it says that it is dual-era, and retrying with that revision is ``initialize``. So does the
official Python SDK; the TypeScript one only where the list holds nothing but legacy revisions.
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
    "probe_error_means",
    "versions_mean",
]


class State(Enum):
    IDLE = auto()
    PROBING = auto()
    """``server/discover`` is out; `initialize` may follow (era ``auto``)."""
    DISCOVERING = auto()
    """``server/discover`` is out and is the only way: era ``modern``, or `initialize` was refused."""
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
    ASKED_AGAIN = auto()
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
        Meaning.ASKED_AGAIN: State.PROBING,
        Meaning.REFUSED: State.FAILED,
    },
    State.DISCOVERING: {
        Meaning.DISCOVERED: State.OPEN,
        Meaning.ASKED_AGAIN: State.DISCOVERING,
        Meaning.REFUSED: State.FAILED,
    },
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


def named_versions(error: JsonRpcError) -> tuple[str, ...]:
    """The revisions that an UnsupportedProtocolVersion error names; whatever is no string is passed over."""
    data: Any = error.data
    supported = data.get("supported") if isinstance(data, dict) else None
    return tuple(v for v in supported if isinstance(v, str)) if isinstance(supported, list) else ()


def versions_mean(supported: Iterable[str]) -> Meaning:
    """What the revisions that a modern server names say about the way to speak with it."""
    named = frozenset(supported)
    if MODERN_VERSION in named:
        return Meaning.DISCOVERED
    return Meaning.REFUSED if named.isdisjoint(LEGACY_VERSIONS) else Meaning.LEGACY


def probe_error_means(error: JsonRpcError) -> Meaning:
    """What an error in answer to ``server/discover`` says about the server."""
    if error.code not in codes.MODERN_ERRORS:
        return Meaning.LEGACY
    if error.code != codes.UNSUPPORTED_VERSION:
        return Meaning.REFUSED
    means = versions_mean(named_versions(error))
    return Meaning.ASKED_AGAIN if means is Meaning.DISCOVERED else means
