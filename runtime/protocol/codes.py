"""JSON-RPC and MCP error codes (MCP 2026-07-28, basic/index: error codes)."""

from typing import Final

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603

RESOURCE_NOT_FOUND: Final = -32002
"""Legacy; a modern server says `INVALID_PARAMS`."""
URL_ELICITATION_REQUIRED: Final = -32042
"""2025-11-25 only; a modern server answers ``input_required``."""

HEADER_MISMATCH: Final = -32020
MISSING_CLIENT_CAPABILITY: Final = -32021
UNSUPPORTED_VERSION: Final = -32022

MODERN_ERRORS: Final = frozenset({HEADER_MISMATCH, MISSING_CLIENT_CAPABILITY, UNSUPPORTED_VERSION})
"""Codes that only a modern server sends: whoever answers a probe with one is no legacy server."""

RESERVED: Final = range(-32768, -31999)
"""JSON-RPC's own: of ours nothing is in it but what the specification names; the rest means nothing to receivers."""
