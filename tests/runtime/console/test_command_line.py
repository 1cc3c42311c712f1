import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.config import load
from runtime.console.command_line import CommandLine, UsageError, parse_arguments, split
from runtime.console.oneshot import describe, only


@pytest.mark.parametrize(
    ("arguments", "config", "words"),
    [
        ([], None, ()),
        (["mcp.json"], "mcp.json", ()),
        (["a/b.toml", "tools", "x"], "a/b.toml", ("tools", "x")),
        (["-c", "fleet", "tools"], "fleet", ("tools",)),
        (["tools", "--config", "fleet"], "fleet", ("tools",)),
        (["--config=fleet.yaml"], "fleet.yaml", ()),
        (["call", "files", "mcp.json"], None, ("call", "files", "mcp.json")),
        (["tols"], None, ("tols",)),
        (["--help"], None, ("--help",)),
    ],
)
def test_a_configuration_is_known_by_its_ending_or_by_its_option(arguments, config, words):
    assert split(arguments) == CommandLine(config, words)


@pytest.mark.parametrize(
    "arguments", [["-c"], ["tools", "--config"], ["a.json", "-c", "b.json"], ["-c", "a", "-c", "b"]]
)
def test_one_configuration_at_a_time(arguments):
    with pytest.raises(UsageError):
        split(arguments)


def test_arguments_are_one_json_object():
    assert parse_arguments('{"a": [1, null]}') == {"a": [1, None]}
    for wrong in ("", "{", "[1]", "null", "a=1"):
        with pytest.raises(UsageError):
            parse_arguments(wrong)


@given(st.sets(st.sampled_from("abcdef"), min_size=1), st.data())
def test_a_one_shot_starts_the_server_and_whom_it_shares_a_group_with(servers, data):
    """Groups a forest over the servers; what is kept is exactly the tree that the server is in."""
    left = sorted(servers)
    groups: dict[str, list[str]] = {}
    roots = list(left)
    for name in data.draw(st.lists(st.sampled_from(["g1", "g2", "g3"]), unique=True)):
        members = data.draw(st.lists(st.sampled_from(roots), min_size=1, unique=True))
        roots = [root for root in roots if root not in members] + [name]
        groups[name] = members

    def below(name: str) -> set[str]:
        return {name}.union(*map(below, groups.get(name, [])))

    config = load(
        {
            "mcpServers": {name: {"command": "x"} for name in left},
            "groups": {name: {"servers": members} for name, members in groups.items()},
        }
    )
    chosen = data.draw(st.sampled_from(left))
    kept = only(config, chosen)
    island = below(next(root for root in roots if chosen in below(root)))
    assert {*kept.servers, *kept.groups} == island


def test_secrets_stay_secret_in_a_description():
    config = load(
        {"mcpServers": {"a": {"command": "x", "args": ["--key", "${KEY}"]}, "b": {"url": "https://x.org/?k=${KEY}"}}},
        environ={"KEY": "hidden"},
    )
    assert not any("hidden" in describe(spec.reach) for spec in config.servers.values())
    assert describe(config.servers["a"].reach).startswith("x --key")
