"""Resources: listed, read, watched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .part import CacheableResult, Page, Params, Part, Retryable, part

if TYPE_CHECKING:
    from .content import Annotations, ResourceContents
    from .icons import Icon
    from .part import Json

__all__ = [
    "ListResourceTemplatesResult",
    "ListResourcesResult",
    "ReadResourceParams",
    "ReadResourceResult",
    "Resource",
    "ResourceParams",
    "ResourceTemplate",
]


@part
class Resource(Part):
    uri: str
    name: str
    title: str | None = None
    description: str | None = None
    mime_type: str | None = None
    size: int | None = None
    """Bytes, before base64."""
    icons: tuple[Icon, ...] | None = None
    annotations: Annotations | None = None
    meta: Json | None = None


@part
class ResourceTemplate(Part):
    """Resources by pattern: ``uri_template`` is one of RFC 6570."""

    uri_template: str
    name: str
    title: str | None = None
    description: str | None = None
    mime_type: str | None = None
    icons: tuple[Icon, ...] | None = None
    annotations: Annotations | None = None
    meta: Json | None = None


@part
class ListResourcesResult(Page):
    resources: tuple[Resource, ...]


@part
class ListResourceTemplatesResult(Page):
    resource_templates: tuple[ResourceTemplate, ...]


@part
class ReadResourceParams(Retryable):
    """``resources/read``."""

    uri: str


@part
class ReadResourceResult(CacheableResult):
    """A resource may have several parts, as a directory has files."""

    contents: tuple[ResourceContents, ...]


@part
class ResourceParams(Params):
    """``resources/subscribe``, ``resources/unsubscribe`` and ``notifications/resources/updated``."""

    uri: str
