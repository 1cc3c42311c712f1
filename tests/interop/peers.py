"""MCP servers that nobody here wrote: how each is reached, and what each can be asked."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Literal

from attrs import evolve, frozen

HERE = Path(__file__).parent
PEERS = HERE.parents[1] / ".peers"
NODE = HERE / "node_modules" / ".bin"
NODE_JS = HERE.parent / "conformance" / "node_modules" / ".bin"  # one that is new enough for all of them
PACKAGES = json.loads((HERE / "package.json").read_text())["dependencies"]
MARK = "GREENROOM_INTEROP_TEST"

Over = Literal["stdio", "http", "sse", "ws"]


@frozen
class Ask:
    """A tool or a prompt, and what it is given."""

    name: str
    arguments: Mapping[str, Any] = {}


@frozen
class Known:
    """A question, and what is part of its answer."""

    question: Any
    answer: str


@frozen(kw_only=True)
class Questions:
    """What a server can be asked. None: it does not offer that."""

    call: Known
    wrong: Ask  # a call of a tool that it has, which it refuses
    progress: Known | None = None  # the answer: how many reports it makes
    endless: Ask | None = None
    cancellations: Ask | None = None  # tells how many endless calls were cancelled
    elicits: Ask | None = None
    samples: Ask | None = None
    roots: Ask | None = None
    resource: Known | None = None
    template: Known | None = None  # a resource that no list names
    change: Known | None = None  # a call, and the resource that it changes
    prompt: Known | None = None
    completion: Known | None = None  # (prompt, argument, what is typed so far)


@frozen(kw_only=True)
class Peer:
    """A foreign server, and one way to reach it.

    One that is not reached over stdio listens at the port that it is told in ``PORT``, and for each ``{port}`` of its
    ``argv``. It is started apart, unless it is owned.
    """

    name: str
    software: str
    argv: tuple[str, ...]
    over: Over = "stdio"
    path: str = ""  # of the url
    owned: bool = False  # though it is reached by its url, the host starts it
    keys: Mapping[str, Any] = {}  # of its configuration, beside those that say how it is reached
    questions: Questions

    @property
    def programs(self) -> tuple[str, ...]:
        """What must be installed."""
        return tuple(word for word in self.argv if word.startswith(str(HERE.parents[1])))


def peers(place: Path, page: str = "") -> dict[str, Peer]:
    """Return the peers by name; those that need files work in ``place``, and ``page`` is on the web."""
    sdk = Questions(
        call=Known(Ask("add", {"a": 2, "b": 3}), "5"),
        wrong=Ask("add", {"a": "two", "b": 3}),
        progress=Known(Ask("count", {"to": 4}), "4"),
        endless=Ask("wait"),
        cancellations=Ask("cancellations"),
        elicits=Ask("greet"),
        samples=Ask("think"),
        roots=Ask("look"),
        resource=Known("note://static", "a note"),
        template=Known("note://of/ada", "a note of ada"),
        prompt=Known(Ask("recite", {"poem": "ode"}), "Recite ode."),
        completion=Known(("recite", "poem", "od"), "ode odyssey"),
    )
    modern = evolve(sdk, change=Known(Ask("touch"), "note://static"))
    everything = Questions(
        call=Known(Ask("get-sum", {"a": 2, "b": 3}), "is 5"),
        wrong=Ask("get-sum", {"a": "two", "b": 3}),
        progress=Known(Ask("trigger-long-running-operation", {"duration": 0.4, "steps": 4}), "4"),
        endless=Ask("trigger-long-running-operation", {"duration": 600, "steps": 2}),
        elicits=Ask("trigger-elicitation-request"),
        samples=Ask("trigger-sampling-request", {"prompt": "Say something."}),
        roots=Ask("get-roots-list"),
        resource=Known("demo://resource/static/document/features.md", "Everything Server"),
        template=Known("demo://resource/dynamic/text/7", "Resource 7"),
        prompt=Known(Ask("args-prompt", {"city": "Oslo"}), "Oslo"),
        completion=Known(("completable-prompt", "department", "E"), "Engineering"),
    )
    ada = {"name": "Ada", "entityType": "person", "observations": []}
    memory = Questions(
        call=Known(Ask("read_graph"), "entities"),
        wrong=Ask("open_nodes", {"names": 5}),
        resource=Known("memory://knowledge-graph", "entities"),
        change=Known(Ask("create_entities", {"entities": [ada]}), "memory://knowledge-graph"),
    )
    files = Questions(
        call=Known(Ask("read_text_file", {"path": str(place / "note.txt")}), "left by the test"),
        wrong=Ask("read_text_file", {"path": "/etc/hostname"}),
    )
    last = {"nextThoughtNeeded": False, "thoughtNumber": 1, "totalThoughts": 1}
    thinking = Questions(
        call=Known(Ask("sequentialthinking", {"thought": "so", **last}), "thoughtHistoryLength"),
        wrong=Ask("sequentialthinking", {"thought": "so"}),
    )
    time = Questions(
        call=Known(Ask("get_current_time", {"timezone": "Etc/UTC"}), "Etc/UTC"),
        wrong=Ask("get_current_time", {"timezone": "Nowhere/City"}),
    )
    git = Questions(
        call=Known(Ask("git_status", {"repo_path": str(place)}), "On branch trunk"),
        wrong=Ask("git_status", {"repo_path": "/"}),
    )
    fetch = Questions(
        call=Known(Ask("fetch", {"url": page}), "left by the test"),
        wrong=Ask("fetch", {"url": page, "max_length": 0}),
        prompt=Known(Ask("fetch", {"url": page}), "left by the test"),
    )
    mute = evolve(everything, elicits=None, samples=None, roots=None)
    fastmcp = evolve(sdk, samples=None, roots=None)
    remembers = {"env": {"MEMORY_FILE_PATH": str(place / "memory.jsonl")}}
    legacy = {"era": "legacy"}
    ours = {"over": "http", "path": "/mcp", "owned": True}
    each = (
        _node("everything", everything),
        _node("filesystem", files, str(place)),
        _node("memory", memory, keys=remembers),
        _node("sequential-thinking", thinking),
        _tool("time", time),
        _tool("git", git, "--repository", str(place)),
        _tool("fetch", fetch, "--ignore-robots-txt", "--allow-private-ips"),
        _python("mcp2", "mcp", modern),
        _python("mcp2", "mcp", sdk, name="mcp2-legacy", keys=legacy),
        _python("mcp1", "mcp", sdk),
        _python("fastmcp4", "fastmcp", fastmcp),
        _python("fastmcp4", "fastmcp", fastmcp, name="fastmcp4-legacy", keys=legacy),
        _node("everything", everything, "streamableHttp", name="everything-http", over="http", path="/mcp"),
        _node("everything", everything, "sse", name="everything-sse", over="sse", path="/sse"),
        _python("mcp2", "mcp", modern, "http", name="mcp2-http", over="http", path="/mcp"),
        _python("mcp2", "mcp", sdk, "http", name="mcp2-http-legacy", over="http", path="/mcp", keys=legacy),
        _python("mcp1", "mcp", sdk, "http", name="mcp1-http", over="http", path="/mcp"),
        _python("mcp1", "mcp", sdk, "sse", name="mcp1-sse", over="sse", path="/sse"),
        _python("mcp1", "mcp", sdk, "ws", name="mcp1-ws", over="ws", path="/ws"),
        _python("fastmcp4", "fastmcp", fastmcp, "http", name="fastmcp4-http", over="http", path="/mcp"),
        _node("everything", everything, "streamableHttp", name="everything-owned", **ours),
        _python("mcp2", "mcp", modern, "http", name="mcp2-owned", **ours),
        _bridge("http", everything, "--outputTransport", "streamableHttp", "--stateful", path="/mcp"),
        _bridge("sse", everything, "--outputTransport", "sse", path="/sse"),
        _bridge("ws", mute, "--outputTransport", "ws", path="/message"),
    )
    return {peer.name: peer for peer in each}


def _node(server: str, questions: Questions, *args: str, **further: Any) -> Peer:
    argv = (str(NODE / f"mcp-server-{server}"), *args)
    software = f"server-{server} {PACKAGES[f'@modelcontextprotocol/server-{server}']}"
    return Peer(**{"name": server, "software": software, "argv": argv, "questions": questions} | further)


def _bridge(over: Over, questions: Questions, *args: str, path: str) -> Peer:
    """Return server-everything behind somebody else's bridge from stdio."""
    everything = str(NODE / "mcp-server-everything")
    argv = (str(NODE / "supergateway"), "--stdio", everything, "--port", "{port}", "--logLevel", "none", *args)
    software = f"supergateway {PACKAGES['supergateway']}"
    return Peer(name=f"bridge-{over}", software=software, argv=argv, over=over, path=path, questions=questions)


def _tool(name: str, questions: Questions, *args: str) -> Peer:
    package = f"mcp-server-{name}"
    argv = (str(PEERS / "mcp2" / "bin" / package), *args)
    return Peer(name=name, software=_pinned("mcp2", package), argv=argv, questions=questions)


def _python(program: str, package: str, questions: Questions, *args: str, **further: Any) -> Peer:
    """Return the server that we wrote on a foreign SDK."""
    argv = (str(PEERS / program / "bin" / "python"), str(HERE / "servers" / f"{program}.py"), *args)
    software = _pinned(program, package)
    return Peer(**{"name": program, "software": software, "argv": argv, "questions": questions} | further)


def _pinned(requirements: str, package: str) -> str:
    lines = (HERE / "requirements" / f"{requirements}.txt").read_text().splitlines()
    return next(line for line in lines if line.startswith(f"{package}==")).replace("==", " ")


NAMES = tuple(peers(Path()))


def furnish(place: Path) -> None:
    """Make a directory a git repository with a note in it."""
    subprocess.run(["git", "init", "--quiet", "--initial-branch=trunk", place], check=True)
    (place / "note.txt").write_text("left by the test\n")


@contextmanager
def web_page(place: Path) -> Iterator[str]:
    """Serve the note of the place as a page on the web; give its url."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(place))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/note.txt"
        finally:
            server.shutdown()
            thread.join()
