"""A server of functions, found by the name that a configuration gives it."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import final

from .server import ToolServer

__all__ = ["NoServer", "load_server"]


@final
class NoServer(Exception):
    """There is no server of that name; the cause, where there is one, is what its import raised."""


def load_server(module: str, name: str, *, directory: str | None = None) -> ToolServer:
    """The object ``name`` of a module, imported if it is not.

    Args:
        directory: searched for the module after all of ``sys.path``, where it stays, for the module may import its
            neighbours later. Being the last it hides nothing.
    Raises:
        NoServer: there is no such module, its import fails or exits, or the object is no `ToolServer`.
    """
    if directory is not None and directory not in sys.path:
        sys.path.append(directory)
    try:
        found = getattr(import_module(module), name)
    except SystemExit as error:
        raise NoServer(f"its import exits: {error}") from error
    except (ImportError, AttributeError) as error:
        raise NoServer(str(error)) from error
    except Exception as error:  # the boundary: whatever a module of somebody's raises is its server's failure
        raise NoServer(f"its import raises {type(error).__name__}: {error}") from error
    if not isinstance(found, ToolServer):
        raise NoServer(f"is a {type(found).__name__}, not a runtime.inprocess.ToolServer")
    return found
