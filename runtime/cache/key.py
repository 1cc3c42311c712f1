"""What may be remembered, for how long, and under which key. Pure."""

from __future__ import annotations

from fnmatch import fnmatchcase
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

if TYPE_CHECKING:
    from runtime.config import CacheRules


def time_to_live(rules: CacheRules | None, tool: str) -> float:
    """Return for how many seconds an answer of ``tool`` stays fresh; 0: it is not remembered. First glob wins."""
    if rules is None:
        return 0.0
    return next((ttl for glob, ttl in rules.tools.items() if fnmatchcase(tool, glob)), 0.0)


def cache_key(arguments: Raw) -> str | None:
    """Return the digest of arguments in their canonical form (RFC 8785), or None: not everything has one."""
    import rfc8785

    try:
        return sha256(rfc8785.dumps(msgspec.json.decode(arguments))).hexdigest()
    except rfc8785.CanonicalizationError:
        return None
