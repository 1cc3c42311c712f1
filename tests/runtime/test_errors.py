"""What an error says: the server or the call, what happened, what to do, and the last words."""

from __future__ import annotations

import attrs
import pytest

from runtime.errors import (
    CallInterrupted,
    CallTimedOut,
    CommandNotFound,
    GreenroomError,
    HandshakeRefused,
    NotSupported,
    RequiredToolsMissing,
    Sent,
    ServerEjected,
    ServerError,
    ServerExited,
    ServerFailed,
    ServersNotReady,
    StartTimedOut,
    StdoutNoise,
    in_short,
    json_rpc_error,
)
from runtime.protocol import Era, JsonRpcError, MissingCapability, codes, encode_error

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


# -- what a JSON-RPC peer is told


def errors() -> list[type[GreenroomError]]:
    """Return all errors of ours that can be raised."""
    found, families = [], [GreenroomError]
    while families:
        children = families.pop().__subclasses__()
        found += [child for child in children if child.__module__ == "runtime.errors"]
        families += children
    return [cls for cls in found if getattr(cls, "__final__", False)]


def example(cls: type[GreenroomError]) -> GreenroomError:
    """Return one of these with something in each of its fields."""
    given = {
        "error": JsonRpcError(-32000, "theirs"),
        "sent": Sent.UNKNOWN,
        "known": ["a"],
        "stderr": ["said in confidence"],
        "causes": {},
        "seconds": 1.0,
        "period": 1.0,
        "intensity": 1,
        "samples": (),
    }
    values = {each.alias: given.get(each.alias, "x") for each in attrs.fields(cls) if each.init}
    return cls(**values)


@pytest.mark.parametrize("cls", errors(), ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("era", [*Era, None])
def test_every_error_of_ours_has_a_code_that_is_ours_to_give_and_can_be_told(cls, era):
    told = json_rpc_error(example(cls), era)
    encode_error(1, told)
    if cls is ServerError:
        assert told == JsonRpcError(-32000, "theirs")
        return
    assert told.code in (codes.INVALID_PARAMS, codes.INTERNAL_ERROR) or not -32768 <= told.code <= -32000
    assert told.data["error"] == cls.__name__
    assert "confidence" not in str(told)
    assert "confidence" not in str(told.data)


def test_a_late_calls_data_say_what_its_text_says():
    told = json_rpc_error(CallTimedOut("s", "t", Sent.UNKNOWN, 2.5, "ready"), Era.MODERN)
    assert (told.data["server"], told.data["sent"], told.data["seconds"]) == ("s", "unknown", 2.5)


def test_a_missing_capability_has_a_code_in_the_era_that_knows_it():
    missing = MissingCapability("roots/list", {"roots": {}})
    assert json_rpc_error(missing, Era.LEGACY).code == codes.INVALID_REQUEST
    modern = json_rpc_error(missing, Era.MODERN)
    assert (modern.code, modern.data) == (codes.MISSING_CLIENT_CAPABILITY, {"requiredCapabilities": {"roots": {}}})


def test_what_is_no_error_of_ours_is_told_without_its_words():
    assert json_rpc_error(OSError("/home/somebody"), Era.MODERN) == JsonRpcError(codes.INTERNAL_ERROR, "Internal error")
