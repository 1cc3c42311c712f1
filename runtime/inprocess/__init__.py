"""MCP servers written as Python functions.

`ToolServer` collects the functions; it serves in this process over a transport, or as a process of its own over
stdin and stdout.
"""

from .context import Context, Elicited
from .failures import AskFailed, NotFound, ToolError
from .functions import Progress
from .server import ToolServer

__all__ = ["AskFailed", "Context", "Elicited", "NotFound", "Progress", "ToolError", "ToolServer"]
