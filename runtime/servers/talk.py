"""All that goes on over one link: the conversation, the calls in it, what was subscribed to, what the server lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, final

from attrs import frozen

from runtime.protocol import ClientConnection, Implementation
from runtime.servers.conversation import Conversation
from runtime.servers.flights import Flights
from runtime.servers.lists import Lists
from runtime.servers.questions import Questions
from runtime.servers.subscriptions import Subscriptions
from runtime.version import VERSION

if TYPE_CHECKING:
    import trio

    from runtime.protocol import EraChoice, ListChanged, Logged, ResourceUpdated
    from runtime.servers.handlers import Handlers
    from runtime.servers.link import Link
    from runtime.servers.record import Record


@final
@frozen(eq=False)
class Talk:
    """What belongs to one link, and ends with it."""

    conversation: Conversation
    flights: Flights
    subscriptions: Subscriptions
    lists: Lists


def begin(
    record: Record,
    link: Link,
    era: EraChoice,
    handlers: Handlers,
    nursery: trio.Nursery,
    count: Callable[[int], None],
    hear: Callable[[ListChanged | ResourceUpdated | Logged], object],
) -> Talk:
    """Get ready to speak; nothing is said yet. ``nursery`` is for what is done for it."""
    us = Implementation(name="greenroom", version=VERSION)
    connection = ClientConnection(us, handlers.capabilities(), era=era, remembered=record.era)

    def questions(conversation: Conversation) -> Questions:
        return Questions(record.name, handlers, conversation.reply, conversation.refuse)

    conversation = Conversation(record.name, link, nursery, connection, questions, hear)
    return Talk(
        conversation,
        Flights(conversation, handlers, count),
        Subscriptions(conversation, record.watched),
        Lists(conversation),
    )
