"""What there is to do to get from one configuration to another. Pure: it compares, and starts nothing.

Islands that differ are grouped into *steps*, each of which is taken as a whole or not at all: two islands belong to one
step where a server moves from one to the other, or one is to have the port or the name of the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from functools import reduce
from typing import TYPE_CHECKING, final
from urllib.parse import urlsplit

from attrs import evolve, frozen

from runtime.errors import counted
from runtime.value import Value

if TYPE_CHECKING:
    from runtime.config import Group, RuntimeConfig, ServerSpec


class Action(Enum):
    """What is done with the servers of a step."""

    STOP = "stop"
    RESTART = "restart"
    START = "start"
    ADJUST = "adjust"
    KEEP = "untouched"


@final
@frozen(repr=False)
class Step(Value):
    """What is done with some islands, and why.

    ``old`` are the islands that are there, ``new`` those that take their place; an island is named after its server or
    its outermost group. ``servers`` are all that are in one of them, ``reasons`` names what has changed by the keys of
    the file.
    """

    action: Action
    old: tuple[str, ...]
    new: tuple[str, ...]
    servers: tuple[str, ...]
    reasons: tuple[str, ...] = ()

    def __str__(self) -> str:
        islands = tuple(dict.fromkeys((*self.old, *self.new)))
        within = "" if islands == self.servers else f" ({', '.join(self.servers)})"
        reasons = f": {', '.join(self.reasons)}" if self.reasons else ""
        return f"{self.action.value} {', '.join(islands)}{within}{reasons}"


@final
@frozen(repr=False)
class Plan(Value):
    """What `Runtime.apply` does to get to ``config``; ``str`` lists it, and it is true where there is something to do.

    ``host`` are the changed keys that are not of servers or groups: they take effect when the host is started again.
    """

    config: RuntimeConfig
    steps: tuple[Step, ...]
    host: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any(step.action is not Action.KEEP for step in self.steps)

    def servers(self, action: Action) -> tuple[str, ...]:
        """Return the servers with which this is done, those of groups included."""
        return tuple(server for step in self.steps if step.action is action for server in step.servers)

    def __str__(self) -> str:
        lines = [str(step) for step in self.steps if step.action is not Action.KEEP]
        if kept := self.servers(Action.KEEP):
            lines.append(f"{Action.KEEP.value}: {counted(len(kept), 'server')}")
        if self.host:
            lines.append(f"when the host is started again: {', '.join(self.host)}")
        return "\n".join(lines) or "nothing to do"


def plan(old: RuntimeConfig, new: RuntimeConfig) -> Plan:
    """Compare what runs with what is to run."""
    from runtime.config.compare import changed_keys

    before, after = _islands(old), _islands(new)
    same = {name for name, island in after.items() if name in before and _is_live(before[name], island)}
    steps = [_taken_on(before[name], after[name]) for name in after if name in same]
    units = _units(
        [island for name, island in before.items() if name not in same],
        [island for name, island in after.items() if name not in same],
    )
    steps += [_exchanged(unit, old, new) for unit in units]
    steps.sort(key=lambda step: list(Action).index(step.action))
    return Plan(new, tuple(steps), changed_keys(old, new))


def composed(at: RuntimeConfig, step: Step, source: RuntimeConfig) -> RuntimeConfig:
    """Return the configuration ``at`` after a step to ``source``: the islands of the step are those of ``source``."""
    gone = [_islands(at)[name] for name in step.old]
    come = [_islands(source)[name] for name in step.new]
    left = {server.name for island in gone for server in island.servers}
    closed = {group.name for island in gone for group in island.groups}
    servers = {name: spec for name, spec in at.servers.items() if name not in left}
    groups = {name: group for name, group in at.groups.items() if name not in closed}
    servers |= {server.name: server for island in come for server in island.servers}
    groups |= {group.name: group for island in come for group in island.groups}
    return evolve(at, servers=servers, groups=groups)


# -- islands


@frozen
class _Island:
    name: str
    servers: tuple[ServerSpec, ...]
    groups: tuple[Group, ...]  # the outermost first

    def claims(self) -> Iterator[str | int]:
        """What no two islands can have at the same time."""
        yield from (group.name for group in self.groups)
        for server in self.servers:
            yield server.name
            if (port := _port(server)) is not None:
                yield port


def _islands(config: RuntimeConfig) -> dict[str, _Island]:
    grouped = {member for group in config.groups.values() for member in group.servers}
    roots = [name for name in (*config.servers, *config.groups) if name not in grouped]
    return {name: _Island(name, tuple(_servers(config, name)), tuple(_groups(config, name))) for name in roots}


def _servers(config: RuntimeConfig, name: str) -> Iterator[ServerSpec]:
    if name not in config.groups:
        yield config.servers[name]
        return
    for member in config.groups[name].servers:
        yield from _servers(config, member)


def _groups(config: RuntimeConfig, name: str) -> Iterator[Group]:
    if name in config.groups:
        yield config.groups[name]
        for member in config.groups[name].servers:
            yield from _groups(config, member)


def _port(server: ServerSpec) -> int | None:
    """Return the port that a server of ours listens at, where it is said."""
    from runtime.config import Owned, reveal

    if not isinstance(server.reach, Owned):
        return None
    try:
        return urlsplit(reveal(server.reach.remote.url)).port
    except ValueError:  # "{port}": any that is free
        return None


# -- what can stay


def _is_live(old: _Island, new: _Island) -> bool:
    """Say whether what has changed, if anything, is nothing that a running island could not take on."""
    from runtime.config.compare import is_live

    if old.groups != new.groups or [each.name for each in old.servers] != [each.name for each in new.servers]:
        return False
    return all(is_live(key) for pair in zip(old.servers, new.servers, strict=True) for key in _keys(*pair, new))


def _keys(old: ServerSpec, new: ServerSpec, island: _Island) -> tuple[str, ...]:
    """Return what has changed of a server, as far as it says anything: the pauses of a member are its group's."""
    from runtime.config.compare import changed_of_server

    keys = changed_of_server(old, new)
    return tuple(key for key in keys if not key.startswith(("backoff", "window"))) if island.groups else keys


def _taken_on(old: _Island, new: _Island) -> Step:
    reasons = tuple(_differences([old], [new]))
    names = tuple(server.name for server in new.servers)
    return Step(Action.ADJUST if reasons else Action.KEEP, (old.name,), (new.name,), names, reasons)


# -- what cannot


@frozen
class _Unit:
    old: tuple[_Island, ...]
    new: tuple[_Island, ...]

    @property
    def islands(self) -> tuple[_Island, ...]:
        return (*self.old, *self.new)

    def beside(self, other: _Unit) -> _Unit:
        return _Unit((*self.old, *other.old), (*self.new, *other.new))


def _units(old: list[_Island], new: list[_Island]) -> list[_Unit]:
    """Put together the islands that have a claim in common."""
    holder: dict[str | int, _Unit] = {}
    for island, own in (*((each, _Unit((each,), ())) for each in old), *((each, _Unit((), (each,))) for each in new)):
        others = {id(holder[claim]): holder[claim] for claim in island.claims() if claim in holder}.values()
        unit = reduce(_Unit.beside, [*others, own])
        holder |= {claim: unit for each in unit.islands for claim in each.claims()}
    return list({id(unit): unit for unit in holder.values()}.values())


def _exchanged(unit: _Unit, old: RuntimeConfig, new: RuntimeConfig) -> Step:
    names = [server.name for island in unit.islands for server in island.servers]
    action = Action.STOP if not unit.new else Action.START if not unit.old else Action.RESTART
    return Step(
        action,
        tuple(island.name for island in unit.old),
        tuple(island.name for island in unit.new),
        tuple(dict.fromkeys(names)),
        tuple(_reasons(unit, old, new)),
    )


def _reasons(unit: _Unit, old: RuntimeConfig, new: RuntimeConfig) -> Iterator[str]:
    if not unit.new:
        switched_off = {server.name for island in unit.old for server in island.servers} <= set(new.disabled)
        yield "disabled" if switched_off else "not in the configuration any more"
    elif not unit.old:
        switched_on = {server.name for island in unit.new for server in island.servers} <= set(old.disabled)
        yield "no longer disabled" if switched_on else "new"
    else:
        yield from _differences(unit.old, unit.new)


def _differences(old: Sequence[_Island], new: Sequence[_Island]) -> Iterator[str]:
    """Name the changed keys, with whose they are where that is not plain."""
    from runtime.config.compare import changed_keys

    alone = len(old) == len(new) == 1 and not old[0].groups and not new[0].groups and old[0].name == new[0].name
    before = {server.name: (server, island) for island in old for server in island.servers}
    for island in new:
        for server in island.servers:
            whose = "" if alone else f"{server.name}: "
            if server.name not in before:
                yield f"{whose}new"
                continue
            known, place = before.pop(server.name)
            if (place.name, bool(place.groups)) != (island.name, bool(island.groups)):
                yield f"{whose}in group {island.name}" if island.groups else f"{whose}in no group any more"
            yield from (f"{whose}{key}" for key in _keys(known, server, island))
    yield from (f"{name}: gone" for name in before)
    groups = {group.name: group for island in old for group in island.groups}
    for group in (group for island in new for group in island.groups if group.name in groups):
        yield from (f"{group.name}: {key}" for key in changed_keys(groups[group.name], group))
