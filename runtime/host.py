"""The runtime as a program meets it: open it on a configuration, call tools, look at it, act on it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from inspect import iscoroutinefunction
from math import inf
from typing import TYPE_CHECKING, Any, Literal, final

import msgspec
import trio
from attrs import define, field
from msgspec import Raw

import actors
import runtime.protocol as protocol
from actors import ActorCrashed, ActorStopped, ChildSpec, MailboxFull, RestartWindow, Strategy, SupervisorSpec, Verdict
from runtime.cache import Cache, Forget, Lookup, Store, cache_key, time_to_live
from runtime.call import ToolCall
from runtime.deadlines import DeadlinePassed, Deadlines
from runtime.errors import (
    CallInterrupted,
    CallRefused,
    CallTimedOut,
    InvalidAnswer,
    InvalidArguments,
    NameTaken,
    NotSupported,
    RuntimeClosed,
    RuntimeFailed,
    Sent,
    ServerEjected,
    ServerNotFound,
    ServersNotReady,
    ServerStopped,
    ToolNotFound,
    counted,
    in_short,
)
from runtime.journal import Feed, ServerCrashed
from runtime.journal import ServerEjected as EjectedEvent
from runtime.journal import ServerStopped as StoppedEvent
from runtime.registry import EMPTY, CatalogFetched, CatalogGone, Published, Registry
from runtime.servers import (
    CONNECTED,
    DOWN,
    Drain,
    KillChild,
    Record,
    Services,
    State,
    child_name,
    fleet_specs,
    island_spec,
    open_link,
    with_servers,
)
from runtime.tasks import beside

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.call import ProgressCallback
    from runtime.config import RuntimeConfig, ServerSpec, Window
    from runtime.journal import Event, Subscription
    from runtime.protocol import CallToolResult
    from runtime.registry import Catalog, Directory, ToolEntry
    from runtime.servers import OpenLink, ServerStatus

Wait = Literal["settled", "required", "none"]

DRAIN = 10.0  # seconds that calls in flight get to finish before a reload stops their server
_WINDOW = RestartWindow(intensity=10, period=60.0)

_encode = msgspec.json.Encoder().encode


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
    feed = Feed()
    runtime = Runtime(config, feed)
    runtime._services = Services(open_link, feed, runtime._take_catalog)
    try:
        async with (
            beside(runtime._deadlines.run),
            actors.open_system(
                SupervisorSpec("services", runtime._service_specs(), window=_WINDOW),
                SupervisorSpec("fleet", runtime._island_specs(), window=_WINDOW, concurrent_stop=True),
                strategy=Strategy.REST_FOR_ONE,
                window=_WINDOW,
                observe=runtime._observe,
            ) as runtime._system,
        ):
            try:
                await runtime._wait_open(wait or config.start, timeout)
                yield runtime
            finally:
                runtime._close()
    except actors.SupervisorExit as error:
        raise RuntimeFailed(str(error)) from error.__cause__


@final
@define(eq=False, repr=False)
class Runtime:
    """A running fleet. What looks is plain and reads snapshots; what acts is async. Made by `open_runtime`."""

    config: RuntimeConfig
    _feed: Feed
    _services: Services = field(init=False)
    _records: dict[str, Record] = field(factory=dict, init=False)  # in the order of the configuration
    _closed: bool = field(default=False, init=False)
    _directory: Directory = field(default=EMPTY, init=False)
    _system: actors.System = field(init=False)
    _registry: actors.Ref = field(init=False)
    _cache: actors.Ref = field(init=False)
    _deadlines: Deadlines = field(factory=Deadlines, init=False)
    _acting: defaultdict[str, trio.Lock] = field(factory=lambda: defaultdict(trio.Lock), init=False)  # {island: lock}

    # -- looking

    def tree(self) -> actors.Node:
        """Return the supervisor tree; ``str`` draws it. Servers show their own state, era, tools and process."""
        return with_servers(self._system.tree(), self._records.values())

    def status(self, server: str | None = None) -> Mapping[str, ServerStatus]:
        """Return the status of every server, or of one, by name. Raises `ServerNotFound`."""
        records = self._records.values() if server is None else (self._named(server),)
        return {record.name: record.status() for record in records}

    def tools(self, query: str | None = None, server: str | None = None) -> tuple[ToolEntry, ...]:
        """Return the tools known now: of one server or all, and only those that fit ``query``, best first.

        Raises `ServerNotFound`.
        """
        if server is not None:
            self._named(server)
        if query is None:
            return self._directory.tools(server)
        return tuple(entry for entry in self._directory.discover(query) if server in (None, entry.server))

    def discover(self, query: str, *, limit: int = 10) -> tuple[ToolEntry, ...]:
        """Search the tools of all servers by words: names, titles, descriptions, argument names. Best first."""
        return self._directory.discover(query, limit)

    def events(self) -> Subscription:
        """Subscribe to what happens from now on: an async context manager and a channel to iterate over."""
        return self._feed.subscribe()

    def recent_events(self) -> tuple[Event, ...]:
        """Return the last events, oldest first."""
        return tuple(self._feed.recent)

    # -- calling

    async def call(
        self,
        server: str,
        tool: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        progress: ProgressCallback | None = None,
    ) -> CallToolResult:
        """Call a tool and return what it answers; a tool that fails answers with ``is_error``.

        Waits while the server starts or restarts, up to ``timeout`` seconds (None: its configured ``timeout``).
        Cancelling tells the server. ``progress`` is called with what the server reports on the way; what it raises
        ends the call.

        Raises `ServerNotFound`, `ToolNotFound`, `InvalidArguments`, `ServerEjected`, `ServerStopped`, and of the family
        `CallFailed`: `CallTimedOut`, `CallInterrupted`, `CallRefused`, `ServerError`, `InvalidAnswer`; and
        `TypeError` or `ValueError` for a ``timeout`` or ``progress`` that is none.
        """
        record = self._known(server)
        if not isinstance(tool, str):
            raise ToolNotFound(server, str(tool), tuple(record.tools))
        if progress is not None:
            _check_progress(progress)
        call = ToolCall(server, tool, _encoded(server, tool, arguments), progress)
        seconds = record.spec.timeout if timeout is None else _seconds(timeout)
        deadline = trio.current_time() + seconds
        limit = self._deadlines.limit(deadline)
        try:
            return await self._answer(record, call, deadline)
        except DeadlinePassed:
            cause = None if record.state in CONNECTED else record.last_error
            raise CallTimedOut(server, tool, call.sent, seconds, record.state.value) from cause
        finally:
            self._deadlines.lift(limit)

    async def _answer(self, record: Record, call: ToolCall, deadline: float) -> CallToolResult:
        ttl = time_to_live(record.spec.cache, call.tool)
        key = cache_key(call.arguments) if ttl else None
        remembered = None if key is None else await self._remembered(record, call.tool, key)
        answer = await self._ask(record, call, deadline) if remembered is None else remembered
        try:
            result = protocol.result_from_wire(protocol.CallToolResult, answer)
        except protocol.WireError as error:
            raise InvalidAnswer(call.server, call.tool, Sent.UNKNOWN, str(error)) from error
        if key is not None and remembered is None and not result.is_error:
            self._cache.tell(Store(call.server, call.sent_to, call.tool, key, answer, ttl))
        return result

    async def _remembered(self, record: Record, tool: str, key: str) -> Raw | None:
        if record.state is not State.READY:
            return None  # what it said before it went down may not be so any more (S3)
        try:
            return await self._cache.ask(Lookup(record.name, record.incarnation, tool, key))
        except (ActorCrashed, ActorStopped):
            return None  # a cache that has trouble is no trouble of its user

    async def _ask(self, record: Record, call: ToolCall, deadline: float) -> Raw:
        while trio.current_time() < deadline:
            if record.state in DOWN:
                raise _down(record)
            ref = record.ref
            try:
                if ref is not None:
                    return await ref.ask(call)
            except MailboxFull as error:
                waiting = counted(int(error.capacity), "call") + (" waits" if error.capacity == 1 else " wait")
                reason = f"{waiting} for this server already; try again later"
                raise CallRefused(call.server, call.tool, Sent.NOT_SENT, reason) from None
            except ActorCrashed as error:
                raise CallInterrupted(call.server, call.tool, call.sent) from error.__cause__
            except CallInterrupted as error:
                if error.sent is not Sent.NOT_SENT:
                    raise
                continue  # its server is about to be seen dead, and holds its calls from now on
            except ActorStopped:
                if call.sent is not Sent.NOT_SENT:
                    raise CallInterrupted(call.server, call.tool, call.sent) from None
            # It waited in a mailbox that has ended. What was stopped or ejected is told above, once that is settled;
            # after a reload the server has another address.
            with trio.move_on_at(deadline):
                await record.wait(lambda now, gone=ref: now.ref is not gone or now.state in DOWN)  # type: ignore[misc]
        raise DeadlinePassed

    # -- acting

    async def spawn(self, name: str, spec: Mapping[str, Any]) -> ServerStatus:
        """Add a server, written as in a configuration, and wait until it is ready or its first attempt has failed.

        Cancelling ends the waiting, not the server. Raises `runtime.ConfigError`, `NameTaken`.
        """
        from runtime.config import load_server

        if self._closed:
            raise RuntimeClosed
        if name in self._records or name in self.config.groups:
            raise NameTaken(name)
        loaded = load_server(name, spec)
        record = self._record_of(loaded, loaded.window, ())
        with trio.CancelScope(shield=True):
            try:
                await self._fleet.start_child(island_spec(record, self._services))
            except Exception:
                del self._records[name]
                raise
        await record.wait(lambda now: now.settled)
        return record.status()

    async def stop(self, server: str) -> None:
        """Stop a server; it stays down, and its calls are told so, until `reload`. One that is down stays as it is.

        Takes at most a few times its ``stop_timeout``; cancelling does not leave it half done. Raises `ServerNotFound`.
        """
        record = self._known(server)
        async with self._acting[self._island(server)]:
            if record.state in DOWN:
                return
            with trio.CancelScope(shield=True), suppress(ActorStopped):  # its island may end meanwhile
                await self._system.supervisor(self._above(server)).terminate_child(child_name(server))
            for other in map(self._records.__getitem__, self._members(self._island(server))):
                gone = other is record or (other.ref is not None and not other.ref.alive)
                if gone and other.state not in DOWN:  # a stop ends its group's restart for all of them (R37)
                    self._is_down(other, State.STOPPED)
            with suppress(ActorCrashed, ActorStopped):
                await self._registry.ask(Published())

    async def reload(self, server: str) -> None:
        """Start a server afresh, with a fresh restart window; calls that wait go on waiting, those in flight finish.

        A grouped server is reloaded with its group, the outermost one. Brings back what was stopped or ejected. Returns
        when the server is ready, or its first attempt has failed; cancelling leaves it either as it was, or reloaded.
        Raises `ServerNotFound`.
        """
        self._known(server)
        island = self._island(server)
        members = [self._records[name] for name in self._members(island)]
        refs = [record.ref for record in members if record.ref is not None]
        async with self._acting[island]:
            try:
                for ref in refs:
                    ref.tell(Drain(on=True))
                with trio.move_on_after(DRAIN):
                    for record in members:
                        await record.wait(lambda now: not now.in_flight)
                with trio.CancelScope(shield=True):
                    await self._fleet.terminate_child(child_name(island))
                    for record in members:
                        record.revive()
                    await self._fleet.restart_child(child_name(island))
            finally:
                for ref in refs:
                    ref.tell(Drain(on=False))  # to nobody, unless it was cancelled before
        for record in members:
            await record.wait(lambda now: now.settled)

    async def kill(self, server: str) -> None:
        """End a server's process at once, as a crash would; its supervisor brings it back.

        Returns when it is seen dead. Raises `ServerNotFound`, and `ServerEjected` or `ServerStopped` where it is down.
        """
        record = self._known(server)
        if record.state in DOWN:
            raise _down(record)
        killed = record.incarnation
        if record.ref is not None:
            await record.ref.send(KillChild())
        await record.wait(lambda now: now.state not in CONNECTED or now.incarnation != killed)

    # -- what the tree tells

    def _service_specs(self) -> tuple[ChildSpec, ...]:
        def registry() -> Registry:
            self._registry = actors.context().ref
            registry = Registry(self._directory, self._publish, self._feed)
            for record in self._records.values():  # what one before it was told, and could not publish any more
                known = record.catalog
                registry.receive(CatalogGone(record.name) if known is None else CatalogFetched(known))
            return registry

        def cache() -> Cache:
            self._cache = actors.context().ref
            return Cache(self.config.cache.entries_per_tool)

        # Neither is bounded: who speaks to them is, and what they are told may not get lost.
        return ChildSpec("registry", registry, capacity=inf), ChildSpec("cache", cache, capacity=inf)

    def _island_specs(self) -> tuple[SupervisorSpec, ...]:
        return fleet_specs(self.config, self._record_of, self._services)

    def _record_of(self, spec: ServerSpec, window: Window, after: tuple[Record, ...]) -> Record:
        record = self._records[spec.name] = Record(spec, window, after)
        return record

    def _publish(self, directory: Directory) -> None:
        self._directory = directory

    async def _take_catalog(self, catalog: Catalog) -> None:
        self._cache.tell(Forget(catalog.server))
        with suppress(ActorCrashed, ActorStopped):  # the next registry begins with what the records hold
            await self._registry.ask(CatalogFetched(catalog))

    def _observe(self, event: actors.TreeEvent) -> None:
        """Turn what the supervisors do into what is known of servers, and into events."""
        match event:
            case actors.ChildExited(path, _, _, decided):
                for record in self._records.values():
                    at = record.ref.path if record.ref is not None else ""
                    if at == path:
                        self._server_exited(record, event)
                    elif at.startswith(f"{path}/") and decided is not Verdict.RESTART:
                        self._is_down(record, State.EJECTED)
            case actors.ChildStarted("fleet"):
                self._forget_spawned()

    def _server_exited(self, record: Record, event: actors.ChildExited) -> None:
        restarts = event.verdict is Verdict.RESTART
        reason = str(event.reason)
        if isinstance(event.reason, actors.Crashed):
            record.last_error = event.reason.exception
            reason = in_short(record.last_error)
        if restarts or not isinstance(event.reason, actors.Normal | actors.Shutdown):
            delay = event.delay if restarts else None
            self._feed.publish(ServerCrashed(self._feed.now(), record.name, record.incarnation, reason, delay))
        if restarts:
            record.restarts += 1
        elif event.verdict is not None:
            self._is_down(record, State.STOPPED)

    def _is_down(self, record: Record, state: State) -> None:
        if record.state is state:
            return
        record.catalog = None
        record.move(state)
        now, name, window = self._feed.now(), record.name, record.window
        ejected = state is State.EJECTED
        self._feed.publish(
            EjectedEvent(now, name, window.intensity, window.period) if ejected else StoppedEvent(now, name)
        )
        self._registry.tell(CatalogGone(name))
        self._cache.tell(Forget(name))

    def _forget_spawned(self) -> None:
        """A fleet that is started again begins with the configuration's servers: who was spawned is gone."""
        for record in [record for name, record in self._records.items() if name not in self.config.servers]:
            self._is_down(record, State.STOPPED)
            del self._records[record.name]

    # -- opening and closing

    async def _wait_open(self, wait: Wait, timeout: float | None) -> None:
        required = [record for record in self._records.values() if record.spec.required]
        with trio.move_on_after(inf if timeout is None else timeout):
            if wait == "settled":
                for record in self._records.values():
                    await record.wait(lambda now: now.settled)
            elif wait == "required":
                for record in required:
                    await record.wait(lambda now: now.state is State.READY or now.state in DOWN)
        late = {record.name: record.last_error for record in required if record.state is not State.READY}
        if late and wait != "none":
            raise ServersNotReady(late)

    def _close(self) -> None:
        self._closed = True
        for record in self._records.values():
            record.move(State.STOPPED)
        self._feed.close()

    # -- names

    @property
    def _fleet(self) -> actors.SupervisorRef:
        return self._system.supervisor("fleet")

    def _known(self, server: str) -> Record:
        """Return a server that something is to be done with."""
        if self._closed:
            raise RuntimeClosed
        return self._named(server)

    def _named(self, server: str) -> Record:
        try:
            return self._records[server]
        except (KeyError, TypeError):
            raise ServerNotFound(str(server), tuple(self._records)) from None

    def _group_of(self, member: str) -> str | None:
        return next((name for name, group in self.config.groups.items() if member in group.servers), None)

    def _above(self, name: str) -> str:
        """Return the path of the supervisor that a server, where it has no group its island, is a child of."""
        group = self._group_of(name)
        return "fleet" if group is None else f"{self._above(group)}/{child_name(group)}"

    def _island(self, name: str) -> str:
        """Return the child of the fleet that holds a server: itself, or its outermost group."""
        group = self._group_of(name)
        return name if group is None else self._island(group)

    def _members(self, island: str) -> Iterable[str]:
        if island not in self.config.groups:
            return [island]
        return [name for member in self.config.groups[island].servers for name in self._members(member)]


def _check_progress(progress: object) -> None:
    if not callable(progress) or iscoroutinefunction(progress) or iscoroutinefunction(type(progress).__call__):
        raise TypeError(f"progress must be a plain function, for it is called and not awaited; got {progress!r:.200}")


def _seconds(timeout: object) -> float:
    if isinstance(timeout, bool) or not isinstance(timeout, int | float):
        raise TypeError(f"timeout must be a number of seconds; got {timeout!r:.80}")
    if not timeout >= 0:  # NaN is neither
        raise ValueError(f"timeout must be 0 seconds or more; got {timeout!r}")
    return timeout


def _encoded(server: str, tool: str, arguments: Mapping[str, Any] | None) -> Raw:
    if arguments is None:
        return Raw(b"{}")
    if not isinstance(arguments, Mapping):
        raise InvalidArguments(server, tool, f"got {type(arguments).__name__}: {arguments!r:.80}")
    try:
        return Raw(_encode(arguments if type(arguments) is dict else dict(arguments)))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidArguments(server, tool, str(error)) from error


def _down(record: Record) -> ServerEjected | ServerStopped | NotSupported:
    if isinstance(record.last_error, NotSupported):
        return NotSupported(record.name, (), record.last_error.feature)
    if record.state is State.EJECTED:
        return ServerEjected(record.name, record.window.intensity, record.window.period, record.last_error)
    return ServerStopped(record.name)
