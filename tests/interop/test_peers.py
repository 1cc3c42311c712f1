"""A foreign server's death in our hands; that no process is left after a test is part of each claim (conftest.py)."""

import os
import random
import signal

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import runtime

from .peers import Ask, Peer
from .reach import commanded

PATIENCE = 60  # seconds; a peer that imports half the world takes ten on a busy machine


def opened(mark: str, *peers: Peer):
    servers = {peer.name: commanded(peer, mark) for peer in peers}
    return runtime.open_runtime({"mcpServers": servers, "journal": False})


async def text(host: runtime.Runtime, peer: Peer, ask: Ask) -> str:
    result = await host.call(peer.name, ask.name, ask.arguments)
    assert not result.is_error, result
    return result.content[0].text


async def test_killed_in_mid_call_it_comes_back_and_answers_the_next_one(peer, mark):
    call, answer = peer.questions.call.question, peer.questions.call.answer

    async def interrupted() -> None:
        with pytest.raises(runtime.CallInterrupted) as broken:
            await text(host, peer, call)
        assert broken.value.server == peer.name

    with trio.fail_after(PATIENCE):
        async with opened(mark, peer) as host:
            pid = host.status(peer.name)[peer.name].pid
            os.kill(pid, signal.SIGSTOP)  # so that it can take the call and not answer it
            async with trio.open_nursery() as nursery:
                nursery.start_soon(interrupted)
                await wait_all_tasks_blocked(0.05)
                assert host.status(peer.name)[peer.name].in_flight == 1
                os.kill(pid, signal.SIGKILL)
            assert answer in await text(host, peer, call)
            status = host.status(peer.name)[peer.name]
            assert status.restarts == 1
            assert status.pid != pid


async def test_a_fleet_of_them_outlives_the_death_of_any_one(deadly, mark):
    chance = random.Random(5)
    for _ in range(3):
        with trio.fail_after(PATIENCE):
            async with opened(mark, *deadly) as host:
                for peer in deadly:
                    assert peer.questions.call.answer in await text(host, peer, peer.questions.call.question)
                victim = chance.choice(deadly)
                os.kill(host.status(victim.name)[victim.name].pid, signal.SIGKILL)
                for peer in deadly:
                    try:
                        answer = await text(host, peer, peer.questions.call.question)
                    except runtime.CallInterrupted:
                        assert peer is victim  # it was written before the death was seen
                        answer = await text(host, peer, peer.questions.call.question)
                    assert peer.questions.call.answer in answer
