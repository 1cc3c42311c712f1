"""The configuration that opens when none is given."""

import sys
from typing import Any, Final

__all__ = ["FLEET"]

FLEET: Final[dict[str, Any]] = {
    "mcpServers": {
        "clock": {"command": sys.executable, "args": ["-m", "runtime.builtin.clock"]},
        "notes": {"python": "runtime.builtin.notes:server"},
    }
}
"""In the form of a configuration file: a clock that is a child process, and notes kept in this one."""
