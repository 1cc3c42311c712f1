"""A tool's answer as text."""

import json

from runtime.protocol import (
    AudioContent,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceContents,
    ResourceLink,
    TextContent,
    UnknownContent,
)


def words(result: CallToolResult) -> str:
    """Give the text of an answer as the server wrote it, with a note in place of what is no text. The structured
    content is given only where there is nothing else: servers send it beside a text that says the same."""
    if not result.content and result.structured_content is not None:
        return json.dumps(result.structured_content, indent=2, ensure_ascii=False)
    return "\n".join(map(block_words, result.content))


def resource_words(part: ResourceContents) -> str:
    """Give the text of a part of a resource, or a note in place of what is no text."""
    if part.text is not None:
        return part.text
    return f"[{part.uri}, {part.mime_type or 'binary'}, {len(part.blob or '') * 3 // 4} bytes]"


def block_words(block: ContentBlock) -> str:
    """Give a block as text, or a note in its place."""
    match block:
        case TextContent(text=text):
            return text
        case ImageContent(mime_type=kind, data=data) | AudioContent(mime_type=kind, data=data):
            return f"[{block.type}, {kind}, {len(data) * 3 // 4} bytes]"
        case ResourceLink(uri=uri, name=name):
            return f"[resource {name}: {uri}]"
        case EmbeddedResource(resource=resource):
            return f"[resource {resource.uri}]" if resource.text is None else resource.text
        case UnknownContent(type=kind):
            return f"[{kind}]"
