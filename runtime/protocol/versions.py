"""Revisions of MCP, their two eras, and the reserved names of the modern envelope."""

from enum import Enum
from typing import Final, Literal, TypeAlias

__all__ = [
    "CLIENT_CAPABILITIES",
    "CLIENT_INFO",
    "LEGACY_VERSIONS",
    "LOG_LEVEL",
    "MAY_ASK_BACK",
    "MODERN_VERSION",
    "PROTOCOL_VERSION",
    "SERVER_INFO",
    "SUBSCRIPTION_ID",
    "TASKS",
    "WITH_BATCHES",
    "Era",
    "EraChoice",
]

MODERN_VERSION: Final = "2026-07-28"
"""The one modern revision that is spoken here."""

LEGACY_VERSIONS: Final = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""The revisions that start with ``initialize``, newest first."""

WITH_BATCHES: Final = "2025-03-26"
"""The one revision whose messages may come in arrays."""

PROTOCOL_VERSION: Final = "io.modelcontextprotocol/protocolVersion"
CLIENT_INFO: Final = "io.modelcontextprotocol/clientInfo"
CLIENT_CAPABILITIES: Final = "io.modelcontextprotocol/clientCapabilities"
LOG_LEVEL: Final = "io.modelcontextprotocol/logLevel"
SERVER_INFO: Final = "io.modelcontextprotocol/serverInfo"
SUBSCRIPTION_ID: Final = "io.modelcontextprotocol/subscriptionId"

MAY_ASK_BACK: Final = frozenset({"tools/call", "prompts/get", "resources/read"})
"""What a modern server may answer with ``input_required``. (The table of all methods takes its time to load.)"""

TASKS: Final = "io.modelcontextprotocol/tasks"
"""The extension for long work, as both sides declare it in ``capabilities.extensions``."""


class Era(Enum):
    """How a connection agrees on what it speaks.

    *Modern* (2026-07-28 and later): no handshake, every request carries its envelope in ``_meta``.
    *Legacy* (2024-11-05 to 2025-11-25): ``initialize`` comes first and binds the connection.
    """

    MODERN = "modern"
    LEGACY = "legacy"


EraChoice: TypeAlias = Literal["auto", "modern", "legacy"]
"""Which eras a client may use; ``auto`` asks ``server/discover`` first and falls back to ``initialize``."""
