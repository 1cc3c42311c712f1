import json
import os
import select
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
import trio

from runtime.transports import LineTooLong, NoiseBudgetSpent, proc
from runtime.transports import stdio as stdio_module
from runtime.transports.environment import Marker
from runtime.transports.guard import Guard, open_guard
from runtime.transports.process import Child, CommandUnusable, ExitStatus
from runtime.transports.stdio import open_stdio
from tests.processes import ended

IGNORES_TERM = "trap '' TERM; while :; do sleep 1000; done"


async def received(transport, count: int) -> list[bytes]:
    messages: list[bytes] = []
    while len(messages) < count:
        messages += await transport.receive_batch()
    return messages


# The channel


async def test_messages_come_back_in_order_and_without_their_line_ends(command):
    with trio.fail_after(20):
        async with open_stdio(command("cat")) as transport:
            for number in range(100):
                transport.send_nowait(b'{"id":%d}\n' % number)
            assert [await transport.receive() for _ in range(100)] == [b'{"id":%d}' % n for n in range(100)]


async def test_ten_thousand_messages_in_flight_keep_their_order(command):
    async def send_all() -> None:
        for number in range(10_000):
            await transport.send(b'{"id":%d}\n' % number)

    with trio.fail_after(20):
        async with open_stdio(command("cat")) as transport, trio.open_nursery() as nursery:
            nursery.start_soon(send_all)
            assert await received(transport, 10_000) == [b'{"id":%d}' % n for n in range(10_000)]


async def test_a_large_message_passes_whole(command):
    message = b'{"x":"' + b"x" * (8 * 1024 * 1024) + b'"}'
    with trio.fail_after(20):
        async with open_stdio(command("cat")) as transport:
            await transport.send(message + b"\n")
            assert await transport.receive() == message


async def test_all_that_one_pass_queues_leaves_in_one_write(command, monkeypatch):
    writes = []
    write = os.write
    with trio.fail_after(20):
        async with open_stdio(command("cat")) as transport:
            await trio.testing.wait_all_tasks_blocked()
            monkeypatch.setattr(os, "write", lambda fd, data: writes.append(bytes(data)) or write(fd, data))
            async with trio.open_nursery() as nursery:
                for _ in range(64):
                    nursery.start_soon(transport.send, b"{}\n")
            await received(transport, 64)
            monkeypatch.undo()
    assert writes == [b"{}\n" * 64]


@pytest.fixture
def writes(monkeypatch) -> list[int]:
    """How many bytes each write took."""
    sizes: list[int] = []
    write = os.write

    def recorded(descriptor: int, data: bytes) -> int:
        sizes.append(write(descriptor, data))
        return sizes[-1]

    monkeypatch.setattr(os, "write", recorded)
    return sizes


async def test_the_first_message_after_a_lone_one_does_not_wait_for_the_pass(command, writes):
    with trio.fail_after(20):
        async with open_stdio(command("cat")) as transport:
            await trio.testing.wait_all_tasks_blocked()
            transport.send_nowait(b"{}\n")
            assert writes == []
            assert await transport.receive() == b"{}"
            transport.send_nowait(b"{}\n")
            assert writes == [3, 3]
            transport.send_nowait(b"{1}\n")
            transport.send_nowait(b"{2}\n")
            assert writes == [3, 3]
            assert await received(transport, 3) == [b"{}", b"{1}", b"{2}"]
            assert writes == [3, 3, 8]


async def test_after_many_messages_at_once_there_is_more_to_come(command, writes):
    with trio.fail_after(20):
        async with open_stdio(command("printf", r"{1}\n{2}\n")) as transport:
            await transport.wait_exit()
            assert await transport.receive_batch() == [b"{1}", b"{2}"]
            transport.send_nowait(b"{}\n")
            assert writes == []


async def test_what_does_not_fit_at_once_follows_in_order(command):
    large = b'{"x":"' + b"x" * 1_000_000 + b'"}'
    with trio.fail_after(20):
        async with open_stdio(command("cat")) as transport:
            await transport.send(b"{}\n")
            assert await transport.receive() == b"{}"
            transport.send_nowait(large + b"\n")
            transport.send_nowait(b"{2}\n")
            assert 900_000 < transport.statistics().queued_bytes < 1_000_000
            assert await received(transport, 2) == [large, b"{2}"]


COMPLAINS_WHEN_TOLD = """
import os, signal, sys
signal.signal(signal.SIGUSR1, lambda *_: os.write(2, b"last words\\n"))
os.write(1, b"{}\\n")
sys.stdin.read()
"""


async def test_what_stderr_holds_is_in_the_tail_at_once(command):
    """It is read when it is asked for: whoever tells of a failure does not wait for the scheduler to see it."""
    with trio.fail_after(20):
        async with open_stdio(command.python(COMPLAINS_WHEN_TOLD)) as transport:
            await transport.receive()
            os.kill(transport.pid, signal.SIGUSR1)
            assert select.select([transport._stderr.descriptor], [], [], 10)[0]  # nothing of Trio's runs meanwhile
            assert transport.stderr_tail() == ("last words",)


async def test_receive_and_receive_batch_may_take_turns(command):
    with trio.fail_after(20):
        async with open_stdio(command("printf", r"{1}\n{2}\n{3}\n")) as transport:
            assert await transport.receive() == b"{1}"
            assert await transport.receive_batch() == [b"{2}", b"{3}"]
            for _ in range(2):
                with pytest.raises(trio.EndOfChannel):
                    await transport.receive()


async def test_a_cancelled_receive_loses_nothing(command):
    """Cancelled before and after each message, at whichever step it is; every message still comes, once."""
    with trio.fail_after(20):
        async with open_stdio(command("cat")) as transport:
            messages = []
            for number in range(200):
                transport.send_nowait(b"{%d}\n" % number)
                for _ in range(number % 4):
                    with trio.CancelScope() as scope:
                        async with trio.open_nursery() as nursery:
                            nursery.start_soon(cancel_after, scope, number % 7)
                            messages += await transport.receive_batch()
                            nursery.cancel_scope.cancel()
            messages += await received(transport, 200 - len(messages))
            assert messages == [b"{%d}" % number for number in range(200)]


async def cancel_after(scope: trio.CancelScope, passes: int) -> None:
    for _ in range(passes):
        await trio.lowlevel.checkpoint()
    scope.cancel()


# A peer that does not read


async def test_a_peer_that_stops_reading_meets_a_bound(command):
    with trio.fail_after(20):
        async with open_stdio(command("sleep", "1000"), outgoing_limit=100_000, stop_timeout=0) as transport:
            for _ in range(150):  # the pipe takes at most 65 of them
                transport.send_nowait(b"{}".ljust(999) + b"\n")
                await trio.testing.wait_all_tasks_blocked()
            queue_is_full = False
            while not queue_is_full:
                try:
                    transport.send_nowait(b"{}".ljust(999) + b"\n")
                except trio.WouldBlock:
                    queue_is_full = True
            assert 99_000 <= transport.statistics().queued_bytes <= 100_000


async def test_a_message_larger_than_the_bound_is_taken_when_nothing_else_is_queued(command):
    with trio.fail_after(20):
        async with open_stdio(command("cat"), outgoing_limit=10) as transport:
            transport.send_nowait(b"{1234567890}\n")
            with pytest.raises(trio.WouldBlock):
                transport.send_nowait(b"{}\n")
            await transport.send(b"{}\n")
            assert await received(transport, 2) == [b"{1234567890}", b"{}"]


async def test_senders_that_wait_are_served_in_order_and_a_cancelled_one_has_sent_nothing(command):
    async def send(number: int) -> None:
        with scopes[number]:
            await transport.send(b"{%d}\n" % number)

    scopes = [trio.CancelScope() for _ in range(20)]
    with trio.fail_after(20):
        async with open_stdio(command("cat"), outgoing_limit=1) as transport, trio.open_nursery() as nursery:
            os.kill(transport.pid, signal.SIGSTOP)
            await transport.send(b"[" + b" " * 200_000 + b"]\n")
            for number in range(20):
                nursery.start_soon(send, number)
                await trio.testing.wait_all_tasks_blocked()
            assert transport.statistics().senders_waiting == 20
            with pytest.raises(trio.WouldBlock):
                transport.send_nowait(b"{overtaking}\n")
            for scope in scopes[::3]:
                scope.cancel()
            os.kill(transport.pid, signal.SIGCONT)
            assert (await received(transport, 14))[1:] == [b"{%d}" % n for n in range(20) if n % 3]
            assert transport.statistics() == stdio_module.StdioStatistics(queued_bytes=0, senders_waiting=0)


async def test_a_peer_that_closed_its_stdin_breaks_the_sending_side_only(command):
    with trio.fail_after(20):
        async with open_stdio(command("sh", "-c", "exec <&-; echo '{1}'; sleep 1000"), stop_timeout=0) as transport:
            assert await transport.receive() == b"{1}"
            transport.send_nowait(b"{}\n")
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(trio.BrokenResourceError):
                transport.send_nowait(b"{}\n")
            with pytest.raises(trio.BrokenResourceError):
                await transport.send(b"{}\n")


async def test_senders_that_wait_learn_that_the_peer_is_gone(command):
    async def send() -> None:
        with pytest.raises(trio.BrokenResourceError):
            await transport.send(b"{}\n")

    with trio.fail_after(20):
        async with open_stdio(command("sleep", "1000"), outgoing_limit=1) as transport:
            await transport.send(b"[" + b" " * 200_000 + b"]\n")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send)
                nursery.start_soon(send)
                await trio.testing.wait_all_tasks_blocked()
                transport.kill()


# A peer that talks nonsense


async def test_a_banner_on_stdout_is_kept_and_harms_nobody(command):
    with trio.fail_after(20):
        async with open_stdio(command("sh", "-c", "echo 'Server running!'; echo; exec cat")) as transport:
            await transport.send(b"{}\n")
            assert await transport.receive() == b"{}"
            assert (transport.noise.count, transport.noise.samples) == (1, ("Server running!",))


async def test_a_peer_of_another_tongue_is_named(command):
    with trio.fail_after(20):
        async with open_stdio(command("yes"), stop_timeout=0) as transport:
            for _ in range(2):
                with pytest.raises(NoiseBudgetSpent, match="'y'"):
                    await transport.receive()


async def test_an_endless_line_is_named_after_what_came_before_it(command):
    script = "echo '{1}'; tr '\\0' '[' </dev/zero"
    with trio.fail_after(20):
        async with open_stdio(command("sh", "-c", script), line_limit=1_000_000, stop_timeout=0) as transport:
            assert await transport.receive() == b"{1}"
            with pytest.raises(LineTooLong, match="1000000 bytes"):
                await transport.receive()


async def test_half_a_message_before_death_is_no_message_but_can_be_seen(command):
    with trio.fail_after(20):
        async with open_stdio(command("printf", r'{1}\n{"id":2,"res')) as transport:
            assert await transport.receive() == b"{1}"
            with pytest.raises(trio.EndOfChannel):
                await transport.receive()
            assert transport.noise.samples == ('{"id":2,"res',)


# stderr


async def test_an_endless_stderr_is_drained_and_bounded_while_messages_pass(command):
    with trio.fail_after(20):
        async with open_stdio(command("sh", "-c", "yes 'all is well' >&2 & exec cat"), stop_timeout=0) as transport:
            while not transport.stderr_tail():  # the flood has begun
                await trio.lowlevel.checkpoint()
            for _ in range(200):
                await transport.send(b"{}\n")
                assert await transport.receive() == b"{}"
            tail = transport.stderr_tail()
            assert 1 <= len(tail) <= 200
            assert set(tail[:-1]) <= {"all is well"}


async def test_an_exit_brings_all_that_stderr_had_to_say(command):
    script = "for i in $(seq 5000); do echo line $i; done >&2; printf 'last words' >&2; exit 3"
    with trio.fail_after(20):
        async with open_stdio(command("sh", "-c", script)) as transport:
            assert await transport.wait_exit() == ExitStatus(code=3)
            assert transport.exited == ExitStatus(code=3)
            assert transport.stderr_tail()[-2:] == ("line 5000", "last words")
            assert len(transport.stderr_tail()) == 200


# The end


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("exec cat", ExitStatus(code=0)),
        ("exec sleep 1000", ExitStatus(signal=15)),
        (IGNORES_TERM, ExitStatus(signal=9)),
    ],
)
async def test_a_stop_is_as_gentle_as_the_child_lets_it_be(command, script, status):
    with trio.fail_after(20):
        async with open_stdio(command("sh", "-c", f"echo '{{}}'; {script}"), stop_timeout=0.1) as transport:
            await transport.receive()
    assert transport.exited == status


async def test_a_child_that_was_suspended_is_stopped_as_any_other(command):
    with trio.fail_after(20):
        async with open_stdio(command("cat"), stop_timeout=0.05) as transport:
            os.kill(transport.pid, signal.SIGSTOP)
    assert transport.exited == ExitStatus(signal=9)


@pytest.mark.parametrize(
    "script",
    [
        "sleep 1000 & wait",
        "sh -c 'sleep 1000 & wait' & wait",
        "sleep 1000 >/dev/null 2>&1 & exec cat",
        f"({IGNORES_TERM}) & exec cat",
        f"({IGNORES_TERM}) & {IGNORES_TERM}",
    ],
)
async def test_a_stop_takes_the_whole_group_along(command, script):
    """What `npx` and `uvx` are made of: wrappers that know of no end of file, grandchildren that outlive them."""
    with trio.fail_after(20):
        async with open_stdio(command("sh", "-c", script), stop_timeout=0.1):
            await command.until_living(lambda living: len(living) > 1)
        assert command.living() == {}


async def test_a_grandchild_has_the_same_patience_as_its_leader(command, tmp_path):
    """The leader ends at the end of file; who is left gets SIGTERM and time, not SIGKILL."""
    script = f"(trap 'echo ended >{tmp_path}/note; exit' TERM; while :; do sleep 0.01; done) & exec cat"
    with trio.fail_after(20):
        async with open_stdio(command("sh", "-c", script), stop_timeout=0.5):
            await command.until_living(lambda living: any("sleep" in line for line in living.values()))
    assert (tmp_path / "note").read_text() == "ended\n"


DAEMON = "import os, time; os.setsid(); os.fork() and os._exit(0); time.sleep(1000)"
STUBBORN_DAEMON = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {DAEMON}"


@pytest.mark.parametrize("daemon", [DAEMON, STUBBORN_DAEMON], ids=["plain", "ignores SIGTERM"])
async def test_a_stop_takes_along_who_left_the_group_and_its_session(command, daemon):
    daemon = f"{sys.executable} -I -S -c '{daemon}'"
    with trio.fail_after(20):
        async with open_guard() as guard:
            stays = open_stdio(command("sh", "-c", f"{daemon}; exec cat"), guard=guard, stop_timeout=0.1)
            leaves = open_stdio(command("sh", "-c", f"{daemon}; exec cat"), guard=guard, stop_timeout=0.1)
            async with stays as staying:
                async with leaves as leaving:
                    ours = {staying.pid, leaving.pid}
                    await command.until_living(lambda living: len(daemons(living, ours)) == 2)
                assert len(daemons(command.living(), ours)) == 1, "another child's is none of its business"
            assert not daemons(command.living(), ours)


def daemons(living: Iterable[int], leaders: set[int]) -> list[int]:
    """Those that are in no session of a leader, and lead none: they will not get a terminal back."""
    sessions = {pid: proc.session(pid) for pid in living}
    return [pid for pid, session in sessions.items() if session not in {None, pid, *leaders}]


async def test_without_a_marker_a_stop_keeps_to_the_session(command):
    """What is found in the environment could be anybody's."""
    with trio.fail_after(20):
        daemon = f"{sys.executable} -I -S -c '{DAEMON}'"
        async with open_stdio(command("sh", "-c", f"{daemon}; exec cat", env={"GREENROOM_HOST": "us"})) as stdio:
            await command.until_living(lambda living: daemons(living, {stdio.pid}))
        (pid,) = command.living()
        os.kill(pid, signal.SIGKILL)
        await ended([pid])


async def test_a_child_that_still_has_much_to_say_is_heard_out(command):
    script = "import sys; sys.stdin.read(); print('{}' * 2_000_000, flush=True); sys.exit(7)"
    with trio.fail_after(20):
        async with open_stdio(command.python(script), stop_timeout=10) as transport:
            pass
    assert transport.exited == ExitStatus(code=7)


async def test_a_last_message_queued_before_the_stop_is_still_written(command):
    with trio.fail_after(20):
        async with open_stdio(command("sh", "-c", "read line; echo $line >&2")) as transport:
            transport.send_nowait(b"{last}\n")
    assert transport.stderr_tail() == ("{last}",)


async def test_the_group_is_signalled_before_its_leader_is_reaped_and_the_guard_told_in_between(command, monkeypatch):
    order = []
    killpg, reap, release = os.killpg, Child.reap, Guard.release

    def unreaped(pid: int) -> bool:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None

    def recorded_killpg(group, number):
        order.append((number, unreaped(group)))
        killpg(group, number)

    monkeypatch.setattr(os, "killpg", recorded_killpg)
    monkeypatch.setattr(Guard, "release", lambda self, group: (order.append("released"), release(self, group)))
    monkeypatch.setattr(Child, "reap", lambda self: (order.append("reaped"), reap(self)))
    with trio.fail_after(20):
        async with open_guard() as guard, open_stdio(command("true"), guard=guard) as transport:
            await transport.wait_exit()
            await transport.aclose()
            assert order == [(signal.SIGKILL, True), "released", "reaped"]


async def test_closing_is_idempotent_and_ends_every_use(command):
    async def use(operation, *arguments) -> None:
        with pytest.raises(trio.ClosedResourceError):
            await operation(*arguments)

    with trio.fail_after(20):
        async with open_stdio(command("cat"), outgoing_limit=1) as transport:
            os.kill(transport.pid, signal.SIGSTOP)
            await transport.send(b"[" + b" " * 200_000 + b"]\n")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(use, transport.receive)
                nursery.start_soon(use, transport.send, b"{}\n")
                await trio.testing.wait_all_tasks_blocked()
                os.kill(transport.pid, signal.SIGCONT)
                for _ in range(3):
                    nursery.start_soon(transport.aclose)
            for _ in range(2):
                await transport.aclose()
                await use(transport.receive)
                await use(transport.receive_batch)
                await use(transport.send, b"{}\n")
                with pytest.raises(trio.ClosedResourceError):
                    transport.send_nowait(b"{}\n")
            assert transport.exited is not None


async def test_a_close_that_is_cancelled_kills_at_once(command):
    with trio.fail_after(20):
        async with open_stdio(command("sh", "-c", IGNORES_TERM), stop_timeout=1000) as transport:
            with trio.CancelScope() as scope:
                scope.cancel()
                await transport.aclose()
    assert transport.exited == ExitStatus(signal=9)


async def test_leaving_by_cancellation_keeps_the_order_of_a_stop(command):
    with trio.fail_after(20), trio.CancelScope() as scope:
        async with open_stdio(command("cat"), stop_timeout=10) as transport:
            scope.cancel()
            await trio.sleep_forever()
    assert transport.exited == ExitStatus(code=0)


async def test_an_exception_of_the_block_leaves_bare(command):
    with trio.fail_after(20), pytest.raises(KeyError, match="mine"):
        async with open_stdio(command("cat")):
            raise KeyError("mine")


async def test_a_spawn_cancelled_at_any_checkpoint_leaves_no_process(command):
    async def session() -> None:
        nonlocal finished
        async with open_guard() as guard, open_stdio(command("cat"), guard=guard) as transport:
            for _ in range(3):
                await transport.send(b"{}\n")
                assert await transport.receive() == b"{}"
            await transport.aclose()
        finished = True

    finished = False
    step = 0
    with trio.fail_after(60):
        while not finished:
            step += 1
            with trio.CancelScope() as scope:
                instrument = CancelAt(trio.lowlevel.current_task(), step, scope)
                trio.lowlevel.add_instrument(instrument)
                try:
                    await session()
                finally:
                    trio.lowlevel.remove_instrument(instrument)
            assert command.living() == {}
    assert step > 8


class CancelAt(trio.abc.Instrument):
    """Cancels a scope while a task stands at its n-th checkpoint from now."""

    def __init__(self, task: trio.lowlevel.Task, steps: int, scope: trio.CancelScope) -> None:
        self.task, self.steps, self.scope = task, steps, scope

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self.task:
            self.steps -= 1
            if self.steps == 0:
                self.scope.cancel()


async def test_a_command_that_does_not_exist_leaves_nothing(command):
    with pytest.raises(CommandUnusable, match="no such command"):
        async with open_stdio(command("no-such-command")):
            pytest.fail("there is nothing to talk to")


async def test_children_carry_the_marker_of_their_host(command, state_directory):
    with trio.fail_after(20):
        async with (
            open_guard("ab12") as guard,
            open_stdio(
                command("cat", env={"GREENROOM_HOST": "other"}), guard=guard, marker=guard.marker("files", 3)
            ) as transport,
        ):
            await transport.send(b"{}\n")
            await transport.receive()
            (marker,) = markers(transport.pid)
            lock = str(state_directory / "hosts" / "ab12.lock")
            assert Marker.parse(marker.decode()) == Marker("ab12", "files", 3, spawn=1, lock=lock)


def markers(pid: int) -> list[bytes]:
    environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return [entry.removeprefix(b"GREENROOM_HOST=") for entry in environ if entry.startswith(b"GREENROOM_HOST")]


async def test_a_hundred_quick_restarts_lose_nothing(command):
    with trio.fail_after(60):
        for number in range(100):
            async with open_stdio(command("cat")) as transport:
                await transport.send(json.dumps({"id": number}).encode() + b"\n")
                assert json.loads(await transport.receive()) == {"id": number}
                if number % 2:
                    transport.kill()
