"""Roots: the places that a client lets a server work in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .part import Part, Result, part

if TYPE_CHECKING:
    from .part import Json

__all__ = ["ListRootsResult", "Root"]


@part
class Root(Part):
    """``uri`` is a ``file:`` URI."""

    uri: str
    name: str | None = None
    meta: Json | None = None


@part
class ListRootsResult(Result):
    roots: tuple[Root, ...]
