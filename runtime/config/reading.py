"""From a file, or a mapping given in code, to a :class:`RuntimeConfig`, or to every mistake at once."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import attrs

from . import foreign
from .expand import AskInput, Variables
from .keys import Check, Key, flag, items, keys_of, members, obj, read_keys
from .mistakes import Attempts, ConfigError, Missing, Mistake, Note, Place, Unreadable, did_you_mean
from .reach import Way, reach
from .secret import Secret, Text, reveal
from .spec import Backoff, Group, Input, Remote, RuntimeConfig, ServerSpec, Window
from .text import decode, parse_json, parse_toml, repeated_keys

IN_CODE = "(configuration given in code)"
HOUR = 3600.0
LONGEST_NAME = 128

# Of a server that others run, whose outage is no crash of anybody's here, and which costs nothing to look for again:
# it is given up after some three minutes, and not after three seconds.
PATIENT = {"window": Window(intensity=20), "backoff": Backoff(cap=15.0)}

WAY_KEYS = keys_of(Way)
SERVER_KEYS = {**WAY_KEYS, **keys_of(ServerSpec)}
INPUT = obj(Input)
GROUP_KEYS = keys_of(Group)
HOST_KEYS = keys_of(RuntimeConfig)

ANYTHING = Check(lambda value, at: value, "anything")  # read on its own, once the rest is known
TOP_KEYS = {
    **HOST_KEYS,
    "mcpServers": Key(ANYTHING, "name -> server"),
    "servers": Key(ANYTHING, "the same, as VS Code calls it"),
    "inputs": Key(ANYTHING, "what to ask the user for"),
    "groups": Key(ANYTHING, "name -> group of servers that share one fate"),
}


def load(
    source: str | Path | Mapping[str, Any] | RuntimeConfig,
    *,
    environ: Mapping[str, str] | None = None,
    ask_input: AskInput | None = None,
) -> RuntimeConfig:
    """Read and check a configuration: the path of a ``.toml`` or JSON file, a mapping with the same keys, or a
    configuration that is given back as it is.

    ``environ`` (default: this process's) is what variables expand from. ``ask_input`` asks the user for a declared
    input, and is called, once for each, only when nothing else is wrong; without it inputs come from ``environ``.
    Reads the file, and any ``envFile``, and blocks meanwhile. Raises :class:`ConfigError` with every mistake."""
    if isinstance(source, RuntimeConfig):
        return source
    if isinstance(source, Mapping):
        name, directory, data = IN_CODE, Path.cwd(), source
    else:
        name, directory, data = str(source), Path(source).absolute().parent, _parse(Path(source))
    environ = os.environ if environ is None else environ
    config, waiting = _read(data, name, directory, environ, ask_input, asking=False)
    if waiting:
        config, _ = _read(data, name, directory, environ, ask_input, asking=True)
    return config


def load_server(
    name: str,
    spec: Mapping[str, Any],
    *,
    environ: Mapping[str, str] | None = None,
    ask_input: AskInput | None = None,
) -> ServerSpec:
    """One server's keys, checked as in a file, its relative paths taken from the working directory. Raises
    :class:`ConfigError`."""
    config = load({"mcpServers": {name: spec}}, environ=environ, ask_input=ask_input)
    if name in config.disabled:
        raise ConfigError(IN_CODE, (Mistake(f"mcpServers.{name}", "a server that is disabled", "one to start"),))
    return config.servers[name]


def _parse(file: Path) -> Any:
    try:
        data = file.read_bytes()
    except OSError as error:
        mistake = Mistake("", (error.strerror or type(error).__name__).lower(), "a file that can be read")
        raise ConfigError(str(file), (mistake,)) from error
    text = decode(data, str(file))
    return parse_toml(text, str(file)) if file.suffix.lower() == ".toml" else parse_json(text, str(file))


def _read(
    data: Any, source: str, directory: Path, environ: Mapping[str, str], ask: AskInput | None, *, asking: bool
) -> tuple[RuntimeConfig, bool]:
    """The configuration, and whether it waits for inputs: then it is not whole, but free of other mistakes."""
    mistakes: list[Mistake] = []
    notes: list[Note] = []
    inputs: dict[str, Input | None] = {}
    variables = Variables(environ, directory, inputs, ask, asking)

    def resolve(path: Text) -> Text:
        whole = str(directory / reveal(path))
        return Secret(whole) if isinstance(path, Secret) else whole

    top = Place(mistakes, notes, variables.expand, resolve, tuple(_servers(data)))
    mistakes += (Mistake(place.path, "the same key again", "each key once") for place in repeated_keys(data, top))
    config = RuntimeConfig()
    try:
        config = _read_top(data, top, inputs)
    except Unreadable:  # a mistake says why, or an input is still to be asked for
        assert mistakes or variables.waiting
    if mistakes:
        raise ConfigError(source, tuple(mistakes))
    return attrs.evolve(config, source=source, notes=tuple(notes)), variables.waiting


def _read_top(data: Any, top: Place, inputs: dict[str, Input | None]) -> RuntimeConfig:
    """Each part is read for itself, whatever is wrong with the others. Inputs go before servers, which ask for them,
    and servers before groups."""
    if not isinstance(data, Mapping):
        top.wrong(data, 'an object with "mcpServers"')
    attempts = Attempts()
    host: dict[str, Any] = {}
    servers: dict[str, ServerSpec] = {}
    disabled: list[str] = []
    groups: dict[str, Group] = {}
    root = _root(data)

    with attempts:
        host = read_keys(data, top, TOP_KEYS, foreign.TOP)
        if root not in host:
            top.at(root).wrong(Missing(), "an object: name -> server")
        if root == "servers" and "mcpServers" in host:
            top.at(root).wrong(host[root], 'no "servers" beside "mcpServers"', "put them all into one")
    with attempts:
        _read_inputs(data.get("inputs", ()), top.at("inputs"), inputs)
    with attempts:
        _read_servers(data.get(root, {}), top.at(root), servers, disabled)
    with attempts:
        _read_groups(data.get("groups", {}), top.at("groups"), groups)
    with attempts:
        enabled = {name: raw for name, raw in _servers(data).items() if name not in disabled}
        _one_window_each(groups, enabled, top.at(root))
    attempts.finish()
    for part in ("mcpServers", "servers", "inputs", "groups"):
        host.pop(part, None)
    return RuntimeConfig(
        servers=MappingProxyType(servers),
        groups=MappingProxyType(_without(disabled, groups, top.at("groups"))),
        disabled=tuple(disabled),
        **host,
    )


def _root(data: Mapping[str, Any]) -> str:
    return "servers" if "servers" in data else "mcpServers"


def _servers(data: Any) -> Mapping[str, Any]:
    """The servers as the file has them, right or wrong."""
    servers = data.get(_root(data)) if isinstance(data, Mapping) else None
    return servers if isinstance(servers, Mapping) else {}


def _read_inputs(data: Any, at: Place, inputs: dict[str, Input | None]) -> None:
    attempts = Attempts()
    for value, place in items(data, at, "a list of inputs"):
        identity = value.get("id") if isinstance(value, Mapping) else None
        with attempts:
            if isinstance(identity, str) and inputs.setdefault(identity, None) is not None:
                place.at("id").wrong(identity, "each id once")
            made: Input = INPUT.read(value, place)
            inputs[made.id] = made
    attempts.finish()


def _read_servers(data: Any, at: Place, servers: dict[str, ServerSpec], disabled: list[str]) -> None:
    attempts = Attempts()
    for name, value, place in members(data, at, "an object: name -> server"):
        with attempts:
            if not name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
                place.wrong(name, f"a printable name of at most {LONGEST_NAME} characters")
            if _switched_off(value, place):
                place.note("disabled", "disabled in the file: neither checked nor started")
                disabled.append(name)
            else:
                servers[name] = _read_server(name, value, place)
    attempts.finish()


def _switched_off(value: Any, at: Place) -> bool:
    """Other programs switch a server off by ``"disabled": true`` or ``"enabled": false``, and their users rely on
    it."""
    if not isinstance(value, Mapping):
        return False
    return any(
        flag.read(value[switch], at.at(switch)) is off for switch, off in foreign.SWITCHES.items() if switch in value
    )


def _read_server(name: str, value: Any, at: Place) -> ServerSpec:
    read = read_keys(value, at, SERVER_KEYS, foreign.SERVER)
    way = Way(**{key.attribute: read.pop(key.attribute) for key in WAY_KEYS.values() if key.attribute in read})
    reached = reach(way, value.keys(), at)
    defaults = PATIENT if isinstance(reached, Remote) else {}
    spec = ServerSpec(name, reached, **{**defaults, **read})
    for limit in ("start_timeout", "timeout"):
        if (seconds := getattr(spec, limit)) > HOUR:
            at.at(limit).note("advice", f"{seconds:g} seconds are over an hour; milliseconds are not meant here")
    if "max_timeout" not in read:
        return attrs.evolve(spec, max_timeout=max(spec.max_timeout, spec.timeout))
    if spec.max_timeout < spec.timeout:
        at.at("max_timeout").wrong(spec.max_timeout, f'at least "timeout", which is {spec.timeout:g}')
    return spec


def _read_groups(data: Any, at: Place, groups: dict[str, Group]) -> None:
    """Groups form a forest over the servers: every member is known, and is in one group only."""
    attempts = Attempts()
    for name, value, place in members(data, at, "an object: name -> group"):
        with attempts:
            if name in at.servers:
                place.wrong(value, "a name that no server has")
            group = Group(name, **read_keys(value, place, GROUP_KEYS, {}))
            if not group.servers:
                place.at("servers").wrong(group.servers, "at least one server or group")
            groups[name] = group

    known = [*at.servers, *data]
    parent: dict[str, str] = {}
    for group in groups.values():
        for index, member in enumerate(group.servers):
            place = at.at(group.name).at("servers").at(index)
            with attempts:
                if member not in known:
                    place.wrong(member, "the name of a server or a group", did_you_mean(member, known))
                if member in parent:
                    place.wrong(member, "a member of one group only", f'it is in "{parent[member]}" already')
                ring = [member, group.name]
                while ring[-1] in parent and ring[-1] != member:
                    ring.append(parent[ring[-1]])
                if ring[-1] == member:
                    place.wrong(member, "no group within itself", " in ".join(ring))
                parent[member] = group.name
    attempts.finish()


def _one_window_each(groups: Mapping[str, Group], servers: Mapping[str, Any], at: Place) -> None:
    """A window belongs to an island; a grouped server is not one."""
    attempts = Attempts()
    for group in groups.values():
        for member in group.servers:
            raw = servers.get(member)
            if isinstance(raw, Mapping) and "window" in raw:
                with attempts:
                    hint = f'its group restarts as one: set "window" in group "{group.name}"'
                    at.at(member).at("window").wrong(raw["window"], "no window on a server of a group", hint)
    attempts.finish()


def _without(disabled: Collection[str], groups: Mapping[str, Group], at: Place) -> dict[str, Group]:
    """The groups without their disabled members, and without those that this leaves empty."""
    gone = set(disabled)
    while emptied := {name for name, group in groups.items() if name not in gone and gone.issuperset(group.servers)}:
        for name in emptied:
            at.at(name).note("disabled", "all its members are disabled; left out")
        gone |= emptied
    return {
        name: attrs.evolve(group, servers=tuple(member for member in group.servers if member not in gone))
        for name, group in groups.items()
        if name not in gone
    }
