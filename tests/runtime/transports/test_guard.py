import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import trio

from runtime.transports import guard as guard_module
from runtime.transports.guard import Guard, open_guard
from runtime.transports.stdio import open_stdio

# A host with one child, which waits for its end once its guard is there. Its arguments are the child's command line.
HOST = """
import os, signal, sys, time, trio
from runtime.transports.guard import open_guard
from runtime.transports.stdio import StdioCommand, open_stdio

async def guarded(guard, other_than=None):
    while guard.pid in (None, other_than):
        await trio.sleep(0.005)
    return guard.pid

async def main():
    async with open_guard() as guard:
        async with open_stdio(StdioCommand(sys.argv[1:], dict(os.environ)), guard=guard, stop_timeout=0):
            {then}

trio.run(main)
"""
WAIT = "print(await guarded(guard), flush=True); await trio.sleep_forever()"
DAEMON = "import os, time; os.fork() and time.sleep(1000); os.setsid(); os.fork() and os._exit(0); time.sleep(1001)"
TO_EVERYBODY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
PYTHON = f"{sys.executable} -I -S -c"


@contextlib.contextmanager
def host(command, *argv: str, then: str = WAIT):
    """A process that is such a host."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOST.replace("{then}", textwrap.indent(then, 12 * " ").strip()), *argv],
        env=command.env,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


async def next_number(process: subprocess.Popen[bytes]) -> int:
    return int(await trio.to_thread.run_sync(process.stdout.readline))


@pytest.mark.parametrize(
    ("argv", "processes"),
    [
        (["sleep", "1000"], 1),
        (["sh", "-c", f"{PYTHON} 'import time; time.sleep(1000)' & wait"], 2),
        (["sh", "-c", f"sh -c \"{PYTHON} 'import time; time.sleep(1000)' & wait\" & wait"], 3),
        (["sh", "-c", "trap '' TERM HUP INT; while :; do sleep 1000; done"], 2),
        ([sys.executable, "-I", "-S", "-c", DAEMON], 2),
        (["sh", "-c", "setsid sh -c 'sleep 1000; :' & exec cat"], 3),
    ],
    ids=["plain", "wrapped", "wrapped twice", "ignores signals", "daemon", "session of its own"],
)
async def test_when_its_host_is_killed_nothing_is_left_after_a_second(command, argv, processes):
    with trio.fail_after(20):
        with host(command, *argv) as process:
            guard = await next_number(process)
            await command.until_living(lambda living: len(living.keys() - {process.pid, guard}) == processes)
            process.kill()
            await command.until_living(lambda living: not living, seconds=1)


async def test_a_child_that_dropped_the_marker_is_found_by_its_group(command):
    with trio.fail_after(20):
        with host(command, "env", "-i", "sleep", "1000") as process:
            child = await started_child(process)
            process.kill()
            await until_gone(child)
            await command.until_living(lambda living: not living, seconds=1)


async def started_child(process: subprocess.Popen[bytes]) -> int:
    """The host's first child: the process that is no guard."""
    guard = await next_number(process)
    (child,) = {int(pid) for pid in children(process.pid)} - {guard}
    with trio.fail_after(1):
        while b"sleep" not in command_line(child):  # noqa: ASYNC110 - it is `env` until then
            await trio.sleep(0.005)
    return child


def children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def command_line(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]


def environ(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "gone"


async def until_gone(pid: int) -> None:
    with trio.fail_after(1):
        while state(pid) not in ("gone", "Z"):  # noqa: ASYNC110 - not a child of ours
            await trio.sleep(0.005)


async def test_a_host_killed_before_its_guard_is_ready_leaves_nothing(command):
    """The guard finds in its pipe what it was told, whether it was there to hear it or not."""
    with trio.fail_after(20):
        then = "await trio.lowlevel.checkpoint(); os.kill(os.getpid(), 9)"
        with host(command, "sh", "-c", "sleep 1000 & wait", then=then) as process:
            await trio.to_thread.run_sync(process.wait)
            await command.until_living(lambda living: not living, seconds=1)


async def test_who_was_forked_by_the_host_holds_up_nothing(command):
    """multiprocessing's children inherit the pipe that tells of the host's end."""
    then = """
pid = os.fork()
if pid == 0: time.sleep(1000)
await guarded(guard)
print(pid, flush=True)
await trio.sleep_forever()"""
    with trio.fail_after(20):
        with host(command, "cat", then=then) as process:
            forked = await next_number(process)
            process.kill()
            await command.until_living(lambda living: set(living) == {forked}, seconds=1)
            os.kill(forked, signal.SIGKILL)
            await command.until_living(lambda living: not living)


async def test_a_host_that_ends_by_itself_leaves_nothing(command):
    with trio.fail_after(20):
        with host(command, "cat", then="pass") as process:
            assert await trio.to_thread.run_sync(process.wait) == 0
            assert command.living() == {}


async def guard_is_up(guard: Guard, other_than: int | None = None) -> int:
    with trio.fail_after(10):
        while guard.pid is None or guard.pid == other_than:  # noqa: ASYNC110 - nobody else needs to know
            await trio.sleep(0.005)
    return guard.pid


async def test_a_guard_that_was_only_just_started_is_ended_too(command):
    async with open_guard() as guard:
        guard.prepare()
        pid = guard.pid
    assert state(pid) == "gone"


async def test_without_a_child_there_is_no_guard(command):
    async with open_guard() as guard:
        await trio.testing.wait_all_tasks_blocked()
        assert guard.pid is None


async def test_a_guard_that_dies_is_replaced_and_nobody_notices(command):
    with trio.fail_after(20):
        async with open_guard() as guard, open_stdio(command("cat"), guard=guard) as transport:
            first = await guard_is_up(guard)
            os.kill(first, signal.SIGKILL)
            await transport.send(b"{}\n")
            assert await transport.receive() == b"{}"
            second = await guard_is_up(guard, other_than=first)
            assert second != first
            assert guard.restarts == 1
            assert state(first) == "gone"


async def test_a_new_guard_is_told_every_group_that_lives(command):
    then = """
first = await guarded(guard)
os.kill(first, signal.SIGKILL)
print(await guarded(guard, first), flush=True)
await trio.sleep_forever()"""
    with trio.fail_after(20):
        with host(command, "env", "-i", "sleep", "1000", then=then) as process:  # only its group tells whose it is
            child = await started_child(process)
            process.kill()
            await until_gone(child)
            await command.until_living(lambda living: not living, seconds=1)


async def test_a_guard_that_does_not_read_is_replaced(command):
    with trio.fail_after(20):
        async with open_guard() as guard, open_stdio(command("cat"), guard=guard) as transport:
            first = await guard_is_up(guard)
            os.kill(first, signal.SIGSTOP)
            for _ in range(20_000):  # more than a pipe holds
                guard.watch(transport.pid)
            await guard_is_up(guard, other_than=first)
            assert state(first) == "gone"
            await transport.send(b"{}\n")
            assert await transport.receive() == b"{}"


async def test_a_guard_that_only_seemed_stuck_harms_nothing_when_it_is_replaced(command):
    """Its pipe ends when it is dismissed, which is how it learns of its host's end: it must be dead by then."""
    with trio.fail_after(20):
        async with open_guard() as guard, open_stdio(command("cat"), guard=guard) as transport:
            first = await guard_is_up(guard)
            while not ignored(first) >= set(TO_EVERYBODY):  # noqa: ASYNC110 - it has just been started
                await trio.sleep(0.001)
            guard._life.cancel()
            await guard_is_up(guard, other_than=first)
            assert state(first) == "gone"
            await transport.send(b"{}\n")
            assert await transport.receive() == b"{}"


async def test_a_guard_that_cannot_work_breaks_no_call(command, monkeypatch, tmp_path):
    (tmp_path / "broken.py").write_text("raise SystemExit(1)")
    monkeypatch.setattr(guard_module, "_SCRIPT", tmp_path / "broken.py")
    monkeypatch.setattr(guard_module, "_FIRST_PAUSE", 0.001)
    with trio.fail_after(20):
        async with open_guard() as guard:
            while guard.restarts < 3:
                async with open_stdio(command("cat"), guard=guard) as transport:
                    await transport.send(b"{}\n")
                    assert await transport.receive() == b"{}"


async def test_a_guard_that_cannot_start_breaks_no_call_and_says_why(command, monkeypatch):
    monkeypatch.setattr(guard_module.sys, "executable", "/no/such/python")
    with trio.fail_after(20):
        async with open_guard() as guard, open_stdio(command("cat"), guard=guard) as transport:
            await transport.send(b"{}\n")
            assert await transport.receive() == b"{}"
            assert isinstance(guard.failure, FileNotFoundError)
            assert guard.pid is None


async def test_a_terminal_or_service_manager_does_not_end_the_guard(command):
    with trio.fail_after(20):
        async with open_guard() as guard, open_stdio(command("cat"), guard=guard):
            pid = await guard_is_up(guard)
            assert os.getsid(pid) == pid
            while not ignored(pid) >= set(TO_EVERYBODY):  # noqa: ASYNC110 - it has just been started
                await trio.sleep(0.001)
            for number in TO_EVERYBODY:
                os.kill(pid, number)
            await trio.testing.wait_all_tasks_blocked()
            assert guard.pid == pid
            assert guard.restarts == 0


def ignored(pid: int) -> set[int]:
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigIgn"))
    mask = int(line.split()[1], 16)
    return {number for number in range(1, 32) if mask & (1 << (number - 1))}


async def test_a_guard_does_not_carry_the_marker_of_an_outer_host(command, monkeypatch):
    monkeypatch.setenv("GREENROOM_HOST", "outer;incarnation=1;server=us")
    with trio.fail_after(20):
        async with open_guard() as guard, open_stdio(command("cat"), guard=guard):
            pid = await guard_is_up(guard)
            assert b"GREENROOM_HOST" not in environ(pid)


@pytest.fixture
def bystander(command):
    process = subprocess.Popen(["sleep", "1000"], env=command.env, start_new_session=True)
    yield process
    process.kill()
    process.wait()


async def test_groups_that_ended_are_not_signalled_when_the_host_ends(bystander):
    """Their ids may be another's by then."""
    with trio.fail_after(20):
        async with open_guard() as guard:
            guard.prepare()
            guard.watch(bystander.pid)
            await guard_is_up(guard)
            guard.release(bystander.pid)
        assert bystander.poll() is None


async def test_groups_that_still_live_are_ended_with_the_host(bystander):
    with trio.fail_after(20):
        async with open_guard() as guard:
            guard.prepare()
            guard.watch(bystander.pid)
            await guard_is_up(guard)
        assert await trio.to_thread.run_sync(bystander.wait, 5) == -signal.SIGKILL
