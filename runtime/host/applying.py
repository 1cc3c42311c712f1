"""Another configuration for a runtime that runs: the plan is carried out, step by step, all steps at once.

Each step is taken as a whole or not at all. Up to the moment when the old islands are stopped it can be cancelled and
leaves them as they were; from then on it is shielded, until the new ones stand in their place; and what does not get
ready gives the place back. `House.config` follows at that very moment, so that whoever looks meanwhile, a fleet that is
started again included, finds what is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any, TypeAlias, final

import trio
from attrs import define, evolve, field, frozen

from actors import ActorCrashed, ActorStopped
from runtime.cache import Forget
from runtime.errors import PlanOutdated, RuntimeClosed, in_short
from runtime.host.acting import Acts, drained
from runtime.host.house import House
from runtime.host.plan import Action, Plan, Step, composed, plan
from runtime.journal import ConfigApplied, ServerAdjusted, ServerRolledBack
from runtime.servers import Adjust, Record, child_name
from runtime.value import Value

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.config import RuntimeConfig

Source: TypeAlias = "str | Path | Mapping[str, Any] | RuntimeConfig"


@final
@frozen(repr=False)
class Applied(Value):
    """What came of a plan; ``str`` tells it.

    ``rolled_back`` names the servers that did not get ready and whose step was therefore taken back, with the cause;
    ``not_ready`` those that are not ready and stay all the same, under their supervisors, for there was nothing better
    before.
    """

    plan: Plan
    rolled_back: Mapping[str, BaseException | None]
    not_ready: Mapping[str, BaseException | None]

    def __str__(self) -> str:
        back = [f"rolled back, for {name} did not get ready{_because(why)}" for name, why in self.rolled_back.items()]
        late = [f"not ready: {name}{_because(why)}" for name, why in self.not_ready.items()]
        return "\n".join([str(self.plan), *back, *late])


def _because(cause: BaseException | None) -> str:
    return "" if cause is None else f": {in_short(cause)}"


@final
@define(eq=False, repr=False)
class Applying:
    """Compares what runs with another configuration, and gets from one to the other."""

    _house: House
    _acts: Acts

    def plan(self, source: Source | None) -> Plan:
        """Do what `Runtime.plan` promises."""
        return self._plan(self._loaded(source))

    async def apply(self, wanted: Source | Plan | None) -> Applied:
        """Do what `Runtime.apply` promises."""
        house = self._house
        target = wanted.config if isinstance(wanted, Plan) else self._loaded(wanted)
        async with self._acts.composing:
            if house.closed:
                raise RuntimeClosed
            agreed = self._plan(target)
            if isinstance(wanted, Plan) and wanted != agreed:
                raise PlanOutdated
            house.config = self._running(target)
            carrying = _Carrying(house, self._acts, target)
            await carrying.out(agreed.steps)
            self._rearrange(target)
            steps = tuple(str(step) for step in agreed.steps if step.action is not Action.KEEP)
            house.feed.publish(ConfigApplied(house.feed.now(), "", steps))
            return Applied(agreed, carrying.rolled_back, carrying.not_ready)

    def _loaded(self, source: Source | None) -> RuntimeConfig:
        from runtime.config import load
        from runtime.config.reading import IN_CODE

        if source is None:
            source = self._house.config.source
            if source == IN_CODE:
                raise ValueError("this runtime runs on a configuration given in code; say what to compare it with")
        return load(source)

    def _plan(self, target: RuntimeConfig) -> Plan:
        return plan(self._running(target), target)

    def _running(self, target: RuntimeConfig) -> RuntimeConfig:
        """Return what runs; of the servers that were spawned, those that the configuration names, too."""
        house = self._house
        spawned = {
            name: record.spec
            for name, record in house.records.items()
            if name not in house.config.servers and (name in target.servers or name in target.groups)
        }
        return evolve(house.config, servers={**house.config.servers, **spawned})

    def _rearrange(self, target: RuntimeConfig) -> None:
        """Put all that is remembered into the order of the file, and what it does not know after that."""
        house, config = self._house, self._house.config
        for name in _sorted(house.records, target.servers):
            house.records[name] = house.records.pop(name)
        house.config = evolve(
            config,
            servers={name: config.servers[name] for name in _sorted(config.servers, target.servers)},
            groups={name: config.groups[name] for name in _sorted(config.groups, target.groups)},
            disabled=tuple(name for name in target.disabled if name not in config.servers),
            source=target.source,
            notes=target.notes,
        )


def _sorted(names: Iterable[str], order: Iterable[str]) -> list[str]:
    place = {name: at for at, name in enumerate(order)}
    return sorted(names, key=lambda name: place.get(name, len(place)))


@final
@define(eq=False, repr=False)
class _Carrying:
    """One plan on its way."""

    _house: House
    _acts: Acts
    _target: RuntimeConfig
    rolled_back: dict[str, BaseException | None] = field(factory=dict, init=False)
    not_ready: dict[str, BaseException | None] = field(factory=dict, init=False)
    _failures: list[Exception] = field(factory=list, init=False)

    async def out(self, steps: Iterable[Step]) -> None:
        """Take all steps. One that fails keeps none from being taken; raises what the first of them failed of."""
        async with trio.open_nursery() as nursery:
            for step in steps:
                if step.action in (Action.ADJUST, Action.KEEP):
                    self._take_on(step)
                else:
                    nursery.start_soon(self._take, step)
        if self._failures:
            raise self._failures[0]

    def _take_on(self, step: Step) -> None:
        """Let running servers have what they can take on."""
        from runtime.config.compare import changed_of_server

        house = self._house
        house.config = composed(house.config, step, self._target)
        for name in step.servers:
            record, spec = house.records[name], self._target.servers[name]
            if record.spec.cache != spec.cache:
                house.cache.tell(Forget(name))
            keys = changed_of_server(record.spec, spec)
            record.respecify(spec, record.window, record.after)
            if keys and step.action is Action.ADJUST:
                house.feed.publish(ServerAdjusted(house.feed.now(), name, keys))
                if record.ref is not None:
                    record.ref.tell(Adjust())

    async def _take(self, step: Step) -> None:
        house, acting = self._house, self._acts.acting
        async with AsyncExitStack() as locks:
            for island in sorted({*step.old, *step.new}):
                await locks.enter_async_context(acting[island])
            before = house.config
            was_ready = {name: record.ready_at is not None for name, record in house.records.items()}
            try:
                await self._exchange(step, self._target)
                failed = await self._first_failure(step, was_ready)
                if failed is None:
                    return
                feed, cause = house.feed, failed.last_error
                self.rolled_back[failed.name] = cause
                reason = "it is stopped" if cause is None else in_short(cause)
                feed.publish(ServerRolledBack(feed.now(), failed.name, reason))
                await self._exchange(evolve(step, old=step.new, new=step.old), before)
                for record in self._records(step.old):
                    await record.wait(lambda now: now.settled)
            except (ActorCrashed, ActorStopped) as error:  # the fleet has given up, or is being stopped
                self._failures.append(RuntimeClosed() if house.closed else error)

    async def _exchange(self, step: Step, source: RuntimeConfig) -> None:
        """Have the new islands, as ``source`` has them, stand where the old ones stood."""
        house = self._house
        old = self._records(step.old)
        async with drained(old):
            with trio.CancelScope(shield=True):
                for island in step.old:
                    await house.fleet.terminate_child(child_name(island))
                    await house.fleet.delete_child(child_name(island))
                house.config = composed(house.config, step, source)
                for record in old:
                    self._leave(record)
                islands = self._acts.tree.islands(step.new)
                for record in self._records(step.new):
                    record.revive()
                with suppress(ActorCrashed, ActorStopped):  # a fleet that is started again begins with them
                    for spec in islands:
                        await house.fleet.start_child(spec)

    def _leave(self, record: Record) -> None:
        spec = self._house.config.servers.get(record.name)
        if spec is None or spec.reach != record.spec.reach:
            self._acts.tree.leave(record.name)
        if spec is None:
            self._acts.tree.forget(record)

    async def _first_failure(self, step: Step, was_ready: Mapping[str, bool]) -> Record | None:
        """Wait for the first attempts. Return the first server for whose sake the old ones are to come back, if any.

        One that was not ready before is no reason for that: there is nothing better to go back to.
        """
        for record in self._records(step.new):
            await record.wait(lambda now: now.settled)
            if self._house.closed:
                raise RuntimeClosed
            if record.ready_at is None:
                if step.old and was_ready.get(record.name, True):
                    return record
                self.not_ready[record.name] = record.last_error
        return None

    def _records(self, islands: Iterable[str]) -> list[Record]:
        house = self._house
        return [house.records[name] for island in islands for name in house.members(island)]
