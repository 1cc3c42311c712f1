import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.transports.environment import MARKER_VARIABLE, Marker, child_environment

HOST = {
    "PATH": "/bin",
    "LC_TIME": "C",
    "XDG_CONFIG_HOME": "/c",
    "https_proxy": "http://proxy",
    "NODE_EXTRA_CA_CERTS": "/ca.pem",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "MY_TOKEN": "token",
    "MY_NAME": "name",
    "Path": "other",
    MARKER_VARIABLE: "other;incarnation=1;server=us",
}
ALWAYS = {name: HOST[name] for name in ("PATH", "LC_TIME", "XDG_CONFIG_HOME", "https_proxy", "NODE_EXTRA_CA_CERTS")}


def test_a_child_gets_what_every_program_needs_and_nothing_else():
    assert child_environment(HOST) == ALWAYS


def test_globs_let_further_variables_through_case_and_all():
    assert child_environment(HOST, inherit=["MY_N*"]) == {**ALWAYS, "MY_NAME": "name"}


def test_what_is_configured_wins():
    assert child_environment(HOST, inherit=["MY_NAME"], extra={"MY_NAME": "mine", "X": ""}) == {
        **ALWAYS,
        "MY_NAME": "mine",
        "X": "",
    }


def test_the_marker_of_an_outer_host_is_never_passed_on():
    assert MARKER_VARIABLE not in child_environment(HOST, inherit=["*"])


def test_a_marker_opens_with_its_host_and_ends_with_its_server():
    assert str(Marker("ab12", "my;server", 3)) == "ab12;incarnation=3;spawn=0;lock=;server=my;server"


names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(st.text("0123456789abcdef", min_size=1), names, st.integers(0), st.integers(0), names)
def test_a_marker_is_read_as_it_was_written(host_id, server, incarnation, spawn, lock):
    marker = Marker(host_id, server, incarnation, spawn, lock)
    assert Marker.parse(str(marker)) == marker


@pytest.mark.parametrize("text", ["", "ab12", "ab12;incarnation=1", ";incarnation=1;server=x", "ab;spawn=x;server=y"])
def test_what_is_no_marker_of_ours_is_read_as_none(text):
    assert Marker.parse(text) is None


def test_what_a_later_version_says_in_a_marker_is_passed_over():
    assert Marker.parse("ab12;colour=blue;incarnation=3;server=files") == Marker("ab12", "files", 3)
