"""Pictures of whatever has a name."""

from __future__ import annotations

from .part import Part, part

__all__ = ["Icon"]


@part
class Icon(Part):
    """``src`` is an ``https:`` or ``data:`` URI, and a stranger's: look before you fetch."""

    src: str
    mime_type: str | None = None
    sizes: tuple[str, ...] | None = None
    theme: str | None = None
