"""What a configuration says, as frozen values: the classes are the table of keys.

Each field made by :func:`key` is one key of the file: its name, default, check, meaning, and whether the
feature behind it works yet. Reading, suggestions and the tables of ``docs/configuration.md`` all come from
these fields, so a new key is one line here. Times are seconds, sizes bytes."""
# ruff: noqa: RUF009 -- key() gives an attrs field, which is made anew for each class

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import attrs
from attrs import field, frozen

from runtime.value import Value

from .keys import (
    choice,
    flag,
    globs,
    hidden,
    key,
    map_of,
    names,
    number,
    obj,
    options,
    or_false,
    path,
    plain,
    servers,
    text,
    whole,
)
from .mistakes import Note, Place
from .secret import Secret, Text

Era = Literal["auto", "modern", "legacy", "per_caller"]
Restart = Literal["permanent", "transient", "temporary"]
Sharing = Literal["shared", "per_session", "per_principal"]
OnReload = Literal["replace", "overlap"]
Prefix = Literal["always", "on_conflict", "never"]
Strategy = Literal["one_for_one", "one_for_all", "rest_for_one"]
Start = Literal["settled", "required", "none"]
RemoteType = Literal["http", "sse", "ws"]

NOTHING: Mapping[str, Any] = MappingProxyType({})

positive = number(above=0)
any_time = number()
count = whole(1)


# How a server is reached ---------------------------------------------------------------------------


@frozen(repr=False)
class Command(Value):
    """A child process that speaks MCP on its standard input and output.

    ``env`` is what the file adds (``envFile`` first, ``env`` over it); ``unset`` names variables that it sets to
    null: not passed on even if they otherwise would be. ``cwd`` is absolute (None: the host's own)."""

    argv: tuple[Text, ...]
    env: Mapping[str, Secret] = NOTHING
    cwd: Text | None = None
    inherit_env: tuple[str, ...] = ()
    unset: frozenset[str] = frozenset()


@frozen(repr=False)
class Timeouts(Value):
    """How long a connection to an endpoint may keep us waiting; a call's own time is its ``timeout``."""

    connect: float = key(10.0, positive, "seconds for the connection, TLS included")
    write: float = key(30.0, positive, "seconds for a piece of a message to be taken (HTTP)")
    answer: float | None = key(
        None, positive, "seconds until the head of an answer; by default as long as the call (HTTP)"
    )
    acknowledge: float = key(30.0, positive, "seconds for a notification to be taken, and an SSE endpoint named (HTTP)")
    ping: float = key(20.0, positive, "seconds between two pings (WebSocket)")
    pong: float = key(
        20.0, positive, "seconds for the answer to one, after which the server is taken for gone (WebSocket)"
    )
    close: float = key(2.0, positive, "seconds for saying goodbye")


@frozen(repr=False)
class Remote(Value):
    """An endpoint that somebody else runs. ``type`` None: find out. ``url`` is a :class:`Secret` if it came
    from a variable, or has a user or a query, where people keep their keys. ``ca`` is a file of certificates that are
    trusted beside the system's."""

    url: Text
    headers: Mapping[str, Secret] = NOTHING
    type: RemoteType | None = None
    ca: Text | None = None
    timeouts: Timeouts = Timeouts()


@frozen(repr=False)
class Owned(Value):
    """An HTTP server that we start ourselves and then reach at ``remote``."""

    command: Command
    remote: Remote


@frozen(repr=False)
class InProcess(Value):
    """A server written in Python: the object ``object`` of the module ``module``, run in this process.

    The module is looked for in ``sys.path``, then in ``directory``, which is that of the file.
    """

    module: str
    object: str
    directory: str = field(default="", eq=False)


Reach = Command | Remote | Owned | InProcess


# The keys of a server ------------------------------------------------------------------------------


@frozen(repr=False)
class Window(Value):
    """More than ``intensity`` restarts within ``period`` seconds eject the island."""

    intensity: int = key(5, whole(0), "restarts allowed within `period`")
    period: float = key(300.0, positive, "seconds")


@frozen(repr=False)
class Backoff(Value):
    """The pauses between restarts: ``first``, then each ``factor`` times longer, up to ``cap``."""

    first: float = key(0.1, any_time, "seconds before the first restart")
    factor: float = key(2.0, number(least=1), "each further pause is this much longer")
    cap: float = key(5.0, any_time, "longest pause in seconds; at least `first`")
    jitter: float = key(0.1, number(most=1), "random share added or taken, 0 to 1")
    reset: float = key(300.0, any_time, "after so many seconds of uptime it starts again at `first`")


def _cap_holds_first(backoff: Backoff, at: Place) -> None:
    if backoff.cap < backoff.first:
        at.at("cap").wrong(backoff.cap, f'at least "first", which is {backoff.first:g}')


@frozen(repr=False)
class Breaker(Value):
    failures: int = key(5, count, "failures in a row that open it")
    reset: float = key(30.0, positive, "seconds until one call may probe")


@frozen(repr=False)
class Health(Value):
    interval: float = key(30.0, positive, "seconds between probes of an idle server")
    timeout: float = key(5.0, positive, "seconds a probe may take")
    misses: int = key(3, count, "failed probes in a row that make it unhealthy")
    slow: float = key(1.0, positive, "an answer slower than this makes it degraded", later=True)


@frozen(repr=False)
class CacheRules(Value):
    """What may be remembered of one server, in seconds; a tool that no glob names is never remembered."""

    tools: Mapping[str, float] = key(
        NOTHING, map_of("tool glob", any_time), "seconds an answer of these tools stays fresh"
    )
    lists: float | None = key(None, any_time, "seconds that lists stay fresh", later=True)
    stale_if_error: float = key(0.0, any_time, "seconds past freshness, if the server fails", later=True)
    stale_while_revalidate: float = key(0.0, any_time, "seconds past freshness, while asking again", later=True)


@frozen(repr=False)
class Bounds(Value):
    """Limits of a child and its descendants; over one of them it is drained and recycled. None: no limit."""

    rss: int | None = key(None, count, "bytes of resident memory")
    files: int | None = key(None, count, "open files")
    age: float | None = key(None, positive, "seconds")
    calls: int | None = key(None, count, "calls")


@frozen(repr=False)
class ServerSpec(Value):
    """One MCP server: how to reach it and how to treat it."""

    name: str
    reach: Reach
    required: bool = key(False, flag, "must be ready for the host to open", live=True)
    required_tools: tuple[str, ...] = key((), names("tools"), "tools without which it is not ready")
    lazy: bool = key(False, flag, "start at first use", later=True, live=True)
    keep_alive: float = key(300.0, any_time, "stop after so many idle seconds (lazy only)", later=True, live=True)
    era: Era = key(
        "auto",
        choice("auto", "modern", "legacy", "per_caller", later=("per_caller",)),
        "protocol era: `auto` finds out; `per_caller` runs a child for each era that callers use",
    )
    start_timeout: float = key(30.0, positive, "seconds until it must be ready", live=True)
    stop_timeout: float = key(2.0, any_time, "seconds for each step of a stop: end of input, SIGTERM, SIGKILL")
    timeout: float = key(60.0, positive, "seconds for a call", live=True)
    max_timeout: float = key(
        600.0,
        positive,
        "seconds for a call that reports progress; at least `timeout`",
        later=True,
        live=True,
    )
    in_flight: int = key(16, count, "calls on the wire at once", live=True)
    queue: int = key(256, whole(0), "calls waiting; beyond it they are refused", live=True)
    restart: Restart = key(
        "permanent",
        choice("permanent", "transient", "temporary"),
        "`transient`: an exit 0 with nothing in flight is normal; `temporary`: never restarted",
    )
    window: Window = key(Window(), obj(Window), "restarts allowed, of the server's island")
    backoff: Backoff = key(Backoff(), obj(Backoff, _cap_holds_first), "pauses between restarts")
    breaker: Breaker | None = key(
        Breaker(),
        or_false(obj(Breaker)),
        "refuse calls at once after failures in a row; `false`: off",
        later=True,
        live=True,
    )
    health: Health = key(
        Health(), obj(Health), "probes of an idle server; one that answers none is restarted", live=True
    )
    idempotent: tuple[str, ...] = key(
        (), globs, "globs of tools that may be asked again after a crash", later=True, live=True
    )
    trust_annotations: bool = key(False, flag, "the server's own annotations count as well", later=True, live=True)
    cache: CacheRules | None = key(None, obj(CacheRules), "what may be remembered", live=True)
    prefix: Prefix | None = key(
        None,
        choice("always", "on_conflict", "never"),
        "as `names.prefix`, for this server",
        later=True,
        live=True,
    )
    alias: Mapping[str, str] = key(
        NOTHING, map_of("tool", plain), "the name that clients see of a tool", later=True, live=True
    )
    allow: tuple[str, ...] | None = key(None, globs, "globs of the only tools that can be seen and called", live=True)
    deny: tuple[str, ...] = key((), globs, "globs of tools that can be neither seen nor called", live=True)
    sharing: Sharing = key(
        "shared",
        choice("shared", "per_session", "per_principal"),
        "who shares one running server",
        later=True,
    )
    on_reload: OnReload = key(
        "replace",
        choice("replace", "overlap", later=("overlap",)),
        "when its configuration changes: stop then start, or start the new beside the old",
        live=True,
    )
    bounds: Bounds | None = key(None, obj(Bounds), "limits of the child and its descendants", later=True, live=True)
    card: Text | None = key(None, path, "file that describes it before its first start", later=True, live=True)


# The keys of the host ------------------------------------------------------------------------------


@frozen(repr=False)
class Group(Value):
    """Servers, or groups, that share one fate: an island with several members, started in this order."""

    name: str
    servers: tuple[str, ...] = key(attrs.NOTHING, names("servers or groups"), "its members, in order of start")
    strategy: Strategy = key(
        "one_for_one",
        choice("one_for_one", "one_for_all", "rest_for_one"),
        "who is restarted with a failed member",
    )
    window: Window = key(Window(), obj(Window), "restarts allowed, of the whole group")
    backoff: Backoff = key(Backoff(), obj(Backoff, _cap_holds_first), "pauses between restarts")


@frozen(repr=False)
class Input(Value):
    """Something to ask the user for, as VS Code declares it; ``${input:ID}`` stands for the answer."""

    id: str = key(attrs.NOTHING, plain, "its name in `${input:ID}`")
    type: Literal["promptString", "pickString", "command"] = key(
        "promptString", choice("promptString", "pickString", "command"), "a `command` is not run but asked for"
    )
    description: str = key("", text, "what to ask")
    password: bool = key(False, flag, "do not echo the answer")
    default: Secret | None = key(None, hidden, "taken if nobody can be asked and no environment variable is set")
    options: tuple[str, ...] = key((), options, "what to choose from")


@frozen(repr=False)
class NameRules(Value):
    prefix: Prefix = key(
        "on_conflict", choice("always", "on_conflict", "never"), "when a tool's name carries its server's"
    )
    separator: str = key("__", plain, "between server and tool")
    max: int = key(64, whole(16, 128), "longest name; a longer one ends in a stable hash")
    conflict: Literal["fail", "prefix", "priority"] = key(
        "prefix", choice("fail", "prefix", "priority"), "what two equal names get"
    )


@frozen(repr=False)
class CacheLimits(Value):
    bytes: int = key(64 * 1024 * 1024, whole(0), "bytes in all", later=True)
    entries_per_tool: int = key(64, count, "answers remembered per tool of a server")
    entry_bytes: int = key(1024 * 1024, whole(0), "bytes of one answer", later=True)
    persist: bool = key(False, flag, "keep them across restarts of the host", later=True)


@frozen(repr=False)
class JournalRules(Value):
    path: Text | None = key(None, path, "directory; by default in the user's state directory")
    arguments: bool = key(False, flag, "write call arguments themselves, not their digests", later=True)
    events: int = key(100_000, count, "events kept")
    days: float = key(30.0, positive, "days kept")


@frozen(repr=False)
class Retries(Value):
    per_second: float = key(10.0, any_time, "replays of calls over the whole host")


@frozen(repr=False)
class Spawns(Value):
    per_second: float = key(10.0, positive, "process starts over the whole host")
    burst: int = key(50, count, "of them at once")


@frozen(repr=False)
class Client(Value):
    """One named client of the gateway."""

    token: Secret | None = key(None, hidden, "bearer token, best as `${VAR}`", later=True)
    token_file: Text | None = key(None, path, "file that holds the token, instead of `token`", later=True)
    allowed_servers: tuple[str, ...] | None = key(None, servers, "the only servers it may use", name="allowedServers")
    allow: tuple[str, ...] | None = key(None, globs, "globs of the only tools it may use")
    deny: tuple[str, ...] = key((), globs, "globs of tools it may not use")
    rate: float | None = key(None, positive, "calls per second")
    calls: int | None = key(None, count, "calls in all")


def _one_token(client: Client, at: Place) -> None:
    if client.token is not None and client.token_file is not None:
        at.at("token_file").wrong(client.token_file, 'no "token_file" beside "token"')


@frozen(repr=False)
class Gateway(Value):
    host: str = key("127.0.0.1", plain, "address to listen on", later=True)
    port: int = key(8765, whole(0, 65535), "port; 0 takes a free one", later=True)
    clients: Mapping[str, Client] = key(
        NOTHING, map_of("client", obj(Client, _one_token)), "who may call, and what: by `caller=` of the library"
    )
    auth: Literal["token", "none"] = key(
        "token", choice("token", "none"), "`none`: loopback only, with a warning", later=True
    )
    origins: tuple[str, ...] = key((), names("origins"), "web origins that may call it", later=True)
    body: int = key(4 * 1024 * 1024, count, "bytes of the largest request", later=True)


def _open_only_at_home(gateway: Gateway, at: Place) -> None:
    at_home = gateway.host in ("localhost", "::1") or gateway.host.startswith("127.")
    if gateway.auth == "none" and not at_home:
        at.at("auth").wrong(gateway.auth, f'"token" where "host" is {gateway.host}', "only loopback may go without")


@frozen(repr=False)
class RuntimeConfig(Value):
    """A whole configuration, checked and expanded.

    ``disabled`` names servers that the file has but switches off: they are in neither ``servers`` nor
    ``groups``. ``journal`` None: kept in memory. ``source`` is the file's path, where there is one."""

    servers: Mapping[str, ServerSpec] = NOTHING
    groups: Mapping[str, Group] = NOTHING
    start: Start = key(
        "settled",
        choice("settled", "required", "none"),
        "what opening waits for: each first attempt, the required servers, nothing",
    )
    names: NameRules = key(NameRules(), obj(NameRules), "names that clients see", later=True)
    cache: CacheLimits = key(CacheLimits(), obj(CacheLimits), "bounds of what is remembered")
    journal: JournalRules | None = key(
        JournalRules(),
        or_false(obj(JournalRules)),
        "what is written down; `false`: kept in memory",
    )
    retries: Retries = key(Retries(), obj(Retries), "budget of replays", later=True)
    spawns: Spawns = key(Spawns(), obj(Spawns), "budget of process starts, fair among islands", later=True)
    gateway: Gateway = key(Gateway(), obj(Gateway, _open_only_at_home), "one MCP endpoint over all servers")
    sweep: bool = key(True, flag, "end orphans of dead hosts at start")
    reload: Literal["ask", "auto"] = key(
        "ask", choice("ask", "auto"), "a changed file: wait for `apply`, or apply it", later=True
    )
    disabled: tuple[str, ...] = ()
    source: str = "(configuration given in code)"
    notes: tuple[Note, ...] = field(default=(), eq=False)
