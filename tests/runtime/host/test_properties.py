"""Whatever happens to a fleet: every call ends, none is run twice, and what an error says of it is true."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime import CallFailed, GreenroomError, Sent, ServerEjected, ServerStopped, ToolNotFound
from tests.fakes import Fleet, Peer, Script, echoed

FAULTS = ("answer", "answer", "late", "die", "close", "deafen", "mute", "error", "babble")
ACTS = ("call", "call", "call", "cancelled call", "kill", "stop", "reload", "crash registry", "wait", "list")


def whimsical(whims: list[str]) -> Script:
    """A server that does with its n-th call, over all its lives, what the n-th whim says, and then is good."""
    left = iter(whims)

    async def live(peer: Peer) -> None:
        await peer.get_ready()
        async with trio.open_nursery() as nursery:
            with suppress(trio.EndOfChannel, trio.ClosedResourceError):
                while True:
                    request = await peer.hear("tools/call", "tools/list")
                    if request["method"] == "tools/list":
                        peer.list(request)
                        continue
                    match next(left, "answer"):
                        case "answer":
                            peer.answer(request, echoed(request))
                        case "late":
                            nursery.start_soon(answer_late, peer, request)
                        case "die":
                            return peer.die()
                        case "close":
                            peer.wire._outgoing.close_writer()
                        case "deafen":
                            peer.wire._incoming.close_reader()
                        case "error":
                            peer.refuse(request)
                        case "babble":
                            peer.say(id=999, result={})
                            peer.wire.send_nowait(b'{"half": \n')

    return live


async def answer_late(peer: Peer, request: Any) -> None:
    await trio.sleep(3)
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        peer.answer(request, echoed(request))


async def play(whims: list[str], acts: list[tuple[str, float]], in_flight: int) -> None:
    fleet = Fleet({"a": whimsical(whims), "b": whimsical([])})
    ends: dict[int, object] = {}

    async def call(n: int, patience: float) -> None:
        with trio.move_on_after(patience):
            try:
                ends[n] = (await host.call("a", "echo", {"n": n}, timeout=40)).content[0].text
            except GreenroomError as error:
                ends[n] = error
            return
        ends[n] = None

    async with fleet.open(servers={"a": {"in_flight": in_flight}}) as host:
        async with trio.open_nursery() as nursery:
            for n, (act, seconds) in enumerate(acts):
                match act:
                    case "call":
                        nursery.start_soon(call, n, 1000.0)
                    case "cancelled call":
                        nursery.start_soon(call, n, seconds)
                    case "kill" | "stop" | "reload":
                        nursery.start_soon(partial(attempt, getattr(host, act), "a"))
                    case "crash registry":
                        host._house.system["services/registry"].kill()
                    case "list":
                        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                            fleet.peer().notify("notifications/tools/list_changed")
                    case "wait":
                        await trio.sleep(seconds)
                await trio.lowlevel.checkpoint()
        assert ends.keys() == {n for n, (act, _) in enumerate(acts) if "call" in act}
        assert host.status()["a"].in_flight == host.status()["a"].queued == 0
        before = trio.current_time()
        await host.call("b", "echo")
        assert trio.current_time() == before
        assert host.status()["b"].restarts == 0
    assert fleet.open_links == 0

    heard = [
        m["params"]["arguments"]["n"] for peer in fleet.lives["a"] for m in peer.heard if m["method"] == "tools/call"
    ]
    assert len(heard) == len(set(heard))
    for n, end in ends.items():
        match end:
            case str():
                assert (end, n in heard) == (f'{{"n":{n}}}', True)
            case CallFailed(sent=Sent.NOT_SENT) | ServerEjected() | ServerStopped() | ToolNotFound():
                assert n not in heard


async def attempt(act: Any, server: str) -> None:
    with suppress(ServerStopped, ServerEjected):
        await act(server)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.sampled_from(FAULTS), max_size=8),
    st.lists(st.tuples(st.sampled_from(ACTS), st.sampled_from([0.0, 0.05, 0.5, 2.0])), min_size=1, max_size=14),
    st.integers(1, 3),
)
def test_every_call_ends_once_and_truly_whatever_happens(whims, acts, in_flight):
    trio.run(play, whims, acts, in_flight, clock=trio.testing.MockClock(autojump_threshold=0))
