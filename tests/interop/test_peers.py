"""A foreign server's life in our hands; that no process is left after a test is part of each claim (conftest.py)."""

import os
import random
import signal

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import runtime
from tests.processes import marked

from .conftest import MARK, Call, Peer

PATIENCE = 60  # seconds; a peer that imports half the world takes ten on a busy machine


def opened(*peers: Peer):
    return runtime.open_runtime({"mcpServers": {peer.name: peer.server for peer in peers}, "journal": False})


async def text(host: runtime.Runtime, peer: Peer, call: Call) -> str:
    result = await host.call(peer.name, call.tool, call.arguments)
    assert not result.is_error, result
    return result.content[0].text


async def test_it_starts_in_its_own_era_and_lists_its_tools(peer):
    with trio.fail_after(PATIENCE):
        async with opened(peer) as host:
            status = host.status(peer.name)[peer.name]
            assert (status.state, status.era, status.tools) == (runtime.State.READY, peer.era, peer.tools)
            assert peer.call.tool in {entry.name for entry in host.tools(server=peer.name)}


async def test_it_answers_and_its_refusal_is_an_answer_too(peer):
    with trio.fail_after(PATIENCE):
        async with opened(peer) as host:
            assert peer.answer in await text(host, peer, peer.call)
            refused = await host.call(peer.name, peer.wrong.tool, peer.wrong.arguments)
            assert refused.is_error
            with pytest.raises(runtime.ToolNotFound) as unknown:
                await host.call(peer.name, "no_such_tool", {})
            assert unknown.value.server == peer.name
            assert peer.answer in await text(host, peer, peer.call)
            assert host.status(peer.name)[peer.name].restarts == 0


async def test_killed_in_mid_call_it_comes_back_and_answers_the_next_one(peer):
    async def interrupted() -> None:
        with pytest.raises(runtime.CallInterrupted) as broken:
            await text(host, peer, peer.call)
        assert broken.value.server == peer.name

    with trio.fail_after(PATIENCE):
        async with opened(peer) as host:
            pid = host.status(peer.name)[peer.name].pid
            os.kill(pid, signal.SIGSTOP)  # so that it can take the call and not answer it
            async with trio.open_nursery() as nursery:
                nursery.start_soon(interrupted)
                await wait_all_tasks_blocked(0.05)
                assert host.status(peer.name)[peer.name].in_flight == 1
                os.kill(pid, signal.SIGKILL)
            assert peer.answer in await text(host, peer, peer.call)
            status = host.status(peer.name)[peer.name]
            assert status.restarts == 1
            assert status.pid != pid


async def test_stopped_it_leaves_no_process_while_the_host_goes_on(peer, mark):
    with trio.fail_after(PATIENCE):
        async with opened(peer) as host:
            pid = host.status(peer.name)[peer.name].pid
            assert pid in marked(MARK, mark)
            await host.stop(peer.name)
            assert [line for line in marked(MARK, mark).values() if peer.program.name in line] == []
            assert host.status(peer.name)[peer.name].pid is None


async def test_a_fleet_of_them_outlives_the_death_of_any_one(all_peers):
    chance = random.Random(5)
    for _ in range(5):
        with trio.fail_after(PATIENCE):
            async with opened(*all_peers) as host:
                for peer in all_peers:
                    assert peer.answer in await text(host, peer, peer.call)
                victim = chance.choice(all_peers)
                os.kill(host.status(victim.name)[victim.name].pid, signal.SIGKILL)
                for peer in all_peers:
                    try:
                        answer = await text(host, peer, peer.call)
                    except runtime.CallInterrupted:
                        assert peer is victim  # it was written before the death was seen
                        answer = await text(host, peer, peer.call)
                    assert peer.answer in answer
