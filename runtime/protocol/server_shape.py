"""What a server answers, in the shape that its client's revision gives it. Pure.

A driver answers in the words of the newest revision; older ones lack some of them. What a revision cannot tell is left
out where its text form says the same (``structuredContent`` that is no object), and told as text where it is all there
is (a block of a type that came later).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec
from attrs import frozen
from msgspec import Raw

from runtime.value import Value

from .jsonrpc import Body

__all__ = ["CACHEABLE", "CacheHint", "hint_for", "in_modern_words", "legacy", "members", "modern", "plain"]


@frozen(repr=False)
class CacheHint(Value):
    """For how many milliseconds a modern client may keep a result, and whether it may share it."""

    ttl_ms: int = 0
    scope: Literal["public", "private"] = "private"


_LIST = CacheHint(scope="public")
# MCP 2026-07-28, caching: complete results of these carry hints. What is read may be the reader's alone.
CACHEABLE: Mapping[str, CacheHint] = {
    "server/discover": _LIST,
    "tools/list": _LIST,
    "prompts/list": _LIST,
    "resources/list": _LIST,
    "resources/templates/list": _LIST,
    "resources/read": CacheHint(),
}

_MODERN_MEMBERS = ("resultType", "ttlMs", "cacheScope")

# The revision that brought a type of content.
_SINCE = {"audio": "2025-03-26", "resource_link": "2025-06-18"}

_decode = msgspec.json.Decoder().decode
_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode


def members(result: Body) -> Mapping[str, Any]:
    """The members of a result, their values as raw as it is."""
    return _decode_members(result) if isinstance(result, Raw) else result


def plain(value: Any) -> Any:
    """A value that may be raw, decoded."""
    return _decode(value) if isinstance(value, Raw) else value


def hint_for(method: str, params: Mapping[str, Any], hints: Mapping[str, CacheHint]) -> CacheHint | None:
    """What the complete result of a request says of its keeping, with what a server says of each method; None: nothing.

    The result of a retried request must not be kept (2026-07-28, multi round-trip requests).
    """
    if method not in CACHEABLE:
        return None
    if "inputResponses" in params or "requestState" in params:
        return CacheHint()
    return hints.get(method) or CACHEABLE[method]


def modern(result: Mapping[str, Any], meta: Any, hint: CacheHint | None) -> Mapping[str, Any]:
    """A result with what each has in the modern era, where it does not bring its own."""
    dress: dict[str, Any] = {"resultType": "complete"}
    if hint is not None and plain(result.get("resultType", "complete")) == "complete":
        dress |= {"ttlMs": hint.ttl_ms, "cacheScope": hint.scope}
    return {**dress, **result, "_meta": meta}


def in_modern_words(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """2026-07-28: a request to visit a URL has no ``elicitationId`` any more."""
    params = request.get("params")
    if not params or "elicitationId" not in params:
        return request
    return {**request, "params": {name: value for name, value in params.items() if name != "elicitationId"}}


def legacy(method: str, result: Mapping[str, Any], version: str) -> Mapping[str, Any]:
    """A result without what came with the modern era, nor what came after ``version``."""
    if any(name in result for name in _MODERN_MEMBERS):
        result = {name: value for name, value in result.items() if name not in _MODERN_MEMBERS}
    match method:
        case "tools/list" if "tools" in result:
            return {**result, "tools": [_tool(tool) for tool in plain(result["tools"])]}
        case "tools/call":
            return _called(result, version)
        case "prompts/get" if version < "2025-06-18" and "messages" in result:
            messages = [
                {**message, "content": _block(plain(message["content"]), version)}
                for message in map(plain, plain(result["messages"]))
            ]
            return {**result, "messages": messages}
    return result


def _called(result: Mapping[str, Any], version: str) -> Mapping[str, Any]:
    if "structuredContent" in result and not _is_object(result["structuredContent"]):
        result = {name: value for name, value in result.items() if name != "structuredContent"}
    if version < "2025-06-18" and "content" in result:
        content = [_block(plain(block), version) for block in plain(result["content"])]
        return {**result, "content": content}
    return result


def _is_object(value: Any) -> bool:
    return bytes(value).lstrip().startswith(b"{") if isinstance(value, Raw) else isinstance(value, Mapping)


def _block(block: dict[str, Any], version: str) -> dict[str, Any]:
    kind = block.get("type")
    if version >= _SINCE.get(kind, "") if isinstance(kind, str) else True:
        return block
    told = " ".join(str(block[name]) for name in ("name", "uri", "description", "mimeType") if name in block)
    return {"type": "text", "text": f"[{kind}] {told}"}


def _tool(tool: Any) -> Any:
    """2025-11-25, Tool: both schemas are of objects, whose properties are objects too, not ``true`` or ``false``."""
    tool = plain(tool)
    schemas = {name: plain(tool[name]) for name in ("inputSchema", "outputSchema") if name in tool}
    if all(map(_is_legacy_schema, schemas.values())):
        return tool
    changed = {name: _legacy_schema(schema) for name, schema in schemas.items() if schema.get("type") == "object"}
    return {**{name: value for name, value in tool.items() if name not in schemas}, **changed}


def _is_legacy_schema(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "object" and _are_objects(schema.get("properties", {}).values())


def _are_objects(schemas: Iterable[Any]) -> bool:
    return not any(isinstance(schema, bool) for schema in schemas)


def _legacy_schema(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "properties" not in schema:
        return schema
    spelled: dict[bool, dict[str, Any]] = {True: {}, False: {"not": {}}}
    properties = {
        name: spelled[each] if isinstance(each, bool) else each for name, each in schema["properties"].items()
    }
    return {**schema, "properties": properties}
