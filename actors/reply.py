"""An answer that comes later than its handler returns."""

from __future__ import annotations

from contextlib import suppress
from typing import Generic, TypeVar, final

import trio
from trio.lowlevel import TrioToken

from actors.errors import ReplyDropped
from actors.mailbox import Envelope

R = TypeVar("R")


@final
class Reply(Generic[R]):
    """An answer deferred: settle it later, once, from any task of this Trio run. Later settlings are ignored (K9).

    Losing it unsettled answers the asker with `ReplyDropped`.
    """

    __slots__ = ("_envelope", "_token")

    def __init__(self, envelope: Envelope, token: TrioToken) -> None:
        self._envelope = envelope
        self._token = token

    @property
    def wanted(self) -> bool:
        """Whether somebody still waits for it."""
        return self._envelope.task is not None

    def settle(self, value: R) -> None:
        """Answer the asker with ``value``."""
        self._pay()
        self._envelope.settle(value)

    def fail(self, error: BaseException) -> None:
        """Answer the asker with ``error``: `Reply.fail` is to a deferred answer what `Refusal` is to a direct one."""
        self._pay()
        self._envelope.fail(error)

    def _pay(self) -> None:
        if owed := self._envelope.mailbox.owed:
            owed.pop(self._envelope, None)

    def __del__(self) -> None:
        # The collector may come at any point, inside Trio's scheduler too, so this may only post. Who was answered
        # meanwhile, by the fall of the actor for one, is not answered again.
        if self._envelope.task is not None:
            with suppress(trio.RunFinishedError):  # then the asker is gone, too
                self._token.run_sync_soon(_dropped, self._envelope)


def _dropped(envelope: Envelope) -> None:
    owed = envelope.mailbox.owed
    if owed and envelope in owed:
        del owed[envelope]
        envelope.fail(ReplyDropped(envelope.mailbox.path))
