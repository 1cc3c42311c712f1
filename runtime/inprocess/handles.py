"""Names for what waits, which a client keeps and gives back, and can neither guess nor change."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, final

import msgspec
from attrs import define, field

__all__ = ["Handles"]

_encode = msgspec.json.Encoder(order="sorted").encode
_OF_THE_ROUND = ("_meta", "inputResponses", "requestState")


@final
@define(eq=False)
class Handles:
    """Makes ``requestState`` strings and reads them.

    MCP 2026-07-28 wants them treated as an attacker's: each is a random name under a keyed digest of itself and of the
    request that it belongs to, so one that was made up, changed, or brought with another request names nothing. When
    it expires, and that it is good once, is for whoever keeps what it names.
    """

    _key: bytes = field(factory=lambda: secrets.token_bytes(32), init=False, repr=False)

    def mint(self, method: str, params: Mapping[str, Any]) -> tuple[str, str]:
        """A new name, and the state that tells it."""
        name = secrets.token_urlsafe(16)
        return name, f"{name}.{self._digest(name, method, params)}"

    def read(self, state: str, method: str, params: Mapping[str, Any]) -> str | None:
        """The name that a state tells; None: this is no state for this request."""
        name, _, digest = state.partition(".")
        right = self._digest(name, method, params)
        return name if hmac.compare_digest(digest.encode(), right.encode()) else None

    def _digest(self, name: str, method: str, params: Mapping[str, Any]) -> str:
        asked = {key: value for key, value in params.items() if key not in _OF_THE_ROUND}
        return hmac.new(self._key, name.encode() + b"\0" + _encode([method, asked]), sha256).hexdigest()
