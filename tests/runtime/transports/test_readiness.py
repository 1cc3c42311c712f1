import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.transports.readiness import (
    ATTEMPTS,
    Answer,
    Readiness,
    attempt_at,
    attempts_within,
    judge,
    next_look,
    wait_before,
)


def test_the_waits_grow_and_come_to_some_twenty_seconds():
    waits = [wait_before(attempt) for attempt in range(1, ATTEMPTS + 1)]
    assert waits == pytest.approx([0.5, 0.6, 0.9, 1.2] + [1.5] * 11)
    assert sum(waits) == pytest.approx(19.7)


def test_time_falls_into_attempts_in_their_order_and_then_into_none():
    assert [attempt_at(elapsed) for elapsed in (0, 0.49, 0.51, 1.2, 2.1, 3.3)] == [1, 1, 2, 3, 4, 5]
    assert attempt_at(19.6) == ATTEMPTS
    assert attempt_at(19.8) is None


@given(st.floats(0.001, 1000))
def test_as_many_attempts_as_fit_a_time_last_as_long_as_it_and_there_are_never_more_than_fifteen(seconds):
    attempts = attempts_within(seconds)
    assert 1 <= attempts <= ATTEMPTS
    assert attempt_at(math.nextafter(seconds, 0), attempts, seconds) is not None
    assert attempts == 1 or attempt_at(seconds, attempts - 1) is None
    assert attempt_at(max(seconds, 19.8), attempts, seconds) is None


def test_the_last_attempt_lasts_as_long_as_there_is_patience():
    assert attempts_within(30) == ATTEMPTS
    assert [attempt_at(elapsed, ATTEMPTS, 30) for elapsed in (18.1, 18.3, 29.9, 30)] == [14, 15, 15, None]


@given(st.floats(0, 1000))
def test_a_server_that_is_up_is_found_so_within_a_tenth_of_the_time_it_took(elapsed):
    assert 0.002 <= next_look(elapsed) <= max(0.002, 0.1 * elapsed)
    assert next_look(elapsed) <= 0.25


@pytest.mark.parametrize(
    ("answer", "attempt", "readiness"),
    [
        (None, ATTEMPTS, None),
        (Answer(200, 0.01), 1, Readiness.HEALTHY),
        (Answer(None, 0.01), 1, Readiness.HEALTHY),
        (Answer(400, 0.999), 1, Readiness.HEALTHY),
        (Answer(501, 0.01), 1, Readiness.HEALTHY),
        (Answer(401, 0.01), 1, Readiness.UNAUTHORIZED),
        (Answer(403, 3.0), 1, Readiness.UNAUTHORIZED),
        (Answer(503, 0.01), ATTEMPTS, None),
        (Answer(200, 1.0), 12, None),
        (Answer(200, 1.0), 13, Readiness.DEGRADED),
        (Answer(200, 0.5), 13, Readiness.HEALTHY),
    ],
)
def test_what_an_answer_means(answer, attempt, readiness):
    assert judge(answer, attempt) is readiness
