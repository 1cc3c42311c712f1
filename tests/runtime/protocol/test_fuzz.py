"""The short form of the fuzz target, and that it finds what is planted."""

import random
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.protocol import client, server
from tests.runtime.protocol.fuzz import main, shortest, try_client, try_server

START = st.integers(0, 2**32)
STEPS = st.lists(st.tuples(st.integers(0, 3), START), max_size=60)
SHORT = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@SHORT
@given(START, STEPS)
def test_no_lines_break_a_client(start, steps):
    try_client(start, steps)


@SHORT
@given(START, STEPS)
def test_no_lines_break_a_server(start, steps):
    try_server(start, steps)


def settles_nothing(self, id):
    return self._pending.get(id)


def remembers_strangers(self, id):
    return self._open.setdefault(id, "never asked")


@pytest.mark.parametrize(
    ("target", "place", "name", "bug"),
    [
        (try_client, client.ClientConnection, "_settle", settles_nothing),
        (try_client, client.ClientConnection, "_stray", remembers_strangers),
        (try_client, client, "MALFORMED", ()),
        (try_server, server, "object_in", lambda params, name: params.get(name) or {}),
        (try_server, server, "MALFORMED", ()),
    ],
    ids=lambda each: getattr(each, "__name__", None) if not isinstance(each, str) else each,
)
def test_a_planted_bug_is_found(target, place, name, bug):
    rng = random.Random(1)
    with patch.object(place, name, bug), pytest.raises(Exception):  # noqa: B017  # whatever comes of it
        for _ in range(300):
            target(rng.getrandbits(32), [(rng.randrange(4), rng.getrandbits(32)) for _ in range(200)])


def test_a_finding_is_told_by_its_shortest_part():
    def needs_two(start, steps):
        assert sum(kind for kind, _ in steps) < 2

    assert shortest(needs_two, 0, [(0, 1), (1, 2), (0, 3), (1, 4), (1, 5)]) == [(1, 4), (1, 5)]


def test_the_long_form_says_what_it_did(capsys):
    assert main(0.01, seed=3) == 0
    assert capsys.readouterr().out.startswith("seed 3: 1 of the client, 1 of the server; ")
