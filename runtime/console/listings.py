"""What the listing words give: plain tuples and dicts that print as tables."""

from collections.abc import Iterable
from typing import Self, TypeVar, final

from runtime.servers import ServerStatus

T = TypeVar("T")


@final
class Listing(tuple[T, ...]):
    """A tuple that prints as a table, and says ``none`` when it is empty."""

    none: str

    def __new__(cls, rows: Iterable[T] = (), *, none: str = "nothing") -> Self:
        listing = super().__new__(cls, rows)
        listing.none = none
        return listing

    def __str__(self) -> str:
        from runtime.console.render import plain

        return plain(self)


@final
class Statuses(dict[str, ServerStatus]):
    """Each server's status by its name, printed as a table."""

    def __str__(self) -> str:
        from runtime.console.render import plain

        return plain(self)
