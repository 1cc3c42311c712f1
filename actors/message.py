"""What may be sent: an :class:`Ask` is answered, a :class:`Tell` is not."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, ClassVar, Generic, TypeVar

Reply = TypeVar("Reply")


class Route(IntEnum):
    """Which verb and which lane a message class takes; worked out once per class, so that a send reads it."""

    ASK = 0
    TELL = 1
    CONTROL_ASK = 2
    CONTROL_TELL = 3


def _shown(message: object) -> str:
    """Show a message whose class has no repr of its own (``@frozen(repr=False)`` is made the sooner)."""
    fields: tuple[str, ...] = getattr(message, "__match_args__", ())
    return f"{type(message).__name__}({', '.join(f'{name}={getattr(message, name)!r}' for name in fields)})"


class Ask(Generic[Reply]):
    """A message that is answered with a ``Reply``; derive frozen attrs classes from it.

    ``control = True`` on the class sends it by the control lane, past all queued work.
    ``cancellable = True`` lets an asker that goes away cancel the ``async`` handler that works on its message;
    without it the handler finishes and its reply is dropped.
    """

    __slots__ = ()
    control: ClassVar[bool] = False
    cancellable: ClassVar[bool] = False
    route: ClassVar[Route] = Route.ASK

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.route = Route.CONTROL_ASK if cls.control else Route.ASK

    __repr__ = _shown

    def answer(self, value: Reply) -> Reply:
        """Return ``value``: ``return message.answer(x)`` lets a type checker see that ``x`` is the right reply."""
        return value


class Tell:
    """A message that nobody waits for; derive frozen attrs classes from it. ``control`` as for :class:`Ask`."""

    __slots__ = ()
    control: ClassVar[bool] = False
    cancellable: ClassVar[bool] = False
    route: ClassVar[Route] = Route.TELL

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.route = Route.CONTROL_TELL if cls.control else Route.TELL

    __repr__ = _shown
