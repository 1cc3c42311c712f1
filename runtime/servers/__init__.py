"""Hosted servers as actors: how one is started, spoken to, watched and brought back."""

from runtime.servers.drawing import with_servers
from runtime.servers.island import fleet_specs, island_spec
from runtime.servers.link import Link, OpenLink, open_link
from runtime.servers.record import DOWN, Record, ServerStatus, State
from runtime.servers.server import Drain, KillChild, Services

__all__ = [
    "DOWN",
    "Drain",
    "KillChild",
    "Link",
    "OpenLink",
    "Record",
    "ServerStatus",
    "Services",
    "State",
    "fleet_specs",
    "island_spec",
    "open_link",
    "with_servers",
]
