"""MCP's types, as frozen values in Python's names; `runtime.protocol.wire` maps them to the wire's.

One rule for all: the wire name is the camel-cased Python name (``meta`` is ``_meta``); an optional that is
None is left out; what the peer sent beyond the known fields is in ``extra`` and travels on. Mappings are the
peer's JSON as it is (schemas, ``_meta``): relayed, never interpreted here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeAlias

from attrs import field, frozen

from runtime.value import Value

__all__ = [
    "AudioContent",
    "CallToolResult",
    "Cancelled",
    "ClientCapabilities",
    "ContentBlock",
    "DiscoverResult",
    "EmbeddedResource",
    "ImageContent",
    "Implementation",
    "InitializeResult",
    "ListToolsResult",
    "ListsCapability",
    "Progress",
    "ResourceContents",
    "ResourceLink",
    "ServerCapabilities",
    "TextContent",
    "Tool",
    "ToolAnnotations",
    "UnknownContent",
]

Json: TypeAlias = Mapping[str, Any]


@frozen(kw_only=True, repr=False)
class Implementation(Value):
    """Who a peer says it is. For display only: never decide by it."""

    name: str
    version: str
    title: str | None = None
    description: str | None = None
    website_url: str | None = None
    extra: Json = field(factory=dict)

    def __str__(self) -> str:
        return f"{self.title or self.name} {self.version}"


@frozen(kw_only=True, repr=False)
class ListsCapability(Value):
    """Tools, prompts or resources are offered; ``subscribe`` exists for legacy resources only."""

    list_changed: bool | None = None
    subscribe: bool | None = None
    extra: Json = field(factory=dict)


@frozen(kw_only=True, repr=False)
class ServerCapabilities(Value):
    """What a server offers; None is "not offered"."""

    tools: ListsCapability | None = None
    prompts: ListsCapability | None = None
    resources: ListsCapability | None = None
    logging: Json | None = None
    completions: Json | None = None
    experimental: Json | None = None
    extensions: Json | None = None
    extra: Json = field(factory=dict)


@frozen(kw_only=True, repr=False)
class ClientCapabilities(Value):
    """What this side offers a server; None is "not offered"."""

    roots: Json | None = None
    sampling: Json | None = None
    elicitation: Json | None = None
    experimental: Json | None = None
    extensions: Json | None = None
    extra: Json = field(factory=dict)


@frozen(kw_only=True, repr=False)
class DiscoverResult(Value):
    """The answer to ``server/discover`` (modern)."""

    supported_versions: tuple[str, ...]
    capabilities: ServerCapabilities
    instructions: str | None = None
    ttl_ms: int | None = None
    cache_scope: str | None = None
    result_type: str | None = None
    meta: Json | None = None
    extra: Json = field(factory=dict)


@frozen(kw_only=True, repr=False)
class InitializeResult(Value):
    """The answer to ``initialize`` (legacy)."""

    protocol_version: str
    capabilities: ServerCapabilities
    server_info: Implementation
    instructions: str | None = None
    meta: Json | None = None
    extra: Json = field(factory=dict)


@frozen(kw_only=True, repr=False)
class ToolAnnotations(Value):
    """A server's hints about a tool: claims, not facts."""

    title: str | None = None
    read_only_hint: bool | None = None
    destructive_hint: bool | None = None
    idempotent_hint: bool | None = None
    open_world_hint: bool | None = None
    extra: Json = field(factory=dict)


@frozen(kw_only=True, repr=False)
class Tool(Value):
    name: str
    input_schema: Json
    title: str | None = None
    description: str | None = None
    output_schema: Json | None = None
    annotations: ToolAnnotations | None = None
    meta: Json | None = None
    extra: Json = field(factory=dict)


@frozen(kw_only=True, repr=False)
class ListToolsResult(Value):
    """One page of tools; the last has no ``next_cursor``. ``ttl_ms`` in milliseconds, None is unknown."""

    tools: tuple[Tool, ...]
    next_cursor: str | None = None
    ttl_ms: int | None = None
    cache_scope: str | None = None
    result_type: str | None = None
    meta: Json | None = None
    extra: Json = field(factory=dict)


@frozen(kw_only=True, repr=False)
class TextContent(Value):
    type: ClassVar[str] = "text"
    text: str
    annotations: Json | None = None
    meta: Json | None = None
    extra: Json = field(factory=dict)


@frozen(kw_only=True, repr=False)
class ImageContent(Value):
    """``data`` is base64 as it came."""

    type: ClassVar[str] = "image"
    data: str
    mime_type: str
    annotations: Json | None = None
    meta: Json | None = None
    extra: Json = field(factory=dict)


@frozen(kw_only=True, repr=False)
class AudioContent(Value):
    """``data`` is base64 as it came."""

    type: ClassVar[str] = "audio"
    data: str
    mime_type: str
    annotations: Json | None = None
    meta: Json | None = None
    extra: Json = field(factory=dict)


@frozen(kw_only=True, repr=False)
class ResourceLink(Value):
    type: ClassVar[str] = "resource_link"
    uri: str
    name: str
    title: str | None = None
    description: str | None = None
    mime_type: str | None = None
    size: int | None = None
    annotations: Json | None = None
    meta: Json | None = None
    extra: Json = field(factory=dict)


@frozen(kw_only=True, repr=False)
class ResourceContents(Value):
    """Exactly one of ``text`` and ``blob`` (base64) is there in a well-formed resource."""

    uri: str
    mime_type: str | None = None
    text: str | None = None
    blob: str | None = None
    meta: Json | None = None
    extra: Json = field(factory=dict)


@frozen(kw_only=True, repr=False)
class EmbeddedResource(Value):
    type: ClassVar[str] = "resource"
    resource: ResourceContents
    annotations: Json | None = None
    meta: Json | None = None
    extra: Json = field(factory=dict)


@frozen(kw_only=True, repr=False)
class UnknownContent(Value):
    """A block of a ``type`` that this side does not know: kept whole, relayed, shown as it is."""

    type: str
    extra: Json = field(factory=dict)


ContentBlock: TypeAlias = TextContent | ImageContent | AudioContent | ResourceLink | EmbeddedResource | UnknownContent


@frozen(kw_only=True, repr=False)
class CallToolResult(Value):
    """What a tool answered. ``is_error`` is the tool's own failure: an answer, not a protocol error."""

    content: tuple[ContentBlock, ...] = ()
    structured_content: Any = None
    is_error: bool | None = None
    result_type: str | None = None
    meta: Json | None = None
    extra: Json = field(factory=dict)

    @property
    def text(self) -> str:
        """The text blocks, joined by line ends."""
        return "\n".join(block.text for block in self.content if isinstance(block, TextContent))

    def __str__(self) -> str:
        """The answer for people: text as it is, every other block by its type."""
        shown = (block.text if isinstance(block, TextContent) else f"[{block.type}]" for block in self.content)
        return "\n".join(shown)


@frozen(kw_only=True, repr=False)
class Progress(Value):
    """Params of ``notifications/progress``; the unit of ``progress`` and ``total`` is the server's."""

    progress_token: int | str
    progress: float
    total: float | None = None
    message: str | None = None
    meta: Json | None = None
    extra: Json = field(factory=dict)


@frozen(kw_only=True, repr=False)
class Cancelled(Value):
    """Params of ``notifications/cancelled``. Tasks of 2025-11-25 may leave the id out."""

    request_id: int | str | None = None
    reason: str | None = None
    meta: Json | None = None
    extra: Json = field(factory=dict)
