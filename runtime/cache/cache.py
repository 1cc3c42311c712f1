"""The cache actor. It remembers what it is told to, for as long as it is told to, of one incarnation at a time."""

from __future__ import annotations

from typing import Any, final

import trio
from attrs import define, field, frozen
from msgspec import Raw, Struct

import actors


@final
@frozen(repr=False)
class Lookup(actors.Ask[Raw | None]):
    """The fresh answer to a call, or None. ``incarnation`` is the one that would be asked."""

    server: str
    incarnation: int
    tool: str
    key: str


@final
@frozen(repr=False)
class Store(actors.Tell):
    """An answer of ``incarnation``, fresh for ``ttl`` seconds."""

    server: str
    incarnation: int
    tool: str
    key: str
    result: Raw
    ttl: float


@final
@frozen(repr=False)
class Forget(actors.Tell):
    """Drop what is remembered of a server, or of one of its tools."""

    server: str
    tool: str | None = None


@final
class CacheStatistics(Struct, frozen=True):
    """Counts since the cache was started."""

    hits: int
    misses: int
    entries: int


@final
@frozen(repr=False)
class Count(actors.Ask[CacheStatistics]):
    """Ask for the statistics; of one server, or of all."""

    server: str | None = None


@final
class _Entry(Struct, frozen=True):
    result: Raw
    ttl: float
    incarnation: int


@final
@define(eq=False, repr=False)
class Cache:
    """At most ``entries_per_tool`` answers per tool of a server, least recently used out first.

    An answer of another incarnation than the one that would be asked is not given out (S3).
    """

    entries_per_tool: int = 64
    hits: int = field(default=0, init=False)
    misses: int = field(default=0, init=False)
    _tools: dict[tuple[str, str], Any] = field(factory=dict, init=False)  # (server, tool) -> TLRUCache of _Entry

    def receive(self, message: Lookup | Store | Forget | Count) -> Raw | CacheStatistics | None:
        """Answer from memory; nothing here waits."""
        match message:
            case Lookup(server, incarnation, tool, key):
                return message.answer(self._fresh(server, incarnation, tool, key))
            case Store(server, incarnation, tool, key, result, ttl):
                self._of(server, tool)[key] = _Entry(result, ttl, incarnation)
            case Forget(server, tool):
                for place in [p for p in self._tools if p[0] == server and tool in (None, p[1])]:
                    del self._tools[place]
            case Count(server):
                entries = sum(len(kept) for place, kept in self._tools.items() if server in (None, place[0]))
                return message.answer(CacheStatistics(self.hits, self.misses, entries))
        return None

    def _fresh(self, server: str, incarnation: int, tool: str, key: str) -> Raw | None:
        entry: _Entry | None = self._tools.get((server, tool), {}).get(key)
        if entry is None or entry.incarnation != incarnation:
            self.misses += 1
            return None
        self.hits += 1
        return entry.result

    def _of(self, server: str, tool: str) -> Any:
        from cachetools import TLRUCache

        def until(_key: str, entry: _Entry, now: float) -> float:
            return now + entry.ttl

        place = (server, tool)
        if place not in self._tools:
            self._tools[place] = TLRUCache(self.entries_per_tool, until, timer=trio.current_time)
        return self._tools[place]
