"""What has changed from one configuration to another, told by the keys of the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from .keys import Key, keys_of
from .spec import Command, InProcess, Owned, Reach, Remote, ServerSpec

_MISSING = object()


def changed_keys(old: object, new: object) -> tuple[str, ...]:
    """Return the keys in which two values of one class differ, as paths: ``window.period``, ``cache.tools.now``."""
    return tuple(path for key in keys_of(type(old)).items() for path in _changed(old, new, *key))


def changed_of_server(old: ServerSpec, new: ServerSpec) -> tuple[str, ...]:
    """Return the keys in which two specs of a server differ, those that say how it is reached first."""
    reached = () if old.reach == new.reach else _differences("", _written(old.reach), _written(new.reach))
    return (*reached, *changed_keys(old, new))


def is_live(path: str) -> bool:
    """Say whether a server that runs can take on a change of this key."""
    key = _SERVER.get(path.partition(".")[0])
    return key is not None and key.live


_SERVER = keys_of(ServerSpec)


def _changed(old: object, new: object, name: str, key: Key) -> Iterator[str]:
    return _differences(name, getattr(old, key.attribute), getattr(new, key.attribute))


def _differences(path: str, old: Any, new: Any) -> Iterator[str]:
    """Go down as long as there is something on both sides; an absent mapping is an empty one."""
    if old == new:
        return
    before, after = _parts(old, new), _parts(new, old)
    if before is None or after is None:
        yield path
        return
    for name in {**before, **after}:
        below = f"{path}.{name}" if path else name
        yield from _differences(below, before.get(name, _MISSING), after.get(name, _MISSING))


def _parts(value: Any, other: Any) -> Mapping[str, Any] | None:
    if value is _MISSING and isinstance(other, Mapping):
        return {}
    if isinstance(value, Mapping):
        return value
    keys = keys_of(type(value)) if hasattr(value, "__attrs_attrs__") else {}
    return {name: getattr(value, key.attribute) for name, key in keys.items()} or None


def _written(reach: Reach) -> dict[str, Any]:
    """Return how a server is reached by the keys that a file says it with, those that say nothing left out."""
    said: dict[str, Any]
    match reach:
        case Command(argv, env, cwd, inherit_env, unset):
            variables = {**env, **dict.fromkeys(sorted(unset))}
            said = {"command": argv[0], "args": argv[1:], "env": variables, "cwd": cwd, "inherit_env": inherit_env}
        case Remote():
            said = {each.name: getattr(reach, each.name) for each in attrs.fields(Remote)}
        case Owned(command, remote):
            said = {**_written(command), **_written(remote)}
        case InProcess(module, name):
            said = {"python": f"{module}:{name}"}
    return {key: value for key, value in said.items() if value}
