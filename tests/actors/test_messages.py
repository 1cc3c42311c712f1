"""What an actor and its callers promise each other: K1-K9."""

from __future__ import annotations

import gc
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import wait_all_tasks_blocked

import actors
from actors import ActorCrashed, ActorStopped, AskCycle, ChildSpec, MailboxFull, Overflow, Refusal, ReplyDropped

from .support import (
    Add,
    Crash,
    Drop,
    Everything,
    Forward,
    Later,
    Note,
    Refuse,
    Seen,
    Urgent,
    Wait,
    WaitCancellably,
    managed,
)


class Stranger(actors.Ask[None]):
    pass


async def test_an_ask_returns_what_the_handler_returns() -> None:
    async with actors.open_system(ChildSpec("a", Everything)) as system:
        assert await system["a"].ask(Add(2)) == 2
        assert await system["a"].ask(Add(3)) == 5


async def test_messages_of_one_task_are_handled_in_the_order_sent() -> None:
    async with actors.open_system(ChildSpec("a", Everything)) as system:
        for text in "abc":
            system["a"].tell(Note(text))
        assert await system["a"].ask(Seen()) == ("a", "b", "c")


async def test_more_messages_than_a_batch_are_all_handled_in_order() -> None:
    async with actors.open_system(ChildSpec("a", Everything, capacity=1000)) as system:
        for number in range(1000):
            system["a"].tell(Note(str(number)))
        await wait_all_tasks_blocked()
        assert await system["a"].ask(Seen()) == tuple(map(str, range(1000)))
        assert system["a"].statistics().high_water == 1000


async def test_a_refusal_reaches_the_asker_and_the_actor_lives_on() -> None:
    async with actors.open_system(ChildSpec("a", Everything)) as system:
        await system["a"].ask(Add(1))
        with pytest.raises(Refusal, match="not today"):
            await system["a"].ask(Refuse("not today"))
        assert await system["a"].ask(Add(1)) == 2
        assert system["a"].incarnation == 1


async def test_a_crash_reaches_the_asker_with_its_cause_and_the_next_incarnation_starts_afresh() -> None:
    async with actors.open_system(ChildSpec("a", Everything)) as system:
        await system["a"].ask(Add(1))
        with pytest.raises(ActorCrashed) as crash:
            await system["a"].ask(Crash(OSError("boom")))
        assert isinstance(crash.value.__cause__, OSError)
        assert "OSError: boom" in str(crash.value)
        assert await system["a"].ask(Add(1)) == 1
        assert system["a"].incarnation == 2


async def test_what_is_queued_at_a_crash_waits_for_the_next_incarnation() -> None:
    async with actors.open_system(ChildSpec("a", Everything)) as system:
        system["a"].tell(Drop(OSError("boom")))
        system["a"].tell(Note("kept"))
        assert await system["a"].ask(Seen()) == ("kept",)
        assert system["a"].incarnation == 2


async def test_an_async_handler_holds_up_the_messages_behind_it() -> None:
    gate = trio.Event()
    async with actors.open_system(ChildSpec("a", Everything)) as system, trio.open_nursery() as nursery:
        nursery.start_soon(system["a"].ask, Wait(gate))
        await wait_all_tasks_blocked()
        nursery.start_soon(system["a"].ask, Add(1))
        await wait_all_tasks_blocked()
        assert system["a"].statistics().queued == 1
        gate.set()
        assert await system["a"].ask(Seen()) == ("waiting", "done")


async def test_a_control_message_overtakes_queued_work() -> None:
    gate = trio.Event()
    async with actors.open_system(ChildSpec("a", Everything)) as system, trio.open_nursery() as nursery:
        nursery.start_soon(system["a"].ask, Wait(gate))
        await wait_all_tasks_blocked()
        system["a"].tell(Note("work"))
        system["a"].tell(Urgent("control"))
        gate.set()
        assert await system["a"].ask(Seen()) == ("waiting", "done", "control", "work")


async def test_a_cancelled_ask_that_was_queued_is_never_handled() -> None:
    gate = trio.Event()
    async with actors.open_system(ChildSpec("a", Everything)) as system, trio.open_nursery() as nursery:
        nursery.start_soon(system["a"].ask, Wait(gate))
        await wait_all_tasks_blocked()
        async with trio.open_nursery() as askers:
            askers.start_soon(system["a"].ask, Add(100))
            await wait_all_tasks_blocked()
            assert system["a"].statistics().queued == 1
            askers.cancel_scope.cancel()
        assert system["a"].statistics().queued == 0
        gate.set()
        assert await system["a"].ask(Add(1)) == 1


async def test_a_mailbox_that_is_closed_counts_nothing_any_more() -> None:
    gate = trio.Event()
    async with actors.open_system(ChildSpec("a", Everything)) as system, trio.open_nursery() as nursery:
        nursery.start_soon(system["a"].ask, Wait(gate))
        await wait_all_tasks_blocked()
        async with trio.open_nursery() as ending:
            ending.start_soon(system["a"].ask, Add(100))
            await wait_all_tasks_blocked()
            ending.cancel_scope.cancel()
        async with trio.open_nursery() as ending:
            ending.start_soon(system.root.terminate_child, "a")
            await wait_all_tasks_blocked()
            gate.set()  # its stop is the next message that it takes
        assert system["a"].statistics().queued == 0


async def test_asks_that_give_up_at_a_stuck_actor_do_not_grow_its_queue() -> None:
    gate = trio.Event()
    async with actors.open_system(ChildSpec("a", Everything)) as system, trio.open_nursery() as nursery:
        nursery.start_soon(system["a"].ask, Wait(gate))
        await wait_all_tasks_blocked()
        for _ in range(20):  # in all four times its capacity
            async with trio.open_nursery() as askers:
                for _ in range(50):
                    askers.start_soon(system["a"].ask, Add(100))
                await wait_all_tasks_blocked()
                askers.cancel_scope.cancel()
        assert len(system["a"]._mailbox.queue) <= 65
        gate.set()
        assert await system["a"].ask(Add(1)) == 1


async def test_a_handler_goes_on_when_its_asker_has_gone_and_its_reply_is_dropped() -> None:
    gate = trio.Event()
    async with actors.open_system(ChildSpec("a", Everything)) as system:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(system["a"].ask, Wait(gate))
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        gate.set()
        assert await system["a"].ask(Seen()) == ("waiting", "done")


async def test_a_handler_whose_message_allows_it_is_cancelled_with_its_asker_and_the_actor_lives_on() -> None:
    async with actors.open_system(ChildSpec("a", Everything)) as system:
        for _ in range(2):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(system["a"].ask, WaitCancellably(trio.Event()))
                await wait_all_tasks_blocked()
                nursery.cancel_scope.cancel()
        assert await system["a"].ask(Seen()) == ("waiting", "cancelled", "waiting", "cancelled")
        assert system["a"].incarnation == 1


async def test_a_deferred_reply_is_settled_once_from_any_task() -> None:
    actor = Everything()
    answers: list[str] = []
    async with actors.open_system(ChildSpec("a", lambda: actor)) as system, trio.open_nursery() as nursery:

        async def ask() -> None:
            answers.append(await system["a"].ask(Later()))

        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        assert await system["a"].ask(Add(1)) == 1, "it goes on while it owes an answer"
        actor.slots[0].settle("first")
        actor.slots[0].settle("second")
    assert answers == ["first"]


async def test_a_deferred_reply_hears_that_its_asker_has_gone() -> None:
    actor = Everything()
    async with actors.open_system(ChildSpec("a", lambda: actor)) as system:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(system["a"].ask, Later())
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        assert actor.log == ["asker gone"]
        assert not actor.slots[0].wanted
        actor.slots[0].settle("too late")
        assert system["a"].statistics().owed == 0


async def test_a_deferred_reply_that_is_lost_ends_the_ask() -> None:
    actor = Everything()
    async with actors.open_system(ChildSpec("a", lambda: actor)) as system, trio.open_nursery() as nursery:

        async def ask() -> None:
            with pytest.raises(ReplyDropped):
                await system["a"].ask(Later())

        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        actor.slots.clear()
        gc.collect()


async def test_a_crash_fails_the_deferred_answers_still_owed() -> None:
    actor = Everything()
    async with actors.open_system(ChildSpec("a", lambda: actor)) as system, trio.open_nursery() as nursery:

        async def ask() -> None:
            with pytest.raises(ActorCrashed, match="boom"):
                await system["a"].ask(Later())

        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        system["a"].tell(Drop(OSError("boom")))


async def test_the_answers_owed_at_a_crash_come_after_the_clean_up() -> None:
    log: list[str] = []
    async with actors.open_system(ChildSpec("a", managed(log))) as system:
        with pytest.raises(ActorCrashed):
            await system["a"].ask(Crash(OSError("boom")))
        assert log[:2] == ["actor up", "actor down"]


async def test_a_crash_report_names_the_message_in_hand_and_those_behind_it() -> None:
    async with actors.open_system(ChildSpec("a", Everything, restart=actors.Restart.TRANSIENT)) as system:
        system["a"].tell(Note("before"))
        system["a"].tell(Drop(OSError("boom")))
        system["a"].tell(Note("behind"))
        await wait_all_tasks_blocked()
        crash = system.tree().children[0].last_exit
        assert isinstance(crash, actors.Crashed)
        assert crash.queued == (Note("behind"),)
        report = crash.report()
        assert "OSError: boom" in report
        assert "while it handled Drop(" in report
        assert "queued: Note(text='behind')" in report


async def test_a_message_that_an_actor_does_not_know_crashes_it_by_name() -> None:
    async with actors.open_system(ChildSpec("a", Everything)) as system:
        with pytest.raises(ActorCrashed, match="does not know the message Stranger"):
            await system["a"].ask(Stranger())


async def test_defer_outside_a_handler_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="inside an actor"):
        actors.context()


async def test_a_stop_comes_after_what_was_queued_before_it_and_a_stop_now_before() -> None:
    for now, seen in ((False, ["kept"]), (True, [])):
        actor = Everything()
        spec = ChildSpec("a", lambda actor=actor: actor, restart=actors.Restart.TEMPORARY)  # type: ignore[misc]
        async with actors.open_system(spec) as system:
            ref = system["a"]
            ref.tell(Note("kept"))
            ref.stop(now=now)
            await wait_all_tasks_blocked()
            assert actor.log == seen
            assert not ref.alive
            with pytest.raises(ActorStopped):
                await ref.ask(Add(1))
            ref.tell(Note("silently lost"))


async def test_a_full_mailbox_refuses_and_a_send_waits_for_room() -> None:
    gate = trio.Event()
    async with actors.open_system(ChildSpec("a", Everything, capacity=2)) as system, trio.open_nursery() as nursery:
        ref = system["a"]
        nursery.start_soon(ref.ask, Wait(gate))
        await wait_all_tasks_blocked()
        ref.tell(Note("1"))
        ref.tell(Note("2"))
        with pytest.raises(MailboxFull):
            ref.tell(Note("refused"))
        with pytest.raises(MailboxFull):
            await ref.ask(Add(1))
        assert ref.statistics().refused == 2
        nursery.start_soon(ref.send, Note("3"))
        nursery.start_soon(ref.send, Note("4"))
        await wait_all_tasks_blocked()
        gate.set()
        await wait_all_tasks_blocked()
        seen = await ref.ask(Seen())
        assert seen[:4] == ("waiting", "done", "1", "2")
        assert set(seen[4:]) == {"3", "4"}


async def test_a_cancelled_send_leaves_nothing_behind() -> None:
    gate = trio.Event()
    async with actors.open_system(ChildSpec("a", Everything, capacity=1)) as system, trio.open_nursery() as nursery:
        ref = system["a"]
        nursery.start_soon(ref.ask, Wait(gate))
        await wait_all_tasks_blocked()
        ref.tell(Note("1"))
        async with trio.open_nursery() as senders:
            senders.start_soon(ref.send, Note("2"))
            await wait_all_tasks_blocked()
            senders.cancel_scope.cancel()
        gate.set()
        await wait_all_tasks_blocked()
        assert await ref.ask(Seen()) == ("waiting", "done", "1")


async def test_a_mailbox_that_sheds_drops_the_oldest_and_tells_its_asker() -> None:
    gate = trio.Event()
    spec = ChildSpec("a", Everything, capacity=1, overflow=Overflow.SHED_OLDEST)
    async with actors.open_system(spec) as system, trio.open_nursery() as nursery:
        ref = system["a"]
        nursery.start_soon(ref.ask, Wait(gate))
        await wait_all_tasks_blocked()

        async def oldest() -> None:
            with pytest.raises(MailboxFull):
                await ref.ask(Add(1))

        nursery.start_soon(oldest)
        await wait_all_tasks_blocked()
        ref.tell(Note("newer"))
        assert ref.statistics().shed == 1
        gate.set()


async def test_a_held_work_lane_lets_control_through_and_credits_let_so_many_messages_through() -> None:
    actor = Everything()
    contexts: list[actors.Context] = []

    def start() -> Everything:
        contexts.append(actors.context())
        actors.context().hold()
        return actor

    async with actors.open_system(ChildSpec("a", start)) as system:
        for text in "abcd":
            system["a"].tell(Note(text))
        system["a"].tell(Urgent("control"))
        await wait_all_tasks_blocked()
        assert actor.log == ["control"]
        assert system["a"].statistics().held
        contexts[0].release(2)
        await wait_all_tasks_blocked()
        assert actor.log == ["control", "a", "b"]
        contexts[0].release()
        await wait_all_tasks_blocked()
        assert actor.log == ["control", "a", "b", "c", "d"]


async def test_an_ask_cycle_is_an_error_that_names_the_ring() -> None:
    specs = [ChildSpec(name, Everything) for name in "abc"]
    async with actors.open_system(*specs, window=actors.RestartWindow(3, 5.0)) as system:
        a, b, c = (system[name] for name in "abc")
        with pytest.raises(ActorCrashed) as crash:
            await a.ask(Forward(b, Forward(c, Forward(a, Add(1)))))
        cause: BaseException | None = crash.value
        while not isinstance(cause, AskCycle):
            assert cause is not None
            cause = cause.__cause__
        assert cause.ring == ("c", "a", "b", "c")


async def test_the_age_of_the_oldest_message_is_told(autojump_clock: trio.testing.MockClock) -> None:  # K14
    gate = trio.Event()
    async with actors.open_system(ChildSpec("a", Everything)) as system, trio.open_nursery() as nursery:
        ref = system["a"]
        assert ref.statistics().oldest is None
        nursery.start_soon(ref.ask, Wait(gate))
        await trio.sleep(1)
        assert ref.statistics().oldest is None
        ref.tell(Note("x"))
        await trio.sleep(2)
        ref.tell(Note("y"))
        assert ref.statistics().oldest == 2
        gate.set()
        await wait_all_tasks_blocked()
        assert ref.statistics().oldest is None


async def asked(ref: actors.Ref, message: Any, got: list[object]) -> None:
    try:
        got.append(await ref.ask(message))
    except TimeoutError as error:
        got.append(error)


@pytest.mark.parametrize(
    ("kind", "log"),
    [(Add, []), (Later, ["asker gone"]), (Wait, ["waiting"]), (WaitCancellably, ["waiting", "cancelled"])],
)
async def test_an_ask_that_is_withdrawn_ends_as_if_cancelled_in_the_error_that_it_is_given(
    kind: Any, log: list[str]
) -> None:  # K6
    got: list[object] = []
    error = TimeoutError("too late")
    gate = trio.Event()
    message = {Add: Add(1), Later: Later()}.get(kind) or kind(gate)
    actor = Everything()
    async with actors.open_system(ChildSpec("a", lambda: actor)) as system, trio.open_nursery() as nursery:
        await wait_all_tasks_blocked()
        if kind is Add:
            actors.suspend(system["a"])
        nursery.start_soon(asked, system["a"], message, got)
        await wait_all_tasks_blocked()
        (asker,) = nursery.child_tasks
        assert actors.withdraw(asker, error)
        assert not actors.withdraw(asker, error)
        await wait_all_tasks_blocked()
        assert got == [error]
        assert system["a"].statistics().queued == 0
        assert actor.log == log
        gate.set()
        actors.resume(system["a"])
        assert await system["a"].ask(Add(1)) == 1  # so that one was never handled, and the actor is well


async def test_what_waits_for_anything_but_an_answer_is_not_withdrawn() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        await wait_all_tasks_blocked()
        (sleeper,) = nursery.child_tasks
        assert not actors.withdraw(sleeper, TimeoutError())
        assert not actors.withdraw(trio.lowlevel.current_task(), TimeoutError())
        nursery.cancel_scope.cancel()


async def test_an_actor_that_asks_itself_is_told_so() -> None:
    async with actors.open_system(ChildSpec("a", Everything)) as system:
        with pytest.raises(ActorCrashed, match="a asks a"):
            await system["a"].ask(Forward(system["a"], Add(1)))


async def test_a_message_with_the_wrong_verb_is_a_type_error() -> None:
    async with actors.open_system(ChildSpec("a", Everything)) as system:
        with pytest.raises(TypeError, match="Note is none; send it by tell"):
            await system["a"].ask(Note("x"))  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="Add is none; send it by ask"):
            system["a"].tell(Add(1))  # type: ignore[arg-type]


async def test_a_message_of_the_kernels_own_shows_its_fields() -> None:
    async with actors.open_system(ChildSpec("a", Everything)) as system:
        assert repr(actors.Exit(system["a"], actors.Normal())) == f"Exit(ref={system['a']!r}, reason=Normal())"
