"""Timeouts as data: the time is told, and what follows from it is told back."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.protocol import LocalProtocolError, Progressed, Send, TimedOut
from runtime.protocol.client_timeouts import Timeouts
from tests.runtime.protocol.judged import PATIENT, error, legacy, modern, notification, result, sent

BOTH = pytest.mark.parametrize("opened", [modern, legacy])


def progressed(id):
    return notification("notifications/progress", progressToken=id, progress=1)


@BOTH
def test_a_request_that_takes_too_long_is_cancelled_and_told(opened):
    connection = opened()
    id, _ = connection.call_tool("t")
    connection.set_timeout(id, now=100.0, timeout=5.0)
    assert connection.next_timeout == 105.0
    assert connection.expire(104.9) == []
    [send, timed_out] = connection.expire(105.0)
    assert isinstance(send, Send)
    assert sent(send.data)["params"] == {"requestId": id, "reason": "timed out"}
    assert timed_out == TimedOut(id)
    assert not connection.pending
    assert connection.next_timeout is None
    assert connection.expire(inf) == []


@BOTH
def test_progress_moves_a_timeout_on_up_to_its_maximum(opened):
    connection = opened()
    id, _ = connection.call_tool("t", progress=True)
    connection.set_timeout(id, now=0.0, timeout=5.0, max_timeout=8.0)
    assert isinstance(connection.receive(progressed(id), now=2.0)[0], Progressed)
    assert connection.next_timeout == 7.0
    connection.receive(progressed(id), now=6.0)
    assert connection.next_timeout == 8.0
    assert connection.expire(7.9) == []
    assert connection.expire(8.0)[-1] == TimedOut(id)


@BOTH
def test_without_the_time_progress_moves_nothing(opened):
    connection = opened()
    id, _ = connection.call_tool("t", progress=True)
    connection.set_timeout(id, now=0.0, timeout=5.0)
    connection.receive(progressed(id))
    assert connection.next_timeout == 5.0


@pytest.mark.parametrize(
    "end",
    [
        lambda c, id: c.receive(result(id, {})),
        lambda c, id: c.receive(result(id, {"resultType": "input_required", "requestState": "s"})),
        lambda c, id: c.receive(error(id, -32603)),
        lambda c, id: c.cancel(id),
    ],
)
@BOTH
def test_what_has_ended_cannot_time_out(opened, end):
    connection = opened()
    id, _ = connection.call_tool("t")
    connection.set_timeout(id, now=0.0, timeout=5.0)
    end(connection, id)
    assert connection.next_timeout is None
    assert connection.expire(inf) == []


def test_only_a_pending_request_can_have_a_timeout():
    with pytest.raises(LocalProtocolError, match="not pending"):
        modern().set_timeout(2, now=0.0, timeout=1.0)


@BOTH
def test_requests_time_out_in_the_order_of_their_deadlines(opened):
    connection = opened()
    ids = [connection.call_tool("t")[0] for _ in range(4)]
    for id, timeout in zip(ids, (3.0, 1.0, 2.0, 1.0), strict=True):
        connection.set_timeout(id, now=0.0, timeout=timeout)
    told = [event.id for event in connection.expire(10.0) if isinstance(event, TimedOut)]
    assert told == [ids[1], ids[3], ids[2], ids[0]]


def test_a_timeout_can_be_set_anew():
    connection = modern()
    id, _ = connection.call_tool("t")
    connection.set_timeout(id, now=0.0, timeout=1.0)
    connection.set_timeout(id, now=0.0, timeout=9.0)
    assert connection.expire(8.0) == []
    assert connection.next_timeout == 9.0
    assert connection.expire(9.0)[-1] == TimedOut(id)


def test_finished_waits_do_not_pile_up():
    timeouts = Timeouts()
    for id in range(10_000):
        timeouts.start(id, 0.0, 1e6, None)
        timeouts.stop(id)
    assert len(timeouts) == 0
    assert len(timeouts._heap) < 100


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("start"), st.integers(1, 5), st.integers(1, 9), st.none() | st.integers(1, 20)),
        st.tuples(st.just("progress"), st.integers(1, 5)),
        st.tuples(st.just("stop"), st.integers(1, 5)),
        st.tuples(st.just("later"), st.integers(1, 6)),
    ),
    max_size=30,
)


@PATIENT
@given(STEPS)
def test_deadlines_are_those_of_a_plain_model(steps):
    """The heap that is looked through lazily says what a dict of deadlines would."""
    timeouts, model, now = Timeouts(), {}, 0.0
    for step, *args in steps:
        match step, args:
            case "start", (id, patience, at_most):
                timeouts.start(id, now, patience, at_most)
                limit = inf if at_most is None else now + at_most
                model[id] = (patience, limit, min(now + patience, limit))
            case "progress", (id,):
                timeouts.progressed(id, now)
                if id in model:
                    patience, limit, until = model[id]
                    model[id] = (patience, limit, max(until, min(now + patience, limit)))
            case "stop", (id,):
                timeouts.stop(id)
                model.pop(id, None)
            case "later", (seconds,):
                now += seconds
                due = {id for id, (_, _, until) in model.items() if until <= now}
                assert set(timeouts.expired(now)) == due
                for id in due:
                    del model[id]
        assert timeouts.next == min((until for _, _, until in model.values()), default=inf)
        assert len(timeouts) == len(model)
