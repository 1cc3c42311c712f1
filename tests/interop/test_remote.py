"""A foreign server that is reached by its url goes away, and comes back at the same one."""

import signal

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import runtime

from .conftest import need
from .peers import Peer, peers
from .reach import START, free_port, serving, url


@pytest.fixture(params=["everything-http", "everything-sse", "mcp2-http", "mcp1-ws"])
def remote(request: pytest.FixtureRequest, place) -> Peer:
    peer = peers(place)[request.param]
    need(*peer.programs)
    return peer


async def answered(host: runtime.Runtime, peer: Peer) -> bool:
    call = peer.questions.call
    try:
        return call.answer in str(await host.call(peer.name, call.question.name, call.question.arguments))
    except runtime.CallInterrupted:
        return False  # it was written to the one that has gone


async def test_killed_in_mid_call_and_started_anew_it_is_answered_by_again(remote, mark):
    async def interrupted() -> None:
        with pytest.raises(runtime.CallInterrupted) as broken:
            await host.call(remote.name, remote.questions.endless.name, remote.questions.endless.arguments)
        assert broken.value.sent is runtime.Sent.UNKNOWN

    port = free_port()
    backoff = {"first": 0.1, "cap": 0.5}
    server = {"url": url(remote, port), "start_timeout": START, "backoff": backoff, "window": {"intensity": 1000}}
    with trio.fail_after(2 * START):
        async with trio.open_nursery() as nursery:
            async with serving(remote, mark, port, signal.SIGKILL):
                host = await nursery.start(hosting, {"mcpServers": {remote.name: server}, "journal": False})
                assert await answered(host, remote)
                nursery.start_soon(interrupted)
                while host.status(remote.name)[remote.name].in_flight == 0:  # noqa: ASYNC110
                    await trio.sleep(0.01)
                await wait_all_tasks_blocked(0.1)
            async with serving(remote, mark, port, signal.SIGKILL):
                while not await answered(host, remote):
                    pass
                nursery.cancel_scope.cancel()


async def hosting(config, *, task_status) -> None:
    async with runtime.open_runtime(config) as host:
        task_status.started(host)
        await trio.sleep_forever()
