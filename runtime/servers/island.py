"""From a configuration to the fleet's child specs: one island for each server, or for each group of them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from attrs import evolve, frozen

import actors
from runtime.servers.server import open_server

if TYPE_CHECKING:
    from runtime.config import Backoff, Group, RuntimeConfig, ServerSpec, Window
    from runtime.servers.record import Record
    from runtime.servers.server import Services

RecordOf: TypeAlias = "Callable[[ServerSpec, Window, tuple[Record, ...]], Record]"
"""Makes the record of a server, given the window of its island and who must be up before it starts."""


def fleet_specs(
    config: RuntimeConfig, record_of: RecordOf, services: Services, only: Collection[str] | None = None
) -> tuple[actors.SupervisorSpec, ...]:
    """Return the islands: ungrouped servers each on its own, and the groups that are in no group, in file order.

    ``only``: those of these names; None: all.
    """
    grouped = {member for group in config.groups.values() for member in group.servers}
    servers = [
        island_spec(record_of(spec, spec.window, ()), services)
        for spec in config.servers.values()
        if spec.name not in grouped and (only is None or spec.name in only)
    ]
    build = _Groups(config, record_of, services)
    groups = [
        build.island(group)
        for group in config.groups.values()
        if group.name not in grouped and (only is None or group.name in only)
    ]
    return (*servers, *groups)


def island_spec(record: Record, services: Services) -> actors.SupervisorSpec:
    """Return the island of one server. Transient: once its window is spent it stays down, which is *ejected*.

    What it begins with is asked of the record at each start: its spec may have been adjusted since.
    """
    return actors.SupervisorSpec(
        child_name(record.name),
        lambda: (_server_spec(record, record.spec.backoff, services),),
        window=_window(record.spec.window),
        restart=actors.Restart.TRANSIENT,
    )


@frozen
class _Groups:
    config: RuntimeConfig
    record_of: RecordOf
    services: Services

    def island(self, group: Group) -> actors.SupervisorSpec:
        return evolve(self._spec(group, group.window, [], []), restart=actors.Restart.TRANSIENT)

    def _spec(self, group: Group, window: Window, before: list[Record], records: list[Record]) -> actors.SupervisorSpec:
        """Return a group inside another, which is permanent: its end escalates. Adds its records to ``records``."""
        in_order = group.strategy == "rest_for_one"
        members: list[Callable[[], actors.Spec]] = []
        own: list[Record] = []
        for name in group.servers:
            after = [*before, *own] if in_order else before
            if name in self.config.groups:
                below = self._spec(self.config.groups[name], window, after, own)
                members.append(lambda below=below: below)  # type: ignore[misc]
            else:
                record = self.record_of(self.config.servers[name], window, tuple(after))
                members.append(partial(_server_spec, record, group.backoff, self.services))
                own.append(record)
        records += own
        return actors.SupervisorSpec(
            child_name(group.name),
            lambda: tuple(member() for member in members),
            strategy=actors.Strategy(group.strategy),
            window=_window(group.window),
        )


def _server_spec(record: Record, backoff: Backoff, services: Services) -> actors.ChildSpec:
    spec = record.spec
    return actors.ChildSpec(
        child_name(spec.name),
        partial(open_server, record, services),
        restart=actors.Restart(spec.restart),
        # Three steps end a child (S1); after them there is only the kernel's word that a process is dead.
        shutdown=3 * spec.stop_timeout + 5,
        backoff=actors.Backoff(backoff.first, backoff.factor, backoff.cap, backoff.jitter, backoff.reset),
        capacity=max(1, spec.queue),
    )


def child_name(name: str) -> str:
    """Return what a server or a group is called in the tree, where a slash is for paths alone."""
    return name.replace("%", "%25").replace("/", "%2F")


def shown_name(child: str) -> str:
    """Return the name behind a `child_name`."""
    return child.replace("%2F", "/").replace("%25", "%")


def _window(window: Window) -> actors.RestartWindow:
    return actors.RestartWindow(window.intensity, window.period)
