"""What tools, prompts and resources consist of. Binary data is base64 as it came."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeAlias

from .part import Part, part

if TYPE_CHECKING:
    from .icons import Icon
    from .part import Json

__all__ = [
    "Annotations",
    "AudioContent",
    "ContentBlock",
    "EmbeddedResource",
    "ImageContent",
    "ResourceContents",
    "ResourceLink",
    "TextContent",
    "UnknownContent",
]


@part
class Annotations(Part):
    """For whom a piece of content is (``user``, ``assistant``), how much it matters (0 to 1), how old it is."""

    audience: tuple[str, ...] | None = None
    priority: float | None = None
    last_modified: str | None = None


@part
class Block(Part):
    annotations: Annotations | None = None
    meta: Json | None = None


@part
class TextContent(Block):
    type: ClassVar[str] = "text"
    text: str


@part
class ImageContent(Block):
    type: ClassVar[str] = "image"
    data: str
    mime_type: str


@part
class AudioContent(Block):
    type: ClassVar[str] = "audio"
    data: str
    mime_type: str


@part
class ResourceLink(Block):
    """A resource that can be read with ``resources/read``; it need not be in any list."""

    type: ClassVar[str] = "resource_link"
    uri: str
    name: str
    title: str | None = None
    description: str | None = None
    mime_type: str | None = None
    size: int | None = None
    icons: tuple[Icon, ...] | None = None


@part
class ResourceContents(Part):
    """Exactly one of ``text`` and ``blob`` is there in a well-formed resource."""

    uri: str
    mime_type: str | None = None
    text: str | None = None
    blob: str | None = None
    meta: Json | None = None


@part
class EmbeddedResource(Block):
    type: ClassVar[str] = "resource"
    resource: ResourceContents


@part
class UnknownContent(Part):
    """A block of a ``type`` that this side does not know: kept whole, relayed, shown as it is."""

    type: str


ContentBlock: TypeAlias = TextContent | ImageContent | AudioContent | ResourceLink | EmbeddedResource | UnknownContent
