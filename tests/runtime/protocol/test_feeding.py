"""However a stream is cut, whatever ends its lines and stands between them: both connections hear the same."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.protocol import Ignored, ServerConnection
from runtime.transports.framing import LineFraming
from tests.runtime.protocol.fuzz import TO_CLIENT, TO_SERVER
from tests.runtime.protocol.judged import ALL, PATIENT, legacy, modern


def asking(opened: Callable[..., Any]) -> Callable[[], Any]:
    """Makes a client with a call, a call with progress and a subscription or another call open."""

    def make() -> Any:
        connection = opened(ALL)
        connection.call_tool("t", progress=True)
        connection.call_tool("t", tasks=True)
        connection.listen({"toolsListChanged": True}) if opened is modern else connection.call_tool("t")
        return connection

    return make


def serving(first: bytes) -> Callable[[], Any]:
    def make() -> Any:
        connection = ServerConnection({"name": "s", "version": "1"}, {"tools": {}, "resources": {"subscribe": True}})
        connection.receive(first)
        return connection

    return make


ENDS = pytest.mark.parametrize(
    ("make", "lines"),
    [
        (asking(modern), TO_CLIENT),
        (asking(legacy), TO_CLIENT),
        (serving(TO_SERVER[0]), TO_SERVER),
        (serving(TO_SERVER[1]), TO_SERVER),
    ],
    ids=["modern client", "legacy client", "modern server", "legacy server"],
)


def heard(make: Callable[[], Any], chunks: list[bytes]) -> list[Any]:
    connection, framing = make(), LineFraming()
    return [event for chunk in chunks for line in framing.feed(chunk) for event in connection.receive(line)]


@ENDS
def test_whole_or_byte_by_byte_is_the_same(make, lines):
    stream = b"".join(line + b"\n" for line in lines)
    assert heard(make, [stream]) == heard(make, [stream[at : at + 1] for at in range(len(stream))])


@ENDS
@pytest.mark.parametrize("end", [b"\r\n", b"  \r\n", b"\n\n", b"\nlistening on stdio...\n", b"\n\r\n\t\n"])
def test_line_ends_and_noise_between_change_nothing(make, lines, end):
    plain = heard(make, [line + b"\n" for line in lines])
    assert _without_lines(heard(make, [line + end for line in lines])) == _without_lines(plain)


@ENDS
def test_half_a_line_is_not_heard(make, lines):
    for line in lines:
        assert heard(make, [line]) == []


@ENDS
@PATIENT
@given(data=st.data())
def test_any_cut_is_the_same(make, lines, data):
    some = data.draw(st.lists(st.sampled_from(lines), max_size=4))
    stream = b"".join(line + b"\n" for line in some)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=6)))
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert heard(make, chunks) == heard(make, [stream])


@ENDS
@pytest.mark.parametrize("trail", [b"x", b"{}", b"\0", b" 1"])
def test_what_trails_in_a_line_spoils_that_line_alone(make, lines, trail):
    connection = make()
    for line in lines:
        assert all(isinstance(event, Ignored) for event in connection.receive(line + trail))
    rest = [event for line in lines for event in connection.receive(line)]
    assert rest == heard(make, [line + b"\n" for line in lines])


def _without_lines(events: list[Any]) -> list[Any]:
    """What is ignored shows its line, in which a line end is seen."""
    return [event.reason if isinstance(event, Ignored) else event for event in events]
