"""HTTP servers that we start ourselves, as real processes at real ports; their waits on virtual time."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest
import trio

from runtime.transports import ports as ports_module
from runtime.transports.guard import open_guard
from runtime.transports.owned import (
    Asked,
    DiedAtStart,
    NeverReady,
    OwnedServer,
    PortPrepared,
    Ready,
    Spawned,
    Step,
    endpoint,
    open_owned,
    wait_ready,
)
from runtime.transports.ping import connected, ping
from runtime.transports.ports import Ports, PortTaken, Reservation
from runtime.transports.process import CommandUnusable, ExitStatus
from runtime.transports.readiness import Answer, Readiness
from runtime.transports.stdio import StdioCommand
from tests.processes import ended

SERVER = str(Path(__file__).parents[2] / "servers" / "listen.py")
URL = "http://127.0.0.1:{port}/mcp?key=secret"

Start = Callable[..., AbstractAsyncContextManager[OwnedServer]]


@pytest.fixture
def ports(command) -> Iterator[Ports]:
    with Ports() as ports:
        yield ports


@pytest.fixture
def steps() -> list[Step]:
    return []


@pytest.fixture
def start(command, ports, steps) -> Start:
    """Starts a server with a habit, at a port of its own."""

    @asynccontextmanager
    async def start(
        habit: str,
        *,
        at: Reservation | None = None,
        observe: Callable[[Step], object] = lambda step: None,
        **options: object,
    ) -> AsyncIterator[OwnedServer]:
        at = at or await ports.reserve(habit, "127.0.0.1", None)
        run = command(sys.executable, "-I", "-S", SERVER, habit)
        with trio.fail_after(20):
            async with open_owned(
                run, URL, at, observe=lambda step: (steps.append(step), observe(step)), **options
            ) as server:
                yield server

    return start


# A start


async def test_a_start_goes_step_by_step_and_ends_when_the_server_answers(start, steps):
    async with start("ok") as server:
        prepared, spawned, ready = steps
        port = prepared.port
        assert prepared == PortPrepared(port, attempts=1)
        assert spawned == Spawned(server.process.pid, port)
        assert ready == Ready(Readiness.HEALTHY, ready.seconds)
        assert 0 < ready.seconds < 0.5, "as soon as it answers, not when an attempt is over"
        assert server.url == f"http://127.0.0.1:{port}/mcp?key=secret"
        assert server.process.log()[:3] == ("listening", "to stderr", "to stdout")
    assert server.process.exited == ExitStatus(signal=15)


async def test_a_sign_of_life_is_asked_for_without_what_the_url_may_hide(start):
    async with start("ok") as server:
        assert server.process.log()[3:] == ("POST /mcp HTTP/1.1",)


async def test_a_restart_comes_back_at_the_same_port(start, ports):
    urls = []
    at = await ports.reserve("one", "127.0.0.1", None)
    for _ in range(2):
        async with start("ok", at=at) as server:
            urls.append(server.url)
            server.process.kill()
            await server.process.wait_exit()
    assert len(set(urls)) == 1


@pytest.mark.parametrize(
    ("habit", "readiness"),
    [("locked", Readiness.UNAUTHORIZED), ("warms_up", Readiness.HEALTHY), ("wrapped", Readiness.HEALTHY)],
)
async def test_what_a_server_is_found_to_be(start, habit, readiness):
    async with start(habit) as server:
        assert server.readiness is readiness


@pytest.mark.parametrize(("way", "where"), [("argv", 3), ("env", "WHERE"), ("variable", "PORT")])
async def test_a_server_learns_its_port(command, ports, way, where):
    """In its command line or environment by ``{port}``, and by PORT, unless that says something else."""
    at = await ports.reserve("one", "127.0.0.1", None)
    show = "import os, sys; print(sys.argv[1:], os.environ.get('WHERE'), os.environ['PORT'])"
    run = command.python(show, "--at={port}")
    told = {"WHERE": "here:{port}"} | ({"PORT": "mine"} if way == "env" else {})
    with trio.fail_after(20), pytest.raises(DiedAtStart) as died:
        async with open_owned(StdioCommand(run.argv, {**run.env, **told}), URL, at):
            pytest.fail("it ends at once")
    variable = "mine" if way == "env" else at.port
    assert died.value.log == (f"['--at={at.port}'] here:{at.port} {variable}",)


async def test_a_server_is_told_whom_it_serves_in_a_file_that_only_its_user_can_read(start, state_directory):
    async with open_guard("ab12") as guard:
        async with start("tells_session", guard=guard, marker=guard.marker("files", 3), session={"drain": 5}) as server:
            told, mode = server.process.log()[:2]
            told = json.loads(told)
            assert len(told.pop("session")) == 32
            assert told == {
                "host": "ab12",
                "server": "files",
                "incarnation": 3,
                "drain": 5,
                "url": server.url,
                "port": int(server.url.split(":")[2].split("/")[0]),
            }
            assert mode == "100600"
            (file,) = (state_directory / "hosts").glob("ab12-*.session")
        assert not file.exists()


async def test_the_file_stays_as_long_as_its_reader_is_not_reaped(start, state_directory, monkeypatch):
    """One that hangs in the kernel may still read it; with its host's other files it goes in the end."""
    monkeypatch.setattr("runtime.transports.logged.LoggedProcess.reaped", False)
    async with open_guard("ab12") as guard:
        async with start("ok", guard=guard):
            pass
        assert len(list((state_directory / "hosts").glob("ab12-*.session"))) == 1
    assert list((state_directory / "hosts").iterdir()) == []


# A start that fails


async def test_a_process_that_dies_ends_the_wait_with_its_exit_code_and_last_words(start):
    with pytest.raises(DiedAtStart, match="exit code 7") as died:
        async with start("dies"):
            pytest.fail("there is no server")
    assert died.value.log == ("no data base",)


async def test_a_process_that_dies_of_the_question_is_no_better(start):
    with pytest.raises(DiedAtStart) as died:
        async with start("dies_when_asked"):
            pytest.fail("there is no server")
    assert died.value.status == ExitStatus(code=8)
    assert died.value.log == ("listening", "out of cheese")


async def test_a_server_that_does_not_get_ready_is_ended_after_its_attempts(start, steps):
    with pytest.raises(NeverReady, match=r"after 1 attempts in 0\.[5-7] s: nobody answered"):
        async with start("deaf", attempts=1):
            pytest.fail("it is not ready")
    assert steps[2:] == [Asked(1, 1, None)]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("missing", "no such command"), ("file", "it is not executable"), ("directory", "it is a directory")],
)
async def test_a_command_that_cannot_be_run_is_known_before_anything_is_done(command, ports, tmp_path, name, reason):
    (tmp_path / "file").touch(0o600)
    (tmp_path / "directory").mkdir()
    at = await ports.reserve("one", "127.0.0.1", None)
    steps: list[Step] = []
    with pytest.raises(CommandUnusable) as failure:
        async with open_owned(command(str(tmp_path / name)), URL, at, observe=steps.append):
            pytest.fail("there is no server")
    assert failure.value.reason == reason
    assert steps == []


# Its port and others


@pytest.fixture
def stranger(command, ports) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    started = []

    def listen(port: int) -> subprocess.Popen[bytes]:
        run = [sys.executable, "-I", "-S", SERVER, "ok", str(port)]
        started.append(subprocess.Popen(run, env=command.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL))
        assert started[-1].stdout.readline() == b"listening\n"
        return started[-1]

    yield listen
    for process in started:
        with process:
            process.kill()


async def test_a_port_that_a_stranger_holds_is_no_place_to_start(start, ports, stranger, monkeypatch, steps):
    monkeypatch.setattr(ports_module, "_WAIT", 0.001)
    at = await ports.reserve("one", "127.0.0.1", None)
    at.release()
    holder = stranger(at.port)
    with pytest.raises(PortTaken) as taken:
        async with start("ok", at=at):
            pytest.fail("it is not ours")
    assert taken.value.holder.pid == holder.pid
    assert steps == []


async def test_who_was_quicker_to_take_the_port_is_not_spoken_to(start, ports, stranger):
    at = await ports.reserve("one", "127.0.0.1", None)
    quick = []

    def observe(step: Step) -> None:
        if isinstance(step, Spawned):
            quick.append(stranger(at.port))

    with pytest.raises(PortTaken) as taken:
        async with start("deaf", at=at, observe=observe):
            pytest.fail("it is not ours")
    assert taken.value.holder.pid == quick[0].pid
    quick[0].kill()
    assert b"POST" not in quick[0].stdout.read()


async def test_a_listener_that_another_process_of_the_servers_has_taken_over_is_as_good(start):
    async with start("wrapped") as server:
        server.check()
        (listener,) = set(server.process.members()) - {server.process.pid}
        os.kill(listener, signal.SIGKILL)
        while server.process.log().count("listening") < 2:  # noqa: ASYNC110 - the wrapper takes its place
            await trio.sleep(0.001)
        server.check()


async def test_before_a_credential_is_sent_the_listener_must_still_be_the_servers(start, ports, stranger):
    at = await ports.reserve("one", "127.0.0.1", None)
    async with open_guard() as guard, start("daemon", at=at, guard=guard) as server:
        server.check()
        daemon = server.process.members()[-1]
        os.kill(daemon, signal.SIGKILL)
        await ended([daemon])
        with pytest.raises(PortTaken, match="not ours to see"):
            server.check()
        other = stranger(at.port)
        for _ in range(2):
            with pytest.raises(PortTaken, match=f"process {other.pid}"):
                server.check()


async def test_a_server_that_lives_on_and_listens_no_more_is_trusted_no_more(start, ports, stranger):
    """Nor is one whose id somebody else has by now: what counts is the socket, and that nobody can pretend to have."""
    at = await ports.reserve("one", "127.0.0.1", None)
    async with start("closes", at=at) as server:
        server.check()
        os.kill(server.process.pid, signal.SIGUSR1)
        while at._listeners():  # noqa: ASYNC110 - it says nothing when it has closed
            await trio.sleep(0.005)
        assert server.process.exited is None
        other = stranger(at.port)
        with pytest.raises(PortTaken, match=f"process {other.pid}"):
            server.check()


async def test_a_server_that_takes_no_connection_is_none_yet(autojump_clock):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address, port = listener.getsockname()
        waiting = []
        for _ in range(3):  # as many as fit, and then some
            client = socket.socket()
            waiting.append(client)
            client.setblocking(False)
            client.connect_ex((address, port))
        start = trio.current_time()
        assert await connected([ip_address(address)], port) is None
        assert trio.current_time() - start == 5
        for client in waiting:
            client.close()


# The end


async def test_a_server_that_ignores_sigterm_is_killed(start):
    async with start("stubborn", stop_timeout=0.05) as server:
        pass
    assert server.process.exited == ExitStatus(signal=9)


async def test_a_daemon_of_its_that_serves_is_the_servers_and_ends_with_it(start, command):
    async with open_guard() as guard, start("daemon", guard=guard):
        assert len(command.living()) == 2
    assert command.living() == {}


async def test_after_the_end_the_port_is_held_again(start, ports):
    at = await ports.reserve("one", "127.0.0.1", None)
    async with start("ok", at=at):
        assert not at._held
    assert at._held


async def test_a_start_cancelled_at_any_moment_leaves_nothing(start, steps, command, ports):
    at = await ports.reserve("one", "127.0.0.1", None)
    for moment in (PortPrepared, Spawned, Ready):
        with trio.CancelScope() as scope:

            def observe(step: Step, scope=scope, moment=moment) -> None:
                if isinstance(step, moment):
                    scope.cancel()

            async with start("ok", at=at, observe=observe):
                await trio.sleep_forever()
        assert scope.cancelled_caught
        assert command.living() == {}


# The waits


def up_after(seconds: float, answer: Answer) -> Callable[[], object]:
    """A look at a server that answers from then on."""
    up = trio.current_time() + seconds

    async def look() -> Answer | None:
        await trio.lowlevel.checkpoint()
        return answer if trio.current_time() >= up else None

    return look


FINE = Answer(200, 0.01)


@pytest.mark.parametrize("seconds", [0, 0.08, 0.7, 3, 19])
async def test_a_server_that_is_up_is_found_so_within_a_tenth_of_the_time_it_took(autojump_clock, seconds):
    began = trio.current_time()
    assert await wait_ready(up_after(seconds, FINE), 15, lambda step: None) == (Readiness.HEALTHY, FINE)
    assert seconds <= trio.current_time() - began <= 1.1 * seconds + 0.002


async def test_fifteen_attempts_are_made_and_each_is_told(autojump_clock):
    steps: list[Step] = []
    began = trio.current_time()
    assert await wait_ready(up_after(1000, FINE), 15, steps.append) == (None, None)
    assert steps == [Asked(attempt, 15, None) for attempt in range(1, 16)]
    assert trio.current_time() - began == pytest.approx(19.7, abs=0.25)


async def test_the_last_attempt_is_told_when_there_is_no_patience_left(autojump_clock):
    steps: list[Step] = []
    began = trio.current_time()
    assert await wait_ready(up_after(29, FINE), 15, steps.append, 30) == (Readiness.HEALTHY, FINE)
    assert await wait_ready(up_after(1000, FINE), 15, steps.append, 30) == (None, None)
    assert steps == [Asked(attempt, 15, None) for attempt in [*range(1, 15), *range(1, 16)]]
    assert 59 <= trio.current_time() - began <= 60.6


async def test_a_slow_answer_will_do_from_the_thirteenth_attempt(autojump_clock):
    slow = Answer(200, 1.5)
    steps: list[Step] = []
    assert await wait_ready(up_after(0, slow), 15, steps.append) == (Readiness.DEGRADED, slow)
    assert steps == [Asked(attempt, 15, slow) for attempt in range(1, 13)]


async def test_attempts_that_one_look_takes_are_told_as_well(autojump_clock):
    async def look() -> Answer | None:
        await trio.sleep(2.5)
        return None

    steps: list[Step] = []
    assert await wait_ready(look, 4, steps.append) == (None, None)
    assert [step.attempt for step in steps] == [1, 2, 3, 4]


# The question


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"HTTP/1.1 200 OK\r\n", 200),
        (b"HTTP/1.0 503 \r\nRetry-After: 1\r\n\r\n", 503),
        (b"HTTP/1.1 204\r\n", 204),
        (b"220 mail.example.org ESMTP\r\n", None),
        (b"x" * 2000, None),
        (b"", None),
    ],
)
async def test_the_first_line_of_the_answer_is_what_counts(said, status):
    asked = b""

    async def serve(stream: trio.SocketStream) -> None:
        nonlocal asked
        async with stream:
            while b"ping" not in asked:
                asked += await stream.receive_some()
            await stream.send_all(said)

    answer = await ask("http://user:secret@127.0.0.1:{}/mcp?key=secret", serve)
    assert answer == (None if status is None else Answer(status, answer.seconds))
    assert b"secret" not in asked
    head, _, body = asked.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")


async def test_of_a_server_that_speaks_tls_a_connection_is_enough():
    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            assert await stream.receive_some() == b""

    assert await ask("https://127.0.0.1:{}/mcp", serve) == Answer(None, 0.0)


async def test_a_server_that_says_nothing_is_not_waited_for_for_ever(autojump_clock):
    async def ponder(stream: trio.SocketStream) -> None:
        async with stream:
            await trio.sleep(6)

    assert await ask("http://127.0.0.1:{}/mcp", ponder) is None


async def test_where_nobody_listens_nobody_is_asked(ports):
    at = await ports.reserve("one", "localhost", None)
    assert await connected(at.addresses, at.port) is None


async def ask(url: str, serve: Callable[[trio.SocketStream], Awaitable[object]]) -> Answer | None:
    """Ask a server in this process."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    with trio.fail_after(10):
        async with listener, trio.open_nursery() as nursery:
            stream = await connected([ip_address("127.0.0.1")], port)
            async with stream:
                nursery.start_soon(serve, await listener.accept())
                return await ping(stream, url.format(port))


# The url


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://127.0.0.1:{port}/mcp", ("127.0.0.1", None)),
        ("http://[::1]:8000/mcp", ("::1", 8000)),
        ("http://localhost/mcp", ("localhost", 80)),
        ("wss://localhost/", ("localhost", 443)),
        ("http://user:secret@localhost:{port}/", ("localhost", None)),
    ],
)
def test_where_a_url_says_the_server_listens(url, place):
    assert endpoint(url) == place


def test_a_url_without_a_host_names_no_place():
    with pytest.raises(ValueError, match="host"):
        endpoint("http:///mcp")
