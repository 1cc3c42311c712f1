"""Server-sent events, as the HTML standard reads them."""

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.transports.events import EventStream, ServerSentEvent


def read(stream: bytes, cut: int | None = None, limit: int = 1000) -> tuple[list[tuple[str, bytes]], EventStream]:
    """The events of a stream that comes in pieces of `cut` bytes."""
    parser = EventStream(limit)
    events: list[ServerSentEvent] = []
    size = cut or max(len(stream), 1)
    for start in range(0, len(stream), size):
        events += parser.feed(stream[start : start + size])
    return [(event.type, event.data) for event in events], parser


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: one\n\n", [("message", b"one")]),
        (b"data:one\r\n\r\n", [("message", b"one")]),
        (b"data:one\r\r", [("message", b"one")]),
        (b"data:one\r\n\rdata:two\n\r", [("message", b"one"), ("message", b"two")]),
        (b"\xef\xbb\xbfdata: one\n\n", [("message", b"one")]),
        (b"data: \xef\xbb\xbfone\n\n", [("message", b"\xef\xbb\xbfone")]),
        (b"data: a\ndata:  b\ndata\ndata:c:d\n\n", [("message", b"a\n b\n\nc:d")]),
        (b"event: endpoint\ndata: /here\n\ndata: x\n\n", [("endpoint", b"/here"), ("message", b"x")]),
        (b"event: nothing\n\ndata: x\n\n", [("message", b"x")]),
        (b":\n: still here\r\n\r\n:data: no\n\n", []),
        (b"data:\n\n", [("message", b"")]),
        (b"dat: x\nDATA: x\n data: x\n\n", []),
        (b"data: half", []),
        (b"data: no blank line\n", []),
        (b"\n\n\r\n", []),
        (b"data: \xff\n\n", [("message", b"\xff")]),
        (b"data: a\0b\n\n", [("message", b"a\0b")]),
    ],
)
def test_events_are_read_as_the_standard_says_however_they_are_cut(stream, events):
    for cut in (None, 1, 2, 3):
        assert read(stream, cut)[0] == events


@pytest.mark.parametrize(
    ("stream", "last_id"),
    [
        (b"id: 1\ndata: x\n\n", "1"),
        (b"id: 1\ndata:\n\n", "1"),
        (b"id: 1\n\n", "1"),
        (b"id: 1\n", ""),
        (b"id: 1\n\nid: 2\ndata: never dispatched\n", "1"),
        (b"id: 1\n\ndata: keeps it\n\n", "1"),
        (b"id: 1\n\nid\n\n", ""),
        (b"id: 1\n\nid: a\0b\n\n", "1"),
        ("id: é\n\n".encode(), "é"),
    ],
)
def test_the_last_id_is_that_of_the_last_complete_event(stream, last_id):
    for cut in (None, 1):
        assert read(stream, cut)[1].last_id == last_id


@pytest.mark.parametrize(
    ("stream", "retry"),
    [(b"retry: 500\n", 500), (b"retry:0\n", 0), (b"retry: 5s\n", None), (b"retry: -5\n", None), (b"retry:\n", None)],
)
def test_retry_counts_where_it_is_digits_alone(stream, retry):
    assert read(stream)[1].retry == retry


@pytest.mark.parametrize("stream", [b"data: " + b"x" * 100, b"data: x\n" * 20, b":" + b"x" * 100 + b"\n", b"x" * 100])
def test_an_event_or_a_line_past_the_limit_ends_the_stream_and_what_came_before_is_kept(stream):
    for cut in (None, 1, 7):
        events, parser = read(b"data: first\n\n" + stream + b"\n\ndata: more\n\n", cut, limit=30)
        assert events == [("message", b"first")]
        assert parser.failure is not None
        assert "30 bytes" in str(parser.failure)
        assert parser.feed(b"data: after\n\n") == []


@pytest.mark.parametrize("line", [b"data:ab\n", b"data:\n", b"id:1234567\n", b"event:abcdefg\n"])
def test_an_event_takes_no_more_room_than_it_counts_however_short_its_lines(line):
    parser = EventStream(10_000_000)
    tracemalloc.start()
    try:
        for _ in range(20):
            parser.feed(line * 200)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 2 * parser.size + 10_000


def test_comments_without_end_are_no_event_and_need_no_room():
    parser = EventStream(30)
    for _ in range(1000):
        assert parser.feed(b": still here\n") == []
    assert parser.failure is None


pieces = st.sampled_from(
    [b"data", b":", b" ", b"\n", b"\r", b"\r\n", b"x", b"id", b"event", b"retry", b"7", b"\0", b"\xef\xbb\xbf", b"\xff"]
)


@given(st.lists(pieces, max_size=40).map(b"".join), st.lists(st.integers(0, 120), max_size=6))
def test_the_cuts_never_matter(stream, cuts):
    whole, byte_by_byte, anywhere = EventStream(25), EventStream(25), EventStream(25)
    expected = whole.feed(stream)
    assert [event for n in range(len(stream)) for event in byte_by_byte.feed(stream[n : n + 1])] == expected
    edges = [0, *sorted(cuts), len(stream)]
    assert [e for a, b in pairwise(edges) for e in anywhere.feed(stream[a:b])] == expected
    for parser in (byte_by_byte, anywhere):
        assert (parser.last_id, parser.retry) == (whole.last_id, whole.retry)
        assert (parser.failure is None) == (whole.failure is None)


@given(st.lists(st.tuples(st.sampled_from(["message", "endpoint"]), st.text("ab :é", max_size=9)), max_size=8))
def test_what_is_written_is_read(messages):
    stream = b"".join(f"event: {type}\ndata: {data}\n\n".encode() for type, data in messages)
    assert read(stream)[0] == [(type, data.encode()) for type, data in messages]
