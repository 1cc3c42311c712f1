"""What a message asks of HTTP, and what HTTP's answer means: the pure half of the channel."""

import json

import msgspec
import pytest

from runtime.protocol.jsonrpc import decode
from runtime.transports import NO_ANSWER, NOT_SENT
from runtime.transports.exchange import (
    Refusal,
    Session,
    Verdict,
    agreed_version,
    answers,
    messages_in,
    mirrored_parameters,
    next_cursor,
    outgoing,
    refusal_line,
    request_headers,
    session_id_in,
    unanswered_line,
    verdict,
)

VERSION = "io.modelcontextprotocol/protocolVersion"


def message(**members):
    return json.dumps({"jsonrpc": "2.0", **members}).encode() + b"\n"


MODERN = outgoing(message(id=1, method="tools/list", params={"_meta": {VERSION: "2026-07-28"}}))
LEGACY = outgoing(message(id=1, method="tools/list"))
NOTE = outgoing(message(method="notifications/initialized"))
ANSWER = outgoing(message(id="s", result={}))
HELD = Session("2025-11-25", "s-1")


@pytest.mark.parametrize(
    ("line", "id", "method", "version", "cancels"),
    [
        (message(id=1, method="a"), 1, "a", None, None),
        (message(id="1", method="a", params={"_meta": {VERSION: "x"}}), "1", "a", "x", None),
        (message(id=2**70, method="a", params={"_meta": {}}), 2**70, "a", None, None),
        (message(id=1, method="a", params={"_meta": "odd"}), 1, "a", None, None),
        (message(id=1, method="a", params=[1]), 1, "a", None, None),
        (message(id=1, method="a", params={"name": {"odd": 1}}), 1, "a", None, None),
        (message(method="notifications/cancelled", params={"requestId": 7}), None, "notifications/cancelled", None, 7),
        (message(method="notifications/cancelled", params={}), None, "notifications/cancelled", None, None),
        (message(method="a", params={"requestId": 7}), None, "a", None, None),
        (message(id=1, result={}), None, None, None, None),
        (message(id=1, error={"code": 1, "message": ""}), None, None, None, None),
    ],
)
def test_a_line_tells_what_http_must_know_whatever_its_parameters_are(line, id, method, version, cancels):
    out = outgoing(line)
    assert (out.line, out.id, out.method, out.version, out.cancels) == (line, id, method, version, cancels)


@pytest.mark.parametrize(
    ("out", "session", "headers"),
    [
        (LEGACY, None, {}),
        (LEGACY, Session(), {}),
        (LEGACY, HELD, {"MCP-Protocol-Version": "2025-11-25", "Mcp-Session-Id": "s-1"}),
        (NOTE, HELD, {"MCP-Protocol-Version": "2025-11-25", "Mcp-Session-Id": "s-1"}),
        (ANSWER, HELD, {"MCP-Protocol-Version": "2025-11-25", "Mcp-Session-Id": "s-1"}),
        (MODERN, HELD, {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list"}),
    ],
)
def test_each_era_has_its_own_headers(out, session, headers):
    assert request_headers(out, session, {}) == headers


@pytest.mark.parametrize(
    ("out", "status", "content_type", "session", "means"),
    [
        (MODERN, 200, "application/json", None, Verdict.MESSAGE),
        (MODERN, 200, "Application/JSON ; charset=utf-8", None, Verdict.MESSAGE),
        (MODERN, 200, "text/event-stream;charset=utf-8", None, Verdict.EVENTS),
        (MODERN, 200, "text/html", None, Verdict.STRANGE),
        (MODERN, 200, "", None, Verdict.STRANGE),
        (MODERN, 202, "", None, Verdict.STRANGE),
        (MODERN, 404, "application/json", None, Verdict.REFUSED),
        (MODERN, 404, "application/json", HELD, Verdict.REFUSED),  # a legacy session is no modern request's affair
        (LEGACY, 404, "", HELD, Verdict.SESSION_OVER),
        (LEGACY, 404, "", Session("2025-11-25"), Verdict.REFUSED),
        (LEGACY, 404, "", None, Verdict.REFUSED),
        (LEGACY, 400, "", HELD, Verdict.REFUSED),
        (NOTE, 404, "", HELD, Verdict.SESSION_OVER),
        (ANSWER, 404, "", HELD, Verdict.SESSION_OVER),
        (NOTE, 202, "", HELD, Verdict.ACCEPTED),
        (NOTE, 200, "text/html", HELD, Verdict.ACCEPTED),
        (ANSWER, 202, "", HELD, Verdict.ACCEPTED),
        (MODERN, 307, "", None, Verdict.MOVED),
        (MODERN, 308, "", None, Verdict.MOVED),
        (MODERN, 302, "", None, Verdict.REFUSED),
        (MODERN, 500, "text/event-stream", None, Verdict.REFUSED),
        (NOTE, 401, "", HELD, Verdict.UNAUTHORIZED),
    ],
)
def test_a_status_and_a_type_mean_one_thing(out, status, content_type, session, means):
    assert verdict(out, status, content_type, session, proven=True, elsewhere=False) is means


@pytest.mark.parametrize(
    ("status", "proven", "means"),
    [
        (401, False, Verdict.UNAUTHORIZED),
        (401, True, Verdict.UNAUTHORIZED),
        (403, False, Verdict.UNAUTHORIZED),
        (403, True, Verdict.REFUSED),
    ],
)
def test_a_403_is_about_credentials_as_long_as_nothing_else_was_answered(status, proven, means):
    assert verdict(MODERN, status, "", None, proven=proven, elsewhere=False) is means


def test_where_answers_come_by_another_stream_a_post_is_taken_or_refused():
    assert verdict(LEGACY, 202, "", None, proven=True, elsewhere=True) is Verdict.ACCEPTED
    assert verdict(LEGACY, 404, "", None, proven=True, elsewhere=True) is Verdict.REFUSED


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (b'{"a":1}', [b'{"a":1}']),
        (b' \r\n{\n"a":\r\n1}\n', [b'{ "a":  1}']),
        (b'[{"a":1}, {"b":\n2}]', [b'{"a":1}', b'{"b": 2}']),
        (b"[]", []),
        (b"[{]", []),
        (b"  ", []),
        (b"garbage", [b"garbage"]),
    ],
)
def test_a_body_is_one_message_a_batch_or_nothing_and_each_is_one_line(body, lines):
    assert messages_in(body) == lines


def test_a_batch_too_large_to_be_taken_apart_is_none():
    assert len(messages_in(b"[" + b"{}," * 1000 + b"{}]")) == 1001
    assert messages_in(b"[" + b"{}," * 1_400_000 + b"{}]") == []


@pytest.mark.parametrize(
    ("line", "id", "does"),
    [
        (message(id=1, result={}), 1, True),
        (message(id=1, error={}), 1, True),
        (message(id="1", result={}), 1, False),
        (message(id=1, result={}), "1", False),
        (message(id=1, method="ping"), 1, False),
        (message(id=None, error={}), 1, False),
        (message(method="note"), 1, False),
        (b"garbage", 1, False),
        (b'{"id":1.0,"result":{}}', 1, False),
    ],
)
def test_only_a_response_with_the_very_id_answers_a_request(line, id, does):
    assert answers(line, id) is does


@pytest.mark.parametrize("headers", [{}, {"mcp-session-id": ""}, {"mcp-session-id": "a b"}, {"mcp-session-id": "é"}])
def test_what_is_no_visible_ascii_is_no_session(headers):
    assert session_id_in(headers) is None


def test_a_session_id_is_taken_as_it_is():
    assert session_id_in({"mcp-session-id": "!a~"}) == "!a~"


def test_lines_about_a_failure_name_their_request_and_what_happened():
    [unsent, lost, refused] = [
        decode(line)
        for line in (
            unanswered_line("x", "no road", sent=False),
            unanswered_line("x", "lost", sent=True),
            refusal_line("x", 418, b"\xffteapot" * 1000),
        )
    ]
    assert {unsent.id, lost.id, refused.id} == {"x"}
    assert [unsent.error.code, lost.error.code, refused.error.code] == [NOT_SENT, NO_ANSWER, 418]
    assert unsent.error.data == {"reason": "no road"}
    assert refused.error.data["body"].startswith("\ufffdteapot")
    assert len(refused.error.data["body"]) <= 500


def test_a_refusal_says_which_errors_of_a_modern_server_it_holds():
    def refusal(code):
        body = message(id=1, error={"code": code, "message": ""})
        return Refusal(Verdict.REFUSED, 400, body, "application/json", None, "")

    assert [refusal(code).is_modern for code in (-32020, -32021, -32022, -32601, -1)] == [True] * 3 + [False] * 2
    assert [refusal(code).is_mismatch for code in (-32020, -32021)] == [True, False]


@pytest.mark.parametrize(
    "result", [b"[]", b"1", b'{"tools":7}', b'{"tools":[7,{"name":8}]}', b'{"nextCursor":5}', b"{"]
)
def test_what_a_server_says_of_itself_may_be_anything(result):
    assert mirrored_parameters(msgspec.Raw(result + b' "x-mcp-header"')) == {}
    assert next_cursor(msgspec.Raw(result)) is None
    assert agreed_version(msgspec.Raw(result)) is None


@pytest.mark.parametrize(("version", "agreed"), [("2025-11-25", "2025-11-25"), ("a\r\nb", None), ("", None)])
def test_a_version_that_no_header_can_carry_is_not_repeated(version, agreed):
    assert agreed_version(msgspec.Raw(json.dumps({"protocolVersion": version}).encode())) == agreed
