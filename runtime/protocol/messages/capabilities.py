"""What each side offers the other. None is "not offered"; an empty object offers without further wishes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .part import Part, part

if TYPE_CHECKING:
    from .part import Json

__all__ = ["ClientCapabilities", "ListsCapability", "ServerCapabilities"]


@part
class ListsCapability(Part):
    """Tools, prompts or resources are offered; ``subscribe`` exists for resources only."""

    list_changed: bool | None = None
    subscribe: bool | None = None


@part
class ServerCapabilities(Part):
    """What a server offers."""

    tools: ListsCapability | None = None
    prompts: ListsCapability | None = None
    resources: ListsCapability | None = None
    logging: Json | None = None
    completions: Json | None = None
    tasks: Json | None = None
    """2025-11-25 only; later revisions name the extension."""
    experimental: Json | None = None
    extensions: Json | None = None


@part
class ClientCapabilities(Part):
    """What a client offers a server.

    ``sampling`` may hold ``tools`` and ``context``, ``elicitation`` may hold ``form`` and ``url`` (holding neither
    means ``form``), ``roots`` may hold ``listChanged``.
    """

    roots: Json | None = None
    sampling: Json | None = None
    elicitation: Json | None = None
    tasks: Json | None = None
    """2025-11-25 only; later revisions name the extension."""
    experimental: Json | None = None
    extensions: Json | None = None
