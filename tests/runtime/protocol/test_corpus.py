"""Every message of the corpus arrives as it was sent, however the stream is cut and whatever lies between."""

import json
from itertools import pairwise

import pytest

from runtime.protocol import decode
from runtime.transports.framing import LineFraming
from tests.runtime.protocol.official import DATA, VERSIONS, definitions, samples

EXAMPLES = [json.loads(path.read_text()) for path in sorted((DATA / "examples").rglob("*.json"))]
MESSAGES = [
    *(example for example in EXAMPLES if "jsonrpc" in example),
    *(
        {"jsonrpc": "2.0", "id": id, **value}
        for version, id in zip(VERSIONS, [0, "", "\u2028", -1, 2**70], strict=True)
        for union in ("ClientRequest", "ServerRequest")
        if union in definitions(version)
        for arm in definitions(version)[union]["anyOf"]
        for value in samples(version, arm)[:2]
    ),
]
LINES = [json.dumps(message, ensure_ascii=False).encode() for message in MESSAGES]
NOISE = [b"", b"Listening on stdio", b"\xff\xfe", b"\t", b"npm warn {}", b"\x1b[32m[info]\x1b[0m", b"null", b'"{}"']


def lf(lines):
    return b"".join(line + b"\n" for line in lines)


def crlf(lines):
    return b"".join(line + b"\r\n" for line in lines)


def mixed(lines):
    return b"".join(line + (b"\n", b"\r\n")[index % 2] for index, line in enumerate(lines))


def noisy(lines):
    return b"".join(NOISE[index % len(NOISE)] + b"\n" + line + b"\n" for index, line in enumerate(lines))


def blanks(lines):
    return b"\xef\xbb\xbf" + b"".join(b" \t" + line + b" \r\n\n" for line in lines)


def whole(stream):
    return [stream]


def byte_by_byte(stream):
    return [stream[index : index + 1] for index in range(len(stream))]


def with_trailing_data(stream):
    """Each piece brings a line's end and the beginning of what follows."""
    cuts = [0, *(index + 8 for index, byte in enumerate(stream) if byte == 0x0A), len(stream)]
    return [stream[start:end] for start, end in pairwise(cuts)]


def pages(stream):
    return [stream[start : start + 4096] for start in range(0, len(stream), 4096)]


@pytest.mark.parametrize("arranged", [lf, crlf, mixed, noisy, blanks], ids=lambda each: each.__name__)
@pytest.mark.parametrize("cut", [whole, byte_by_byte, with_trailing_data, pages], ids=lambda each: each.__name__)
def test_messages_arrive_as_they_were_sent(arranged, cut):
    stream, framing = arranged(LINES), LineFraming()
    received = [line for piece in cut(stream) for line in framing.feed(piece)]
    assert framing.failure is None
    assert [decode(line) for line in received] == [decode(line) for line in LINES]


def test_a_message_without_its_end_is_not_there_yet():
    framing = LineFraming()
    for line in LINES:
        assert framing.feed(line) == []
        assert framing.feed(b"\n") == [line]


def test_the_corpus_has_messages_of_every_kind():
    kinds = {type(decode(line)).__name__ for line in LINES}
    assert kinds == {"Request", "Notification", "Response", "ErrorResponse"}
    assert len(LINES) >= 200
