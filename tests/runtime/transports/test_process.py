import os
import signal
import subprocess

import pytest
import trio

from runtime.transports import process
from runtime.transports.process import (
    Child,
    CommandUnusable,
    ExitStatus,
    ProcessesUnsupported,
    spawn,
    spawn_logged,
    verify,
)


def close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


@pytest.fixture
def start(command):
    """Spawns commands, and sees to their end."""
    children = []

    def start(*argv: str) -> Child:
        child, *ends = spawn(argv, command.env, None)
        children.append(child)
        close(*ends)
        return child

    yield start
    for child in children:
        child.send_signal(signal.SIGKILL)
        if child.exited is None:
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        child.reap()


async def test_a_child_leads_its_own_session_and_group(start):
    child = start("sleep", "1000")
    assert os.getsid(child.pid) == os.getpgid(child.pid) == child.pid
    assert child.exited is None


@pytest.mark.parametrize(
    ("script", "status", "words"),
    [
        ("exit 0", ExitStatus(code=0), "exit code 0"),
        ("exit 3", ExitStatus(code=3), "exit code 3"),
        ("kill -9 $$", ExitStatus(signal=9), "SIGKILL"),
        ("kill -40 $$", ExitStatus(signal=40), "signal 40"),
    ],
)
async def test_an_exit_is_told_as_it_was_before_and_after_reaping(start, script, status, words):
    child = start("sh", "-c", script)
    with trio.fail_after(10):
        assert await child.wait_exit() == status
    child.reap()
    assert child.exited == status
    assert str(status) == words


@pytest.mark.parametrize("without", ["no such call", "call refused"])
async def test_without_a_pidfd_an_exit_is_still_seen(start, monkeypatch, without):
    def refused(pid: int) -> int:
        raise PermissionError

    if without == "no such call":
        monkeypatch.delattr(os, "pidfd_open")
    else:
        monkeypatch.setattr(os, "pidfd_open", refused)
    child = start("sleep", "1000")
    with trio.move_on_after(0.01) as waited:
        await child.wait_exit()
    assert waited.cancelled_caught
    async with trio.open_nursery() as nursery:
        with trio.fail_after(10):
            nursery.start_soon(child.wait_exit)
            await trio.testing.wait_all_tasks_blocked()
            child.send_signal(signal.SIGKILL)
            assert await child.wait_exit() == ExitStatus(signal=9)


async def test_many_tasks_may_wait_for_one_exit(start):
    child = start("sleep", "1000")
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(child.wait_exit)
            await trio.testing.wait_all_tasks_blocked()
            child.send_signal(signal.SIGTERM)
    assert child.exited == ExitStatus(signal=15)


async def test_nothing_is_signalled_once_the_leader_is_reaped(start, monkeypatch):
    child = start("true")
    await child.wait_exit()
    child.reap()
    monkeypatch.setattr(os, "killpg", lambda *args: pytest.fail("its id may be another's by now"))
    child.send_signal(signal.SIGKILL)
    await child.end(0)


async def test_where_the_kernel_reaps_by_itself_the_status_is_unknown_and_nobody_is_signalled(start, monkeypatch):
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        child = start("true")
        with trio.fail_after(10):
            status = await child.wait_exit()
        assert status == ExitStatus()
        assert str(status) == "an unknown exit code"
        monkeypatch.setattr(os, "killpg", lambda *args: pytest.fail("its id may be another's by now"))
        await child.end(0)
        child.reap()
    finally:
        signal.signal(signal.SIGCHLD, before)


async def test_an_end_that_is_cancelled_is_an_end_without_patience(start):
    child = start("sh", "-c", "trap '' TERM; while :; do sleep 1000; done")
    with trio.fail_after(10), trio.CancelScope() as scope:
        scope.cancel()
        await child.end(1000)
    assert child.exited == ExitStatus(signal=9)


async def test_a_job_of_its_own_group_ends_with_its_session(command, start):
    child = start("bash", "-c", "set -m; sleep 1000 & wait")
    living = await command.until_living(lambda living: len(living) == 2 and "sleep 1000 " in living.values())
    assert len({os.getpgid(pid) for pid in living}) == 2
    await child.end(0)
    await command.until_living(lambda living: not living)


@pytest.mark.parametrize(
    ("argv", "cwd", "reason"),
    [
        (["no-such-command"], None, "no such command on its PATH"),
        (["/no/such/command"], None, "no such command"),
        (["/"], None, "it is a directory"),
        (["/etc/passwd"], None, "it is not executable"),
        (["true"], "/no/such/directory", "the directory to run it in does not exist"),
        (["true", "\0"], None, "embedded null byte"),
        (["./no-interpreter"], "here", "the interpreter that its first line names does not exist"),
        (["./no-program"], "here", "it is no program, and has no #! line"),
    ],
)
def test_a_command_that_cannot_start_says_why_and_leaves_nothing(command, tmp_path, argv, cwd, reason):
    for name, text in (("no-interpreter", "#!/no/such/interpreter\n"), ("no-program", "echo\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    with pytest.raises(CommandUnusable) as failure:
        spawn(argv, command.env, tmp_path if cwd == "here" else cwd)
    assert failure.value.command == argv[0]
    assert failure.value.reason == reason
    assert str(failure.value).endswith(reason)


@pytest.mark.parametrize(
    ("argv", "cwd", "reason"),
    [
        (["no-such-command"], None, "no such command on its PATH"),
        (["/no/such/command"], None, "no such command"),
        (["./no-such-command"], "/", "no such command"),
        (["/"], None, "it is a directory"),
        (["/etc/passwd"], None, "it is not executable"),
        (["true"], "/no/such/directory", "the directory to run it in does not exist"),
    ],
)
def test_what_cannot_be_a_command_is_known_before_the_start(command, argv, cwd, reason):
    with pytest.raises(CommandUnusable) as failure:
        verify(argv, command.env, cwd)
    assert failure.value.reason == reason


def test_what_can_be_a_command_passes(command, tmp_path):
    (tmp_path / "server").write_text("#!/bin/sh\n")
    (tmp_path / "server").chmod(0o755)
    verify(["true"], command.env, None)
    verify(["./server"], command.env, tmp_path)
    verify([str(tmp_path / "server")], command.env, None)


async def test_a_child_that_is_logged_writes_both_outputs_in_their_order(command):
    child, stdin, log = spawn_logged(["sh", "-c", "echo one; echo two >&2; echo three; cat"], command.env, None)
    os.write(stdin, b"four\n")
    os.close(stdin)
    with trio.fail_after(10):
        assert await child.wait_exit() == ExitStatus(code=0)
    assert os.read(log, 100) == b"one\ntwo\nthree\nfour\n"
    child.reap()
    os.close(log)


async def test_an_end_of_one_that_does_not_listen_begins_with_sigterm(start):
    child = start("sleep", "1000")
    with trio.fail_after(10):
        await child.end(1000, listens=False)
    assert child.exited == ExitStatus(signal=15)


def test_a_spawn_without_descriptors_left_leaves_none_open(command, monkeypatch):
    pipes = [os.pipe()]

    def scarce() -> tuple[int, int]:
        if not pipes:
            raise OSError(24, "Too many open files")
        return pipes.pop()

    monkeypatch.setattr(os, "pipe", scarce)
    with pytest.raises(CommandUnusable, match="Too many open files"):
        spawn(["true"], command.env, None)


def test_where_processes_cannot_be_ended_properly_none_is_started(monkeypatch):
    monkeypatch.delattr(os, "waitid")
    monkeypatch.setattr(process.sys, "platform", "win32")
    with pytest.raises(ProcessesUnsupported, match="not win32"):
        spawn(["true"], {}, None)


async def test_a_child_inherits_no_descriptor_but_its_three(command):
    extra = os.dup(0)
    os.set_inheritable(extra, True)
    child, stdin, stdout, stderr = spawn(["ls", "/proc/self/fd"], command.env, None)
    try:
        await child.wait_exit()
        # The fourth is the directory that ls itself reads.
        assert os.read(stdout, 1000).split() == [b"0", b"1", b"2", b"3"]
    finally:
        child.reap()
        close(stdin, stdout, stderr, extra)


def test_no_preparation_runs_between_fork_and_exec(command, monkeypatch):
    """It would rule out vfork, and may deadlock where other threads hold locks."""
    seen = []
    popen = subprocess.Popen

    def recorded(*args, **kwargs):
        seen.append(kwargs)
        return popen(*args, **kwargs)

    monkeypatch.setattr(subprocess, "Popen", recorded)
    child, *ends = spawn(["true"], command.env, None)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    child.reap()
    close(*ends)
    assert "preexec_fn" not in seen[0]
