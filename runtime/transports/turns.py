"""How many of a kind may be under way at once, and who is next: pure."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar, final

from attrs import define, field

__all__ = ["Turns"]

T = TypeVar("T")


@final
@define(eq=False)
class Turns(Generic[T]):
    """So many turns; whoever finds none `free` is `parked`, and has the first that is given back, in order."""

    free: int
    parked: deque[T] = field(factory=deque, init=False)

    def take(self, who: T) -> bool:
        """Whether it has a turn now; else it is parked."""
        if self.free:
            self.free -= 1
            return True
        self.parked.append(who)
        return False

    def give_back(self) -> T | None:
        """A turn is over; returns whose it is next."""
        if self.parked:
            return self.parked.popleft()
        self.free += 1
        return None

    def leave(self, who: T) -> bool:
        """Whether it was parked, and so is no longer."""
        if who in self.parked:
            self.parked.remove(who)
            return True
        return False
