"""Hosted servers as actors: how one is started, spoken to, watched and brought back."""

from runtime.servers.drawing import with_servers
from runtime.servers.handlers import Elicitation, Handlers, Roots, Sampling
from runtime.servers.island import child_name, fleet_specs, island_spec
from runtime.servers.link import Link, Links, OpenLink
from runtime.servers.record import CONNECTED, DOWN, Record, ServerStatus, State
from runtime.servers.server import Adjust, Drain, KillChild, Relist, Services, Unsubscribe
from runtime.servers.watching import Changes, ResourceChanged

__all__ = [
    "CONNECTED",
    "DOWN",
    "Adjust",
    "Changes",
    "Drain",
    "Elicitation",
    "Handlers",
    "KillChild",
    "Link",
    "Links",
    "OpenLink",
    "Record",
    "Relist",
    "ResourceChanged",
    "Roots",
    "Sampling",
    "ServerStatus",
    "Services",
    "State",
    "Unsubscribe",
    "child_name",
    "fleet_specs",
    "island_spec",
    "with_servers",
]
