"""Arguments of a call as events may carry them: as a digest, unless the configuration lets them be read (S9)."""

from __future__ import annotations

from hashlib import sha256
from typing import final

from attrs import frozen

from runtime.value import Value

_SHOWN = 12  # characters of a digest, enough to see that two calls were alike


@final
@frozen(repr=False)
class Arguments(Value):
    """What is told of arguments: their size in bytes, a digest, and, where that is allowed, the JSON itself."""

    size: int
    digest: str
    json: str | None = None

    @classmethod
    def of(cls, encoded: bytes, *, openly: bool) -> Arguments:
        """Tell of arguments that are encoded already; ``openly`` is what ``journal.arguments`` says."""
        json = encoded.decode(errors="replace") if openly else None
        return cls(len(encoded), sha256(encoded).hexdigest()[:_SHOWN], json)

    def __str__(self) -> str:
        return self.json if self.json is not None else f"{self.size} bytes, digest {self.digest}"
