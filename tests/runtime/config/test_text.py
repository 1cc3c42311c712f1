import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.config import ConfigError
from runtime.config.text import decode, parse_json, parse_toml

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
between = st.lists(
    st.sampled_from([" ", "\n", "\t", '// a, ] } " /*\n', '/* , ] } // " \n */', "/**/"]), max_size=3
).map("".join)


def refused(parse, text):
    with pytest.raises(ConfigError) as caught:
        parse(text, "file")
    (mistake,) = caught.value.mistakes
    return mistake


@settings(deadline=None)
@given(json_values, st.data())
def test_comments_and_trailing_commas_change_nothing(value, data):
    def write(value):
        match value:
            case dict() | list():
                ends = "{}" if isinstance(value, dict) else "[]"
                keys = (
                    [json.dumps(key) + data.draw(between) + ":" for key in value] if isinstance(value, dict) else None
                )
                parts = [write(part) for part in (value.values() if keys is not None else value)]
                if keys is not None:
                    parts = [key + part for key, part in zip(keys, parts, strict=True)]
                comma = data.draw(st.sampled_from(["", ","])) if parts else ""
                return ends[0] + data.draw(between) + ",".join(parts) + comma + data.draw(between) + ends[1]
            case _:
                return (
                    data.draw(between) + json.dumps(value, ensure_ascii=data.draw(st.booleans())) + data.draw(between)
                )

    assert parse_json(write(value), "file") == value


@settings(deadline=None)
@given(json_values)
def test_plain_json_reads_as_the_standard_library_reads_it(value):
    assert parse_json(json.dumps(value), "file") == value


@settings(deadline=None)
@given(st.text(alphabet="{}[]\",:/*\\\n '0aé", max_size=30))
def test_any_text_is_read_or_refused_and_what_json_takes_is_taken(text):
    try:
        expected = json.loads(text)
    except json.JSONDecodeError:
        expected = ConfigError
    try:
        found = parse_json(text, "file")
    except ConfigError:
        found = ConfigError
    assert found == expected or expected is ConfigError  # comments and trailing commas are taken besides


@pytest.mark.parametrize(
    ("text", "line", "column", "expected"),
    [
        ('{"a": 1\n "b": 2}', 2, 2, "',' delimiter"),
        ('{"a": 1, /* one\ntwo */ "b": 2 "c"}', 2, 15, "',' delimiter"),
        ('// first\n{"a": }', 2, 7, "value"),
        ("{'a': 1}", 1, 2, "property name enclosed in double quotes"),
        ('{"a": [1, 2,, ]}', 1, 13, "value"),
        ('{"a": [,]}', 1, 8, "value"),
        ('{"a": 1,\n\n  /* never closed', 3, 3, "*/ at the end of this comment"),
        ('{"a": "open\n}', 1, 12, "valid JSON"),
        ('{"a": 1} {', 1, 10, "valid JSON"),
        ("", 1, 1, "value"),
    ],
)
def test_a_syntax_error_is_found_at_its_line_and_column(text, line, column, expected):
    mistake = refused(parse_json, text)
    assert (mistake.line, mistake.column, mistake.expected) == (line, column, expected)
    assert str(mistake).startswith(f"line {line}, column {column}: expected")


def test_single_quotes_are_recognised():
    assert "double quotes" in refused(parse_json, "{'a': 1}").suggestion


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": -Infinity}', "[" * 100_000, '{"a": ' + "9" * 5000 + "}"])
def test_what_only_python_would_take_or_could_not_bear_is_refused(text):
    assert refused(parse_json, text).expected


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [("a = 1\nb = = 2", 2, 5), ("a = [1,\n", 2, 1), ("a = 1\na = 2", 2, 6), ("a = " + "9" * 5000, None, None)],
)
def test_a_toml_error_is_found_at_its_line_and_column(text, line, column):
    mistake = refused(parse_toml, text)
    assert (mistake.line, mistake.column) == (line, column)


def test_a_byte_order_mark_is_no_mistake_but_other_encodings_are():
    assert decode(b"\xef\xbb\xbf{}", "file") == "{}"
    with pytest.raises(ConfigError) as caught:
        decode('{\n "é": 1}'.encode("latin-1"), "file")
    assert str(caught.value.mistakes[0]) == "line 2, column 3: expected UTF-8 text (save the file as UTF-8)"


@settings(deadline=None)
@given(st.text(alphabet="abcdefghij", min_size=8, max_size=12), st.data())
def test_no_syntax_error_repeats_what_the_file_holds(secret, data):
    whole = json.dumps({"mcpServers": {"x": {"env": {"TOKEN": secret}, "args": [1, 2]}}})
    cut = data.draw(st.integers(0, len(whole) - 1))
    text = whole[:cut] + data.draw(st.sampled_from(["", "'", "}", "\n", "\\q", "1x"])) + whole[cut + 1 :]
    for parse in (parse_json, parse_toml):
        try:
            parse(text, "file")
            shown = ""
        except ConfigError as error:
            shown = str(error) + repr(error)
        assert secret not in shown
