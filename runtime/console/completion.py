"""What Tab offers. Nothing here runs user code: attributes are looked up without properties or ``__getattr__``."""

import builtins
import inspect
import keyword
import re
from collections.abc import Callable, Iterable, Mapping
from types import MemberDescriptorType, ModuleType
from typing import Any, final

from attrs import frozen

# The words, bare or as host's methods, whose first argument is a server.
_SERVER = re.compile(
    r"\b(?:call|kill|stop|reload|status|read|prompt|complete|log|refresh|resources|prompts)"
    r"""\(\s*(?P<quote>["'])(?P<typed>[^"']*)\Z"""
)
_CALL = r"""\bcall\(\s*(["'])(?P<server>[^"']+)\1\s*,\s*"""
_TOOL = re.compile(_CALL + r"""(?P<quote>["'])(?P<typed>[^"']*)\Z""")
_ARGUMENT = re.compile(
    _CALL + r"""(["'])(?P<tool>[^"']+)\3\s*,\s*\{(?:[^{}]*,)?\s*(?P<quote>["'])(?P<typed>[^"']*)\Z"""
)
_ATTRIBUTE = re.compile(r"(?<![\w.)\]\"'])(?P<path>[^\W\d]\w*(?:\.\w+)*)\.(?P<typed>\w*)\Z")
_NAME = re.compile(r"(?<![\w.)\]\"'])(?P<typed>[^\W\d]\w*)\Z")
_STRINGS = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|#[^\n]*\Z""")


@final
@frozen
class Offer:
    """A text that would replace the last ``replaces`` characters before the cursor."""

    text: str
    replaces: int
    about: str = ""


@final
@frozen
class World:
    """What there is to be named: the session's namespace, and the fleet as it stands."""

    namespace: Mapping[str, object]
    servers: Callable[[], Iterable[str]]
    tools: Callable[[str], Iterable[Any]]  # of a server: protocol.Tool


def complete(before: str, world: World) -> list[Offer]:
    """Offer what fits the text before the cursor, in the order to show it."""
    if found := _SERVER.search(before):
        return _fitting(found, ((server, "") for server in world.servers()))
    if found := _TOOL.search(before):
        tools = world.tools(found["server"])
        return _fitting(found, ((tool.name, _first_line(tool.description)) for tool in tools))
    if found := _ARGUMENT.search(before):
        schemas = (tool.input_schema for tool in world.tools(found["server"]) if tool.name == found["tool"])
        return _fitting(found, (pair for schema in schemas for pair in _arguments(schema)))
    code = _STRINGS.sub("", before)
    if '"' in code or "'" in code or (before and not code.endswith(before[-1])):
        return []  # inside a string or a comment
    if found := _ATTRIBUTE.search(before):
        try:
            owner = _lookup(world.namespace, found["path"])
        except AttributeError:
            return []
        return _fitting(found, ((name, "") for name in _attributes(owner)))
    if found := _NAME.search(before):
        names = {**dict.fromkeys(keyword.kwlist), **vars(builtins), **world.namespace}
        return _fitting(found, ((name + "(" * callable(value), "") for name, value in sorted(names.items())))
    return []


def _fitting(found: re.Match[str], candidates: Iterable[tuple[str, str]]) -> list[Offer]:
    """Keep those that begin with what is typed, the private ones only when asked for by an underscore, and close the
    quote where one is open."""
    typed, end = found["typed"], found.groupdict().get("quote", "")
    return [
        Offer(text + end, len(typed), about)
        for text, about in candidates
        if text.startswith(typed) and (not text.startswith("_") or typed.startswith("_"))
    ]


def _arguments(schema: Any) -> Iterable[tuple[str, str]]:
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    for name, meaning in (properties if isinstance(properties, Mapping) else {}).items():
        description = meaning.get("description") if isinstance(meaning, Mapping) else None
        yield name, _first_line(description)


def _first_line(text: object) -> str:
    return text.strip().partition("\n")[0] if isinstance(text, str) else ""


def _lookup(namespace: Mapping[str, object], path: str) -> object:
    """Follow a dotted path as far as stored values go; AttributeError where only running code could tell."""
    first, *rest = path.split(".")
    if first not in namespace and first not in vars(builtins):
        raise AttributeError(first)
    value = namespace[first] if first in namespace else vars(builtins)[first]
    for name in rest:
        owner, value = value, inspect.getattr_static(value, name)
        if isinstance(value, MemberDescriptorType):  # a slot: a stored value with a known place
            value = value.__get__(owner)
        elif hasattr(type(value), "__get__") and not isinstance(owner, ModuleType | type):
            raise AttributeError(name)
    return value


def _attributes(owner: object) -> list[str]:
    kinds = owner.__mro__ if isinstance(owner, type) else type(owner).__mro__
    names = {name for kind in kinds for name in vars(kind)}
    try:
        stored = object.__getattribute__(owner, "__dict__")
    except AttributeError:
        stored = {}
    return sorted(names.union(name for name in stored if isinstance(name, str)))
