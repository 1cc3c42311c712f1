import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.transports import LineTooLong, NoiseBudgetSpent
from runtime.transports.framing import LineFraming, Tail

PIECES = st.sampled_from(
    [b"{", b"[", b"}", b"x", b" ", b"\t", b"\r", b"\n", b"\r\n", b"\xef\xbb\xbf", b"\xff", b'{"id":1}\n', b"banner\n"]
)
STREAMS = st.lists(PIECES, max_size=40).map(b"".join)


def fed(framing: LineFraming, *pieces: bytes) -> list[bytes]:
    return [message for piece in pieces for message in framing.feed(piece)]


def state(framing: LineFraming) -> tuple[object, ...]:
    return framing.noise, str(framing.failure)


@given(stream=STREAMS, cuts=st.lists(st.integers(0, 100)), limit=st.integers(1, 12), budget=st.integers(0, 5))
def test_the_cuts_of_a_stream_do_not_matter(stream, cuts, limit, budget):
    whole, pieces, single = (LineFraming(limit, budget) for _ in range(3))
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    expected = whole.feed(stream)
    assert fed(pieces, *(stream[a:b] for a, b in itertools.pairwise(edges))) == expected
    assert fed(single, *(bytes([byte]) for byte in stream)) == expected
    for framing in (whole, pieces, single):
        framing.finish()
    assert state(whole) == state(pieces) == state(single)


@given(stream=STREAMS)
def test_every_line_is_a_message_or_noise_or_blank(stream):
    framing = LineFraming()
    messages = framing.feed(stream + b"\n")
    lines = [line.removeprefix(b"\xef\xbb\xbf").strip(b" \t\r\n\v\f") for line in (stream + b"\n").split(b"\n")]
    assert [message.strip() for message in messages] == [line for line in lines if line[:1] in (b"{", b"[")]
    assert framing.noise.count == sum(1 for line in lines if line and line[:1] not in (b"{", b"["))


@pytest.mark.parametrize(
    ("stream", "messages"),
    [
        (b'{"a":1}\r\n{"b":2}\r\n', [b'{"a":1}', b'{"b":2}']),
        (b'\n\r\n  \n{"a":1}\n', [b'{"a":1}']),
        (b'  {"a":1}\n', [b'{"a":1}']),
        (b'\xef\xbb\xbf{"a":1}\n', [b'{"a":1}']),
        (b'[{"a":1}]\n', [b'[{"a":1}]']),
        (b'{"a":1}\n{"b"', [b'{"a":1}']),
        (b'{"a":"\\r"}\n', [b'{"a":"\\r"}']),
    ],
)
def test_lines_become_messages(stream, messages):
    framing = LineFraming()
    assert framing.feed(stream) == messages
    assert framing.noise.count == 0


def test_noise_is_counted_and_its_last_lines_are_kept_short():
    framing = LineFraming()
    assert framing.feed(b"".join(b"line %d\n" % n for n in range(50)) + b"x" * 5000 + b'\n{"a":1}\n') == [b'{"a":1}']
    assert framing.noise.count == 51
    assert framing.noise.samples[0] == "line 41"
    assert framing.noise.samples[-1] == "x" * 200
    assert framing.failure is None


def test_noise_between_messages_is_endured_for_ever():
    framing = LineFraming(noise_budget=3)
    assert len(framing.feed(b"log\nlog\nlog\n{}\n" * 100)) == 100
    assert framing.failure is None


def test_a_peer_that_never_sends_a_message_spends_the_noise_budget():
    framing = LineFraming(noise_budget=3)
    assert framing.feed(b"{}\na\nb\nc\nd\n{}\n") == [b"{}"]
    assert isinstance(framing.failure, NoiseBudgetSpent)
    assert framing.failure.samples == ("a", "b", "c", "d")
    assert "'d'" in str(framing.failure)
    assert framing.feed(b"{}\n") == []


def test_a_line_over_the_limit_is_named_and_what_came_before_it_is_delivered():
    framing = LineFraming(line_limit=10)
    assert framing.feed(b'{"a":1}\n{' + b"x" * 50) == [b'{"a":1}']
    assert isinstance(framing.failure, LineTooLong)
    assert framing.failure.limit == 10
    assert framing.failure.excerpt.startswith("{xxx")
    assert framing.feed(b"\n{}\n") == []


def test_a_line_of_exactly_the_limit_is_a_message():
    assert LineFraming(line_limit=10).feed(b'{"a":1234}\n') == [b'{"a":1234}']


def test_a_line_without_its_end_is_shown_as_noise_when_the_stream_ends():
    framing = LineFraming()
    assert framing.feed(b'{"id":1,"res') == []
    framing.finish()
    assert framing.noise.samples == ('{"id":1,"res',)


@given(chunks=st.lists(st.text("ab\n\r", max_size=30).map(str.encode), max_size=20), limit=st.integers(1, 6))
def test_a_tail_is_the_last_lines(chunks, limit):
    tail = Tail(limit, width=1000)
    for chunk in chunks:
        tail.feed(chunk)
    lines = b"".join(chunks).decode().split("\n")
    if not lines[-1]:
        lines.pop()
    assert tail.lines == tuple(line.removesuffix("\r") for line in lines)[-limit:]


def test_a_tail_of_an_endless_line_is_bounded():
    tail = Tail(limit=3, width=10)
    for _ in range(1000):
        tail.feed(b"x" * 1000)
    tail.feed(b"\nend")
    assert tail.lines == ("x" * 10, "end")
