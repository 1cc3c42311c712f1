"""Notifications about a request that is out."""

from __future__ import annotations

from .part import Params, part

__all__ = ["Cancelled", "Progress"]


@part
class Progress(Params):
    """``notifications/progress``; the unit of ``progress`` and ``total`` is the server's."""

    progress_token: int | str
    progress: float
    total: float | None = None
    message: str | None = None


@part
class Cancelled(Params):
    """``notifications/cancelled``. Tasks of 2025-11-25 may leave the id out."""

    request_id: int | str | None = None
    reason: str | None = None
