"""Telling a server what we want to hear of: in the legacy era resource by resource, in the modern one by listening.

A modern server tells nothing unasked, changed lists included. A subscription of that era is a request that stays open;
one that the server ends is made again after a pause, and what may have happened meanwhile counts as missed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, final

import trio
from attrs import define, field
from msgspec import Raw

from runtime.call import Call
from runtime.errors import ServerFailed
from runtime.protocol import Era, JsonRpcError, RequestId, ServerCapabilities, SubscriptionFilter, WireError, codes
from runtime.servers.pending import Pending, Refused
from runtime.servers.watching import Watched

if TYPE_CHECKING:
    from runtime.servers.conversation import Conversation
    from runtime.servers.flights import Flight

AGAIN = 1.0  # seconds before a subscription that the server has ended is made again


@final
@define(eq=False, repr=False)
class Subscriptions:
    """What one conversation has subscribed to."""

    _conversation: Conversation
    _watched: Watched
    _listeners: dict[str, set[RequestId]] = field(factory=dict, init=False)  # {URI: what listens to it}

    @property
    def _modern(self) -> bool:
        return self._conversation.connection.era is Era.MODERN

    def listen_to_lists(self, capabilities: ServerCapabilities, changed: Callable[[], object]) -> None:
        """Have changes of lists told, where the server would and must be asked. ``changed`` is told of a gap."""
        offers = (capabilities.tools, capabilities.prompts, capabilities.resources)
        tools, prompts, resources = (True if each is not None and each.list_changed else None for each in offers)
        if self._modern and (tools or prompts or resources):
            filter = SubscriptionFilter(
                tools_list_changed=tools, prompts_list_changed=prompts, resources_list_changed=resources
            )
            self._listen(filter, changed)

    def _listen(self, filter: SubscriptionFilter, missed: Callable[[], object]) -> None:
        self._conversation.listen(filter, _Listening(self._conversation, lambda: self._again(filter, missed)))

    def _again(self, filter: SubscriptionFilter, missed: Callable[[], object]) -> None:
        self._listen(filter, missed)
        missed()

    # -- resources

    def send_call(self, call: Call, flight: Flight) -> RequestId:
        """Subscribe for a caller in the modern era; the acknowledgement settles the call."""
        return self._listen_to(call.name, flight)

    def _listen_to(self, uri: str, flight: Flight | None = None) -> RequestId:
        def again() -> None:
            if uri in self._watched:
                self._listen_to(uri)
                self._watched.missed((uri,))

        pending = _Listening(self._conversation, again, flight, uri)
        id = self._conversation.listen(SubscriptionFilter(resource_subscriptions=(uri,)), pending)
        self._listeners.setdefault(uri, set()).add(id)
        return id

    def unsubscribe(self, uri: str) -> None:
        """Nobody listens to it any more."""
        for id in self._listeners.pop(uri, ()):
            self._conversation.forget(id)
        if not self._modern:
            self._conversation.tell("resources/unsubscribe", {"uri": uri})

    async def replay(self) -> tuple[str, ...]:
        """Subscribe to all that the last incarnation was asked for; return what went wrong."""
        flaws: list[str] = []
        uris = self._watched.uris()
        for uri in uris:
            if self._modern:
                self._listen_to(uri)
                continue
            try:
                await self._conversation.ask("resources/subscribe", {"uri": uri})
            except Refused as error:
                flaws.append(f"{error} ({uri})")
        self._watched.missed(uris)
        return tuple(flaws)


@final
@define(eq=False, repr=False)
class _Listening(Pending):
    """One ``subscriptions/listen``, and the call that it has yet to settle."""

    _conversation: Conversation
    _again: Callable[[], object]
    _flight: Flight | None = None
    _uri: str | None = None

    def acknowledged(self, filter: SubscriptionFilter) -> None:
        flight, self._flight = self._flight, None
        if flight is None:
            return
        if self._uri in (filter.resource_subscriptions or ()):
            flight.settle(Raw(b"{}"))
        else:
            self._conversation.forget(flight.id)
            flight.fail(JsonRpcError(codes.INVALID_PARAMS, "the server does not tell of this resource"))

    def lost(self) -> None:
        if self._flight is not None:
            self._flight.fail(JsonRpcError(codes.INTERNAL_ERROR, "the server has ended the subscription at once"))
        else:
            self._conversation.nursery.start_soon(self._listen_again)

    async def _listen_again(self) -> None:
        await trio.sleep(AGAIN)
        self._again()

    def settle(self, result: Raw) -> None:
        self.lost()

    def fail(self, error: JsonRpcError) -> None:
        """It does not let anybody listen: then there is nothing to hear."""
        if self._flight is not None:
            self._flight.fail(error)

    def invalid(self, error: WireError) -> None:
        if self._flight is not None:
            self._flight.invalid(error)

    def interrupt(self, failure: ServerFailed | None) -> None:
        if self._flight is not None:
            self._flight.interrupt(failure)
