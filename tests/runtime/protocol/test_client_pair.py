"""A client that talks with a server in any order says and hears what both should; and planted bugs are found."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from runtime.protocol import ClientConnection, Ignored
from runtime.protocol.client_timeouts import Timeouts
from tests.runtime.protocol.judged import ME
from tests.runtime.protocol.pair import Pair


class Unjudged(Pair):
    @staticmethod
    def make(era: Any, capabilities: Any, **more: Any) -> ClientConnection:
        return ClientConnection(ME, capabilities, era, **more)


QUICK = settings(max_examples=100, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
FINDING = settings(QUICK, max_examples=600, database=None, derandomize=True, phases=[Phase.generate])


def test_client_and_server_agree_on_what_is_open_in_whatever_order_they_speak():
    run_state_machine_as_test(Pair, settings=QUICK)


def wrapped(method: str) -> Callable[[Callable[..., Any]], tuple[type, str, Any]]:
    """A bug round a method of the connection, which it gets first."""

    def plant(bug: Callable[..., Any]) -> tuple[type, str, Any]:
        right = getattr(ClientConnection, method)
        return ClientConnection, method, lambda self, *args, **named: bug(right, self, *args, **named)

    return plant


@wrapped("cancel")
def cancel_forgets_nothing(right, self, id, reason=None):
    sent = self._pending.get(id)
    said = right(self, id, reason)
    if sent is not None:
        self._pending[id] = sent
    return said


@wrapped("cancel")
def cancel_says_nothing(right, self, id, reason=None):
    right(self, id, reason)


@wrapped("retry")
def a_retry_keeps_its_progress_token(right, self, id, responses):
    sent = self._asked_back[id].sent
    progress, sent.progress = sent.progress, False
    new_id, line = right(self, id, responses)
    self._pending[new_id].progress = progress
    return new_id, line


@wrapped("retry")
def a_retry_forgets_the_state(right, self, id, responses):
    self._asked_back[id].state = None
    return right(self, id, responses)


@wrapped("_cancelled")
def the_end_of_a_subscription_goes_unheard(right, self, id, reason, line):
    if self._listens(id):
        return Ignored("", "")
    return right(self, id, reason, line)


@wrapped("_cancelled")
def a_withdrawn_question_stays_open(right, self, id, reason, line):
    method = self._open.get(id)
    event = right(self, id, reason, line)
    if method is not None:
        self._open[id] = method
    return event


@wrapped("_answered")
def an_answer_settles_nothing(right, self, envelope, line):
    before = dict(self._pending)
    event = right(self, envelope, line)
    self._pending = before
    return event


@wrapped("probe_expired")
def a_slow_server_is_not_probed_again(right, self):
    self._handshake._may_be_modern = False
    return right(self)


BUGS = [
    cancel_forgets_nothing,
    cancel_says_nothing,
    a_retry_keeps_its_progress_token,
    a_retry_forgets_the_state,
    the_end_of_a_subscription_goes_unheard,
    a_withdrawn_question_stays_open,
    an_answer_settles_nothing,
    a_slow_server_is_not_probed_again,
    (Timeouts, "stop", lambda self, id: None),
]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: f"{bug[0].__name__}.{bug[1]}")
def test_a_planted_bug_is_found(bug):
    with patch.object(*bug), pytest.raises((AssertionError, ValueError, KeyError, AttributeError)):
        run_state_machine_as_test(Unjudged, settings=FINDING)
