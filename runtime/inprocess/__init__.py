"""MCP servers written as Python functions.

`ToolServer` collects the functions; it serves in this process over a transport, or as a process of its own over
stdin and stdout.
"""

from .server import ToolServer
from .tools import Progress, ToolError

__all__ = ["Progress", "ToolError", "ToolServer"]
