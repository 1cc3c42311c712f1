"""How a server is reached: the keys that say it, and the one way they amount to."""
# ruff: noqa: RUF009 -- key() gives an attrs field, which is made anew for each class

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from attrs import frozen

from .keys import NAME, Check, filled, globs, hidden, key, list_of, map_of, obj, path, text
from .mistakes import Missing, Place, Unsaid
from .secret import Secret, Text, reveal
from .spec import NOTHING, Command, InProcess, Owned, Reach, Remote, RemoteType, Timeouts

_REMOTE_TYPES: dict[str, RemoteType] = {
    "http": "http",
    "streamable-http": "http",
    "streamableHttp": "http",
    "streamable_http": "http",
    "sse": "sse",
    "ws": "ws",
    "websocket": "ws",
}
PORT = "{port}"
_OBJECT = r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*"


def _read_url(value: Any, at: Place) -> Text:
    address = filled.read(value, at)
    try:
        parts = urlsplit(reveal(address).replace(f":{PORT}", ":1"))
        right = parts.scheme in ("http", "https", "ws", "wss") and bool(parts.hostname) and parts.port != 0
        telling = parts.username is not None or parts.password is not None or bool(parts.query)
    except ValueError:  # a bad port or a bad IPv6 address; the message would quote it
        right = telling = False
    if not right or re.search(r"\s", reveal(address)):
        at.wrong(address, url.expected)
    return Secret(reveal(address)) if telling else address


def _read_type(value: Any, at: Place) -> str:
    if not isinstance(value, str) or value not in ("stdio", *_REMOTE_TYPES):
        at.wrong(value, kind.expected)
    return _REMOTE_TYPES.get(value, value)


def _read_object(value: Any, at: Place) -> InProcess:
    if not isinstance(value, str) or not re.fullmatch(_OBJECT, value):
        at.wrong(value, python.expected, 'as in "my_tools.clock:server"')
    module, name = value.split(":")
    return InProcess(module, name, reveal(at.resolve(".")))


def _read_variable(value: Any, at: Place) -> Secret | None:
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):  # as VS Code allows
        return Secret(f"{value:.15g}" if isinstance(value, float) else f"{value}")
    if not isinstance(value, str | Secret):
        at.wrong(value, variable.expected, 'write it in quotes: "true"' if value is True else "")
    secret: Secret = hidden.read(value, at)
    return secret


def _read_header(value: Any, at: Place) -> Secret:
    secret: Secret = hidden.read(value, at)
    if re.search(r"[\r\n]", secret.reveal()):
        at.wrong(secret, "a string of one line")
    return secret


def _read_certificates(value: Any, at: Place) -> Text:
    import ssl  # which takes a while to import, and few need

    name: Text = path.read(value, at)
    try:
        ssl.create_default_context().load_verify_locations(reveal(name))
    except ssl.SSLError:
        at.wrong(name, "a file of certificates in PEM")
    except OSError as error:
        at.wrong(name, "a file that can be read", error.strerror or "")
    return name


url = Check(_read_url, "a URL that begins with http://, https://, ws:// or wss://")
kind = Check(_read_type, '"stdio", "http", "sse" or "ws"')
python = Check(_read_object, "a module and an object in it, module:object")
variable = Check(_read_variable, "a string; a number, or null for none, will do")
certificates = Check(_read_certificates, "a file of certificates, relative to the file")
header = Check(_read_header, "a string; variables are expanded")


@frozen
class Way:
    """The keys that say how a server is reached, as the file has them."""

    command: Text | None = key(None, filled, "program to run; it speaks MCP on its standard input and output")
    args: tuple[Text, ...] = key((), list_of(text, "a list of strings"), "its arguments")
    env: Mapping[str, Secret | None] = key(
        NOTHING, map_of("variable", variable, name=NAME, hide=True), "its environment, beside what `inherit_env` says"
    )
    env_file: Text | None = key(None, path, "file of `NAME=value` lines; `env` goes before it", name="envFile")
    cwd: Text | None = key(None, path, "directory it runs in; by default the host's own")
    inherit_env: tuple[str, ...] = key((), globs, "globs of further variables passed on to it")
    url: Text | None = key(None, url, "address of a server that runs already, or that `command` starts there")
    headers: Mapping[str, Secret] = key(
        NOTHING, map_of("header", header, name=r"[!#$%&'*+.^`|~\w-]+", hide=True), "HTTP headers sent to it"
    )
    ca: Text | None = key(
        None, certificates, "file of certificates, in PEM, that are trusted for https:// and wss:// beside the system's"
    )
    timeouts: Timeouts = key(Timeouts(), obj(Timeouts), "how long the connection to `url` may keep us waiting")
    type: str | None = key(None, kind, "transport; found out if it is not given")
    python: InProcess | None = key(None, python, "`module:object`, a server written in Python, run in this process")


FOR_COMMAND = ("args", "env", "envFile", "cwd", "inherit_env")


def reach(way: Way, set_keys: Collection[str], at: Place) -> Reach:
    """The one way that the keys amount to, or a mistake. ``set_keys``: the keys that the file sets."""
    one_of = '"command", "url" or "python"'
    if way.command is None:
        _idle(FOR_COMMAND, "command", set_keys, at)
    if way.url is None:
        _idle(("headers", "ca", "timeouts"), "url", set_keys, at)
    if way.python is not None:
        for other in ("command", "url"):
            if other in set_keys:
                at.at(other).wrong(Unsaid(), f'no "{other}" beside "python"', f"a server has one of {one_of}")
        return way.python
    if way.url is not None and way.command is None and f":{PORT}" in reveal(way.url):
        at.at("url").wrong(way.url, "a port", f'{PORT} is for a server that is started here, by a "command"')
    remote = None
    if way.url is not None:
        remote = Remote(way.url, way.headers, _remote_type(way.url, way.type, at), way.ca, way.timeouts)
    if way.command is not None:
        if remote is None and way.type not in (None, "stdio"):
            at.at("type").wrong(way.type, '"stdio"', f'a server of type "{way.type}" needs a "url"')
        command = _command(way, way.command, at)
        return command if remote is None else Owned(command, remote)
    if remote is None:
        at.wrong(Missing(), f"one of {one_of}")
    return remote


def _command(way: Way, program: Text, at: Place) -> Command:
    env = {} if way.env_file is None else read_env_file(way.env_file, at.at("envFile"))
    env |= way.env
    return Command(
        argv=(program, *way.args),
        env=MappingProxyType({name: value for name, value in env.items() if value is not None}),
        cwd=way.cwd,
        inherit_env=way.inherit_env,
        unset=frozenset(name for name, value in env.items() if value is None),
    )


def _remote_type(url: Text, type: str | None, at: Place) -> RemoteType | None:
    if type == "stdio":
        at.at("type").wrong(type, '"http", "sse" or "ws"', 'a server of type "stdio" has no "url"')
    if not reveal(url).startswith("ws"):
        return None if type is None else _REMOTE_TYPES[type]
    if type not in (None, "ws"):
        at.at("type").wrong(type, '"ws"', 'as the "url" begins with ws')
    return "ws"


def _idle(keys: tuple[str, ...], without: str, set_keys: Collection[str], at: Place) -> None:
    for name in keys:
        if name in set_keys:
            at.at(name).note("advice", f'has no effect without "{without}"')


# envFile -----------------------------------------------------------------------------------------

_ENTRY = r"""(?xas)
    [^\S\n]* (?: \#[^\n]* | (?:export[^\S\n]+)? (?P<name>[A-Za-z_][\w.-]*) [^\S\n]* = [^\S\n]*
    (?: '(?P<single>[^']*)' | "(?P<double>(?:\\.|[^"\\])*)" | (?P<bare>[^\n'"][^\n]*?)? )
    (?:[^\S\n]+\#[^\n]*)? )? [^\S\n]* (?:\n|\Z)"""
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def read_env_file(name: Text, at: Place) -> dict[str, Secret | None]:
    """The variables of a file of ``NAME=value`` lines; no line of it is ever shown."""
    at = at.hide() if isinstance(name, Secret) else at
    try:
        lines = Path(reveal(name)).read_text("utf-8-sig")
    except OSError as error:
        at.wrong(name, "a file that can be read", error.strerror or "")
    except UnicodeDecodeError:
        at.wrong(name, "a file of UTF-8 text")
    if "\0" in lines:
        at.wrong(name, "a file without NUL characters")
    found: dict[str, Secret | None] = {}
    pattern = re.compile(_ENTRY)
    end = 0
    while end < len(lines):
        entry = pattern.match(lines, end)
        if entry is None:
            at.wrong(name, f"line {lines.count(chr(10), 0, end) + 1} of this file to be NAME=value")
        end = entry.end()
        if entry["name"] is not None:
            found[entry["name"]] = Secret(_entry_value(entry))
    return found


def _entry_value(entry: re.Match[str]) -> str:
    if entry["double"] is not None:
        return re.sub(r"(?s)\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), entry["double"])
    value = entry["single"] if entry["single"] is not None else entry["bare"] or ""
    return value.strip() if entry["bare"] else value
