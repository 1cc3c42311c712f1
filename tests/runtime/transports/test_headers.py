"""What travels in headers, as MCP 2026-07-28 says."""

from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.transports.headers import header_value, invalid_annotation, parameter_headers, parameter_values


@pytest.mark.parametrize(
    ("value", "header"),
    [
        ("us-west1", "us-west1"),
        ("a b", "a b"),
        ("", ""),
        ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
        (" padded ", "=?base64?IHBhZGRlZCA=?="),
        ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
        ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ("=?base64?", "=?base64?"),
        ("a\tb", "=?base64?YQli?="),
    ],
)
def test_a_value_is_plain_where_that_is_safe_and_base64_elsewhere(value, header):
    assert header_value(value) == header


@given(st.text())
def test_every_value_is_safe_in_a_header_and_can_be_read_again(value):
    header = header_value(value)
    assert all(" " <= character <= "~" for character in header)
    assert header == header.strip()
    if header.startswith("=?base64?") and header.endswith("?="):
        header = b64decode(header[9:-2]).decode()
    assert header == value


def schema(**properties):
    return {"type": "object", "properties": properties}


def text(header, **more):
    return {"type": "string", "x-mcp-header": header, **more}


@pytest.mark.parametrize(
    "good",
    [
        schema(),
        schema(a=text("A"), b={"type": "integer", "x-mcp-header": "B"}, c={"type": "boolean", "x-mcp-header": "C"}),
        schema(a=schema(b=schema(c=text("Deep")))),
        schema(a={"type": "string", "default": {"x-mcp-header": "in data"}, "enum": [{"x-mcp-header": 1}]}),
        schema(**{"x-mcp-header": {"type": "string"}}),
        True,
        None,
    ],
)
def test_a_schema_whose_annotations_are_valid_is_not_spoken_against(good):
    assert invalid_annotation(good) is None


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (schema(a=text("")), "no name"),
        (schema(a=text("has space")), "no name"),
        (schema(a=text("line\nend")), "no name"),
        (schema(a=text("token\n")), "no name"),
        (schema(a=text("é")), "no name"),
        (schema(a=text(7)), "no name"),
        (schema(a=text("Same"), b=text("same")), "another"),
        (schema(a=text("Same"), b=schema(c=text("sAME"))), "another"),
        (schema(a={"type": "number", "x-mcp-header": "A"}), "number"),
        (schema(a={"type": "object", "x-mcp-header": "A"}), "object"),
        (schema(a={"type": ["string", "null"], "x-mcp-header": "A"}), "type"),
        (schema(a={"x-mcp-header": "A"}), "None"),
        ({"type": "string", "x-mcp-header": "Root"}, "properties"),
        (schema(a={"type": "array", "items": text("A")}), "properties"),
        (schema(a={"type": "array", "items": schema(b=text("A"))}), "properties"),
        (schema(a={"anyOf": [text("A")]}), "properties"),
        ({"allOf": [schema(a=text("A"))]}, "properties"),
        ({"if": schema(a=text("A"))}, "properties"),
        ({"$defs": {"x": text("A")}}, "properties"),
        ({"additionalProperties": text("A")}, "properties"),
        ({"patternProperties": {"x": text("A")}}, "properties"),
    ],
)
def test_an_invalid_annotation_is_told_with_its_reason_and_mirrors_nothing(bad, reason):
    assert reason in invalid_annotation(bad)
    assert parameter_headers(bad) == {}


def test_a_schema_as_deep_as_one_likes_is_walked():
    deep = text("Deep")
    for _ in range(5000):
        deep = {"properties": {"a": deep}}
    [(path, name)] = parameter_headers(deep).items()
    assert (len(path), name) == (5000, "Mcp-Param-Deep")


@pytest.mark.parametrize(
    ("value", "header"),
    [
        ("eu", "eu"),
        ("é", "=?base64?w6k=?="),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-7, "-7"),
        (2**53 - 1, "9007199254740991"),
        (2**53, None),
        (1.5, None),
        (None, None),
        ([1], None),
        ({"a": 1}, None),
    ],
)
def test_a_parameter_is_mirrored_where_it_has_a_value_that_can_be(value, header):
    headers = parameter_headers(schema(a=schema(b=text("B"))))
    expected = {} if header is None else {"Mcp-Param-B": header}
    assert parameter_values(headers, {"a": {"b": value}}) == expected


@pytest.mark.parametrize("arguments", [{}, {"a": None}, {"a": []}, {"a": "b"}, None, [], "a"])
def test_a_parameter_without_its_place_is_not_mirrored(arguments):
    assert parameter_values(parameter_headers(schema(a=schema(b=text("B")))), arguments) == {}
