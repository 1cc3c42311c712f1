"""A server that is left alone is asked now and then whether it still answers, and one that does not is restarted."""

from __future__ import annotations

import os
import signal
import sys

import pytest
import trio

import runtime
from runtime import State
from runtime.errors import ServerUnresponsive
from runtime.journal import ServerCrashed
from runtime.transports import NO_ANSWER, NOT_SENT
from tests.fakes import DISCOVERED, INITIALIZED, Fleet, Peer, good, mute, serving, text


def probes(peer: Peer) -> int:
    """How often it was asked, its handshake left out."""
    return sum(method in ("server/discover", "ping") for method in peer.methods()[1:])


async def legacy(peer: Peer) -> None:
    request = await peer.hear()
    while request["method"] != "initialize":
        peer.refuse(request)
        request = await peer.hear()
    peer.answer(request, INITIALIZED)
    await peer.obey()


async def legacy_without_ping(peer: Peer) -> None:
    await serving(era="legacy")(peer)


@pytest.mark.parametrize("script", [good, legacy, legacy_without_ping])
async def test_an_idle_server_that_answers_is_probed_and_left_alone(autojump_clock, script):
    fleet = Fleet({"a": script})
    async with fleet.open() as host:
        await trio.sleep(301)
        [peer] = fleet.lives["a"]
        assert probes(peer) == 10
        assert host.status("a")["a"].restarts == 0


async def test_a_server_that_answers_no_probe_is_restarted_after_so_many_misses(autojump_clock):
    fleet = Fleet({"a": [mute, good]})
    async with fleet.open() as host:
        opened = trio.current_time()
        await fleet.lives["a"][0].over.wait()
        assert trio.current_time() - opened == pytest.approx(3 * (30 + 5), abs=0.1)
        await host.call("a", "echo")
        [crash] = [event for event in host.recent_events() if isinstance(event, ServerCrashed)]
        assert crash.reason == "no longer answers: 3 probes in a row, 5 s each"
        assert isinstance(host.status("a")["a"].last_error, ServerUnresponsive)
        assert host.status("a")["a"].restarts == 1


@pytest.mark.parametrize(
    ("over_http", "code", "answers"),
    [(True, NOT_SENT, False), (True, NO_ANSWER, False), (True, 503, False), (True, 404, True), (False, 503, True)],
)
async def test_over_http_an_exchange_that_failed_on_its_way_is_no_answer(autojump_clock, over_http, code, answers):
    async def refusing(peer: Peer) -> None:
        await peer.get_ready()
        while True:
            peer.refuse(await peer.hear("server/discover"), code)

    fleet = Fleet({"a": [refusing, good]}, speaks_http=over_http)
    async with fleet.open() as host:
        await trio.sleep(200)
        assert host.status("a")["a"].restarts == (0 if answers else 1)


async def test_a_missed_probe_is_forgiven_by_the_next_answer(autojump_clock):
    async def moody(peer: Peer) -> None:
        await peer.get_ready()
        for misses in (2, 2, 2):
            for _ in range(misses):
                await peer.hear("server/discover")
            peer.answer(await peer.hear("server/discover"), DISCOVERED)
        await peer.obey()

    fleet = Fleet({"a": moody})
    async with fleet.open() as host:
        await trio.sleep(400)
        assert probes(fleet.lives["a"][0]) > 9
        assert host.status("a")["a"].restarts == 0


async def test_a_server_that_says_anything_is_not_probed(autojump_clock):
    async def chatty(peer: Peer) -> None:
        await peer.get_ready()
        while True:
            await trio.sleep(20)
            peer.notify("notifications/message", level="info", data="still here")

    fleet = Fleet({"a": chatty})
    async with fleet.open() as host:
        await trio.sleep(1000)
        assert probes(fleet.lives["a"][0]) == 0
        assert host.status("a")["a"].restarts == 0


async def test_a_server_that_is_busy_with_a_call_is_not_probed(autojump_clock):
    async def slow(peer: Peer) -> None:
        await peer.get_ready()
        request = await peer.hear("tools/call")
        await trio.sleep(500)
        peer.answer(request, text("done"))
        await peer.obey()

    fleet = Fleet({"a": slow})
    async with fleet.open() as host:
        assert (await host.call("a", "echo", timeout=600)).text == "done"
        [peer] = fleet.lives["a"]
        assert probes(peer) == 0
        assert host.status("a")["a"].state is State.READY


async def test_what_is_configured_counts(autojump_clock):
    fleet = Fleet({"a": [mute, good]})
    health = {"interval": 2, "timeout": 1, "misses": 1}
    async with fleet.open(servers={"a": {"health": health}}):
        opened = trio.current_time()
        await fleet.lives["a"][0].over.wait()
        assert trio.current_time() - opened == pytest.approx(3, abs=0.1)


async def test_a_process_that_was_suspended_is_found_out_and_replaced():
    clock = {
        "command": sys.executable,
        "args": ["-m", "runtime.builtin.clock"],
        "stop_timeout": 0.1,
        "health": {"interval": 0.1, "timeout": 0.3, "misses": 2},
    }
    with trio.fail_after(30):
        async with runtime.open_runtime({"mcpServers": {"clock": clock}, "journal": False}) as host:
            first = host.status("clock")["clock"].pid
            async with host.events() as events:
                assert first is not None
                os.kill(first, signal.SIGSTOP)
                async for event in events:
                    if isinstance(event, ServerCrashed):
                        break
            assert "no longer answers" in event.reason
            assert (await host.call("clock", "now")).text
            assert host.status("clock")["clock"].pid not in (None, first)
