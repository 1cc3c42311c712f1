"""The journal's actor: what has happened gets written, once, whatever befalls the actor or the store."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from math import inf

import pytest
import trio
from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

import actors
from runtime.journal import Feed, ServerLogged, ServerReady, ServerStopped
from runtime.journal.chronicle import Chronicle
from runtime.journal.journal import Flush, open_journal
from runtime.journal.records import Entry, Host, Service
from runtime.journal.sqlite import SqliteStore
from runtime.journal.store import Batch, StoreFailed


@define(eq=False)
class Shelf:
    """A store in memory that does what its script says: each step of it is an error to raise, or None."""

    script: list[BaseException | None] = field(factory=list)
    host: Host = field(factory=lambda: Host("ours", 1, "", "", 0.0))
    batches: list[Batch] = field(factory=list)
    opened: bool = False
    lost: tuple[str, ...] = ()
    gate: threading.Event | None = None  # what a write waits for once it is done

    def _step(self) -> None:
        if self.script and (error := self.script.pop(0)) is not None:
            self.opened = not isinstance(error, StoreFailed) and self.opened
            raise error

    def open(self) -> tuple[str, ...]:
        self._step()
        self.opened = True
        return self.lost

    def write(self, batch: Batch) -> None:
        assert self.opened
        self._step()
        self.batches.append(batch)
        if self.gate is not None:
            self.gate.wait()

    def history(self, server: str | None, limit: int, since: float) -> Sequence[Entry]:
        if not self.opened:
            raise StoreFailed("closed")
        return [Entry(at, self.host.id, number, "", "", "", event) for number, at, event in reversed(self.written)]

    def close(self) -> None:
        self.opened = False

    @property
    def written(self) -> list:
        return [noted for batch in self.batches for noted in batch.events]

    @property
    def said(self) -> list[str]:
        return [noted.event.server or noted.event.name for noted in self.written]


FULL = StoreFailed("disk full")


def stopped(name: object) -> ServerStopped:
    return ServerStopped(0.0, str(name))


def journal_of(chronicle: Chronicle) -> actors.ChildSpec:
    return actors.ChildSpec("journal", lambda: open_journal(chronicle))


async def test_what_happened_before_a_flush_is_in_the_store_after_it():
    shelf, feed = Shelf(), Feed()
    chronicle = Chronicle(feed, shelf)
    feed.publish(stopped("before it starts"))
    async with actors.open_system(journal_of(chronicle)) as system:
        feed.publish(stopped(1))
        feed.publish(ServerLogged(0.0, "talkative", "info", None, "so much"))
        await system["journal"].ask(Flush())
        assert shelf.said == ["before it starts", "1"]
        assert [noted.number for noted in shelf.written] == [1, 2]


async def test_events_that_come_close_together_are_written_together_and_unasked():
    shelf, feed = Shelf(), Feed()
    async with actors.open_system(journal_of(Chronicle(feed, shelf))):
        for burst in range(3):
            for name in range(10):
                feed.publish(stopped(name))
                await trio.sleep(0.001)
            with trio.fail_after(5):
                while len(shelf.batches) == burst:  # noqa: ASYNC110 - a thread of no event to wait for
                    await trio.sleep(0.005)
            assert len(shelf.batches[burst].events) == 10


async def test_a_journal_that_crashes_loses_nothing_and_writes_nothing_twice():
    shelf, feed = Shelf([None, None, ZeroDivisionError(), None]), Feed()
    chronicle = Chronicle(feed, shelf)
    async with actors.open_system(journal_of(chronicle)) as system:
        journal = system["journal"]
        feed.publish(stopped(1))
        await journal.ask(Flush())
        feed.publish(stopped(2))
        with pytest.raises(actors.ActorCrashed):
            await journal.ask(Flush())
        feed.publish(stopped(3))
        await journal.ask(Flush())
        assert shelf.said == ["1", "2", "3"]
        assert journal.incarnation == 2


async def test_trouble_with_the_store_is_told_once_and_nothing_is_lost_of_it(autojump_clock):
    shelf, feed = Shelf([FULL] * 5), Feed()
    chronicle = Chronicle(feed, shelf)
    async with actors.open_system(journal_of(chronicle)) as system, feed.subscribe() as heard:
        feed.publish(stopped(1))
        assert (await heard.receive()).server == "1"
        assert (await heard.receive()).told().endswith("goes on in memory: disk full")
        await system["journal"].ask(Flush())
        assert [entry.told for entry in await chronicle.history(None, 1, 0.0)] == [
            "the journal cannot be written, and goes on in memory: disk full"
        ]
        assert [entry.server for entry in await chronicle.history("1", 9, 0.0)] == ["1"]
        assert (await heard.receive()).told() == "the journal can be written again"
        assert trio.current_time() > 10, "it is tried again after longer and longer pauses"
        await system["journal"].ask(Flush())
        assert shelf.said == ["1", "journal_failed", "journal_restored"]
        assert system["journal"].incarnation == 1


async def test_while_it_cannot_be_written_the_last_events_are_kept_and_the_others_counted():
    shelf, feed = Shelf([FULL, FULL]), Feed()
    chronicle = Chronicle(feed, shelf, size=5)
    await chronicle.open()
    for name in range(20):
        feed.publish(stopped(name))
    await chronicle.write()
    await chronicle.write()
    assert shelf.written[0].event.told() == "16 events were not written into the journal"
    assert shelf.said == ["events_unwritten", "15", "16", "17", "18", "19"]
    await chronicle.write()
    assert [noted.number for noted in shelf.written] == [1, 17, 18, 19, 20, 21, 22]
    assert shelf.said[-1] == "journal_restored"


async def test_history_neither_misses_nor_doubles_what_is_being_written():
    shelf, feed = Shelf(gate=threading.Event()), Feed()
    chronicle = Chronicle(feed, shelf)
    await chronicle.open()
    assert shelf.gate is not None
    async with trio.open_nursery() as nursery:
        for name in range(3):
            feed.publish(stopped(name))
        nursery.start_soon(chronicle.write)
        await wait_all_tasks_blocked()
        during = await chronicle.history(None, 9, 0.0)
        shelf.gate.set()
    after = await chronicle.history(None, 9, 0.0)
    assert [entry.number for entry in during] == [entry.number for entry in after] == [3, 2, 1]
    assert len(chronicle.backlog) == 0


async def test_a_write_that_is_cancelled_is_finished_first():
    shelf, feed = Shelf(gate=threading.Event()), Feed()
    chronicle = Chronicle(feed, shelf)
    await chronicle.open()
    assert shelf.gate is not None
    feed.publish(stopped(1))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(chronicle.write)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
        shelf.gate.set()
    await chronicle.close()
    assert shelf.said == ["1"]
    assert not shelf.opened


async def test_a_server_is_written_down_as_it_is_when_something_happened_to_it():
    def look(names: Iterable[str]) -> Iterable[Service]:
        return [Service(name, "ready", 17) for name in names if name != "gone"]

    shelf, feed = Shelf(), Feed()
    chronicle = Chronicle(feed, shelf, look)
    feed.publish(ServerReady(0.0, "files", 1, "2025-11-25", 3, 0.25))
    feed.publish(stopped("gone"))
    feed.publish(stopped("search"))
    await chronicle.write()
    assert [list(batch.services) for batch in shelf.batches] == [
        [Service("files", "ready", 17, start_up_ms=250.0), Service("search", "ready", 17)]
    ]


async def test_hosts_that_were_found_dead_are_told_of():
    feed = Feed()
    await Chronicle(feed, Shelf(lost=("a", "b"))).open()
    assert [event.told() for event in feed.recent] == ["2 hosts had ended without a word: a, b"]


async def test_without_a_store_the_last_events_are_kept_in_memory():
    feed = Feed()
    chronicle = Chronicle(feed, size=5)
    async with actors.open_system(journal_of(chronicle)) as system:
        for name in range(9):
            feed.publish(stopped(name))
        await system["journal"].ask(Flush())
        assert [entry.server for entry in await chronicle.history(None, 3, 0.0)] == ["8", "7", "6"]
        assert [entry.server for entry in await chronicle.history("5", 9, 0.0)] == ["5"]
        assert await chronicle.history(None, 9, inf) == []
    await chronicle.close()


async def test_over_a_real_store_nothing_is_left_open_and_nothing_is_missing(tmp_path):
    feed = Feed()
    store = SqliteStore(tmp_path, Host("ours", 1, "", "", 0.0), lambda _: False)
    chronicle = Chronicle(feed, store)
    async with actors.open_system(journal_of(chronicle)):
        for name in range(2500):
            feed.publish(stopped(name))
        await trio.lowlevel.checkpoint()
    await chronicle.close()
    assert [path.name for path in tmp_path.iterdir()] == ["journal.sqlite3"]
    assert [entry.server for entry in store.history(None, 9999, 0.0)] == [str(name) for name in range(2499, -1, -1)]


@settings(max_examples=50, deadline=None)
@given(
    script=st.lists(st.sampled_from([None, None, FULL, ZeroDivisionError()]), max_size=12),
    bursts=st.lists(st.integers(0, 3), max_size=8),
)
def test_whatever_goes_wrong_each_event_is_written_once_and_in_order(script, bursts):
    """Failures of the store and crashes of the actor, at any step; at every moment, all of it is in the history."""
    shelf = Shelf(list(script))

    async def live() -> None:
        feed, published = Feed(), 0
        chronicle = Chronicle(feed, shelf)
        for burst in [*bursts, *[0] * len(script)]:
            for _ in range(burst):
                published += 1
                feed.publish(stopped(published))
            with suppress(ZeroDivisionError):
                await chronicle.write()
            found = [entry.event.server for entry in await chronicle.history(None, 99, 0.0) if entry.event.server]
            if shelf.opened or not shelf.batches:
                assert found == [str(number) for number in range(published, 0, -1)]
        await chronicle.close()
        assert [int(noted.event.server) for noted in shelf.written if noted.event.server] == [*range(1, published + 1)]

    trio.run(live)
    assert [noted.number for noted in shelf.written] == list(range(1, len(shelf.written) + 1))
