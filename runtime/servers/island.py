"""From a configuration to the fleet's child specs: one island for each server, or for each group of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import actors
from runtime.config import Backoff, Group, RuntimeConfig, ServerSpec, Window
from runtime.servers.record import Record
from runtime.servers.server import Services, open_server

RecordOf = Callable[[ServerSpec], Record]


def fleet_specs(config: RuntimeConfig, record_of: RecordOf, services: Services) -> tuple[actors.SupervisorSpec, ...]:
    """Return the islands: ungrouped servers each on its own, and the groups that are in no group, in file order."""
    grouped = {member for group in config.groups.values() for member in group.servers}
    servers = [island_spec(record_of(spec), services) for spec in config.servers.values() if spec.name not in grouped]
    groups = [
        group_spec(group, config, record_of, services) for group in config.groups.values() if group.name not in grouped
    ]
    return (*servers, *groups)


def island_spec(record: Record, services: Services) -> actors.SupervisorSpec:
    """Return the island of one server. Transient: once its window is spent it stays down, which is *ejected*."""
    spec = record.spec
    return actors.SupervisorSpec(
        spec.name,
        (_server_spec(record, spec.backoff, services),),
        window=_window(spec.window),
        restart=actors.Restart.TRANSIENT,
    )


def group_spec(
    group: Group, config: RuntimeConfig, record_of: RecordOf, services: Services, *, nested: bool = False
) -> actors.SupervisorSpec:
    """Return the island of a group. A group inside another is permanent: its end escalates."""

    def member(name: str) -> actors.Spec:
        if name in config.groups:
            return group_spec(config.groups[name], config, record_of, services, nested=True)
        return _server_spec(record_of(config.servers[name]), group.backoff, services)

    return actors.SupervisorSpec(
        group.name,
        tuple(map(member, group.servers)),
        strategy=actors.Strategy(group.strategy),
        window=_window(group.window),
        restart=actors.Restart.PERMANENT if nested else actors.Restart.TRANSIENT,
    )


def _server_spec(record: Record, backoff: Backoff, services: Services) -> actors.ChildSpec:
    spec = record.spec
    return actors.ChildSpec(
        spec.name,
        partial(open_server, record, services),
        restart=actors.Restart(spec.restart),
        # Three steps end a child (S1); after them there is only the kernel's word that a process is dead.
        shutdown=3 * spec.stop_timeout + 5,
        backoff=actors.Backoff(backoff.first, backoff.factor, backoff.cap, backoff.jitter, backoff.reset),
        capacity=max(1, spec.queue),
    )


def _window(window: Window) -> actors.RestartWindow:
    return actors.RestartWindow(window.intensity, window.period)
