"""Plans: what has changed, what follows from it, and how it reads."""

from __future__ import annotations

from functools import reduce
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runtime.config import RuntimeConfig, load
from runtime.host.plan import Action, composed, plan


def config(servers: dict[str, Any], **host: Any) -> RuntimeConfig:
    return load({"mcpServers": {name: {"command": "x", **keys} for name, keys in servers.items()}, **host})


def test_servers_that_come_go_change_or_stay_are_told_with_the_keys_that_say_so():
    old = config({"a": {}, "gone": {}, "b": {"args": ["1"], "env": {"TOKEN": "1", "SAME": "1"}}, "same": {}})
    new = config(
        {"new": {}, "a": {"timeout": 5}, "b": {"args": ["2"], "env": {"TOKEN": "2", "SAME": "1"}}, "same": {}},
        journal=False,
        retries={"per_second": 1},
    )
    assert str(plan(old, new)) == (
        "stop gone: not in the configuration any more\n"
        "restart b: args, env.TOKEN\n"
        "start new: new\n"
        "adjust a: timeout\n"
        "untouched: 1 server\n"
        "when the host is started again: journal, retries.per_second"
    )


def test_a_secret_is_not_in_a_plan():
    old, new = (config({"a": {"env": {"TOKEN": token}}}) for token in ("hush-1", "hush-2"))
    assert "hush" not in f"{plan(old, new)} {plan(old, new)!r}"
    assert plan(old, new).servers(Action.RESTART) == ("a",)


def test_what_concerns_calls_alone_is_taken_on_by_a_server_that_runs():
    live = {
        "timeout": 5,
        "max_timeout": 700,
        "start_timeout": 3,
        "in_flight": 2,
        "queue": 9,
        "required": True,
        "cache": {"tools": {"t*": 3}},
        "idempotent": ["t"],
        "prefix": "never",
        "alias": {"t": "u"},
        "allow": ["t"],
        "deny": ["u"],
        "breaker": False,
        "on_reload": "overlap",
    }
    for key, value in live.items():
        assert plan(config({"a": {}}), config({"a": {key: value}})).servers(Action.ADJUST) == ("a",), key


def test_what_concerns_the_process_or_its_supervisor_restarts_it():
    for key, value in {
        "args": ["1"],
        "cwd": "/",
        "env": {"A": "1"},
        "inherit_env": ["A"],
        "era": "legacy",
        "stop_timeout": 5,
        "restart": "transient",
        "window": {"period": 5},
        "backoff": {"first": 1},
        "required_tools": ["t"],
    }.items():
        assert plan(config({"a": {}}), config({"a": {key: value}})).servers(Action.RESTART) == ("a",), key


def test_another_way_to_reach_it_is_told_by_the_keys_of_both():
    old = load({"mcpServers": {"a": {"command": "x", "args": ["1"]}}})
    new = load({"mcpServers": {"a": {"url": "http://127.0.0.1/mcp"}}})
    assert plan(old, new).steps[0].reasons[:3] == ("command", "args", "url")


def test_a_member_that_changes_restarts_its_outermost_group_and_one_that_is_adjusted_none():
    servers: dict[str, Any] = {"a": {}, "b": {}, "c": {}}
    groups = {"outer": {"servers": ["inner", "c"]}, "inner": {"servers": ["a", "b"]}}
    old = config(servers, groups=groups)
    changed = plan(old, config({**servers, "b": {"args": ["1"]}}, groups=groups))
    assert str(changed) == "restart outer (a, b, c): b: args"
    adjusted = plan(old, config({**servers, "b": {"timeout": 1}}, groups=groups))
    assert str(adjusted) == "adjust outer (a, b, c): b: timeout"
    other = {**groups, "inner": {"servers": ["a", "b"], "window": {"period": 1}}}
    assert str(plan(old, config(servers, groups=other))) == "restart outer (a, b, c): inner: window.period"


def test_a_server_that_moves_makes_one_step_of_where_it_was_and_where_it_will_be():
    old = config({"a": {}, "b": {}})
    new = config({"a": {}, "b": {}}, groups={"g": {"servers": ["a"]}})
    assert str(plan(old, new)) == "restart a, g (a): a: in group g\nuntouched: 1 server"
    assert str(plan(new, old)) == "restart g, a (a): a: in no group any more\nuntouched: 1 server"


def test_servers_that_swap_their_ports_make_one_step():
    def ports(a: int, b: int) -> RuntimeConfig:
        return config({"a": {"url": f"http://127.0.0.1:{a}/mcp"}, "b": {"url": f"http://127.0.0.1:{b}/mcp"}, "c": {}})

    swapped = plan(ports(9001, 9002), ports(9002, 9001))
    assert str(swapped) == "restart a, b: a: url, b: url\nuntouched: 1 server"
    assert [step.old for step in plan(ports(9001, 9002), ports(9003, 9004)).steps] == [("a",), ("b",), ("c",)]


def test_a_server_that_is_switched_off_or_on_is_told_so():
    on, off = config({"a": {}, "b": {}}), config({"a": {"disabled": True}, "b": {}})
    assert str(plan(on, off)) == "stop a: disabled\nuntouched: 1 server"
    assert str(plan(off, on)) == "start a: no longer disabled\nuntouched: 1 server"


def test_nothing_to_do_is_false_whatever_waits_for_the_host():
    old, new = config({}), config({}, sweep=False)
    assert not plan(old, new)
    assert str(plan(old, old)) == "nothing to do"
    assert plan(old, new).host == ("sweep",)


NAMES = ("a", "b", "c", "d")
KEYS = st.sampled_from(
    [{}, {}, {"timeout": 5}, {"args": ["1"]}, {"backoff": {"first": 1}}, {"url": "http://127.0.0.1:9001/mcp"}]
)


@st.composite
def configs(draw: st.DrawFn) -> RuntimeConfig:
    """Configurations with servers out of four, in up to two groups, one in the other at times."""
    servers = draw(st.dictionaries(st.sampled_from(NAMES), KEYS))
    place = {name: draw(st.sampled_from(["", "g", "h"])) for name in servers}
    groups: dict[str, Any] = {
        group: {"servers": [name for name in servers if place[name] == group]} for group in set(place.values()) - {""}
    }
    if "g" in groups and "h" in groups and draw(st.booleans()):
        groups["g"]["servers"].append("h")
    return config(servers, groups=groups)


@given(configs())
def test_a_plan_to_where_one_is_touches_nothing(at):
    assert not plan(at, at)
    assert sorted(plan(at, at).servers(Action.KEEP)) == sorted(at.servers)


@given(configs(), configs())
def test_the_steps_of_a_plan_taken_in_any_order_lead_to_where_it_leads(old, new):
    """Each leaves the others as they were; all together are the whole way, and each one that is taken back, none."""
    steps = plan(old, new).steps
    for order in (steps, steps[::-1]):
        reached = reduce(lambda at, step: composed(at, step, new), order, old)
        assert (reached.servers, reached.groups) == (new.servers, new.groups)
        assert not plan(reached, new)
    for step in steps:
        there = composed(old, step, new)
        back = composed(there, type(step)(step.action, step.new, step.old, step.servers), old)
        assert (back.servers, back.groups) == (old.servers, old.groups)


@given(configs(), configs())
def test_each_server_is_in_one_step_and_its_own_change_is_the_reason(old, new):
    steps = plan(old, new).steps
    assert sorted(name for step in steps for name in step.servers) == sorted({*old.servers, *new.servers})
    for step in steps:
        assert bool(step.reasons) is (step.action is not Action.KEEP)
