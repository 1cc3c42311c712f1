"""`ToolServer`: functions in, an MCP server out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, final, overload

import trio
from attrs import define, field

from runtime.transports import Transport

from .functions import Function, docstring
from .session import Session
from .tools import FunctionTool

if TYPE_CHECKING:
    from runtime.protocol import CacheHint
    from runtime.protocol.server import Kind

    from .prompts import FunctionPrompt
    from .resources import FunctionResource

__all__ = ["OnFailure", "ToolServer"]

F = TypeVar("F", bound=Callable[..., Any])
OnFailure = Callable[[str, Exception], None]


class Decorator(Protocol):
    """Takes a function and gives it back as it is, its type too."""

    def __call__(self, function: F, /) -> F: ...


@final
@define(eq=False)
class ToolServer:
    """An MCP server made of Python functions: tools, resources, prompts.

        server = ToolServer("clock")

        @server.tool
        async def now() -> str: ...

    The schema comes from the type hints, the description from the docstring. Calls run at the same time: an
    ``async def`` as a task, a ``def`` in a worker thread. What a function raises is the answer of its call, marked
    as an error, and harms nothing else; a cancelled call is cancelled. One server may serve many connections, and
    be given and lose functions while it does: its clients are told.

    Args:
        hints: for how long a modern client may keep which results, by method: ``{"tools/list": CacheHint(60_000)}``
            from `runtime.protocol`. Without one each result is stale at once.
    """

    name: str
    version: str = "0"
    instructions: str | None = None
    title: str | None = field(default=None, kw_only=True)
    hints: Mapping[str, CacheHint] = field(factory=dict, kw_only=True)
    tools: dict[str, FunctionTool] = field(factory=dict, init=False)
    resources: dict[str, FunctionResource] = field(factory=dict, init=False)
    templates: dict[str, FunctionResource] = field(factory=dict, init=False)
    prompts: dict[str, FunctionPrompt] = field(factory=dict, init=False)
    # {(prompt or template, argument): function}
    completions: dict[tuple[str, str], Function] = field(factory=dict, init=False)
    _sessions: set[Session] = field(factory=set, init=False)

    # -- functions in

    @overload
    def tool(self, function: F, /) -> F: ...
    @overload
    def tool(
        self,
        /,
        *,
        name: str | None = None,
        title: str | None = None,
        description: str | None = None,
        annotations: Mapping[str, Any] | None = None,
        blocking: bool = True,
    ) -> Decorator: ...
    def tool(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        name: str | None = None,
        title: str | None = None,
        description: str | None = None,
        annotations: Mapping[str, Any] | None = None,
        blocking: bool = True,
    ) -> Any:
        """Offer a function as a tool; the function itself stays as it is.

        Args:
            name: by default the function's.
            description: by default the function's docstring.
            annotations: hints in wire names, such as ``{"readOnlyHint": True}``.
            blocking: False lets a quick ``def`` run without a thread; while it runs, nothing else does.
        Raises:
            TypeError: the signature cannot be told in JSON Schema.
            ValueError: there is a tool of this name.
        """

        def add(function: F) -> F:
            key = name or _name(function)
            self._must_be_new(key, self.tools, "tool")
            inner = Function("tool", key, function, blocking)
            self.tools[key] = FunctionTool(key, inner, title, description or docstring(function), annotations)
            self._announce("tools")
            return function

        return add if function is None else add(function)

    def resource(
        self,
        uri: str,
        /,
        *,
        name: str | None = None,
        title: str | None = None,
        description: str | None = None,
        mime_type: str | None = None,
        annotations: Mapping[str, Any] | None = None,
        blocking: bool = True,
    ) -> Decorator:
        """Offer what a function returns as a resource: a string as text, bytes as a blob, anything else as JSON.

        Args:
            uri: with variables, as in ``notes://{title}``, it is a template of many; they are the function's
                parameters, decoded and of the types that it declares. ``{+path}`` may have slashes in it. A function
                that knows of no such resource raises `NotFound`.
            name: by default the function's.
            mime_type: by default told by what is returned.
            annotations: in wire names, such as ``{"audience": ["user"]}``.
            blocking: as for tools.
        Raises:
            TypeError: the function's parameters are not the variables of ``uri``.
            ValueError: there is a resource or template of this URI, or it is no template that can be read.
        """
        from .resources import FunctionResource, Template, is_template

        def add(function: F) -> F:
            template = Template(uri) if is_template(uri) else None
            among = self.resources if template is None else self.templates
            self._must_be_new(uri, among, "resource")
            key = name or _name(function)
            inner = Function("resource", key, function, blocking, strict=False)
            text = description or docstring(function)
            among[uri] = FunctionResource(uri, inner, key, title, text, mime_type, annotations, template)
            self._announce("resources")
            return function

        return add

    @overload
    def prompt(self, function: F, /) -> F: ...
    @overload
    def prompt(
        self,
        /,
        *,
        name: str | None = None,
        title: str | None = None,
        description: str | None = None,
        blocking: bool = True,
    ) -> Decorator: ...
    def prompt(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        name: str | None = None,
        title: str | None = None,
        description: str | None = None,
        blocking: bool = True,
    ) -> Any:
        """Offer what a function writes as a prompt: a string, or a list of strings and ``("assistant", text)`` pairs.

        Its arguments come as strings and are converted to the types that it declares.

        Raises:
            TypeError: the signature cannot be told.
            ValueError: there is a prompt of this name.
        """
        from .prompts import FunctionPrompt

        def add(function: F) -> F:
            key = name or _name(function)
            self._must_be_new(key, self.prompts, "prompt")
            inner = Function("prompt", key, function, blocking, strict=False)
            self.prompts[key] = FunctionPrompt(key, inner, title, description or docstring(function))
            self._announce("prompts")
            return function

        return add if function is None else add(function)

    def completion(self, of: str, argument: str, /, *, blocking: bool = True) -> Decorator:
        """Let a function complete an argument of a prompt (its name) or of a resource template (its URI).

        It is given what is typed so far and, if it has a second parameter, the arguments chosen already (a dict); it
        returns values. An argument that is a Literal or an Enum needs none.

        Raises:
            ValueError: that argument is completed already.
        """

        def add(function: F) -> F:
            self._must_be_new((of, argument), self.completions, "completion of")
            self.completions[of, argument] = Function("completion", f"{of} {argument}", function, blocking)
            return function

        return add

    def remove(self, kind: Kind, key: str) -> None:
        """No longer offer a tool or a prompt (by its name) or a resource or template (by its URI).

        Raises:
            KeyError: there is none.
        """
        match kind:
            case "tools":
                del self.tools[key]
            case "prompts":
                del self.prompts[key]
            case "resources":
                del (self.resources if key in self.resources else self.templates)[key]
        self._announce(kind)

    def resource_updated(self, uri: str) -> None:
        """Tell whoever subscribed to it that a resource is not what it was. May be called from a function's thread."""
        self._announce(None, uri)

    # -- a server out

    async def serve(
        self,
        transport: Transport,
        *,
        on_failure: OnFailure | None = None,
        on_print: Callable[[str], object] | None = None,
    ) -> None:
        """Serve one client until it ends its side; calls then in progress get a second to be answered.

        The transport stays open: it is its opener's.

        Args:
            on_failure: is told the name and the exception of each call that raised something other than what it may
                raise to fail.
            on_print: is given each line that the functions print, which then does not reach this process's stdout;
                perhaps in another thread.
        """
        session = Session(self, transport, on_failure)
        self._sessions.add(session)
        try:
            if on_print is None:
                await session.run()
            else:
                from .printing import printing_to

                with printing_to(on_print):
                    await session.run()
        finally:
            self._sessions.discard(session)

    def run_stdio(self) -> None:
        """Be an MCP server on this process's stdin and stdout until stdin ends.

        While it runs, only protocol reaches stdout: what anybody prints goes to stderr, with the tracebacks of
        failed calls.
        """
        from .stdio import open_own_stdio

        async def main() -> None:
            async with open_own_stdio() as transport:
                await self.serve(transport, on_failure=_print_failure)

        interrupted = False
        try:
            trio.run(main)
        except* KeyboardInterrupt:
            interrupted = True
        if interrupted:
            sys.exit(130)

    # -- what its sessions tell

    @property
    def info(self) -> dict[str, Any]:
        """Who it is, in wire names."""
        titled = {} if self.title is None else {"title": self.title}
        return {"name": self.name, "version": self.version, **titled}

    @property
    def capabilities(self) -> dict[str, Any]:
        """What it offers, in wire names; a client that connects later than its first prompt hears of prompts."""
        offered: dict[str, Any] = {"tools": {"listChanged": True}, "logging": {}}
        if self.resources or self.templates:
            offered["resources"] = {"listChanged": True, "subscribe": True}
        if self.prompts:
            offered["prompts"] = {"listChanged": True}
        if self.prompts or self.templates:
            offered["completions"] = {}
        return offered

    def listed(self, method: str) -> dict[str, Any] | None:
        """The result of a list; None: there is no such list."""
        lists: Mapping[str, tuple[str, Iterable[Any]]] = {
            "tools/list": ("tools", self.tools.values()),
            "resources/list": ("resources", self.resources.values()),
            "resources/templates/list": ("resourceTemplates", self.templates.values()),
            "prompts/list": ("prompts", self.prompts.values()),
        }
        if method not in lists:
            return None
        key, offered = lists[method]
        return {key: [each.wire for each in offered]}

    def resource_at(self, uri: str) -> tuple[FunctionResource, dict[str, str]] | None:
        """The resource of a URI and what its function takes to read it."""
        if uri in self.resources:
            return self.resources[uri], {}
        for template in self.templates.values():
            if (arguments := template.arguments_of(uri)) is not None:
                return template, arguments
        return None

    def completable(self, ref: Any) -> tuple[str, Function] | None:
        """What a completion refers to, and the function whose argument it is."""
        match ref:
            case {"type": "ref/prompt", "name": str(name)} if name in self.prompts:
                return name, self.prompts[name].function
            case {"type": "ref/resource", "uri": str(uri)} if uri in self.templates:
                return uri, self.templates[uri].function
        return None

    def _must_be_new(self, key: Any, among: Mapping[Any, Any], kind: str) -> None:
        if key in among:
            raise ValueError(f"server {self.name!r} has a {kind} {key!r} already")

    def _announce(self, kind: Kind | None, uri: str | None = None) -> None:
        if not self._sessions:
            return
        if not trio.lowlevel.in_trio_run():
            trio.from_thread.run_sync(self._announce, kind, uri)
            return
        for session in self._sessions:
            session.announce(kind, uri)


def _name(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", "function"))


def _print_failure(name: str, error: Exception) -> None:
    from traceback import print_exception

    sys.stderr.write(f"{name!r} failed:\n")
    print_exception(error, file=sys.stderr)
