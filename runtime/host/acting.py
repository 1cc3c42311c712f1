"""What is done with servers by their names: spawn, stop, reload, refresh, kill."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, final

import trio
from attrs import define, field

from actors import ActorCrashed, ActorStopped
from runtime.errors import GreenroomError, NameTaken, RuntimeClosed
from runtime.host.house import House, why_down
from runtime.host.tree import Tree
from runtime.registry import Published
from runtime.servers import CONNECTED, DOWN, Drain, KillChild, Record, Relist, State, child_name

if TYPE_CHECKING:
    from runtime.servers import ServerStatus

DRAIN = 10.0  # seconds that calls in flight get to finish before a reload stops their server


@final
@define(eq=False, repr=False)
class Acts:
    """Acts on islands, one act at a time on each. Cancelled, an act is done or was never begun."""

    _house: House
    tree: Tree
    composing: trio.Lock = field(factory=trio.Lock, init=False)  # held by who changes which islands there are
    acting: defaultdict[str, trio.Lock] = field(factory=lambda: defaultdict(trio.Lock), init=False)  # {island: lock}

    async def spawn(self, name: str, spec: Mapping[str, Any]) -> ServerStatus:
        """Do what `Runtime.spawn` promises."""
        from runtime.config import load_server

        house = self._house
        house.admission.admit_server(name)
        async with self.composing:
            if house.closed:
                raise RuntimeClosed
            if name in house.records or name in house.config.groups:
                raise NameTaken(name)
            loaded = load_server(name, spec)
            record = house.record_of(loaded, loaded.window, ())
            with trio.CancelScope(shield=True):
                try:
                    await house.fleet.start_child(self.tree.island(record))
                except Exception:
                    del house.records[name]
                    raise
        await record.wait(lambda now: now.settled)
        return record.status()

    async def stop(self, server: str) -> None:
        """Do what `Runtime.stop` promises."""
        house = self._house
        async with self._turn(server) as island:
            record = house.records[server]
            if record.state in DOWN:
                return
            with trio.CancelScope(shield=True), suppress(ActorStopped):  # its island may end meanwhile
                await house.system.supervisor(house.above(server)).terminate_child(child_name(server))
            for other in map(house.records.__getitem__, house.members(island)):
                gone = other is record or (other.ref is not None and not other.ref.alive)
                if gone and other.state not in DOWN:  # a stop ends its group's restart for all of them (R37)
                    self.tree.is_down(other, State.STOPPED)
            with suppress(ActorCrashed, ActorStopped):
                await house.registry.ask(Published())

    async def reload(self, server: str) -> None:
        """Do what `Runtime.reload` promises."""
        house = self._house
        async with self._turn(server) as island:
            members = [house.records[name] for name in house.members(island)]
            async with drained(members):
                with trio.CancelScope(shield=True):
                    await house.fleet.terminate_child(child_name(island))
                    for record in members:
                        record.revive()
                    await house.fleet.restart_child(child_name(island))
        for record in members:
            await record.wait(lambda now: now.settled)

    async def refresh(self, server: str | None) -> None:
        """Do what `Runtime.refresh` promises."""
        house = self._house
        if server is not None:
            await self._refresh(house.known(server))
            return
        if house.closed:
            raise RuntimeClosed
        async with trio.open_nursery() as nursery:
            for record in house.records.values():
                if record.state not in DOWN:
                    nursery.start_soon(self._refresh_if_it_can, record)

    async def _refresh_if_it_can(self, record: Record) -> None:
        with suppress(GreenroomError):
            await self._refresh(record)

    async def _refresh(self, record: Record) -> None:
        while True:
            if record.state in DOWN:
                raise why_down(record)
            try:
                if record.ref is not None:
                    await record.ref.ask(Relist())
                    return
            except (ActorCrashed, ActorStopped):  # the next incarnation lists of its own
                ended = record.incarnation
                await record.wait(lambda now, ended=ended: now.incarnation != ended or now.state in DOWN)  # type: ignore[misc]

    async def kill(self, server: str) -> None:
        """Do what `Runtime.kill` promises."""
        record = self._house.known(server)
        if record.state in DOWN:
            raise why_down(record)
        killed = record.incarnation
        if record.ref is not None:
            await record.ref.send(KillChild())
        await record.wait(lambda now: now.state not in CONNECTED or now.incarnation != killed)

    @asynccontextmanager
    async def _turn(self, server: str) -> AsyncIterator[str]:
        """Wait until nobody else acts on the island of a server; which one it is may have changed meanwhile."""
        house = self._house
        while True:
            house.known(server)
            island = house.island(server)
            async with self.acting[island]:
                if server in house.records and house.island(server) == island:
                    yield island
                    return


@asynccontextmanager
async def drained(records: Sequence[Record]) -> AsyncIterator[None]:
    """Let the calls in flight finish, as long as that may take, while no more are sent."""
    refs = [record.ref for record in records if record.ref is not None]
    try:
        for ref in refs:
            ref.tell(Drain(on=True))
        with trio.move_on_after(DRAIN):
            for record in records:
                await record.wait(lambda now: not now.in_flight)
        yield
    finally:
        for ref in refs:
            ref.tell(Drain(on=False))  # to nobody, unless it was cancelled before
