"""The rules of a runtime, and the one decision over them: everybody they name must agree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TypeAlias, final

from msgspec import Struct

from runtime.policy.decision import ALLOWED, Act, Allowed, Decision, Denied, Wish

Guard: TypeAlias = Callable[[Wish], Decision]
"""A program's own say. Called often and at once: it neither waits nor raises."""


@final
class Patterns(Struct, frozen=True, repr_omit_defaults=True):
    """Globs of names. ``deny`` wins over ``allow``; ``allow`` None: all that is not denied."""

    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] = ()

    def why_not(self, name: str) -> str | None:
        """Return why a name is not among them. None: it is."""
        if (glob := _match(name, self.deny)) is not None:
            return f"denied by {glob!r}"
        if self.allow is not None and _match(name, self.allow) is None:
            return "not among what is allowed"
        return None


EVERY = Patterns()


@final
class CallerRules(Struct, frozen=True, repr_omit_defaults=True):
    """What one caller may use. ``servers`` None: all of them."""

    servers: frozenset[str] | None = None
    tools: Patterns = EVERY


NO_RULES: Mapping[str, CallerRules] = MappingProxyType({})


@final
class Rules(Struct, frozen=True, repr_omit_defaults=True):
    """All that is to be heeded, beside what each server's own spec says of its tools.

    ``callers`` are the named ones. A caller that has a name which is not among them is denied everything, unless
    ``strangers`` may come in, too.
    """

    callers: Mapping[str, CallerRules] = NO_RULES
    strangers: bool = False
    guard: Guard | None = None


def decide(rules: Rules, wish: Wish, tools: Patterns = EVERY) -> Decision:
    """Say whether something may be; ``tools`` are those that its server is configured to show.

    The first that says no is named; a guard of the program's own is asked last.
    """
    if wish.caller is not None:
        caller = rules.callers.get(wish.caller)
        if caller is None and not rules.strangers:
            return Denied(f"nobody knows the caller {wish.caller!r}")
        if caller is not None:
            if caller.servers is not None and wish.server not in caller.servers:
                return Denied(f"caller {wish.caller!r} may not use this server")
            if wish.tool is not None and (why := caller.tools.why_not(wish.tool)):
                return Denied(f"for caller {wish.caller!r}, {why}")
    if wish.tool is not None and (why := tools.why_not(wish.tool)):
        return Denied(f"for this server, {why}")
    return ALLOWED if rules.guard is None else rules.guard(wish)


def as_guard(allow: Guard | Iterable[str]) -> Guard:
    """Return the guard that ``open_runtime(allow=...)`` stands for.

    A function is asked as it is, and what it returns is checked. Else these are patterns, all else being denied:
    ``"files"`` is a server with all that it offers, ``"files/read_*"`` some of its tools and nothing else; both
    halves are globs. A server may be spawned if any pattern names it. Raises `TypeError` for what is neither.
    """
    if callable(allow):
        return _checked(allow)
    patterns = () if isinstance(allow, str) else tuple(allow)
    if isinstance(allow, str) or not all(isinstance(pattern, str) for pattern in patterns):
        raise TypeError(f'allow takes a function, or patterns such as ["files", "search/find_*"]; got {allow!r:.80}')
    split = [tuple(pattern.partition("/")) for pattern in patterns]

    def guard(wish: Wish) -> Decision:
        for server, slash, tool in split:
            if not fnmatchcase(wish.server, server):
                continue
            if not slash or wish.act is Act.SPAWN or (wish.tool is not None and fnmatchcase(wish.tool, tool)):
                return ALLOWED
        return Denied(f"{wish.what} is not among what is allowed")

    return guard


def _checked(guard: Guard) -> Guard:
    def checked(wish: Wish) -> Decision:
        decision: object = guard(wish)
        if isinstance(decision, Allowed | Denied):
            return decision
        raise TypeError(f"allow returns ALLOWED or Denied(reason); got {decision!r:.80}")

    return checked


def _match(name: str, globs: Iterable[str]) -> str | None:
    return next((glob for glob in globs if fnmatchcase(name, glob)), None)
