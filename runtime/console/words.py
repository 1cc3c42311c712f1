"""The names at the prompt."""

import functools
import inspect
from collections.abc import Callable, Coroutine, Generator, Mapping
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar, final

import trio

import runtime
from actors import Node
from runtime.console.listings import Listing, Statuses
from runtime.console.session import Leave
from runtime.errors import ServerNotFound
from runtime.host import Runtime
from runtime.journal import Event
from runtime.journal.records import Entry
from runtime.protocol import CallToolResult, GetPromptResult, LoggingLevel, ReadResourceResult
from runtime.registry import PromptEntry, ResourceEntry, ResourceTemplateEntry, ToolEntry
from runtime.servers import ServerStatus

if TYPE_CHECKING:
    from runtime.host.applying import Applied, Source
    from runtime.host.plan import Plan

T = TypeVar("T")


class NotBegun(AttributeError):
    """The result of an errand was asked for before the errand was awaited."""


@final
class Errand(Generic[T]):
    """Something to await, which begins when it is awaited. Typed alone at the prompt, it is awaited there.

    Unlike a coroutine it may be dropped, and says what is missing when its result is asked for too early.
    """

    def __init__(self, words: str, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._words, self._work = words, work

    def __await__(self) -> Generator[Any, Any, T]:
        return self._work().__await__()

    def __repr__(self) -> str:
        return f"<{self._words}: not begun, put await before it>"

    def __getattr__(self, name: str) -> NoReturn:
        raise NotBegun(f"no {name!r} yet: put await before {self._words}")


@final
class Word:
    """A function at the prompt; typed without its parentheses it says how it is used."""

    def __init__(self, function: Callable[..., object]) -> None:
        functools.update_wrapper(self, function)
        self._function = function

    def __call__(self, *args: object, **kwargs: object) -> object:
        return self._function(*args, **kwargs)

    def usage(self) -> str:
        """Write the call with its arguments' names."""
        signature = inspect.signature(self._function)
        bare = [parameter.replace(annotation=parameter.empty) for parameter in signature.parameters.values()]
        return f"{self._function.__name__}{signature.replace(parameters=bare, return_annotation=signature.empty)}"

    def __repr__(self) -> str:
        return f"{self.usage()}\n    {inspect.getdoc(self._function)}"


def prompt_words(host: Runtime) -> dict[str, object]:
    """Make the namespace of a session on this host."""

    def call(
        server: str, tool: str, arguments: Mapping[str, Any] | None = None, *, timeout: float | None = None
    ) -> Errand[CallToolResult]:
        """Calls a tool: await call("clock", "now", {})"""
        return Errand(f"call({server!r}, {tool!r})", lambda: host.call(server, tool, arguments, timeout=timeout))

    def tools(query: str | None = None, server: str | None = None) -> Listing[ToolEntry]:
        """Lists the tools of all servers, or those that match."""
        return Listing(
            host.tools(query, server=server), none="no tool" if query is None else f"no tool matches {query!r}"
        )

    def resources(server: str | None = None) -> Listing[ResourceEntry | ResourceTemplateEntry]:
        """Lists the resources of all servers, or of one, and the patterns of those that are not listed."""
        return Listing((*host.resources(server), *host.resource_templates(server)), none="no resource")

    def read(server: str, uri: str) -> Errand[ReadResourceResult]:
        """Reads a resource: await read("notes", "notes://today")"""
        return Errand(f"read({server!r}, {uri!r})", lambda: host.read_resource(server, uri))

    def prompts(server: str | None = None) -> Listing[PromptEntry]:
        """Lists the prompts of all servers, or of one."""
        return Listing(host.prompts(server), none="no prompt")

    def prompt(server: str, name: str, arguments: Mapping[str, str] | None = None) -> Errand[GetPromptResult]:
        """Fills in a prompt and shows its messages: await prompt("notes", "review", {"topic": "milk"})"""
        return Errand(f"prompt({server!r}, {name!r})", lambda: host.get_prompt(server, name, arguments))

    def complete(server: str, ref: str, argument: str, value: str = "") -> Errand[tuple[str, ...]]:
        """Tells what an argument of a prompt, or of a resource's pattern, may be."""

        async def values() -> tuple[str, ...]:
            return (await host.complete(server, ref, argument, value)).values

        return Errand(f"complete({server!r}, {ref!r}, {argument!r})", values)

    def log(server: str, level: LoggingLevel = "info") -> Errand[None]:
        """Has a server log from this level on; events(follow=True) shows what it logs."""
        return Errand(f"log({server!r}, {level!r})", lambda: host.set_log_level(server, level))

    def tree() -> Node:
        """Draws the supervisor tree."""
        return host.tree()

    def status(server: str | None = None) -> Statuses | ServerStatus:
        """Tells how the servers are, or one of them: state, process, restarts, calls."""
        statuses = host.status()
        if server is None:
            return Statuses(statuses)
        if server not in statuses:
            raise ServerNotFound(server, tuple(statuses))
        return statuses[server]

    def events(last: int = 20, *, follow: bool = False) -> Listing[Event] | Errand[None]:
        """Shows what happened last; events(follow=True) goes on until Ctrl-C."""
        if follow:
            return Errand("events(follow=True)", lambda: _follow(host))
        return Listing(host.recent_events()[-last:] if last > 0 else (), none="nothing has happened yet")

    def history(server: str | None = None, limit: int = 20) -> Errand[Listing[Entry]]:
        """Tells what happened to all servers or to one, newest first, in earlier runs of this configuration, too."""

        async def entries() -> Listing[Entry]:
            return Listing(await host.history(server, limit=limit), none="nothing has happened yet")

        return Errand(f"history({server!r})" if server else "history()", entries)

    def refresh(server: str | None = None) -> Errand[None]:
        """Fetches the lists of a server again, or of all."""
        return Errand(f"refresh({server!r})" if server else "refresh()", lambda: host.refresh(server))

    def kill(server: str) -> Errand[None]:
        """Kills the server's process (SIGKILL), to see its supervisor bring it back."""
        return Errand(f"kill({server!r})", lambda: host.kill(server))

    def reload(server: str) -> Errand[None]:
        """Starts the server afresh, also one that was ejected or stopped."""
        return Errand(f"reload({server!r})", lambda: host.reload(server))

    def plan(config: "Source | None" = None) -> "Plan":
        """Shows what another configuration, or the changed file, would do to the servers; does nothing."""
        return host.plan(config)

    def apply(config: "Source | Plan | None" = None) -> "Errand[Applied]":
        """Does it: changed servers are started afresh, the others go on. Also takes a plan: apply(_)"""
        return Errand("apply()", lambda: host.apply(config))

    asking = (call, tools, resources, read, prompts, prompt, complete)
    acting = (log, refresh, kill, reload, plan, apply)
    shown = {each.__name__: Word(each) for each in (*asking, tree, status, events, history, *acting)}

    def help(subject: object = None) -> Verbatim:
        """Lists these names; help(x) tells about x."""
        if subject is None or isinstance(subject, Word):
            return Verbatim("\n".join(map(repr, shown.values() if subject is None else (subject,))))
        import pydoc

        return Verbatim(pydoc.plain(pydoc.render_doc(subject)))

    shown["help"] = Word(help)
    leave = Leave()
    return {
        **shown,
        "host": host,
        "exit": leave,
        "quit": leave,
        "runtime": runtime,
        "trio": trio,
        "__name__": "__console__",
    }


@final
class Verbatim(str):
    """Text that is shown as it is, not as a quoted string."""

    __slots__ = ()


async def _follow(host: Runtime) -> None:
    async with host.events() as channel:
        async for event in channel:
            print(event)
