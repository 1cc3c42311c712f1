"""Short forms of the long trials, which are commands: ``tests.rounds``, ``tests.restarts`` and ``tests.idle``."""

from tests.idle import idle
from tests.restarts import restart
from tests.rounds import play


async def test_rounds_of_start_call_kill_call_leave_lose_nothing():
    tally = await play(10)
    assert tally.fine, tally
    assert tally.interrupted <= 10


async def test_a_fleet_left_alone_loses_no_child():
    assert await idle(2.0) == []


async def test_restarts_of_every_kind_lose_nothing():
    tally = await restart(25)
    assert tally.fine, tally
