"""Bad input, with real processes: each gets its own error, with what happened and the last words. Others work on."""

from __future__ import annotations

import secrets
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from attrs import frozen

import runtime
from runtime import Runtime, ServerNotFound, State
from runtime.errors import (
    CallInterrupted,
    CommandNotFound,
    HandshakeRefused,
    InvalidArguments,
    ServerExited,
    StartTimedOut,
    StdoutNoise,
    ToolNotFound,
)
from runtime.inprocess import ToolServer
from tests.processes import marked

SCRIPT = str(Path(__file__).parents[2] / "servers" / "misbehave.py")
MARK = "GREENROOM_TEST"


@pytest.fixture
def mark() -> Iterator[str]:
    mark = secrets.token_hex(8)
    yield mark
    assert marked(MARK, mark) == {}


def server(mode: str, mark: str, **keys: Any) -> dict[str, Any]:
    env = {MARK: mark, **keys.pop("env", {})}
    return {"command": sys.executable, "args": ["-I", "-S", SCRIPT, mode], "env": env, "stop_timeout": 0.5, **keys}


@asynccontextmanager
async def fleet(mark: str, bad: Mapping[str, Any]) -> AsyncIterator[Runtime]:
    """One bad server beside a good one, which answers before and after whatever the test does."""
    with trio.fail_after(30):
        config = {"mcpServers": {"bad": bad, "good": server("echo", mark)}, "journal": False}
        async with runtime.open_runtime(config) as host:
            await host.call("good", "echo", {"n": 1})
            yield host
            await host.call("good", "echo", {"n": 2})
            assert host.status()["good"].restarts == 0


@pytest.mark.parametrize(("make", "told"), [
    (lambda path: "/nonesuch/server", "no such command"),
    (lambda path: "nonesuch-server", "no such command on its PATH"),
    (lambda path: str(path), "it is a directory"),
    (lambda path: write(path / "plain", 0o644), "it is not executable"),
    (lambda path: write(path / "script", 0o755, "#!/nonesuch/sh\n"), "the interpreter that its first line names"),
])  # fmt: skip
async def test_a_command_that_cannot_be_run(make, told, mark, tmp_path):
    command = make(tmp_path)
    async with fleet(mark, {"command": command}) as host:
        error = host.status()["bad"].last_error
        assert isinstance(error, CommandNotFound)
        assert f"server 'bad' cannot be started: {command!r}: {told}" in str(error)
        assert "correct its configuration" in str(error)


def write(path: Path, mode: int, text: str = "") -> str:
    path.write_text(text)
    path.chmod(mode)
    return str(path)


async def test_a_server_that_exits_at_once(mark):
    async with fleet(mark, server("exits", mark)) as host:
        error = host.status()["bad"].last_error
        assert isinstance(error, ServerExited)
        assert str(error) == (
            "server 'bad' ended with exit code 3 while it was handshaking; the last lines of its stderr:"
            "\n  | loading\n  | cannot open the data base"
        )
        assert host.status()["bad"].stderr == ("loading", "cannot open the data base")


async def test_what_a_server_wrote_before_it_refused_the_handshake_is_in_the_error(mark):
    async with fleet(mark, server("refuses", mark, era="legacy")) as host:
        error = host.status()["bad"].last_error
        assert isinstance(error, HandshakeRefused)
        assert "go away" in str(error)
        assert str(error).endswith("the last lines of its stderr:\n  | no licence: buy one")


async def test_a_server_that_never_answers(mark):
    async with fleet(mark, server("mute", mark, start_timeout=0.5)) as host:
        error = host.status()["bad"].last_error
        assert isinstance(error, StartTimedOut)
        assert "server 'bad' was not ready after 0.5 s: no answer to" in str(error)
        assert "| thinking" in str(error)


async def test_a_banner_is_tolerated_and_counted(mark):
    async with fleet(mark, server("banner", mark)) as host:
        await host.call("bad", "echo")
        assert host.status()["bad"].noise == 2
        assert host.status()["bad"].last_error is None


async def test_nothing_but_banners(mark):
    async with fleet(mark, server("banners", mark, start_timeout=0.5)) as host:
        error = host.status()["bad"].last_error
        assert isinstance(error, StdoutNoise)
        assert "2 lines, and no answer in 0.5 s, for example '* listening *'" in str(error)
        assert "its log on stderr" in str(error)


async def test_endless_noise(mark):
    async with fleet(mark, server("flood", mark)) as host:
        error = host.status()["bad"].last_error
        assert isinstance(error, StdoutNoise)
        assert "more than 1000 lines, for example 'what a noise'" in str(error)


async def test_a_huge_line(mark):
    async with fleet(mark, server("huge", mark)) as host:
        error = host.status()["bad"].last_error
        assert isinstance(error, StdoutNoise)
        assert "a line of more than 67108864 bytes" in str(error)
        assert len(str(error)) < 1000


@pytest.mark.parametrize(("mode", "deaths", "told"), [
    ("dies", 3, "ended with exit code 7 while it was ready; the last lines of its stderr:\n  | out of cheese"),
    ("deaf_mute", 1, "closed its output while it was ready; the last lines of its stderr:\n  | nothing more to say"),
    ("parent", 1, "ended with exit code 1 while it was ready"),
])  # fmt: skip
async def test_a_death_in_mid_call_is_told_and_the_server_comes_back(mode, deaths, told, mark):
    async with fleet(mark, server(mode, mark)) as host:
        for _ in range(deaths):
            with pytest.raises(CallInterrupted) as interrupted:
                await host.call("bad", "echo")
            assert f"call bad/echo: interrupted, it was sent, and may have run: server 'bad' {told}" in str(
                interrupted.value
            )
        await until_ready(host)
        assert host.status()["bad"].incarnation == deaths + 1


async def until_ready(host: Runtime) -> None:
    async with host.events() as events:
        while host.status()["bad"].state is not State.READY:
            await events.receive()


async def test_a_server_that_ignores_every_request_to_end_is_stopped_in_bounded_time(mark):
    async with fleet(mark, server("stubborn", mark)) as host:
        before = trio.current_time()
        await host.stop("bad")
        assert 0.5 < trio.current_time() - before < 3
        assert host.status()["bad"].state is State.STOPPED
        assert len(marked(MARK, mark)) == 1


@pytest.mark.parametrize(
    "arguments", [[], "text", 7, {"a": object()}, {"a": {1, 2}, "b": b"\xff", "c": object}, {(1, 2): 3}]
)
async def test_arguments_that_are_no_json_object(arguments, mark):
    async with fleet(mark, server("echo", mark)) as host:
        with pytest.raises(InvalidArguments, match="call bad/echo: arguments must be a JSON object: "):
            await host.call("bad", "echo", arguments)


async def test_names_that_are_not_there(mark):
    async with fleet(mark, server("echo", mark)) as host:
        with pytest.raises(ServerNotFound, match=r"no server 'goud'; did you mean 'good'\?"):
            await host.call("goud", "echo")
        with pytest.raises(ToolNotFound, match=r"server 'good' has no tool 'ecko'; did you mean 'echo'\?"):
            await host.call("good", "ecko")


async def test_secrets_are_never_shown(mark):
    token = "sk-" + secrets.token_hex(16)
    bad = server("tattles", mark, env={"TOKEN": token}, window={"intensity": 0})
    async with fleet(mark, bad) as host:
        async with host.events() as events:
            while host.status()["bad"].state is not State.EJECTED:
                await events.receive()
        with pytest.raises(runtime.ServerEjected) as ejected:
            await host.call("bad", "echo")
        shown = [
            *map(str, host.status().values()),
            *map(repr, host.status().values()),
            *map(str, host.recent_events()),
            str(host.tree()),
            str(ejected.value),
            repr(ejected.value),
            str(host.config),
        ]
        assert "the token *** is no good" in str(ejected.value)
        assert not [text for text in shown if token in text]


async def test_the_environment_of_the_host_is_not_passed_on(mark, monkeypatch):
    monkeypatch.setenv("HOST_SECRET", mark)
    async with fleet(mark, server("echo", mark)):
        assert len(marked(MARK, mark)) == 2
        assert not marked(MARK, mark).keys() & marked("HOST_SECRET", mark).keys()


@pytest.mark.parametrize("way", [{"command": "nonesuch-command"}, {"python": "nonesuch_module:server"}])
async def test_a_server_that_no_restart_can_mend_is_tried_once_and_says_what_would(way, mark):
    async with fleet(mark, way) as host:
        for _ in range(2):
            with pytest.raises(CommandNotFound, match=r"correct its configuration, .*; then reload\('bad'\)"):
                await host.call("bad", "x")
            status = host.status()["bad"]
            assert (status.state, status.restarts) == (State.STOPPED, 0)
            await host.reload("bad")
        await host.stop("bad")


@frozen
class Fatal:
    """An argument whose making ends whoever makes it."""

    n: int

    def __attrs_post_init__(self) -> None:
        sys.exit("fatal")


async def test_an_exit_in_a_tool_or_its_arguments_in_this_process_harms_nobody_else(mark, monkeypatch):
    bad = ToolServer("bad")

    @bad.tool
    def quits() -> None:
        sys.exit("had enough")

    @bad.tool
    def takes(it: Fatal) -> None:
        raise AssertionError("it cannot be had")

    monkeypatch.setitem(sys.modules, "bad_tools", SimpleNamespace(server=bad))
    async with fleet(mark, {"python": "bad_tools:server"}) as host:
        result = await host.call("bad", "quits")
        assert (result.text, result.is_error) == ("SystemExit: had enough", True)
        result = await host.call("bad", "takes", {"it": {"n": 1}})
        assert (result.text, result.is_error) == ("SystemExit: fatal", True)
        assert host.status()["bad"].restarts == 0


async def test_a_module_that_exits_when_it_is_imported_is_a_failed_start(mark, monkeypatch, tmp_path):
    (tmp_path / "exits_at_import.py").write_text("raise SystemExit('not today')")
    monkeypatch.syspath_prepend(tmp_path)
    async with fleet(mark, {"python": "exits_at_import:server"}) as host:
        error = host.status()["bad"].last_error
        assert isinstance(error, CommandNotFound)
        assert "its import exits: not today" in str(error)
