"""What a server may know of us, and what we repeat of its words must not show (S9)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, final
from urllib.parse import parse_qsl, unquote, urlsplit

from attrs import frozen

from runtime.config import Command, Owned, Remote, Secret, reveal

if TYPE_CHECKING:
    from runtime.config import Reach

_SHORTEST = 6  # characters from which on a secret can be told from the text around it


@final
@frozen(repr=False)
class Secrets:
    """Values that a server may repeat, on stderr or in an error, and we may not."""

    _values: tuple[str, ...]

    @classmethod
    def of(cls, reach: Reach) -> Secrets:
        """Find those that a server is given by the way it is reached, the longest first."""
        values = {value for value in _given(reach) if len(value) >= _SHORTEST}
        return cls(tuple(sorted(values, key=len, reverse=True)))

    def hide(self, text: str) -> str:
        """Return a text without them."""
        for value in self._values:
            text = text.replace(value, "***")
        return text


def _given(reach: Reach) -> Iterator[str]:
    match reach:
        case Command():
            yield from (value.reveal() for value in reach.env.values())
            yield from (word.reveal() for word in reach.argv if isinstance(word, Secret))
        case Remote():
            for header in reach.headers.values():
                yield (value := header.reveal())
                yield value.partition(" ")[2]  # what follows "Bearer", which may come back alone
            if isinstance(reach.url, Secret):
                parts = urlsplit(reveal(reach.url))
                yield parts.query
                yield from (value for _, value in parse_qsl(parts.query))
                yield unquote(parts.password or "")
        case Owned():
            yield from _given(reach.command)
            yield from _given(reach.remote)
