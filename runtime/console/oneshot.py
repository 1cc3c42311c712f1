"""Commands that answer and leave. The answer goes to stdout; whatever else there is to say goes to stderr."""

import json
import shlex
import sys
from collections.abc import Mapping
from typing import Any

import attrs

import runtime
from runtime.config import Command, ConfigError, Group, InProcess, Owned, Reach, Remote, RuntimeConfig
from runtime.console.listings import Listing
from runtime.errors import ServerNotFound
from runtime.host import Runtime
from runtime.servers import State

SUCCESS, FAILURE, MISUSE = 0, 1, 2


async def call(
    config: RuntimeConfig,
    server: str,
    tool: str,
    arguments: Mapping[str, Any],
    *,
    as_json: bool,
    timeout: float | None,
) -> int:
    """Call one tool of one server. Only that server is started, with its group if it has one."""
    if server not in config.servers:
        raise ServerNotFound(server, tuple(config.servers))
    async with runtime.open_runtime(only(config, server), wait="none") as host:
        result = await host.call(server, tool, arguments, timeout=timeout)
        if as_json:
            from runtime.protocol import to_wire

            say_json(to_wire(result))
        else:
            from runtime.console.answers import words

            say(words(result), error=bool(result.is_error))
    return FAILURE if result.is_error else SUCCESS


async def tools(config: RuntimeConfig, query: str | None, *, as_json: bool) -> int:
    """List the tools of all servers, or those that match. If a server did not start, what it would offer is missing:
    it is named, and the command fails."""
    async with runtime.open_runtime(config, wait="settled") as host:
        found = host.tools(query)
        if as_json:
            from runtime.protocol import to_wire

            say_json([{"server": entry.server, **to_wire(entry.tool)} for entry in found])
        else:
            show(Listing(found, none="no tool" if query is None else f"no tool matches {query!r}"))
        return complain(host)


def status(config: RuntimeConfig, *, as_json: bool) -> int:
    """Tell from the journal how each server is, or last was. Nothing is started. Fails unless all of them are ready."""
    from runtime.console import remembered

    known = remembered.remembered(config)
    say(f"({remembered.whence(known)})", error=True)
    if as_json:
        say_json(remembered.as_json(known))
    else:
        show(known)
    return SUCCESS if known.ready else FAILURE


def check(config: RuntimeConfig, *, as_json: bool) -> int:
    """Tell what a configuration means. Nothing is started."""
    if as_json:
        say_json(
            {
                "source": config.source,
                "servers": {name: describe(spec.reach) for name, spec in config.servers.items()},
                "groups": {name: list(group.servers) for name, group in config.groups.items()},
                "disabled": list(config.disabled),
                "mistakes": [],
                "notes": [attrs.asdict(note) for note in config.notes],
            }
        )
        return SUCCESS
    count = len(config.servers)
    say(f"{config.source}: {count} server{'s' * (count != 1)}, no mistake")
    width = max(map(len, config.servers), default=0)
    for name, spec in config.servers.items():
        say(f"  {name:{width}}  {describe(spec.reach)}")
    for name, group in config.groups.items():
        say(f"  group {name}: {', '.join(group.servers)} ({group.strategy})")
    for note in config.notes:
        print(f"note: {note}", file=sys.stderr)
    return SUCCESS


def refused(error: ConfigError) -> None:
    """Say the mistakes of a configuration as the answer to ``check --json``."""
    say_json({"source": error.source, "mistakes": [attrs.asdict(mistake) for mistake in error.mistakes]})


def describe(reach: Reach) -> str:
    """Tell how a server is reached, in a line; secrets stay secret."""
    match reach:
        case Command():
            return shlex.join(map(str, reach.argv))
        case Remote():
            return str(reach.url)
        case Owned():
            return f"{describe(reach.command)} ({describe(reach.remote)})"
        case InProcess():
            return f"{reach.module}:{reach.object} (in this process)"


def only(config: RuntimeConfig, server: str) -> RuntimeConfig:
    """Leave out every server that shares no group with this one. Starting a server only to stop it at once could cut
    a download short that the next start would need."""
    members = _members(config.groups, _outermost(config.groups, server))
    return attrs.evolve(
        config,
        servers={name: spec for name, spec in config.servers.items() if name in members},
        groups={name: group for name, group in config.groups.items() if name in members},
    )


def _outermost(groups: Mapping[str, Group], name: str) -> str:
    parent = next((group.name for group in groups.values() if name in group.servers), None)
    return name if parent is None else _outermost(groups, parent)


def _members(groups: Mapping[str, Group], name: str) -> set[str]:
    """The name itself, and all that is inside it at any depth."""
    inside = groups[name].servers if name in groups else ()
    return {name}.union(*(_members(groups, each) for each in inside))


def complain(host: Runtime) -> int:
    """Say on stderr which servers do not serve, and why; give the exit code that this deserves."""
    missing = [each for each in host.status().values() if each.state is not State.READY]
    for status in missing:
        say(str(status.last_error or f"server {status.server!r} is {status.state.value}"), error=True)
    return FAILURE if missing else SUCCESS


def say(text: str, *, error: bool = False) -> None:
    print(text, file=sys.stderr if error else sys.stdout, flush=True)


def say_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None), flush=True)


def show(value: object) -> None:
    from rich.console import Console

    from runtime.console.render import show

    show(value, Console())
    sys.stdout.flush()
