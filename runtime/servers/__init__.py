"""Hosted servers as actors: how one is started, spoken to, watched and brought back."""

from runtime.servers.drawing import with_servers
from runtime.servers.island import child_name, fleet_specs, island_spec
from runtime.servers.link import Link, OpenLink, open_link
from runtime.servers.record import CONNECTED, DOWN, Record, ServerStatus, State
from runtime.servers.server import Drain, KillChild, Services

__all__ = [
    "CONNECTED",
    "DOWN",
    "Drain",
    "KillChild",
    "Link",
    "OpenLink",
    "Record",
    "ServerStatus",
    "Services",
    "State",
    "child_name",
    "fleet_specs",
    "island_spec",
    "open_link",
    "with_servers",
]
