"""Servers made of script: each line they hear and say is a test's own, over links that keep the real contract.

A :class:`Fleet` opens links for `runtime.host.open_over`. What a server does is a function of its :class:`Peer`, which
is one life of it; when the function returns, that life is over, as that of a process that exits.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import msgspec
import trio
from attrs import define, field

from runtime.config import ServerSpec, load
from runtime.host import Runtime, open_over
from runtime.servers import Handlers
from runtime.transports.framing import Noise
from runtime.transports.memory import MemoryTransport, memory_pair

Message = dict[str, Any]
Script = Callable[["Peer"], Awaitable[None]]

DISCOVERED = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {"listChanged": True}}}
INITIALIZED = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"tools": {"listChanged": True}},
    "serverInfo": {"name": "fake", "version": "1"},
}

PROBES: Mapping[str, Message] = {"server/discover": DISCOVERED, "ping": {}}


def tool(name: str, **members: Any) -> Message:
    return {"name": name, "inputSchema": {"type": "object"}, **members}


def text(words: object, **members: Any) -> Message:
    return {"content": [{"type": "text", "text": str(words)}], **members}


Answer = Mapping[str, Any] | Callable[["Peer", Message], None]

EVERYTHING = {
    "tools": {"listChanged": True},
    "resources": {"listChanged": True, "subscribe": True},
    "prompts": {"listChanged": True},
    "completions": {},
    "logging": {},
}
LISTS: Mapping[str, Answer] = {
    "tools/list": {"tools": [tool("echo")]},
    "resources/list": {"resources": [{"uri": "notes://one", "name": "one"}]},
    "resources/templates/list": {"resourceTemplates": [{"uriTemplate": "notes://{name}", "name": "any"}]},
    "prompts/list": {"prompts": [{"name": "greet", "arguments": [{"name": "who", "required": True}]}]},
}


def serving(
    answers: Mapping[str, Answer] | None = None, *, era: str = "modern", capabilities: Message | None = None
) -> Script:
    """A server of so many features, in one era: what it answers to each method, and a refusal of all others.

    An answer is a result, or a function that says whatever it likes.
    """
    offered = EVERYTHING if capabilities is None else capabilities
    known = {**LISTS, **(answers or {})}
    if era == "modern":
        known["server/discover"] = {**DISCOVERED, "capabilities": offered}
        known.setdefault("subscriptions/listen", acknowledge)
    else:
        known["initialize"] = {**INITIALIZED, "capabilities": offered}

    async def serve(peer: Peer) -> None:
        with suppress(trio.EndOfChannel):
            while True:
                message = await peer.hear()
                answer = known.get(message.get("method", ""))
                if "method" not in message or "id" not in message:
                    continue
                if answer is None:
                    peer.refuse(message)
                elif callable(answer):
                    answer(peer, message)
                else:
                    peer.answer(message, answer)

    return serve


def acknowledge(peer: Peer, request: Message) -> None:
    """Let somebody listen to all that is asked for."""
    meta = {"io.modelcontextprotocol/subscriptionId": request["id"]}
    wanted = request["params"]["notifications"]
    peer.notify("notifications/subscriptions/acknowledged", notifications=wanted, _meta=meta)


SILENCE = Noise(0, ())
SECRET = "hush-hush"  # what a link has been told in confidence


@define(eq=False)
class Peer:
    """One life of a scripted server, as its script and the test see it."""

    incarnation: int
    wire: MemoryTransport
    heard: list[Message] = field(factory=list)
    stderr: tuple[str, ...] = ()
    noise: Noise = SILENCE
    exit: str = "exit code 0"
    tools: Iterable[str] = ("echo",)
    life: trio.CancelScope = field(factory=trio.CancelScope)
    over: trio.Event = field(factory=trio.Event)
    ready: trio.Event = field(factory=trio.Event)  # it has listed its tools

    def methods(self) -> list[str]:
        """What it has heard, answers left out."""
        return [message["method"] for message in self.heard if "method" in message]

    async def hear(self, *methods: str) -> Message:
        """The next message; of these methods, others being passed over."""
        while True:
            message: Message = msgspec.json.decode(await self.wire.receive())
            self.heard.append(message)
            if not methods or message.get("method") in methods:
                return message

    def say(self, **message: Any) -> None:
        self.wire.send_nowait(msgspec.json.encode({"jsonrpc": "2.0", **message}) + b"\n")

    def answer(self, request: Message, result: Mapping[str, Any]) -> None:
        self.say(id=request["id"], result=result)

    def refuse(self, request: Message, code: int = -32601, message: str = "Method not found") -> None:
        self.say(id=request["id"], error={"code": code, "message": message})

    def notify(self, method: str, **params: Any) -> None:
        self.say(method=method, params=params)

    def die(self, how: str = "exit code 1") -> None:
        """End this life, from the test."""
        self.exit = how
        self.life.cancel()

    def list(self, request: Message) -> None:
        self.answer(request, {"tools": [tool(name) for name in self.tools]})
        self.ready.set()

    async def get_ready(self) -> None:
        """The modern handshake and one list."""
        self.answer(await self.hear("server/discover"), DISCOVERED)
        self.list(await self.hear("tools/list"))

    async def obey(self) -> None:
        """Answer as a good server does, until the client ends its side: every tool echoes its arguments."""
        with suppress(trio.EndOfChannel):
            while True:
                request = await self.hear("tools/call", "tools/list", "server/discover", "ping")
                if request["method"] == "tools/list":
                    self.list(request)
                elif request["method"] in PROBES:
                    self.answer(request, PROBES[request["method"]])
                else:
                    self.answer(request, echoed(request))


def echoed(request: Message) -> Message:
    return text(msgspec.json.encode(request["params"]["arguments"]).decode())


async def good(peer: Peer) -> None:
    """A server without fault."""
    await peer.get_ready()
    await peer.obey()


async def mute(peer: Peer) -> None:
    """Becomes ready, hears its calls, and answers none."""
    await peer.get_ready()
    with suppress(trio.EndOfChannel):
        await peer.hear("never")


async def dead(peer: Peer) -> None:
    """Exits at once, and says why."""
    peer.stderr, peer.exit = ("no licence",), "exit code 1"


@define(eq=False)
class _Link:
    transport: MemoryTransport
    peer: Peer
    speaks_http: bool = False
    remote: bool = False
    renew: Callable[[], object] = lambda: None

    @property
    def pid(self) -> int:
        return 10_000 + self.peer.incarnation

    def kill(self) -> None:
        self.peer.die("SIGKILL")

    def when_renewed(self, tell: Callable[[], object]) -> None:
        self.renew = tell

    async def wait_exit(self) -> str:
        await self.peer.over.wait()
        return f"ended with {self.peer.exit}"

    @property
    def ended_well(self) -> bool:
        return self.peer.over.is_set() and self.peer.exit == "exit code 0"

    def stderr(self) -> tuple[str, ...]:
        return self.peer.stderr

    def noise(self) -> Noise:
        return self.peer.noise

    def hide(self, text: str) -> str:
        return text.replace(SECRET, "***")


@define(eq=False)
class Fleet:
    """Scripted servers by name: a script for all lives of a server, or a list of them, the last one for all further."""

    scripts: Mapping[str, Script | list[Script]]
    lives: dict[str, list[Peer]] = field(factory=dict)
    clean_up: float = 0.0  # seconds that the end of a link takes, as a process's does
    speaks_http: bool = False
    _connected: set[str] = field(factory=set, init=False)

    @property
    def open_links(self) -> int:
        return len(self._connected)

    def peer(self, server: str = "a", life: int = -1) -> Peer:
        return self.lives[server][life]

    def open(
        self,
        wait: Any = None,
        timeout: float | None = None,
        handlers: Handlers | None = None,
        allow: Any = None,
        **config: Any,
    ) -> AbstractAsyncContextManager[Runtime]:
        """Open a runtime on them; ``config`` is that of a file, with ``servers`` for what is to be said of each."""
        servers = config.pop("servers", {})
        source = {name: {"command": "scripted", **servers.get(name, {})} for name in self.scripts}
        loaded = load({"mcpServers": source, "journal": False, **config})
        return open_over(self.open_link, loaded, wait=wait, timeout=timeout, handlers=handlers, allow=allow)

    @asynccontextmanager
    async def open_link(self, spec: ServerSpec, incarnation: int) -> AsyncIterator[_Link]:
        assert spec.name not in self._connected, "a server has at most one child, at every moment (S1)"
        ours, theirs = memory_pair()
        peer = Peer(incarnation, theirs)
        lives = self.lives.setdefault(spec.name, [])
        scripts = self.scripts[spec.name]
        script = scripts if callable(scripts) else scripts[min(len(lives), len(scripts) - 1)]
        lives.append(peer)

        async def live() -> None:
            try:
                with peer.life:
                    await script(peer)
            finally:
                theirs.close()
                peer.over.set()

        self._connected.add(spec.name)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(live)
                try:
                    yield _Link(ours, peer, speaks_http=self.speaks_http)
                finally:
                    ours.close()
                    nursery.cancel_scope.cancel()
                    with trio.CancelScope(shield=True):
                        await trio.sleep(self.clean_up)
        finally:
            self._connected.remove(spec.name)
