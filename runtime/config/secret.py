"""Values that must not be printed by accident."""

from typing import NoReturn, Self, final


@final
class Secret:
    """A string that prints as ``***`` wherever it is formatted, and is read only by :meth:`reveal`.

    It is neither a ``str`` nor an attrs class, so that no serializer (json, msgspec, cattrs) can write it
    out unasked, and it refuses to be pickled. Equal secrets compare equal, so that two configurations can be
    compared."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The string itself: for the child's environment, an argument or a header, and nothing else."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __format__(self, format_spec: str) -> str:
        return format("***", format_spec)

    def __eq__(self, other: object) -> bool:
        return self._value == other._value if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret cannot be pickled; reveal() it where it is used")


Text = str | Secret


def reveal(text: Text) -> str:
    """The string behind a value that may be a :class:`Secret`."""
    return text.reveal() if isinstance(text, Secret) else text
