"""Opening a runtime and closing it: when it enters, and what is left of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, Literal

import trio

import actors
from actors import Strategy
from runtime.errors import RuntimeFailed, ServersNotReady
from runtime.host.acting import Acts
from runtime.host.calling import Calls
from runtime.host.face import Runtime
from runtime.host.house import House
from runtime.host.tree import WINDOW, Tree
from runtime.journal import Feed
from runtime.servers import DOWN, Record, State, open_link
from runtime.tasks import beside

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.config import RuntimeConfig
    from runtime.servers import OpenLink

Wait = Literal["settled", "required", "none"]


@asynccontextmanager
async def open_runtime(
    config: str | Path | Mapping[str, Any] | RuntimeConfig,
    *,
    wait: Wait | None = None,
    timeout: float | None = None,
) -> AsyncIterator[Runtime]:
    """Start the servers of a configuration, each an actor under its supervisor, and stop them all in order at the end.

    ``wait`` says when to enter; None: as the configuration's ``start`` says. ``"settled"``: once each server is ready
    or its first attempt has failed; ``"required"``: once the required servers are ready; ``"none"``: at once. After
    ``timeout`` seconds it enters anyway.

    Raises `runtime.ConfigError` before anything is started, `ServersNotReady` where a required server is not ready when
    it should enter, and `RuntimeFailed` out of the block should the root of the tree give up. No process is left.
    """
    from runtime.config import load
    from runtime.transports.guard import open_guard

    loaded = load(config)
    async with open_guard() as guard:
        async with open_over(partial(open_link, guard=guard), loaded, wait=wait, timeout=timeout) as runtime:
            yield runtime


@asynccontextmanager
async def open_over(
    open_link: OpenLink, config: RuntimeConfig, *, wait: Wait | None = None, timeout: float | None = None
) -> AsyncIterator[Runtime]:
    """Do what `open_runtime` does, over links of your own making: to other machines, or to servers made of faults."""
    house = House(config, Feed())
    calls, tree = Calls(house), Tree(house, open_link)
    try:
        async with (
            beside(calls.deadlines.run),
            actors.open_system(
                *tree.specs(), strategy=Strategy.REST_FOR_ONE, window=WINDOW, observe=tree.observe
            ) as house.system,
        ):
            try:
                await _opened(house.records.values(), wait or config.start, timeout)
                yield Runtime(house, calls, Acts(house, tree))
            finally:
                house.close()
    except actors.SupervisorExit as error:
        raise RuntimeFailed(str(error)) from error.__cause__


async def _opened(records: Iterable[Record], wait: Wait, timeout: float | None) -> None:
    """Wait until it is time to enter. Raises `ServersNotReady`."""
    required = [record for record in records if record.spec.required]
    with trio.move_on_after(inf if timeout is None else timeout):
        if wait == "settled":
            for record in records:
                await record.wait(lambda now: now.settled)
        elif wait == "required":
            for record in required:
                await record.wait(lambda now: now.state is State.READY or now.state in DOWN)
    late = {record.name: record.last_error for record in required if record.state is not State.READY}
    if late and wait != "none":
        raise ServersNotReady(late)
