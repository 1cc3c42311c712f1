"""Opening a runtime and closing it: when it enters, and what is left of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, Literal

import trio
from attrs import evolve

import actors
from actors import Strategy
from runtime.errors import RuntimeFailed, ServersNotReady
from runtime.host.acting import Acts
from runtime.host.admission import Admission
from runtime.host.calling import Calls, seconds_of
from runtime.host.face import Runtime
from runtime.host.house import House
from runtime.host.tree import WINDOW, Tree
from runtime.journal import Feed, HandlerFailed, OrphanEnded, ServerStep
from runtime.policy import Ledger, budgets_of, rules_of
from runtime.servers import DOWN, Handlers, Links, Record, State
from runtime.tasks import beside

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.config import RuntimeConfig
    from runtime.journal.store import Store
    from runtime.policy import Guard
    from runtime.servers import Elicitation, OpenLink, Roots, Sampling

Wait = Literal["settled", "required", "none"]


@asynccontextmanager
async def open_runtime(
    config: str | Path | Mapping[str, Any] | RuntimeConfig,
    *,
    wait: Wait | None = None,
    timeout: float | None = None,
    sampling: Sampling | None = None,
    elicitation: Elicitation | None = None,
    roots: Roots | None = None,
    allow: Guard | Iterable[str] | None = None,
) -> AsyncIterator[Runtime]:
    """Start the servers of a configuration, each an actor under its supervisor, and stop them all in order at the end.

    ``wait`` says when to enter; None: as the configuration's ``start`` says. ``"settled"``: once each server is ready
    or its first attempt has failed; ``"required"``: once the required servers are ready; ``"none"``: at once. After
    ``timeout`` seconds it enters anyway.

    ``sampling``, ``elicitation`` and ``roots`` answer what servers may ask of this program: its language model, its
    user, the places to work in. The first two are ``async`` functions of the server's name and the typed params, and
    return the typed result, or raise `Declined`; ``roots`` is a list of paths, or such a function of the name. What is
    not given is not offered to servers.

    ``allow`` says what may be called, seen and spawned; None: all that the configuration does not deny. It is a list of
    patterns, all else being denied: ``"files"`` is a server with all that it offers, ``"search/find_*"`` some of its
    tools. Or a function of a `runtime.policy.Wish` that returns `ALLOWED` or `Denied(reason)` and neither waits nor
    raises. The servers of the configuration are started in any case.

    Raises `runtime.ConfigError`, and `TypeError` or `ValueError` for a ``timeout`` or ``allow`` that is none, before
    anything is started; `ServersNotReady` where a required server is not ready when it should enter, and
    `RuntimeFailed` out of the block should the root of the tree give up. No process is left.
    """
    from runtime.config import load
    from runtime.host.journalling import store_for
    from runtime.transports.guard import open_guard

    loaded, feed = load(config), Feed()
    handlers = Handlers(sampling, elicitation, roots)
    async with open_guard() as guard:
        with Links(guard, lambda server, said: feed.publish(ServerStep(feed.now(), server, said))) as links:
            async with (
                beside(*([partial(_sweep, feed)] if loaded.sweep else [])),
                open_over(
                    links.open,
                    loaded,
                    wait=wait,
                    timeout=timeout,
                    handlers=handlers,
                    allow=allow,
                    feed=feed,
                    store=store_for(loaded, guard),
                    leave=links.leave,
                ) as runtime,
            ):
                yield runtime


async def _sweep(feed: Feed) -> None:
    """End what hosts that were killed have left, beside the opening."""
    from runtime.transports.sweep import sweep_orphans

    for orphan in await sweep_orphans():
        server = "" if orphan.marker is None else orphan.marker.server
        feed.publish(OrphanEnded(feed.now(), server, orphan.pid, orphan.program))


@asynccontextmanager
async def open_over(
    open_link: OpenLink,
    config: RuntimeConfig,
    *,
    wait: Wait | None = None,
    timeout: float | None = None,
    handlers: Handlers | None = None,
    allow: Guard | Iterable[str] | None = None,
    feed: Feed | None = None,
    store: Store | None = None,
    leave: Callable[[str], object] = lambda server: None,
) -> AsyncIterator[Runtime]:
    """Do what `open_runtime` does, over links of your own making: to other machines, or to servers made of faults.

    What happens is written into ``store``; None: it is kept in memory. ``leave`` is told of each server whose address
    is not to be kept for it any longer.
    """
    from runtime.host.journalling import chronicle_of

    patience = inf if timeout is None else seconds_of(timeout)
    house = House(config, feed or Feed())
    house.admission = Admission(rules_of(config, allow), Ledger(budgets_of(config)), house.records, house.feed)
    house.chronicle = chronicle_of(house, store)
    handlers = evolve(handlers or Handlers(), failed=partial(_handler_failed, house.feed))
    calls, tree = Calls(house), Tree(house, open_link, handlers, leave)
    try:
        async with (
            beside(calls.deadlines.run),
            actors.open_system(
                *tree.specs(), strategy=Strategy.REST_FOR_ONE, window=WINDOW, observe=tree.observe
            ) as house.system,
        ):
            try:
                await _opened(house.records.values(), wait or config.start, patience)
                yield Runtime(house, calls, Acts(house, tree))
            finally:
                house.close()
    except actors.SupervisorExit as error:
        raise RuntimeFailed(str(error)) from error.__cause__


def _handler_failed(feed: Feed, server: str, method: str, error: Exception) -> None:
    feed.publish(HandlerFailed(feed.now(), server, method, f"{type(error).__name__}: {error}"))


async def _opened(records: Iterable[Record], wait: Wait, patience: float) -> None:
    """Wait until it is time to enter. Raises `ServersNotReady`."""
    required = [record for record in records if record.spec.required]
    with trio.move_on_after(patience):
        if wait == "settled":
            for record in records:
                await record.wait(lambda now: now.settled)
        elif wait == "required":
            for record in required:
                await record.wait(lambda now: now.state is State.READY or now.state in DOWN)
    late = {record.name: record.last_error for record in required if record.state is not State.READY}
    if late and wait != "none":
        raise ServersNotReady(late)
