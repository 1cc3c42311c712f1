"""Configuration files to frozen specs: :func:`load` reads what other MCP clients write, and our own keys.

Nothing is imported before it is used: who imports the runtime has not opened a configuration yet."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .expand import AskInput as AskInput
    from .mistakes import ConfigError as ConfigError
    from .mistakes import Mistake as Mistake
    from .mistakes import Note as Note
    from .reading import load as load
    from .reading import load_server as load_server
    from .secret import Secret as Secret
    from .secret import reveal as reveal
    from .spec import Backoff as Backoff
    from .spec import Bounds as Bounds
    from .spec import Breaker as Breaker
    from .spec import CacheLimits as CacheLimits
    from .spec import CacheRules as CacheRules
    from .spec import Client as Client
    from .spec import Command as Command
    from .spec import Gateway as Gateway
    from .spec import Group as Group
    from .spec import Health as Health
    from .spec import InProcess as InProcess
    from .spec import Input as Input
    from .spec import JournalRules as JournalRules
    from .spec import NameRules as NameRules
    from .spec import Owned as Owned
    from .spec import Reach as Reach
    from .spec import Remote as Remote
    from .spec import Retries as Retries
    from .spec import RuntimeConfig as RuntimeConfig
    from .spec import ServerSpec as ServerSpec
    from .spec import Spawns as Spawns
    from .spec import Timeouts as Timeouts
    from .spec import Window as Window

_ROOMS = {
    "expand": ("AskInput",),
    "mistakes": ("ConfigError", "Mistake", "Note"),
    "reading": ("load", "load_server"),
    "secret": ("Secret", "reveal"),
    "spec": (
        *("Backoff", "Bounds", "Breaker", "CacheLimits", "CacheRules", "Client", "Command", "Gateway", "Group"),
        *("Health", "InProcess", "Input", "JournalRules", "NameRules", "Owned", "Reach", "Remote", "Retries"),
        *("RuntimeConfig", "ServerSpec", "Spawns", "Timeouts", "Window"),
    ),
}
__all__ = [name for names in _ROOMS.values() for name in names]


def __getattr__(name: str) -> Any:
    for room, names in _ROOMS.items():
        if name in names:
            for each in names:
                globals()[each] = getattr(import_module(f".{room}", __name__), each)
            return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
