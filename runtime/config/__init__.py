"""Configuration files to frozen specs: :func:`load` reads what other MCP clients write, and our own keys."""

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
from .spec import JournalRules as JournalRules
from .spec import NameRules as NameRules
from .spec import Note as Note
from .spec import Owned as Owned
from .spec import Reach as Reach
from .spec import Remote as Remote
from .spec import Retries as Retries
from .spec import RuntimeConfig as RuntimeConfig
from .spec import ServerSpec as ServerSpec
from .spec import Spawns as Spawns
from .spec import Window as Window
