"""From the first line to readiness, and what can go wrong on the way."""

from __future__ import annotations

import pytest
import trio

import runtime
from runtime import State
from runtime.config import load
from runtime.errors import HandshakeRefused, RequiredToolsMissing, ServerExited, StartTimedOut, StdoutNoise
from runtime.host import open_over
from runtime.protocol import Era
from runtime.transports.framing import Noise
from tests.fakes import DISCOVERED, INITIALIZED, Fleet, Peer, dead, good, tool


async def silent(peer: Peer) -> None:
    await trio.sleep_forever()


async def legacy(peer: Peer) -> None:
    request = await peer.hear()
    while request["method"] != "initialize":
        peer.refuse(request)
        request = await peer.hear()
    peer.answer(request, INITIALIZED)
    await peer.obey()


async def legacy_that_ends_at_the_probe(peer: Peer) -> None:
    request = await peer.hear()
    if request["method"] != "initialize":
        peer.exit = "exit code 1"
        return
    peer.answer(request, INITIALIZED)
    await peer.obey()


async def legacy_that_ignores_the_probe(peer: Peer) -> None:
    peer.answer(await peer.hear("initialize"), INITIALIZED)
    await peer.obey()


async def test_ready_means_handshake_and_lists_done(autojump_clock):
    async def slow(peer: Peer) -> None:
        peer.answer(await peer.hear("server/discover"), DISCOVERED)
        request = await peer.hear("tools/list")
        await trio.sleep(3)
        peer.list(request)
        await peer.obey()

    fleet = Fleet({"a": slow})
    async with fleet.open(wait="none") as host:
        await trio.sleep(2)
        assert host.status("a")["a"].state is State.HANDSHAKING
        assert host.tools() == ()
        await host.call("a", "echo")
        assert trio.current_time() == pytest.approx(3, abs=0.1)
        assert host.status("a")["a"].state is State.READY
        assert [entry.name for entry in host.tools()] == ["echo"]


async def test_a_server_without_tools_is_ready_without_a_list(autojump_clock):
    async def bare(peer: Peer) -> None:
        peer.answer(await peer.hear("server/discover"), {**DISCOVERED, "capabilities": {}})
        await peer.obey()

    fleet = Fleet({"a": bare})
    async with fleet.open() as host:
        assert host.status()["a"].state is State.READY
        assert fleet.peer().methods() == ["server/discover"]
        with pytest.raises(runtime.ToolNotFound, match="server 'a' has no tool 'echo'; there are no tools"):
            await host.call("a", "echo")


async def test_all_pages_of_a_list_are_fetched(autojump_clock):
    async def paged(peer: Peer) -> None:
        peer.answer(await peer.hear("server/discover"), DISCOVERED)
        for name, cursor in [("one", "2"), ("two", "3"), ("three", None)]:
            request = await peer.hear("tools/list")
            more = {} if cursor is None else {"nextCursor": cursor}
            peer.answer(request, {"tools": [tool(name)], **more})
        await peer.obey()

    fleet = Fleet({"a": paged})
    async with fleet.open() as host:
        assert [entry.name for entry in host.tools()] == ["one", "two", "three"]
        cursors = [m["params"].get("cursor") for m in fleet.peer().heard if m["method"] == "tools/list"]
        assert cursors == [None, "2", "3"]


async def test_a_list_without_end_is_a_named_failure(autojump_clock):
    async def endless(peer: Peer) -> None:
        peer.answer(await peer.hear("server/discover"), DISCOVERED)
        while True:
            peer.answer(await peer.hear("tools/list"), {"tools": [], "nextCursor": "again"})

    async with Fleet({"a": endless, "b": good}).open() as host:
        error = host.status()["a"].last_error
        assert isinstance(error, HandshakeRefused)
        assert "'again' has been before" in str(error)
        await host.call("b", "echo")


async def test_required_tools_must_be_there(autojump_clock):
    fleet = Fleet({"a": good})
    async with fleet.open(servers={"a": {"required_tools": ["echo", "sing", "dance"]}}) as host:
        error = host.status()["a"].last_error
        assert isinstance(error, RequiredToolsMissing)
        assert error.missing == ["sing", "dance"]
        assert host.status()["a"].state is State.BACKING_OFF
        assert host.tools() == ()


@pytest.mark.parametrize("script", [legacy, legacy_that_ends_at_the_probe, legacy_that_ignores_the_probe])
async def test_a_legacy_server_is_found_out_as_part_of_the_start(script, autojump_clock):
    fleet = Fleet({"a": script})
    async with fleet.open() as host:
        status = host.status()["a"]
        assert (status.state, status.era, status.version) == (State.READY, Era.LEGACY, "2025-11-25")
        assert (status.incarnation, status.restarts) == (1, 0)
        await host.call("a", "echo")
        assert fleet.open_links == 1


async def test_silence_at_the_probe_is_met_with_initialize_on_the_same_process(autojump_clock):
    fleet = Fleet({"a": legacy_that_ignores_the_probe})
    async with fleet.open() as host:
        assert host.status()["a"].state is State.READY
        assert trio.current_time() == pytest.approx(10, abs=0.1)
        assert fleet.peer().methods()[:3] == ["server/discover", "initialize", "notifications/initialized"]
        assert len(fleet.lives["a"]) == 1


async def test_silence_at_the_probe_leaves_a_short_start_timeout_time_enough_to_initialize(autojump_clock):
    fleet = Fleet({"a": legacy_that_ignores_the_probe})
    async with fleet.open(servers={"a": {"start_timeout": 3}}) as host:
        assert host.status()["a"].state is State.READY
        assert trio.current_time() == pytest.approx(1, abs=0.1)


async def test_the_era_found_is_remembered_by_the_next_incarnation(autojump_clock):
    fleet = Fleet({"a": legacy_that_ends_at_the_probe})
    async with fleet.open() as host:
        await host.kill("a")
        await host.call("a", "echo")
        assert [peer.methods()[0] for peer in fleet.lives["a"]] == ["server/discover", "initialize", "initialize"]


async def test_an_era_that_was_wrong_to_remember_is_forgotten(autojump_clock):
    async def modern_only(peer: Peer) -> None:
        request = await peer.hear()
        if request["method"] == "initialize":
            peer.refuse(request, -32022, "no")
        else:
            peer.answer(request, DISCOVERED)
        await peer.obey()

    fleet = Fleet({"a": [legacy_that_ends_at_the_probe] * 2 + [modern_only]})
    async with fleet.open() as host:
        await host.kill("a")
        await host.call("a", "echo")
        assert host.status()["a"].era is Era.MODERN


@pytest.mark.parametrize(("era", "first"), [("legacy", "initialize"), ("modern", "server/discover")])
async def test_a_configured_era_is_the_only_one_spoken(era, first, autojump_clock):
    fleet = Fleet({"a": silent})
    async with fleet.open(servers={"a": {"era": era}}) as host:
        assert host.status()["a"].state is State.BACKING_OFF
        assert fleet.peer().wire is not None
        error = host.status()["a"].last_error
        assert isinstance(error, StartTimedOut)
        assert error.waiting_for == first


async def test_a_server_that_never_answers_times_out_and_says_what_was_waited_for(autojump_clock):
    fleet = Fleet({"a": silent, "b": good})
    async with fleet.open(servers={"a": {"start_timeout": 5}}) as host:
        assert trio.current_time() == pytest.approx(5, abs=0.1)
        error = host.status()["a"].last_error
        assert isinstance(error, StartTimedOut)
        assert "server 'a' was not ready after 5 s: no answer to initialize" in str(error)
        assert "start_timeout" in str(error)
        await host.call("b", "echo")


async def test_a_server_that_never_lists_times_out_too(autojump_clock):
    async def listless(peer: Peer) -> None:
        peer.answer(await peer.hear("server/discover"), DISCOVERED)
        await trio.sleep_forever()

    async with Fleet({"a": listless}).open() as host:
        error = host.status()["a"].last_error
        assert isinstance(error, StartTimedOut)
        assert error.waiting_for == "tools/list"


async def test_a_server_that_exits_at_once_is_told_with_its_last_words(autojump_clock):
    async with Fleet({"a": dead, "b": good}).open() as host:
        error = host.status()["a"].last_error
        assert isinstance(error, ServerExited)
        assert str(error).startswith("server 'a' ended with exit code 1 while it was handshaking")
        assert "| no licence" in str(error)
        assert host.status()["a"].stderr == ("no licence",)
        await host.call("b", "echo")


async def test_a_server_that_only_writes_a_banner_is_named_as_such(autojump_clock):
    async def banner(peer: Peer) -> None:
        peer.noise, peer.exit = Noise(2, ("Welcome!", "v1.2")), "exit code 0"

    async with Fleet({"a": banner}).open() as host:
        error = host.status()["a"].last_error
        assert isinstance(error, StdoutNoise)
        assert "2 lines, then it ended with exit code 0, for example 'v1.2'" in str(error)


async def test_noise_of_one_incarnation_is_told_although_another_was_fine(autojump_clock):
    async def banner(peer: Peer) -> None:
        peer.noise = Noise(1, ("oops",))

    async with Fleet({"a": [good, banner]}).open() as host:
        await host.kill("a")
        async with host.events() as events:
            async for event in events:
                if event.name == "crashed" and event.incarnation == 2:
                    break
        assert isinstance(host.status()["a"].last_error, StdoutNoise)


async def test_a_handshake_that_nothing_can_come_of_is_a_named_failure(autojump_clock):
    async def stranger(peer: Peer) -> None:
        peer.answer(await peer.hear(), {**DISCOVERED, "supportedVersions": ["2031-01-01"]})
        await trio.sleep_forever()

    async with Fleet({"a": stranger}).open() as host:
        error = host.status()["a"].last_error
        assert isinstance(error, HandshakeRefused)
        assert "2031-01-01" in str(error)


async def test_a_tool_list_of_a_wrong_shape_is_a_named_failure(autojump_clock):
    async def wrong(peer: Peer) -> None:
        peer.answer(await peer.hear("server/discover"), DISCOVERED)
        peer.answer(await peer.hear("tools/list"), {"tools": {"name": 7}})
        await trio.sleep_forever()

    async with Fleet({"a": wrong}).open() as host:
        error = host.status()["a"].last_error
        assert isinstance(error, HandshakeRefused)
        assert "tools must be an array" in str(error)


async def test_a_death_while_it_lists_is_its_exit_and_nothing_else(autojump_clock):
    async def mortal(peer: Peer) -> None:
        peer.answer(await peer.hear("server/discover"), DISCOVERED)
        peer.answer(await peer.hear("tools/list"), {"tools": [], "nextCursor": "2"})
        peer.exit = "SIGSEGV"

    async with Fleet({"a": mortal}).open() as host:
        error = host.status()["a"].last_error
        assert isinstance(error, ServerExited)
        assert "ended with SIGSEGV while it was handshaking" in str(error)


async def test_a_slow_start_delays_no_sibling_and_no_stop(autojump_clock):
    fleet = Fleet({"a": silent, "b": good})
    async with fleet.open(wait="none") as host:
        await host.call("b", "echo")
        assert trio.current_time() < 0.5
    assert trio.current_time() < 0.5
    assert fleet.open_links == 0


@pytest.mark.parametrize("pause", range(12))
async def test_a_server_that_dies_of_its_last_answer_is_not_ready_afterwards(pause, autojump_clock):
    """Its death is seen at each of the moments between the list and the readiness that follows from it."""

    async def dying(peer: Peer) -> None:
        await peer.get_ready()
        for _ in range(pause):
            await trio.lowlevel.checkpoint()

    async with Fleet({"a": dying}, clean_up=1).open() as host:
        await trio.sleep(0.1)
        assert host.status()["a"].state is State.BACKING_OFF
        assert host.status()["a"].last_error is not None


@pytest.mark.parametrize(("away", "state"), [(150, State.READY), (400, State.EJECTED)])
async def test_a_server_that_others_run_may_be_away_for_minutes(away, state, autojump_clock):
    until = trio.current_time() + away

    async def comes_back(peer: Peer) -> None:
        if trio.current_time() >= until:
            await good(peer)

    fleet = Fleet({"a": comes_back})
    config = load({"mcpServers": {"a": {"url": "http://example.org/mcp"}}, "journal": False})
    async with open_over(fleet.open_link, config) as host:
        with trio.move_on_after(away + 16):
            while host.status()["a"].state not in (State.READY, State.EJECTED):  # noqa: ASYNC110 -- the time is virtual
                await trio.sleep(1)
        assert host.status()["a"].state is state
        assert (trio.current_time() < until) is (state is State.EJECTED)
