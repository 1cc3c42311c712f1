"""Hosted servers as actors: how one is started, spoken to, watched and brought back."""

from runtime.servers.island import fleet_specs, island_spec
from runtime.servers.record import DOWN, Record, ServerStatus, State
from runtime.servers.server import Drain, KillChild, Services

__all__ = [
    "DOWN",
    "Drain",
    "KillChild",
    "Record",
    "ServerStatus",
    "Services",
    "State",
    "fleet_specs",
    "island_spec",
]
