"""The journal's actor: it sees to it that what happens is written, some fifty milliseconds later."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import final

import trio
from attrs import define, frozen

import actors
from runtime.journal.chronicle import Chronicle
from runtime.tasks import beside

GROUP = 0.05  # seconds in which events gather for one commit


@final
@frozen(repr=False)
class Flush(actors.Ask[None]):
    """Answered when all that had happened before is in the store, or the store has failed and was told of."""


@asynccontextmanager
async def open_journal(chronicle: Chronicle) -> AsyncIterator[Journal]:
    """Run one incarnation: stopped, it closes the chronicle; crashed, it leaves what is unwritten to the next one."""
    journal = Journal(chronicle)
    async with beside(journal.run):
        yield journal
    await chronicle.close()


@final
@define(eq=False, repr=False)
class Journal:
    """Writes in groups, by itself; is asked only to be quick about it."""

    chronicle: Chronicle

    async def receive(self, message: Flush) -> None:
        """Write at once."""
        await self.chronicle.write()

    async def run(self) -> None:
        """Write whatever comes, forever."""
        chronicle = self.chronicle
        if chronicle.store is None:
            await trio.sleep_forever()
        await trio.sleep(GROUP)  # a runtime that opens has more urgent things to do
        await chronicle.open()
        while True:
            await chronicle.backlog.wait()
            await trio.sleep(max(GROUP, chronicle.pause))
            await chronicle.write()
