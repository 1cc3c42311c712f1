"""What is remembered, for how long, and under which key."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from runtime.cache import cache_key, time_to_live
from runtime.config import CacheRules


def key(value: object) -> str | None:
    return cache_key(Raw(msgspec.json.encode(value)))


def test_the_same_arguments_have_one_key_however_they_are_written():
    assert cache_key(Raw(b'{"a": 1.0, "b": [1e2, "\\u00e9"]}')) == cache_key(Raw('{"b":[100,"é"],"a":1}'.encode()))


@pytest.mark.parametrize("other", [{"a": "1"}, {"a": True}, {"a": None}, {"a": [1]}, {"a": 1.5}, {"A": 1}, {}])
def test_other_arguments_have_another_key(other):
    assert key(other) != key({"a": 1})


def test_what_has_no_canonical_form_has_no_key():
    assert key({"a": 2**60}) is None


json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**50), 2**50) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.dictionaries(st.text(), json, max_size=4))
def test_the_order_of_members_is_nothing(arguments):
    assert key(arguments) == key(dict(reversed(arguments.items())))


def test_the_first_glob_that_names_a_tool_decides():
    rules = CacheRules(tools={"search_new_*": 0.0, "search_*": 30.0, "now": 1.5})
    assert [time_to_live(rules, name) for name in ("search_files", "search_new_files", "now", "Now", "other")] == [
        30.0, 0.0, 1.5, 0.0, 0.0,
    ]  # fmt: skip
    assert time_to_live(None, "now") == 0
