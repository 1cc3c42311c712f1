"""Whether a server that is left alone still answers: traffic tells first, and only silence is probed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from runtime.errors import ServerUnresponsive
from runtime.protocol import Era
from runtime.servers.pending import Refused
from runtime.transports import NO_ANSWER, NOT_SENT

if TYPE_CHECKING:
    from runtime.servers.conversation import Conversation
    from runtime.servers.record import Record


async def watch_health(conversation: Conversation, record: Record) -> None:
    """Probe a server whenever it has been idle for its ``health.interval``. Raises `ServerUnresponsive`.

    Idle is: no call in flight, and not a word of it. One that is busy may be slow, and its calls have deadlines of
    their own, so it is left alone. Any answer to a probe will do, an error too. So many probes in a row without one,
    as ``health.misses`` says, and it is given up.
    """
    misses = 0
    while True:
        health = record.spec.health
        heard = conversation.heard
        await trio.sleep(health.interval)
        if record.in_flight or conversation.heard != heard or await _answers(conversation, record, health.timeout):
            misses = 0
        else:
            misses += 1
            if misses >= health.misses:
                raise ServerUnresponsive(record.name, conversation.link.stderr(), misses, health.timeout)


async def _answers(conversation: Conversation, record: Record, patience: float) -> bool:
    with trio.move_on_after(patience):
        try:
            await conversation.ask("server/discover" if record.era is Era.MODERN else "ping", {})
        except Refused as refusal:
            return not (conversation.link.speaks_http and _is_no_answer(refusal.code))
        return True
    return False


def _is_no_answer(code: int | None) -> bool:
    """Say whether an exchange of HTTP has failed on its way, or at somebody who stands before the server."""
    return code is not None and (code in (NOT_SENT, NO_ANSWER) or 500 <= code < 600)
