"""When the runtime opens, and what it says when it does not."""

from __future__ import annotations

from math import nan

import pytest
import trio

from runtime import ServersNotReady, State
from tests.fakes import Fleet, Peer, dead, good


async def slow(peer: Peer) -> None:
    await trio.sleep(3)
    await good(peer)


async def silent(peer: Peer) -> None:
    await trio.sleep_forever()


async def test_settled_waits_for_each_server_to_be_ready_or_to_have_failed_once(autojump_clock):
    async with Fleet({"a": slow, "b": dead, "c": good}).open(wait="settled") as host:
        assert trio.current_time() == pytest.approx(3, abs=0.1)
        assert host.status()["a"].state is State.READY
        assert host.status()["c"].state is State.READY
        assert host.status()["b"].last_error is not None


async def test_required_waits_for_the_required_ones_alone_and_through_their_restarts(autojump_clock):
    fleet = Fleet({"a": [dead, dead, dead, good], "b": silent})
    async with fleet.open(wait="required", servers={"a": {"required": True, "era": "modern"}}) as host:
        assert trio.current_time() < 1
        assert host.status()["a"].state is State.READY
        assert host.status()["b"].state is State.HANDSHAKING


async def test_none_waits_for_nothing(autojump_clock):
    async with Fleet({"a": silent}).open(wait="none", servers={"a": {"required": True}}) as host:
        assert trio.current_time() == 0
        assert host.status()["a"].state in (State.STARTING, State.HANDSHAKING)


async def test_the_configuration_says_what_to_wait_for_unless_the_caller_does(autojump_clock):
    async with Fleet({"a": slow}).open(start="none") as host:
        assert host.status()["a"].state is not State.READY
    async with Fleet({"a": slow}).open(start="none", wait="settled") as host:
        assert host.status()["a"].state is State.READY


@pytest.mark.parametrize("wait", ["settled", "required"])
async def test_at_the_timeout_it_opens_anyway_unless_a_required_server_is_missing(wait, autojump_clock):
    fleet = Fleet({"a": slow, "b": good})
    async with fleet.open(wait=wait, timeout=1, servers={"b": {"required": True}}) as host:
        assert trio.current_time() <= 1
        assert host.status()["a"].state is not State.READY
    with pytest.raises(ServersNotReady, match="server 'a' is not ready yet"):
        async with fleet.open(wait=wait, timeout=1, servers={"a": {"required": True}}):
            raise AssertionError("it must not open")
    assert fleet.open_links == 0


async def test_what_is_not_ready_is_told_with_every_cause(autojump_clock):
    fleet = Fleet({"a": dead, "b": silent, "c": good, "d": dead})
    servers = {name: {"required": name != "d", "start_timeout": 5} for name in "abcd"}
    with pytest.raises(ServersNotReady) as refused:
        async with fleet.open(servers=servers):
            raise AssertionError("it must not open")
    assert set(refused.value.causes) == {"a", "b"}
    told = str(refused.value)
    assert "server 'a' ended with exit code 1 while it was handshaking" in told
    assert "| no licence" in told
    assert "server 'b' was not ready after 5 s" in told
    assert fleet.open_links == 0


async def test_a_fleet_is_ready_before_its_last_server_is_even_started(autojump_clock):
    """Many servers that answer at once: the first are ready while the tree is still being built."""
    async with Fleet({f"s{n}": good for n in range(40)}).open() as host:
        assert {status.state for status in host.status().values()} == {State.READY}
        assert len(host.tools()) == 40


async def test_an_exception_of_the_body_leaves_bare_and_nothing_stays(autojump_clock):
    fleet = Fleet({"a": good, "b": dead})
    with pytest.raises(ZeroDivisionError):
        async with fleet.open():
            raise ZeroDivisionError
    assert fleet.open_links == 0


async def test_all_servers_are_stopped_at_once_at_the_end(autojump_clock):
    fleet = Fleet(dict.fromkeys("abcd", good), clean_up=2)
    async with fleet.open():
        before = trio.current_time()
    assert trio.current_time() - before == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize(("timeout", "error"), [("5", TypeError), (-1, ValueError), (nan, ValueError)])
async def test_a_timeout_that_is_none_is_refused_before_anything_is_started(timeout, error, autojump_clock):
    fleet = Fleet({"a": good})
    with pytest.raises(error, match="timeout must be"):
        async with fleet.open(timeout=timeout):
            raise AssertionError("it must not open")
    assert fleet.lives == {}
