"""When to ask a starting HTTP server whether it is ready, and what to make of its answer. Pure: time is passed in."""

from enum import Enum
from typing import Final, final

from attrs import frozen

ATTEMPTS: Final = 15
SLOW: Final = 1.0  # seconds from which on an answer is a slow one
_LENIENT: Final = 3  # last attempts, in which a slow answer will do

_FIRST_WAIT = 0.5
_WAIT = 0.3  # times the number of the attempt, up to the fifth
_GROWTH = 0.1  # of the time gone by: what is found late is found late by a tenth
_SHORTEST, _LONGEST = 0.002, 0.25

_UNAUTHORIZED = (401, 403)
_NOT_YET = (502, 503, 504)  # said by something before the server, or by itself while it gets ready


@final
class Readiness(Enum):
    """What a server is found to be once it needs no more waiting for."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    """It answers, slowly."""
    UNAUTHORIZED = "unauthorized"
    """It is up, and wants to know who asks."""


@final
@frozen
class Answer:
    """What came back within so many `seconds`: an HTTP `status`, or None where a connection is all that can be had."""

    status: int | None
    seconds: float


def wait_before(attempt: int) -> float:
    """Seconds before an attempt, counted from 1: 0.5, 0.6, 0.9, 1.2, then 1.5 each."""
    return _FIRST_WAIT if attempt == 1 else _WAIT * min(attempt, 5)


def attempt_at(elapsed: float, attempts: int = ATTEMPTS, patience: float = 0.0) -> int | None:
    """In which attempt a server is, so many seconds after its start; None: all of them are over.

    The first lasts as long as the wait before it, and so on: a server is asked all the time, not only at its ends. The
    last lasts until there is no ``patience`` left, in seconds from the start.
    """
    until = 0.0
    for attempt in range(1, attempts + 1):
        until += wait_before(attempt)
        if elapsed < until:
            return attempt
    return attempts if elapsed < patience else None


def attempts_within(seconds: float) -> int:
    """So many attempts as a start that may take so long has room for; at least one, at most all of them."""
    attempts, until = 1, wait_before(1)
    while until < seconds and attempts < ATTEMPTS:
        attempts += 1
        until += wait_before(attempts)
    return attempts


def next_look(elapsed: float) -> float:
    """Seconds until the next look, which is cheap: the sooner, the younger the server is."""
    return min(max(_GROWTH * elapsed, _SHORTEST), _LONGEST)


def judge(answer: Answer | None, attempt: int, attempts: int = ATTEMPTS) -> Readiness | None:
    """What an answer means (None: there was none) in an attempt; None: wait on."""
    if answer is None or answer.status in _NOT_YET:
        return None
    if answer.status in _UNAUTHORIZED:
        return Readiness.UNAUTHORIZED
    if answer.seconds < SLOW:
        return Readiness.HEALTHY
    return Readiness.DEGRADED if attempt > attempts - _LENIENT else None
