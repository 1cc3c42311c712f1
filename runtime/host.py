"""The runtime as a program meets it: open it on a configuration, call tools, look at it, act on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, final

import msgspec
import trio
from attrs import define, evolve, field
from msgspec import Raw

import actors
from actors import ActorCrashed, ActorStopped, ChildSpec, MailboxFull, RestartWindow, Strategy, SupervisorSpec
from runtime.cache import Cache, Forget, Lookup, Store, cache_key, time_to_live
from runtime.call import ProgressCallback, ToolCall
from runtime.config import RuntimeConfig, ServerSpec, load, load_server
from runtime.errors import (
    CallInterrupted,
    CallRefused,
    CallTimedOut,
    InvalidAnswer,
    InvalidArguments,
    NameTaken,
    RuntimeFailed,
    Sent,
    ServerEjected,
    ServerNotFound,
    ServersNotReady,
    ServerStopped,
)
from runtime.journal import Feed, ServerCrashed, Subscription
from runtime.journal import ServerEjected as EjectedEvent
from runtime.journal import ServerStopped as StoppedEvent
from runtime.protocol import CallToolResult, Implementation, Tool, WireError, result_from_wire
from runtime.registry import EMPTY, CatalogFetched, CatalogGone, Directory, Registry, ToolEntry
from runtime.servers import DOWN, Drain, KillChild, Record, ServerStatus, Services, State, fleet_specs, island_spec
from runtime.transports.guard import open_guard

Wait = Literal["settled", "required", "none"]

DRAIN = 10.0  # seconds that calls in flight get to finish before a reload stops their server
_WINDOW = RestartWindow(intensity=10, period=60.0)


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
    loaded = load(config)
    feed = Feed()
    async with open_guard() as guard:
        runtime = Runtime(loaded, feed)
        services = Services(guard, feed, runtime._take_tools, Implementation(name="greenroom", version=_version()))
        runtime._services = services
        try:
            async with actors.open_system(
                SupervisorSpec("services", runtime._service_specs(), window=_WINDOW),
                SupervisorSpec(
                    "fleet",
                    fleet_specs(loaded, runtime._record_of, services),
                    window=_WINDOW,
                    concurrent_stop=True,
                ),
                strategy=Strategy.REST_FOR_ONE,
                window=_WINDOW,
                observe=runtime._observe,
            ) as runtime._system:
                try:
                    await runtime._wait_open(wait or loaded.start, timeout)
                    yield runtime
                finally:
                    runtime._close()
        except actors.SupervisorExit as error:
            raise RuntimeFailed(str(error)) from error.__cause__


def _version() -> str:
    try:
        return version("greenroom")
    except PackageNotFoundError:  # used from a source tree that is not installed
        return "0"


@final
@define(eq=False)
class Runtime:
    """A running fleet. What looks is plain and reads snapshots; what acts is async. Made by `open_runtime`."""

    config: RuntimeConfig
    _feed: Feed
    _records: dict[str, Record] = field(factory=dict, init=False)  # in the order of the configuration
    _directory: Directory = field(default=EMPTY, init=False)
    _system: actors.System = field(init=False)
    _services: Services = field(init=False)

    # -- looking

    def tree(self) -> actors.Node:
        """Return the supervisor tree; ``str`` draws it. Servers show their own state, era, tools and process."""
        by_path = {record.ref.path: record for record in self._records.values() if record.ref is not None}
        return _with_servers(self._system.tree(), "", by_path)

    def status(self, server: str | None = None) -> Mapping[str, ServerStatus]:
        """Return the status of every server, or of one, by name. Raises `ServerNotFound`."""
        records = self._records.values() if server is None else (self._known(server),)
        return {record.name: record.status() for record in records}

    def tools(self, query: str | None = None, server: str | None = None) -> tuple[ToolEntry, ...]:
        """Return the tools known now: of one server or all, and only those that fit ``query``, best first.

        Raises `ServerNotFound`.
        """
        if server is not None:
            self._known(server)
        if query is None:
            return self._directory.tools(server)
        return tuple(entry for entry in self._directory.discover(query) if server in (None, entry.server))

    def discover(self, query: str, *, limit: int = 10) -> tuple[ToolEntry, ...]:
        """Search the tools of all servers by words: names, titles, descriptions, argument names. Best first."""
        return self._directory.discover(query, limit)

    def events(self) -> Subscription:
        """Subscribe to what happens from now on: an async context manager and a channel to iterate over."""
        return self._feed.subscribe()

    def recent_events(self) -> tuple[Any, ...]:
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
        Cancelling tells the server. ``progress`` is called with what the server reports on the way.

        Raises `ServerNotFound`, `ToolNotFound`, `InvalidArguments`, `ServerEjected`, `ServerStopped`, and of the family
        `CallFailed`: `CallTimedOut`, `CallInterrupted`, `CallRefused`, `ServerError`, `InvalidAnswer`.
        """
        record = self._known(server)
        call = ToolCall(server, tool, _encoded(server, tool, arguments), progress)
        ttl = time_to_live(record.spec.cache, tool)
        result = await (
            self._call_cached(record, call, ttl, arguments or {}) if ttl else self._timed(record, call, timeout)
        )
        try:
            return result_from_wire(CallToolResult, result)
        except WireError as error:
            raise InvalidAnswer(server, tool, Sent.UNKNOWN, str(error)) from error

    async def _timed(self, record: Record, call: ToolCall, timeout: float | None) -> Raw:
        seconds = record.spec.timeout if timeout is None else timeout
        with trio.CancelScope(deadline=trio.current_time() + seconds):
            return await self._ask(record, call)
        raise CallTimedOut(call.server, call.tool, Sent.UNKNOWN if call.sent else Sent.NOT_SENT, seconds)

    async def _ask(self, record: Record, call: ToolCall) -> Raw:
        while True:
            if record.state in DOWN:
                raise _down(record)
            ref = record.ref
            try:
                if ref is not None:
                    return await ref.ask(call)
            except MailboxFull as error:
                reason = f"{error.capacity} calls wait for this server already; try again later"
                raise CallRefused(call.server, call.tool, Sent.NOT_SENT, reason) from None
            except ActorCrashed as error:
                sent = Sent.UNKNOWN if call.sent else Sent.NOT_SENT
                raise CallInterrupted(call.server, call.tool, sent) from error.__cause__
            except ActorStopped:
                if call.sent:
                    raise CallInterrupted(call.server, call.tool, Sent.UNKNOWN) from None
            # It waited in a mailbox that has ended: stopped and ejected are told above, once that is settled;
            # after a reload the server has another address.
            await record.wait_other(ref)

    async def _call_cached(self, record: Record, call: ToolCall, ttl: float, arguments: Mapping[str, Any]) -> Raw:
        key = cache_key(arguments)
        if key is None:
            return await self._timed(record, call, None)
        cache = self._system["services/cache"]
        asked = record.incarnation
        hit = await cache.ask(Lookup(call.server, asked, call.tool, key))
        if hit is not None:
            return hit
        result = await self._timed(record, call, None)
        if record.incarnation == asked and not _is_error(result):
            cache.tell(Store(call.server, asked, call.tool, key, result, ttl))
        return result

    # -- acting

    async def spawn(self, name: str, spec: Mapping[str, Any]) -> ServerStatus:
        """Add a server, written as in a configuration, and wait until it is ready or its first attempt has failed.

        Raises `runtime.ConfigError`, `NameTaken`.
        """
        if name in self._records:
            raise NameTaken(name)
        record = self._record_of(load_server(name, spec))
        await self._system.supervisor("fleet").start_child(island_spec(record, self._services))
        await record.wait(lambda now: now.settled)
        return record.status()

    async def stop(self, server: str) -> None:
        """Stop a server; it stays down, and its calls are told so, until `reload`. Raises `ServerNotFound`."""
        record = self._known(server)
        supervisor, child = self._place(server)
        await self._system.supervisor(supervisor).terminate_child(child)
        self._is_down(record)

    async def reload(self, server: str) -> None:
        """Start a server afresh, with a fresh restart window; calls that wait go on waiting, those in flight finish.

        A grouped server is reloaded with its group. Brings back what was stopped or ejected. Returns when the server is
        ready, or its first attempt has failed. Raises `ServerNotFound`.
        """
        self._known(server)
        supervisor, island = self._island(server)
        members = [self._records[name] for name in self._members(island)]
        with trio.move_on_after(DRAIN):
            async with trio.open_nursery() as drains:
                for record in members:
                    if record.ref is not None and record.state is State.READY:
                        drains.start_soon(record.ref.ask, Drain())
        for record in members:
            record.move(State.STARTING)
            record.settled = False
        await self._system.supervisor(supervisor).terminate_child(island)
        await self._system.supervisor(supervisor).restart_child(island)
        for record in members:
            await record.wait(lambda now: now.settled)

    async def kill(self, server: str) -> None:
        """End a server's process at once, as a crash would; its supervisor brings it back. Raises `ServerNotFound`."""
        record = self._known(server)
        if record.state in DOWN:
            raise _down(record)
        if record.ref is not None:
            await record.ref.send(KillChild())

    # -- for the tree

    def _service_specs(self) -> tuple[ChildSpec, ...]:
        def registry() -> Registry:
            return Registry(self._directory, self._publish, self._feed)

        def cache() -> Cache:
            return Cache(self.config.cache.entries_per_tool)

        return ChildSpec("registry", registry, capacity=10_000), ChildSpec("cache", cache, capacity=10_000)

    def _record_of(self, spec: ServerSpec) -> Record:
        record = self._records[spec.name] = Record(spec)
        return record

    def _publish(self, directory: Directory) -> None:
        self._directory = directory

    async def _take_tools(self, server: str, incarnation: int, tools: tuple[Tool, ...]) -> None:
        await self._system["services/registry"].ask(CatalogFetched(server, incarnation, tools))

    def _observe(self, event: actors.TreeEvent) -> None:
        """Turn what the supervisors do into what is known of servers, and into events."""
        if not isinstance(event, actors.ChildExited):
            return
        for record in self._records.values():
            path = record.ref.path if record.ref is not None else ""
            if path == event.path:
                self._observe_server(record, event)
            elif path.startswith(f"{event.path}/") and event.verdict is not actors.Verdict.RESTART:
                self._observe_island(record)

    def _observe_server(self, record: Record, event: actors.ChildExited) -> None:
        now = self._feed.now()
        if isinstance(event.reason, actors.Crashed):
            record.last_error = event.reason.exception
        restarts = event.verdict is actors.Verdict.RESTART
        if restarts or not isinstance(event.reason, actors.Normal | actors.Shutdown):
            error = record.last_error
            reason = str(getattr(error, "what", None) or event.reason)
            self._feed.publish(
                ServerCrashed(now, record.name, event.incarnation, reason, event.delay if restarts else None)
            )
        if restarts:
            record.restarts += 1
            record.move(State.BACKING_OFF)
        elif event.verdict is not None:
            self._is_down(record)

    def _observe_island(self, record: Record) -> None:
        window = record.spec.window
        record.move(State.EJECTED)
        self._feed.publish(EjectedEvent(self._feed.now(), record.name, window.intensity, window.period))

    def _is_down(self, record: Record) -> None:
        record.move(State.STOPPED)
        self._feed.publish(StoppedEvent(self._feed.now(), record.name))
        self._system["services/registry"].tell(CatalogGone(record.name))
        self._system["services/cache"].tell(Forget(record.name))

    # -- opening and closing

    async def _wait_open(self, wait: Wait, timeout: float | None) -> None:
        required = [record for record in self._records.values() if record.spec.required]
        with trio.move_on_after(timeout if timeout is not None else float("inf")):
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
        for record in self._records.values():
            record.move(State.STOPPED)
        self._feed.close()

    # -- names

    def _known(self, server: str) -> Record:
        try:
            return self._records[server]
        except (KeyError, TypeError):
            raise ServerNotFound(str(server), tuple(self._records)) from None

    def _group_of(self, member: str) -> str | None:
        return next((name for name, group in self.config.groups.items() if member in group.servers), None)

    def _path(self, name: str) -> str:
        """Return the path of the supervisor above an island, or above a member of one."""
        group = self._group_of(name)
        return "fleet" if group is None else f"{self._path(group)}/{group}"

    def _place(self, server: str) -> tuple[str, str]:
        """Return whose child to stop: the island of a server on its own, the server alone in a group."""
        return self._path(server), server

    def _island(self, server: str) -> tuple[str, str]:
        group = self._group_of(server)
        return (self._path(group), group) if group is not None else ("fleet", server)

    def _members(self, island: str) -> Iterable[str]:
        if island not in self.config.groups:
            return [island]
        return [name for member in self.config.groups[island].servers for name in self._members(member)]


def _encoded(server: str, tool: str, arguments: Mapping[str, Any] | None) -> Raw:
    if arguments is None:
        return Raw(b"{}")
    if not isinstance(arguments, Mapping):
        raise InvalidArguments(server, tool, f"got {type(arguments).__name__}: {arguments!r:.80}")
    try:
        return Raw(msgspec.json.encode(arguments if type(arguments) is dict else dict(arguments)))
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidArguments(server, tool, str(error)) from error


def _is_error(result: Raw) -> bool:
    return msgspec.json.decode(result, type=_ErrorFlag).isError


class _ErrorFlag(msgspec.Struct):
    isError: bool = False


def _down(record: Record) -> ServerEjected | ServerStopped:
    if record.state is State.EJECTED:
        window = record.spec.window
        return ServerEjected(record.name, window.intensity, window.period, record.last_error)
    return ServerStopped(record.name)


def _with_servers(node: actors.Node, above: str, records: Mapping[str, Record]) -> actors.Node:
    path = f"{above}/{node.name}" if above else node.name
    below = "" if node.name == "root" and not above else path
    children = tuple(_with_servers(child, below, records) for child in node.children)
    record = records.get(path)
    if record is None:
        return evolve(node, children=children)
    status = record.status()
    detail = [status.era.name.lower()] if status.era is not None else []
    detail.append(f"{status.tools} tool{'' if status.tools == 1 else 's'}")
    if status.pid is not None:
        detail.append(f"pid {status.pid}")
    if status.in_flight:
        detail.append(f"{status.in_flight} in flight")
    up = status.state is State.READY
    return evolve(node, status=status.state.value, detail=", ".join(detail) if up else "", children=children)
