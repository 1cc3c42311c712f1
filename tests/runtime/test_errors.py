"""What an error says: the server or the call, what happened, what to do, and the last words."""

from __future__ import annotations

import pytest

from runtime.errors import (
    CallInterrupted,
    CallTimedOut,
    CommandNotFound,
    HandshakeRefused,
    NotSupported,
    RequiredToolsMissing,
    Sent,
    ServerEjected,
    ServerExited,
    ServerFailed,
    ServersNotReady,
    StartTimedOut,
    StdoutNoise,
    in_short,
)

STDERR = tuple(f"line {n}" for n in range(9))
FAILURES = [
    CommandNotFound("s", STDERR, "npx", "no such command on its PATH"),
    StartTimedOut("s", STDERR, 30.0, "initialize"),
    HandshakeRefused("s", STDERR, "initialize: no common revision"),
    RequiredToolsMissing("s", STDERR, ["sing"]),
    NotSupported("s", STDERR, "a url"),
    ServerExited("s", STDERR, "ended with exit code 1", "handshaking"),
    StdoutNoise("s", STDERR, "2 lines", ("hello",)),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_a_failure_says_who_what_how_to_mend_it_and_the_last_lines(failure: ServerFailed):
    told = str(failure)
    assert told.startswith(f"server 's' {failure.what}")
    assert failure.remedy in told
    assert told.endswith("the last lines of its stderr:" + "".join(f"\n  | line {n}" for n in range(4, 9)))
    assert in_short(failure) == failure.what


def test_an_ejected_server_says_how_it_comes_back_and_what_it_failed_of():
    told = str(ServerEjected("s", 1, 60.0, FAILURES[0]))
    assert "more than 1 restart in 60 s; reload('s') tries again" in told
    assert str(FAILURES[0]) in told


def test_an_interrupted_call_says_whether_it_was_sent_and_why_it_has_no_answer():
    error = CallInterrupted("s", "t", Sent.UNKNOWN)
    assert str(error) == "call s/t: interrupted, it was sent, and may have run"
    error.__cause__ = FAILURES[5]
    assert str(error).startswith("call s/t: interrupted, it was sent, and may have run: server 's' ended with")


def test_a_late_call_says_what_its_server_was_doing():
    assert str(CallTimedOut("s", "t", Sent.NOT_SENT, 2.5, "backing_off")) == (
        "call s/t: no answer after 2.5 s, it was not sent; the server is backing off"
    )


def test_what_is_not_ready_is_told_one_by_one():
    told = str(ServersNotReady({"s": FAILURES[3], "t": None}))
    assert str(FAILURES[3]) in told
    assert "server 't' is not ready yet" in told


def test_any_exception_has_a_short_form_of_one_line():
    assert in_short(ValueError("one\ntwo")) == "ValueError: one"
