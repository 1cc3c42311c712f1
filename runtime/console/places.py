"""Files that the console finds or keeps."""

import os
from collections.abc import Mapping
from pathlib import Path

from runtime.state import state_directory

# In this order: our own names first, then those that other clients use.
_CONFIGURATIONS = ("mcp.json", "mcp.toml", ".mcp.json", ".vscode/mcp.json")


def found_configuration(directory: Path) -> Path | None:
    """Give the configuration that a directory holds, as a path below it. It is for mentioning, never for running."""
    return next((Path(name) for name in _CONFIGURATIONS if (directory / name).is_file()), None)


def history_file(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Give the file of past lines in the user's state directory, made if need be and readable by the user alone.
    None where there is no such directory or it cannot be written."""
    state = state_directory(environ)
    if state is None:
        return None
    path = state / "history"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError:
        return None
    return path
