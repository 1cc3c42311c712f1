"""Who may do what, and what is said to whoever may not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.config import load
from runtime.policy import ALLOWED, Act, Budget, Denied, Patterns, Rules, Wish, as_guard, budgets_of, decide, tools_of
from runtime.policy import rules_of as rules_of_config
from runtime.policy.rules import CallerRules


def call(server: str, tool: str | None = "read", caller: str | None = None, act: Act = Act.CALL) -> Wish:
    return Wish(act, server, tool, caller)


SERVERS = {"files": {"command": "files", "allow": ["read_*"], "deny": ["read_secret"]}, "web": {"command": "web"}}
TOOLS = {name: tools_of(spec) for name, spec in load({"mcpServers": SERVERS}).servers.items()}


def rules_of(allow=None, **members) -> Rules:
    return rules_of_config(load({"mcpServers": SERVERS, **members}), allow)


def why(rules: Rules, wish: Wish) -> str | None:
    decision = decide(rules, wish, TOOLS[wish.server])
    return decision.reason if isinstance(decision, Denied) else None


def test_without_rules_everything_may_be():
    for act in Act:
        assert decide(Rules(), call("files", act=act)) == ALLOWED


@pytest.mark.parametrize("act", [Act.CALL, Act.DISCOVER])
def test_a_server_of_the_configuration_shows_what_it_allows_and_does_not_deny(act):
    rules = rules_of()
    assert why(rules, call("files", "read_text", act=act)) is None
    assert why(rules, call("files", "write_text", act=act)) == "for this server, not among what is allowed"
    assert why(rules, call("files", "read_secret", act=act)) == "for this server, denied by 'read_secret'"
    assert why(rules, call("web", "write_text", act=act)) is None
    assert why(rules, call("files", None, act=Act.SPAWN)) is None


CLIENTS = {
    "gateway": {
        "clients": {
            "ci": {"token": "t", "allowedServers": ["files"], "deny": ["read_b*"], "calls": 100, "rate": 2.5},
            "me": {"token": "u"},
        }
    }
}


def test_a_named_caller_may_do_what_both_its_rules_and_the_servers_allow():
    rules = rules_of(**CLIENTS)
    assert why(rules, call("files", "read_a", "ci")) is None
    assert why(rules, call("files", "read_b1", "ci")) == "for caller 'ci', denied by 'read_b*'"
    assert why(rules, call("files", "write", "ci")) == "for this server, not among what is allowed"
    assert why(rules, call("web", "read_a", "ci")) == "caller 'ci' may not use this server"
    assert why(rules, call("web", None, "ci", Act.SPAWN)) == "caller 'ci' may not use this server"
    assert why(rules, call("web", "anything", "me")) is None


def test_a_stranger_may_do_nothing_where_callers_are_named_and_as_anybody_where_none_is():
    assert why(rules_of(**CLIENTS), call("web", "read", "mallory")) == "nobody knows the caller 'mallory'"
    assert why(rules_of(), call("web", "read", "mallory")) is None
    assert why(rules_of(**CLIENTS), call("web", "read")) is None, "the program itself is no caller"


def test_budgets_are_those_of_the_clients_that_have_one():
    assert budgets_of(load({"mcpServers": {"files": {"command": "files"}}, **CLIENTS})) == {"ci": Budget(100, 2.5)}


def test_a_programs_own_guard_has_the_last_say_and_no_more():
    seen: list[Wish] = []

    def guard(wish: Wish) -> Denied:
        seen.append(wish)
        return Denied("not today")

    rules = rules_of(guard)
    assert why(rules, call("files", "write")) == "for this server, not among what is allowed"
    assert seen == []
    assert why(rules, call("web", "write")) == "not today"
    assert seen == [call("web", "write")]


def test_patterns_of_the_program_name_servers_and_tools():
    guard = as_guard(["files", "search/find_*", "db_*/read"])
    yes = [("files", "any"), ("files", None), ("search", "find_all"), ("db_1", "read")]
    no = [("search", "drop"), ("search", None), ("db_1", "write"), ("filesystem", "any"), ("other", None)]
    assert [guard(call(server, tool)) for server, tool in yes] == [ALLOWED] * len(yes)
    assert [guard(call(server, tool)).reason for server, tool in no] == [
        "search/drop is not among what is allowed",
        "search is not among what is allowed",
        "db_1/write is not among what is allowed",
        "filesystem/any is not among what is allowed",
        "other is not among what is allowed",
    ]


def test_a_server_of_which_anything_is_allowed_may_be_spawned():
    guard = as_guard(["search/find_*"])
    assert guard(call("search", None, act=Act.SPAWN))
    assert not guard(call("files", None, act=Act.SPAWN))


def test_a_tool_whose_name_has_a_slash_is_matched_as_a_whole():
    guard = as_guard(["files/a/*"])
    assert guard(call("files", "a/b"))
    assert not guard(call("files", "b"))


def test_no_pattern_allows_nothing():
    assert not as_guard([])(call("files", None, act=Act.SPAWN))


@pytest.mark.parametrize("allow", ["files", [1], 5])
def test_what_is_neither_a_function_nor_patterns_is_refused_at_once(allow):
    with pytest.raises(TypeError):
        as_guard(allow)


@pytest.mark.parametrize("answer", [True, False, None, "no"])
def test_a_guard_that_answers_something_else_is_told_so_and_nothing_is_allowed(answer):
    with pytest.raises(TypeError, match=r"allow returns ALLOWED or Denied\(reason\)"):
        decide(rules_of(lambda _: answer), call("web"))


names = st.sampled_from(["a", "ab", "abc", "b"])
patterns = st.builds(Patterns, st.none() | st.lists(names).map(tuple), st.lists(names).map(tuple))
callers = st.builds(CallerRules, st.none() | st.frozensets(names), patterns)
all_rules = st.builds(Rules, st.dictionaries(names, callers), st.booleans())
wishes = st.builds(Wish, st.sampled_from(Act), names, st.none() | names, st.none() | names)


@given(all_rules, patterns, wishes)
def test_what_may_be_called_may_be_seen_and_its_server_used(rules, tools, wish):
    if decide(rules, wish, tools):
        assert decide(rules, Wish(Act.DISCOVER, wish.server, wish.tool, wish.caller), tools)
        assert decide(rules, Wish(Act.SPAWN, wish.server, None, wish.caller))


@given(all_rules, patterns, wishes, names)
def test_a_further_deny_never_allows_anything(rules, tools, wish, glob):
    if decide(rules, wish, Patterns(tools.allow, (*tools.deny, glob))):
        assert decide(rules, wish, tools)
