"""Who wants to hear of changed resources: kept over all incarnations of a server, which is told anew each time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import final

import trio
from attrs import define, field, frozen

from runtime.value import Value

KEPT = 1000  # changed URIs that wait for one subscriber; more of them are told as a change of all it has subscribed to


@final
@frozen(repr=False)
class ResourceChanged(Value):
    """A resource is no longer what it was: read it again. ``uri`` is the one subscribed to, or one below it.

    ``missed``: its server was away, and nobody knows whether anything has changed meanwhile.
    """

    server: str
    uri: str
    missed: bool = False


@final
@define(eq=False, repr=False)
class Changes(trio.abc.ReceiveChannel[ResourceChanged]):
    """A channel of changes of one resource, for one receiver. Changes that wait are told once for each URI."""

    server: str
    uri: str
    _waiting: dict[str, ResourceChanged] = field(factory=dict, init=False)
    _ended: bool = field(default=False, init=False)
    _closed: bool = field(default=False, init=False)
    _arrival: trio.lowlevel.ParkingLot = field(factory=trio.lowlevel.ParkingLot, init=False)

    async def receive(self) -> ResourceChanged:
        """Return the next change. Raises `trio.EndOfChannel` when the runtime is closed, `trio.ClosedResourceError`."""
        await trio.lowlevel.checkpoint_if_cancelled()
        while not (self._waiting or self._closed or self._ended):
            await self._arrival.park()
        if self._closed:
            raise trio.ClosedResourceError("this subscription is closed")
        if not self._waiting:
            raise trio.EndOfChannel
        change = self._waiting.pop(next(iter(self._waiting)))
        await trio.lowlevel.cancel_shielded_checkpoint()
        return change

    def close(self) -> None:
        """Stop receiving; idempotent."""
        self._closed = True
        self._arrival.unpark_all()

    async def aclose(self) -> None:
        """Close, as a channel does."""
        self.close()
        await trio.lowlevel.checkpoint()

    def put(self, uri: str, *, missed: bool = False) -> None:
        """Tell a change."""
        if uri not in self._waiting and len(self._waiting) >= KEPT:
            self._waiting.clear()
            uri, missed = self.uri, True
        self._waiting[uri] = ResourceChanged(self.server, uri, missed)
        self._arrival.unpark()

    def end(self) -> None:
        """There is nothing more to come."""
        self._ended = True
        self._arrival.unpark_all()


@final
@define(eq=False, repr=False)
class Watched:
    """The subscriptions to the resources of one server."""

    _server: str
    _changes: dict[str, set[Changes]] = field(factory=dict, init=False)  # by the URI that was subscribed to

    def __contains__(self, uri: object) -> bool:
        return uri in self._changes

    def uris(self) -> tuple[str, ...]:
        """What the server is to tell of."""
        return tuple(self._changes)

    def add(self, uri: str) -> Changes:
        """Begin to listen."""
        changes = Changes(self._server, uri)
        self._changes.setdefault(uri, set()).add(changes)
        return changes

    def remove(self, changes: Changes) -> bool:
        """End a subscription; return whether it was the last to its URI."""
        changes.close()
        others = self._changes[changes.uri]
        others.remove(changes)
        if others:
            return False
        del self._changes[changes.uri]
        return True

    def updated(self, uri: str) -> None:
        """Tell whoever has subscribed to it, or to something above it.

        MCP 2025-11-25, server/resources: the URI "might be a sub-resource of the one that the client actually
        subscribed to".
        """
        for above, subscribers in self._changes.items():
            if uri == above or uri.startswith(above if above.endswith("/") else f"{above}/"):
                for changes in subscribers:
                    changes.put(uri)

    def missed(self, uris: Iterable[str]) -> None:
        """Tell that something may have changed unheard."""
        for uri in uris:
            for changes in self._changes.get(uri, ()):
                changes.put(uri, missed=True)

    def end(self) -> None:
        """Tell all that there is nothing more to come."""
        for subscribers in self._changes.values():
            for changes in subscribers:
                changes.end()
