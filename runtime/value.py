"""Values that show what is particular about them."""

from __future__ import annotations

from typing import Any

from attrs import Attribute, Factory, fields, frozen

__all__ = ["Value"]


@frozen(repr=False)
class Value:
    """Base of frozen classes with many fields and defaults: a repr that leaves out what is as by default.

    To be had by ``@frozen(repr=False)``. It is one for all, where attrs would make a longer one for each class, at
    every start anew.
    """

    def __repr__(self) -> str:
        told = ((each, getattr(self, each.name)) for each in fields(type(self)))
        shown = ", ".join(f"{each.alias}={value!r}" for each, value in told if value != _default(each))
        return f"{type(self).__qualname__}({shown})"


def _default(attribute: Attribute[Any]) -> Any:
    default: Any = attribute.default
    return default.factory() if isinstance(default, Factory) else default  # type: ignore[arg-type]  # it is a class
