"""Calls on their way: over the wire, in the mailbox, forsaken, late, and in a crash."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio
import trio.testing

from runtime import (
    CallInterrupted,
    CallRefused,
    CallTimedOut,
    Runtime,
    Sent,
    ServerEjected,
    ServerError,
    ServerStopped,
    State,
    ToolNotFound,
)
from runtime.errors import InvalidAnswer, ServerExited
from tests.fakes import Fleet, Peer, dead, echoed, good, mute, text


async def ends(ending: Callable[[], Awaitable[object]], into: list[object]) -> None:
    """Note how a call ends: its result's text, or its exception."""
    try:
        into.append((await ending()).content[0].text)
    except Exception as error:  # noqa: BLE001  # how it ends is what is asked
        into.append(error)


def call(host: Runtime, server: str = "a", **arguments: object) -> Callable[[], Awaitable[object]]:
    return lambda: host.call(server, "echo", arguments)


async def test_calls_overlap_on_the_wire_and_are_answered_in_any_order(autojump_clock):
    async def backwards(peer: Peer) -> None:
        await peer.get_ready()
        calls = [await peer.hear("tools/call") for _ in range(5)]
        for request in reversed(calls):
            peer.answer(request, echoed(request))
        await peer.obey()

    results: list[object] = []
    async with Fleet({"a": backwards}).open() as host:
        async with trio.open_nursery() as nursery:
            for n in range(5):
                nursery.start_soon(ends, call(host, n=n), results)
    assert sorted(map(str, results)) == [f'{{"n":{n}}}' for n in range(5)]


async def test_so_many_calls_as_configured_are_in_flight_and_the_rest_wait(autojump_clock):
    fleet = Fleet({"a": mute})
    async with fleet.open(servers={"a": {"in_flight": 3}}) as host, trio.open_nursery() as nursery:
        results: list[object] = []
        for n in range(5):
            nursery.start_soon(ends, call(host, n=n), results)
        await trio.testing.wait_all_tasks_blocked()
        status = host.status()["a"]
        assert (status.in_flight, status.queued) == (3, 2)
        assert fleet.peer().methods().count("tools/call") == 3
        first = next(message for message in fleet.peer().heard if message["method"] == "tools/call")
        fleet.peer().answer(first, text("done"))
        await trio.testing.wait_all_tasks_blocked()
        assert results == ["done"]
        assert (host.status()["a"].in_flight, host.status()["a"].queued) == (3, 1)
        nursery.cancel_scope.cancel()


async def test_a_full_queue_refuses_and_says_that_nothing_was_sent(autojump_clock):
    async with Fleet({"a": mute}).open(servers={"a": {"in_flight": 1, "queue": 2}}) as host:
        async with trio.open_nursery() as nursery:
            results: list[object] = []
            for n in range(3):
                nursery.start_soon(ends, call(host, n=n), results)
                await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(CallRefused, match="call a/echo: refused: 2 calls wait for this server") as refused:
                await host.call("a", "echo")
            assert refused.value.sent is Sent.NOT_SENT
            nursery.cancel_scope.cancel()


async def test_a_burst_on_an_idle_server_may_be_what_it_sends_and_what_may_wait_and_no_more(autojump_clock):
    async with Fleet({"a": mute}).open(servers={"a": {"in_flight": 2, "queue": 3}}) as host:
        async with trio.open_nursery() as nursery:
            results: list[object] = []
            for n in range(6):
                nursery.start_soon(ends, call(host, n=n), results)
            await trio.testing.wait_all_tasks_blocked()
            assert [type(result) for result in results] == [CallRefused]
            assert (host.status()["a"].in_flight, host.status()["a"].queued) == (2, 3)
            nursery.cancel_scope.cancel()


async def test_one_call_that_waits_is_told_as_one(autojump_clock):
    async with Fleet({"a": mute}).open(servers={"a": {"in_flight": 1, "queue": 1}}) as host:
        async with trio.open_nursery() as nursery:
            results: list[object] = []
            for n in range(2):
                nursery.start_soon(ends, call(host, n=n), results)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(CallRefused, match="refused: 1 call waits for this server already"):
                await host.call("a", "echo")
            nursery.cancel_scope.cancel()


async def test_a_call_that_is_late_says_what_its_server_failed_of(autojump_clock):
    keys = {"era": "modern", "backoff": {"first": 60, "cap": 60}}
    async with Fleet({"a": dead}).open(servers={"a": keys}) as host:
        with pytest.raises(CallTimedOut) as late:
            await host.call("a", "echo", timeout=2)
        assert isinstance(late.value.__cause__, ServerExited)
        assert "the server is backing off. It failed last of this: server 'a' ended with exit code 1" in str(late.value)
        assert str(late.value).endswith("| no licence")


class AsyncProgress:
    async def __call__(self, *report: object) -> None: ...


@pytest.mark.parametrize(
    "progress", [AsyncProgress().__call__, AsyncProgress(), partial(AsyncProgress().__call__), "no function"]
)
async def test_progress_that_would_be_never_awaited_is_refused_before_anything_is_sent(progress, autojump_clock):
    fleet = Fleet({"a": good})
    async with fleet.open() as host:
        with pytest.raises(TypeError, match="progress must be a plain function, for it is called and not awaited"):
            await host.call("a", "echo", progress=progress)
        assert "tools/call" not in fleet.peer().methods()


@pytest.mark.parametrize(("timeout", "error"), [
    (-1, ValueError), (float("nan"), ValueError), ("5", TypeError), (True, TypeError),
])  # fmt: skip
async def test_a_timeout_that_is_none_is_refused_before_anything_is_sent(timeout, error, autojump_clock):
    fleet = Fleet({"a": good})
    async with fleet.open() as host:
        with pytest.raises(error, match="timeout must be"):
            await host.call("a", "echo", timeout=timeout)
        assert "tools/call" not in fleet.peer().methods()


async def test_a_server_that_does_not_read_gets_no_more_than_a_bound_and_the_caller_is_told(autojump_clock):
    async def deaf(peer: Peer) -> None:
        await peer.get_ready()
        await trio.sleep_forever()

    async with Fleet({"a": deaf}).open() as host, trio.open_nursery() as nursery:
        results: list[object] = []
        for _ in range(3):
            nursery.start_soon(ends, call(host, data="x" * 600_000), results)
        await trio.testing.wait_all_tasks_blocked()
        assert [type(result) for result in results] == [CallRefused, CallRefused]
        assert host.status()["a"].in_flight == 1
        nursery.cancel_scope.cancel()


async def test_a_cancelled_caller_tells_the_server_and_frees_its_place(autojump_clock):
    fleet = Fleet({"a": mute})
    async with fleet.open(servers={"a": {"in_flight": 1}}) as host:
        with trio.move_on_after(1):
            await host.call("a", "echo")
        assert host.status()["a"].in_flight == 0
        with pytest.raises(CallTimedOut) as late:
            await host.call("a", "echo", timeout=2)
        await trio.testing.wait_all_tasks_blocked()
        assert str(late.value) == (
            "call a/echo: no answer after 2 s, it was sent, and may have run; the server is ready"
        )
        heard = fleet.peer().heard
        asked = [message["id"] for message in heard if message["method"] == "tools/call"]
        cancelled = [m["params"]["requestId"] for m in heard if m["method"] == "notifications/cancelled"]
        assert cancelled == asked != []


async def test_a_call_that_was_cancelled_in_the_queue_is_never_sent(autojump_clock):
    fleet = Fleet({"a": mute})
    async with fleet.open(servers={"a": {"in_flight": 1}}) as host, trio.open_nursery() as nursery:
        nursery.start_soon(ends, call(host), [])
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(CallTimedOut) as late:
            await host.call("a", "echo", timeout=2)
        assert late.value.sent is Sent.NOT_SENT
        assert host.status()["a"].queued == 0
        nursery.cancel_scope.cancel()
    assert fleet.peer().methods().count("tools/call") == 1


async def test_an_answer_that_comes_too_late_reaches_nobody(autojump_clock):
    async def late(peer: Peer) -> None:
        await peer.get_ready()
        first = await peer.hear("tools/call")
        second = await peer.hear("tools/call")
        peer.answer(first, text("too late"))
        peer.answer(first, text("and again"))
        peer.answer(second, text("in time"))
        await peer.obey()

    async with Fleet({"a": late}).open() as host:
        with trio.move_on_after(1):
            await host.call("a", "echo")
        assert (await host.call("a", "echo")).content[0].text == "in time"


async def test_progress_is_delivered_to_its_caller(autojump_clock):
    async def reporting(peer: Peer) -> None:
        await peer.get_ready()
        request = await peer.hear("tools/call")
        token = request["params"]["_meta"]["progressToken"]
        peer.notify("notifications/progress", progressToken=token, progress=1, total=2, message="half")
        peer.notify("notifications/progress", progressToken=token, progress=2)
        peer.answer(request, text("done"))
        await peer.obey()

    told: list[object] = []
    async with Fleet({"a": reporting}).open() as host:
        await host.call("a", "echo", progress=lambda *values: told.append(values))
    assert told == [(1, 2, "half"), (2, None, None)]


async def test_a_progress_callback_that_raises_harms_only_its_caller(autojump_clock):
    async def reporting(peer: Peer) -> None:
        await peer.get_ready()
        requests = [await peer.hear("tools/call") for _ in range(2)]
        for request in requests:
            token = request["params"]["_meta"]["progressToken"]
            peer.notify("notifications/progress", progressToken=token, progress=1)
        await peer.hear("notifications/cancelled")
        for request in requests:
            peer.answer(request, echoed(request))
        await peer.obey()

    def wrong(*values: object) -> None:
        raise ZeroDivisionError("mine")

    fleet = Fleet({"a": reporting})
    async with fleet.open() as host, trio.open_nursery() as nursery:
        mine: list[object] = []
        other: list[object] = []
        nursery.start_soon(ends, lambda: host.call("a", "echo", progress=wrong), mine)
        nursery.start_soon(ends, lambda: host.call("a", "echo", {"n": 2}, progress=print), other)
    assert isinstance(mine[0], ZeroDivisionError)
    assert other == ['{"n":2}']
    assert len(fleet.lives["a"]) == 1


async def test_an_error_of_the_server_is_an_answer_and_costs_it_nothing(autojump_clock):
    async def refusing(peer: Peer) -> None:
        await peer.get_ready()
        peer.refuse(await peer.hear("tools/call"), -32602, "no such colour")
        peer.answer(await peer.hear("tools/call"), text("failed", isError=True))
        peer.answer(await peer.hear("tools/call"), {"content": "what?"})
        await peer.obey()

    async with Fleet({"a": refusing}).open() as host:
        with pytest.raises(ServerError, match=r"call a/echo: .* -32602: no such colour"):
            await host.call("a", "echo")
        assert (await host.call("a", "echo")).is_error
        with pytest.raises(InvalidAnswer, match="content"):
            await host.call("a", "echo")
        assert host.status()["a"].restarts == 0


@pytest.mark.parametrize("name", ["nonesuch", ["echo"], None])
async def test_a_tool_that_is_not_there_harms_nothing(name, autojump_clock):
    fleet = Fleet({"a": good})
    async with fleet.open() as host:
        with pytest.raises(ToolNotFound, match="server 'a' has no tool"):
            await host.call("a", name)
        await host.call("a", "echo")
    assert len(fleet.lives["a"]) == 1


async def test_a_crash_interrupts_what_is_in_flight_and_keeps_what_is_queued(autojump_clock):
    fleet = Fleet({"a": [mute, good]}, clean_up=4.0)
    async with fleet.open(servers={"a": {"in_flight": 2}}) as host, trio.open_nursery() as nursery:
        results: list[object] = []
        for n in range(5):
            nursery.start_soon(ends, call(host, n=n), results)
            await trio.testing.wait_all_tasks_blocked()
        fleet.peer().stderr = ("out of memory",)
        fleet.peer().die("SIGKILL")
        await trio.sleep(1)  # its clean-up takes longer than that
        assert [type(result) for result in results] == [CallInterrupted] * 2
        for error in results:
            assert error.sent is Sent.UNKNOWN
            assert isinstance(error.__cause__, ServerExited)
            assert "interrupted, it was sent, and may have run: server 'a' ended with SIGKILL" in str(error)
            assert "| out of memory" in str(error)
        assert host.status()["a"].state is State.BACKING_OFF
        assert host.status()["a"].queued == 3
    assert sorted(map(str, results[2:])) == ['{"n":2}', '{"n":3}', '{"n":4}']
    assert fleet.peer().incarnation == 2


async def test_nothing_is_written_to_a_server_that_is_seen_dead(autojump_clock):
    """It has closed its output, and is not known to have exited: that costs a second, in which calls wait."""

    async def half_dead(peer: Peer) -> None:
        await peer.get_ready()
        await peer.hear("tools/call")
        peer.wire.close()
        await trio.sleep_forever()

    fleet = Fleet({"a": [half_dead, good]})
    async with fleet.open() as host, trio.open_nursery() as nursery:
        results: list[object] = []
        nursery.start_soon(ends, call(host, n=1), results)
        await trio.sleep(0.5)
        nursery.start_soon(ends, call(host, n=2), results)
    assert "server 'a' closed its output while it was ready" in str(results[0])
    assert results[1] == '{"n":2}'


async def test_a_server_that_closes_only_its_input_is_noticed_at_the_next_call_which_is_not_lost(autojump_clock):
    async def no_input(peer: Peer) -> None:
        await peer.get_ready()
        peer.wire._incoming.close_reader()
        await trio.sleep_forever()

    fleet = Fleet({"a": [no_input, good]})
    async with fleet.open() as host:
        await trio.testing.wait_all_tasks_blocked()
        assert (await host.call("a", "echo", {"n": 1})).content[0].text == '{"n":1}'
        assert "no longer reads its input" in str(host.status()["a"].last_error)


async def test_output_held_open_after_the_exit_does_not_hide_the_death(autojump_clock):
    async def leaves_a_child(peer: Peer) -> None:
        await peer.get_ready()
        await peer.hear("tools/call")
        peer.over.set()
        await trio.sleep_forever()

    fleet = Fleet({"a": [leaves_a_child, good]})
    async with fleet.open() as host:
        with pytest.raises(CallInterrupted, match="ended with exit code 0"):
            await host.call("a", "echo")
        assert trio.current_time() == pytest.approx(1, abs=0.1)
        await host.call("a", "echo")


async def test_a_spent_window_ejects_and_reload_brings_back_with_a_fresh_budget(autojump_clock):
    fleet = Fleet({"a": [dead] * 8 + [good] + [dead] * 2 + [good], "b": good})
    async with fleet.open(servers={"a": {"window": {"intensity": 3, "period": 60}, "era": "modern"}}) as host:
        with pytest.raises(ServerEjected) as ejected:
            await host.call("a", "echo", timeout=30)
        assert "it needed more than 3 restarts in 60 s; reload('a')" in str(ejected.value)
        assert "ended with exit code 1" in str(ejected.value)
        assert "| no licence" in str(ejected.value)
        assert host.status()["a"].state is State.EJECTED
        assert len(fleet.lives["a"]) == 4
        assert [entry.server for entry in host.tools()] == ["b"]
        await host.call("b", "echo")
        before = trio.current_time()
        with pytest.raises(ServerEjected):
            await host.call("a", "echo")
        assert trio.current_time() == before  # at once

        await host.reload("a")
        assert host.status()["a"].state is State.BACKING_OFF
        with pytest.raises(ServerEjected):  # its budget was a fresh one: four lives more
            await host.call("a", "echo")
        assert len(fleet.lives["a"]) == 8

        await host.reload("a")
        assert host.status()["a"].state is State.READY
        await host.kill("a")
        await host.call("a", "echo", timeout=30)
        assert len(fleet.lives["a"]) == 12


async def test_the_ejected_are_drawn_in_the_tree_with_what_they_failed_of(autojump_clock):
    async with Fleet({"a": dead, "b": good}).open(servers={"a": {"window": {"intensity": 0}, "era": "modern"}}) as host:
        await trio.testing.wait_all_tasks_blocked()
        drawn = str(host.tree())
        assert "a  ejected, ended with exit code 1 while it was handshaking" in drawn
        assert "b  ready, modern, 1 tool, pid 10001" in drawn
        assert "no licence" not in drawn


@pytest.mark.parametrize(
    ("restart", "how", "state"),
    [
        ("transient", "exit code 0", State.STOPPED),
        ("transient", "exit code 1", State.READY),
        ("temporary", "exit code 0", State.STOPPED),
        ("temporary", "exit code 1", State.STOPPED),
        ("permanent", "exit code 0", State.READY),
    ],
)
async def test_restart_types_decide_by_the_exit(restart, how, state, autojump_clock):
    fleet = Fleet({"a": good})
    async with fleet.open(servers={"a": {"restart": restart}}) as host:
        fleet.peer().die(how)
        await trio.sleep(5)
        assert host.status()["a"].state is state
        assert len(fleet.lives["a"]) == (2 if state is State.READY else 1)
        crashed = [event for event in host.recent_events() if event.name == "crashed"]
        assert len(crashed) == (
            0 if (restart, how) in [("transient", "exit code 0"), ("temporary", "exit code 0")] else 1
        )
        if state is State.STOPPED:
            with pytest.raises(ServerStopped, match=r"reload\('a'\)"):
                await host.call("a", "echo")
            await host.reload("a")
        await host.call("a", "echo")


async def test_a_transient_server_that_ends_well_with_a_call_in_flight_has_crashed(autojump_clock):
    fleet = Fleet({"a": [mute, good]})
    async with fleet.open(servers={"a": {"restart": "transient"}}) as host, trio.open_nursery() as nursery:
        results: list[object] = []
        nursery.start_soon(ends, call(host), results)
        await trio.testing.wait_all_tasks_blocked()
        fleet.peer().die("exit code 0")
        await trio.sleep(1)
        assert isinstance(results[0], CallInterrupted)
        await host.call("a", "echo")


async def test_a_kill_that_comes_while_it_waits_to_be_restarted_harms_nothing(autojump_clock):
    fleet = Fleet({"a": [dead, dead, good]})
    async with fleet.open(servers={"a": {"in_flight": 1}}) as host:
        assert host.status()["a"].state is State.BACKING_OFF
        await host.kill("a")
        async with trio.open_nursery() as nursery:
            results: list[object] = []
            for n in range(3):
                nursery.start_soon(ends, call(host, n=n), results)
        assert len(results) == 3
        assert host.status()["a"].state is State.READY
