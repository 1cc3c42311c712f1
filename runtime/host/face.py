"""The one object that a program holds of its runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, final

from attrs import define

from runtime.host.acting import Acts
from runtime.host.calling import Calls
from runtime.host.house import House
from runtime.servers import with_servers

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from trio.abc import ReceiveChannel

    import actors
    from runtime.call import ProgressCallback
    from runtime.config import RuntimeConfig
    from runtime.host.applying import Applied, Applying, Source
    from runtime.host.plan import Plan
    from runtime.journal import Event, Subscription
    from runtime.journal.records import Entry
    from runtime.protocol import (
        CallToolResult,
        Completion,
        CompletionReference,
        GetPromptResult,
        LoggingLevel,
        ReadResourceResult,
    )
    from runtime.registry import PromptEntry, ResourceEntry, ResourceTemplateEntry, ToolEntry
    from runtime.servers import ResourceChanged, ServerStatus


@final
@define(eq=False, repr=False)
class Runtime:
    """A running fleet. What looks is plain and reads snapshots; what acts is async. Made by `open_runtime`."""

    _house: House
    _calls: Calls
    _acts: Acts

    # -- looking

    @property
    def config(self) -> RuntimeConfig:
        """What its fleet is made of now; of the host, what it was opened on."""
        return self._house.config

    def tree(self) -> actors.Node:
        """Return the supervisor tree; ``str`` draws it. Servers show their own state, era, tools and process."""
        return with_servers(self._house.system.tree(), self._house.records.values())

    def status(self, server: str | None = None) -> Mapping[str, ServerStatus]:
        """Return the status of every server, or of one, by name. Raises `ServerNotFound`."""
        records = self._house.records.values() if server is None else (self._house.named(server),)
        return {record.name: record.status() for record in records}

    def tools(
        self, query: str | None = None, server: str | None = None, *, caller: str | None = None
    ) -> tuple[ToolEntry, ...]:
        """Return the tools known now: of one server or all, and only those that fit ``query``, best first.

        What ``caller`` may not call is left out, here and in all lists and searches. Raises `ServerNotFound`.
        """
        self._checked(server, caller)
        house = self._house
        if query is None:
            return house.admission.seen(house.directory.tools(server), caller)
        found = house.admission.seen(house.directory.discover(query), caller)
        return tuple(entry for entry in found if server in (None, entry.server))

    def resources(self, server: str | None = None, *, caller: str | None = None) -> tuple[ResourceEntry, ...]:
        """Return the resources listed now, of one server or all. Raises `ServerNotFound`."""
        house = self._house
        return house.admission.seen(house.directory.resources(self._checked(server, caller)), caller)

    def resource_templates(
        self, server: str | None = None, *, caller: str | None = None
    ) -> tuple[ResourceTemplateEntry, ...]:
        """Return the resource templates listed now, of one server or all. Raises `ServerNotFound`."""
        house = self._house
        return house.admission.seen(house.directory.resource_templates(self._checked(server, caller)), caller)

    def prompts(self, server: str | None = None, *, caller: str | None = None) -> tuple[PromptEntry, ...]:
        """Return the prompts listed now, of one server or all. Raises `ServerNotFound`."""
        house = self._house
        return house.admission.seen(house.directory.prompts(self._checked(server, caller)), caller)

    def _checked(self, server: str | None, caller: str | None) -> str | None:
        return None if server is None else self._house.named(server, caller).name

    def discover(self, query: str, *, limit: int = 10, caller: str | None = None) -> tuple[ToolEntry, ...]:
        """Search the tools of all servers by words: names, titles, descriptions, argument names. Best first."""
        return self._house.admission.seen(self._house.directory.discover(query), caller)[:limit]

    def events(self) -> Subscription:
        """Subscribe to what happens from now on: an async context manager and a channel to iterate over."""
        return self._house.feed.subscribe()

    def recent_events(self) -> tuple[Event, ...]:
        """Return the last events, oldest first."""
        return tuple(self._house.feed.recent)

    async def history(
        self, server: str | None = None, *, limit: int = 100, since: float | datetime | None = None
    ) -> Sequence[Entry]:
        """Return what has happened to one server or to all, newest first, over all runs of this configuration.

        Those before this one are known where the configuration lets a journal be written. ``since`` is in seconds since
        1970, or a `datetime`. Raises `ValueError` for a ``limit`` below 1.
        """
        if limit < 1:
            raise ValueError(f"limit must be at least 1; got {limit!r}")
        earliest = 0.0 if since is None else since if isinstance(since, float | int) else since.timestamp()
        return await self._house.chronicle.history(server, limit, earliest)

    # -- calling

    async def call(
        self,
        server: str,
        tool: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        progress: ProgressCallback | None = None,
        caller: str | None = None,
    ) -> CallToolResult:
        """Call a tool and return what it answers; a tool that fails answers with ``is_error``.

        Waits while the server starts or restarts, up to ``timeout`` seconds (None: its configured ``timeout``).
        Cancelling tells the server. ``progress`` is called with what the server reports on the way; what it raises
        ends the call.

        ``caller`` is the name of a client of the configuration (``gateway.clients``) on whose behalf it is made: what
        that client may not use is refused, and its budget is charged, also where the answer is remembered. None: the
        program itself. What may not be called ends in `CallRefused`, and nothing of it reaches the server.

        Raises `ServerNotFound`, `ToolNotFound`, `InvalidArguments`, `ServerEjected`, `ServerStopped`, and of the family
        `CallFailed`: `CallTimedOut`, `CallInterrupted`, `CallRefused`, `ServerError`, `InvalidAnswer`; and
        `TypeError` or `ValueError` for a ``timeout`` or ``progress`` that is none.
        """
        return await self._calls.call_tool(server, tool, arguments, timeout, progress, caller)

    async def read_resource(
        self,
        server: str,
        uri: str,
        *,
        timeout: float | None = None,
        progress: ProgressCallback | None = None,
        caller: str | None = None,
    ) -> ReadResourceResult:
        """Read a resource, listed or not: a template's URIs are in no list.

        Waits, is cancelled, is refused and fails as `call` does. A rule for tools alone says nothing of resources or
        prompts; but who may use only some tools of a server, by ``open_runtime(allow=...)``, may use none of them.
        """
        return await self._calls.read_resource(server, uri, timeout, progress, caller)

    async def get_prompt(
        self,
        server: str,
        name: str,
        arguments: Mapping[str, str] | None = None,
        *,
        timeout: float | None = None,
        progress: ProgressCallback | None = None,
        caller: str | None = None,
    ) -> GetPromptResult:
        """Return a prompt's messages, with ``arguments`` filled in.

        Waits, is cancelled and fails as `call` does.
        """
        return await self._calls.get_prompt(server, name, arguments, timeout, progress, caller)

    async def complete(
        self,
        server: str,
        ref: str | CompletionReference,
        argument: str,
        value: str = "",
        *,
        context: Mapping[str, str] | None = None,
        timeout: float | None = None,
        caller: str | None = None,
    ) -> Completion:
        """Return what ``argument`` of a prompt or a resource template may be, as far as ``value`` is typed already.

        ``ref`` is the prompt's name or the template's URI; ``context`` holds the arguments that are settled. Waits, is
        cancelled and fails as `call` does.
        """
        return await self._calls.complete(server, ref, argument, value, context, timeout, caller)

    async def set_log_level(
        self, server: str, level: LoggingLevel, *, timeout: float | None = None, caller: str | None = None
    ) -> None:
        """Have a server log from ``level`` on; what it logs arrives in `events`, as `ServerLogged`.

        Holds over restarts. Waits, is cancelled and fails as `call` does.
        """
        await self._calls.set_log_level(server, level, timeout, caller)

    def subscribe(
        self, server: str, uri: str, *, timeout: float | None = None, caller: str | None = None
    ) -> AbstractAsyncContextManager[ReceiveChannel[ResourceChanged]]:
        """Hear, for as long as the block, of each change of a resource, and of what is below it::

            async with host.subscribe("notes", "notes://today") as changes:
                async for change in changes:
                    print(await host.read_resource("notes", change.uri))

        Holds over restarts, after which what may have changed meanwhile is told as missed. The channel ends with the
        runtime. Entering waits, is cancelled and fails as `call` does.
        """
        return self._calls.subscribe(server, uri, timeout, caller)

    # -- acting

    def plan(self, config: Source | None = None) -> Plan:
        """Compare what runs with another configuration, and return what there is to do to get there; starts nothing.

        ``config`` is a path, a mapping or a `RuntimeConfig`; None: the file that it was opened on, as it is now. A
        server whose changed keys can be taken on as it runs is adjusted; any other change restarts it, of a grouped
        server with its group, the outermost one. Reads files, and blocks meanwhile. Raises `runtime.ConfigError` with
        every mistake, and `ValueError` for None where there is no file.
        """
        return self._applying().plan(config)

    async def apply(self, config: Source | Plan | None = None) -> Applied:
        """Get to another configuration, or carry out a plan. What has not changed is not touched, nor its process.

        Each changed server finishes its calls in flight, as in `reload`, is stopped, and started as it is to be; what
        is new is started, what is gone is stopped. Where a server that was ready, or is new beside such ones, does not
        get ready, what was there before is started again, which the result tells. A server that was stopped or ejected
        is started if it has changed. Returns when all are ready or have failed once. Cancelled, each server is either
        as it was or as it is to be.

        Raises as `plan` does, before anything is done, and `PlanOutdated` for a plan that something else came before.
        """
        return await self._applying().apply(config)

    def _applying(self) -> Applying:
        from runtime.host.applying import Applying  # few need it, and none to begin with

        return Applying(self._house, self._acts)

    async def spawn(self, name: str, spec: Mapping[str, Any]) -> ServerStatus:
        """Add a server, written as in a configuration, and wait until it is ready or its first attempt has failed.

        Cancelling ends the waiting, not the server. Raises `runtime.ConfigError`, `NameTaken`, `SpawnRefused`.
        """
        return await self._acts.spawn(name, spec)

    async def stop(self, server: str) -> None:
        """Stop a server; it stays down, and its calls are told so, until `reload`. One that is down stays as it is.

        Takes at most a few times its ``stop_timeout``; cancelling does not leave it half done. Raises `ServerNotFound`.
        """
        await self._acts.stop(server)

    async def reload(self, server: str) -> None:
        """Start a server afresh, with a fresh restart window; calls that wait go on waiting, those in flight finish.

        A grouped server is reloaded with its group, the outermost one. Brings back what was stopped or ejected. Returns
        when the server is ready, or its first attempt has failed; cancelling leaves it either as it was, or reloaded.
        Raises `ServerNotFound`.
        """
        await self._acts.reload(server)

    async def refresh(self, server: str | None = None) -> None:
        """Fetch the lists of a server again, or of all that are up, and return when they are published.

        For servers that do not tell when their lists change. Raises, for a server that is named, `ServerNotFound`,
        `ServerEjected`, `ServerStopped`, or what was wrong with its lists.
        """
        await self._acts.refresh(server)

    async def kill(self, server: str) -> None:
        """End a server's process at once, as a crash would; its supervisor brings it back.

        Returns when it is seen dead. Raises `ServerNotFound`, and `ServerEjected` or `ServerStopped` where it is down.
        """
        await self._acts.kill(server)
