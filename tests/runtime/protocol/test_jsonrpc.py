"""The envelope: four kinds of message, everything else is named and refused."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from runtime.protocol import (
    ErrorResponse,
    InvalidMessage,
    JsonRpcError,
    Notification,
    Request,
    Response,
    decode,
    encode_error,
    encode_notification,
    encode_request,
    encode_response,
)

IDS = st.integers() | st.text()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(), JSON, max_size=3)


def as_json(raw: Raw | None) -> object:
    assert raw is not None
    return json.loads(bytes(raw))


@given(IDS, st.text(), OBJECTS)
def test_a_request_comes_back_as_it_went(id, method, params):
    message = decode(encode_request(id, method, params))
    assert isinstance(message, Request)
    assert (message.id, type(message.id), message.method) == (id, type(id), method)
    assert as_json(message.params) == params


@given(st.text(), OBJECTS)
def test_a_notification_comes_back_as_it_went(method, params):
    message = decode(encode_notification(method, params))
    assert isinstance(message, Notification)
    assert (message.method, as_json(message.params)) == (method, params)


@given(IDS, OBJECTS)
def test_a_result_comes_back_as_it_went(id, result):
    message = decode(encode_response(id, result))
    assert isinstance(message, Response)
    assert (message.id, type(message.id), as_json(message.result)) == (id, type(id), result)


@given(st.none() | IDS, st.integers(-(2**63), 2**63 - 1), st.text(), JSON)
def test_an_error_comes_back_as_it_went(id, code, text, data):
    error = JsonRpcError(code, text, data)
    assert decode(encode_error(id, error)) == ErrorResponse(id, error)


def test_a_big_integer_id_stays_exact():
    big = 2**80 + 1
    assert decode(encode_request(big, "m")) == Request(big, "m", None)


@given(OBJECTS, st.integers(0, 4))
def test_a_pretty_printed_raw_body_still_makes_one_line(body, indent):
    pretty = Raw(json.dumps(body, indent=indent).replace("\n", "\r\n").encode())
    line = encode_request(1, "m", pretty)
    assert line.count(b"\n") == 1
    assert b"\r" not in line
    assert as_json(decode(line).params) == body


@pytest.mark.parametrize("null", ["params", "error"])
def test_a_null_member_counts_as_absent(null):
    body = {"jsonrpc": "2.0", "id": 1, null: None}
    kind = {"params": {"method": "ping"}, "error": {"result": {}}}[null]
    message = decode(json.dumps({**body, **kind}).encode())
    assert isinstance(message, Request if null == "params" else Response)


def test_a_carriage_return_before_the_line_end_is_harmless():
    assert decode(b'{"jsonrpc":"2.0","method":"m"}\r') == Notification("m", None)


def test_an_error_may_lack_id_and_message():
    assert decode(b'{"jsonrpc":"2.0","id":null,"error":{"code":-1}}') == ErrorResponse(None, JsonRpcError(-1, ""))


@pytest.mark.parametrize(
    ("line", "because"),
    [
        (b"", "truncated"),
        (b"Server listening on stdio", "malformed"),
        (b"\xff\xfe", "malformed"),
        (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', "utf-8"),
        (b"[]", "got `array`"),
        (b'{"level":"info","msg":"ready"}', "jsonrpc"),
        (b'{"jsonrpc":"1.0","id":1,"method":"m"}', "jsonrpc"),
        (b'{"jsonrpc":2.0,"id":1,"method":"m"}', "jsonrpc"),
        (b'{"jsonrpc":"2.0"}', "exactly one"),
        (b'{"jsonrpc":"2.0","id":1}', "exactly one"),
        (b'{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1}}', "exactly one"),
        (b'{"jsonrpc":"2.0","id":null,"method":"m"}', "null"),
        (b'{"jsonrpc":"2.0","id":null,"result":{}}', "without an id"),
        (b'{"jsonrpc":"2.0","result":{}}', "without an id"),
        (b'{"jsonrpc":"2.0","id":true,"method":"m"}', "$.id"),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"m"}', "$.id"),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', "$.method"),
        (b'{"jsonrpc":"2.0","id":1,"error":"boom"}', "error object"),
        (b'{"jsonrpc":"2.0","id":1,"error":{"message":"boom"}}', "code"),
        (b'{"jsonrpc":"2.0","id":1,"result":' + b"[" * 9999 + b"]" * 9999 + b"}", "recursion"),
    ],
)
def test_what_is_no_message_is_refused_with_its_reason(line, because):
    with pytest.raises(InvalidMessage) as refused:
        decode(line)
    assert because in refused.value.reason
    assert len(refused.value.line) <= 201


@given(st.binary(max_size=200) | st.builds(lambda d: json.dumps({"jsonrpc": "2.0", **d}).encode(), OBJECTS))
def test_no_line_raises_anything_else(line):
    with suppress(InvalidMessage):
        decode(line)


@pytest.mark.parametrize(
    ("told", "read"),
    [
        (rb"cut \ud83d", "cut \ufffd"),
        (rb"cut \uD83D and more", "cut \ufffd and more"),
        (rb"\ude00 cut", "\ufffd cut"),
        (rb"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        (rb"\ud83d\n", "\ufffd\n"),
        (rb"\\ud83d\ud83d\\", "\\ud83d\ufffd\\"),
    ],
)
def test_half_a_surrogate_pair_spoils_no_message(told, read):
    message = decode(b'{"jsonrpc":"2.0","id":1,"result":{"text":"%s"}}' % told)
    assert isinstance(message, Response)
    assert as_json(message.result) == {"text": read}
