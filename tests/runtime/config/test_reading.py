"""One configuration at a time: what it says, what is wrong with it, what its author should know."""

import json
from pathlib import Path

import pytest

from runtime.config import (
    Backoff,
    CacheRules,
    Command,
    ConfigError,
    InProcess,
    Owned,
    Remote,
    RuntimeConfig,
    Secret,
    ServerSpec,
    Timeouts,
    Window,
    load,
    load_server,
    reveal,
)


def server(keys, **environ):
    return load({"mcpServers": {"files": keys}}, environ=environ).servers["files"]


def mistakes(config, **environ):
    with pytest.raises(ConfigError) as caught:
        load(config, environ=environ)
    return {mistake.path: mistake for mistake in caught.value.mistakes}


def mistake(keys, **environ):
    (only,) = mistakes({"mcpServers": {"files": keys}}, **environ).values()
    return only


def notes(config, **environ):
    return {note.path: note.kind for note in load(config, environ=environ).notes}


def written(directory, text, name="mcp.json"):
    file = directory / name
    file.write_text(text, "utf-8")
    return file


# What a configuration says -----------------------------------------------------------------------


def test_a_command_alone_has_every_default():
    assert server({"command": "npx"}) == ServerSpec("files", Command(("npx",)))


def test_a_configuration_is_given_back_as_it_is():
    config = RuntimeConfig()
    assert load(config) is config


def test_keys_of_ours_stand_beside_those_of_other_programs():
    spec = server(
        {"command": "npx", "args": ["-y", "x"], "window": {"intensity": 2}, "cache": {"tools": {"search_*": 30}}}
    )
    assert spec.reach == Command(("npx", "-y", "x"))
    assert spec.window == Window(intensity=2)
    assert spec.cache == CacheRules(tools={"search_*": 30.0})


def test_toml_has_the_same_keys(tmp_path):
    file = written(
        tmp_path,
        """
        start = "required"
        [mcpServers.files]
        command = "npx"
        env = { A = "1" }
        window = { intensity = 2, period = 10 }
        """,
        "mcp.toml",
    )
    config = load(file, environ={})
    assert config.start == "required"
    assert config.source == str(file)
    assert config.servers["files"].window == Window(2, 10.0)
    assert config.servers["files"].reach == Command(("npx",), {"A": Secret("1")})


def test_paths_are_relative_to_the_file(tmp_path):
    (tmp_path / "secrets.env").write_text("A=1\n")
    file = written(
        tmp_path,
        '{"mcpServers": {"x": {"command": "c", "cwd": "sub/dir", "envFile": "secrets.env", "card": "c.json"}}}',
    )
    spec = load(str(file), environ={}).servers["x"]
    assert spec.reach == Command(("c",), {"A": Secret("1")}, cwd=str(tmp_path / "sub/dir"))
    assert spec.card == str(tmp_path / "c.json")


def test_breaker_and_journal_can_be_switched_off():
    config = load({"mcpServers": {"x": {"command": "c", "breaker": False}}, "journal": False})
    assert config.servers["x"].breaker is None
    assert config.journal is None


def test_a_longer_timeout_raises_the_maximum_with_it():
    assert server({"command": "c", "timeout": 900}).max_timeout == 900
    assert mistake({"command": "c", "timeout": 900, "max_timeout": 600}).path == "mcpServers.files.max_timeout"


# How a server is reached -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "reach"),
    [
        ({"type": "stdio", "command": "c"}, Command(("c",))),
        ({"url": "https://h/mcp"}, Remote("https://h/mcp")),
        ({"type": "streamable-http", "url": "http://h:80/mcp"}, Remote("http://h:80/mcp", type="http")),
        ({"type": "sse", "url": "https://h/sse"}, Remote("https://h/sse", type="sse")),
        ({"url": "wss://h/ws"}, Remote("wss://h/ws", type="ws")),
        ({"url": "https://h", "headers": {"X-Key": "k"}}, Remote("https://h", {"X-Key": Secret("k")})),
        ({"url": "https://h", "timeouts": {"connect": 3}}, Remote("https://h", timeouts=Timeouts(connect=3))),
        ({"python": "a.b:c"}, InProcess("a.b", "c")),
        ({"command": "c", "url": "http://127.0.0.1:1/"}, Owned(Command(("c",)), Remote("http://127.0.0.1:1/"))),
        (
            {"command": "c", "args": ["{port}"], "url": "http://[::1]:{port}/"},
            Owned(Command(("c", "{port}")), Remote("http://[::1]:{port}/")),
        ),
        (
            {"command": "c", "env": {"A": 1, "B": 1.5, "C": 2.0}},
            Command(("c",), {"A": Secret("1"), "B": Secret("1.5"), "C": Secret("2")}),
        ),
        ({"command": "c", "env": {"A": None}}, Command(("c",), unset=frozenset({"A"}))),
        ({"command": "c", "inherit_env": ["AWS_*"]}, Command(("c",), inherit_env=("AWS_*",))),
    ],
)
def test_each_way_to_reach_a_server(keys, reach):
    assert server(keys).reach == reach


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ({}, ""),
        ({"args": ["x"]}, ""),
        ({"url": "http://h:{port}/"}, ".url"),
        ({"command": ""}, ".command"),
        ({"command": " "}, ".command"),
        ({"command": ["npx", "-y"]}, ".command"),
        ({"command": "c", "args": "-y"}, ".args"),
        ({"command": "c", "args": ["-y", 3]}, ".args[1]"),
        ({"command": "c\0"}, ".command"),
        ({"command": "c", "args": ["\ud800"]}, ".args[0]"),
        ({"command": "c", "env": {"A": True}}, ".env.A"),
        ({"command": "c", "env": {"": "x"}}, ".env.***"),
        ({"command": "c", "env": ["A=1"]}, ".env"),
        ({"command": "c", "type": "http"}, ".type"),
        ({"command": "c", "python": "a:b"}, ".command"),
        ({"url": "u", "python": "a:b"}, ".url"),
        ({"url": "example.org/mcp"}, ".url"),
        ({"url": "ftp://example.org"}, ".url"),
        ({"url": "http://"}, ".url"),
        ({"url": "http://h:99999"}, ".url"),
        ({"url": "http://[::1"}, ".url"),
        ({"url": "http://h/a b"}, ".url"),
        ({"url": "http://h", "type": "stdio"}, ".type"),
        ({"url": "ws://h", "type": "sse"}, ".type"),
        ({"url": "http://h", "type": "carrier-pigeon"}, ".type"),
        ({"url": "http://h", "headers": {"X Y": "z"}}, ".headers.***"),
        ({"url": "http://h", "headers": {"X": "a\r\nEvil: b"}}, ".headers.X"),
        ({"python": "my_tools.clock"}, ".python"),
        ({"python": "my tools:server"}, ".python"),
        ({"command": "c", "window": {"intensity": True}}, ".window.intensity"),
        ({"command": "c", "window": {"intensity": 1.0}}, ".window.intensity"),
        ({"command": "c", "window": {"period": 0}}, ".window.period"),
        ({"command": "c", "timeout": float("inf")}, ".timeout"),
        ({"command": "c", "timeout": float("nan")}, ".timeout"),
        ({"command": "c", "timeout": 10**400}, ".timeout"),
        ({"command": "c", "timeout": 10**10}, ".timeout"),
        ({"command": "c", "timeout": "30"}, ".timeout"),
        ({"command": "c", "backoff": {"jitter": 1.1}}, ".backoff.jitter"),
        ({"command": "c", "backoff": {"first": 9}}, ".backoff.cap"),
        ({"command": "c", "breaker": True}, ".breaker"),
        ({"command": "c", "required": "yes"}, ".required"),
        ({"command": "c", "era": "mordern"}, ".era"),
        ({"command": "c", "cache": {"tools": {"a": -1}}}, ".cache.tools.a"),
        ({"command": "c", "required_tools": ["a", ""]}, ".required_tools[1]"),
        ({"command": "c", "deny": ["${X}"]}, ".deny[0]"),
        ({"command": "c", "disabled": "true"}, ".disabled"),
        ({"command": "c", "bounds": {"rss": 0}}, ".bounds.rss"),
        ("npx", ""),
        (None, ""),
    ],
)  # fmt: skip
def test_a_mistake_of_a_server_is_named_at_its_path_and_alone(keys, path):
    assert mistake(keys).path == "mcpServers.files" + path


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({}, "mcpServers"),
        ({"mcpServers": []}, "mcpServers"),
        ({"mcpServers": {}, "servers": {}}, "servers"),
        ({"mcpServers": {"": {"command": "c"}}}, 'mcpServers.""'),
        ({"mcpServers": {"a\nb": {"command": "c"}}}, 'mcpServers."a\\nb"'),
        ({"mcpServers": {}, "start": "setled"}, "start"),
        ({"mcpServers": {}, "sweep": 1}, "sweep"),
        ({"mcpServers": {}, "gateway": {"port": 65536}}, "gateway.port"),
        ({"mcpServers": {}, "gateway": {"host": "0.0.0.0", "auth": "none"}}, "gateway.auth"),
        (
            {"mcpServers": {}, "gateway": {"clients": {"a": {"allowedServers": ["x"]}}}},
            "gateway.clients.a.allowedServers[0]",
        ),
        (
            {"mcpServers": {}, "gateway": {"clients": {"a": {"token": "t", "token_file": "f"}}}},
            "gateway.clients.a.token_file",
        ),
        ({"mcpServers": {}, "names": {"max": 8}}, "names.max"),
        ({"mcpServers": {}, "journal": True}, "journal"),
        ({"servers": {}, "inputs": {}}, "inputs"),
        ({"servers": {}, "inputs": [{"id": "a"}, {"id": "a"}]}, "inputs[1].id"),
        ({"servers": {}, "inputs": [{"type": "promptString"}]}, "inputs[0].id"),
    ],
)
def test_a_mistake_of_the_host_is_named_at_its_path_and_alone(config, path):
    assert list(mistakes(config)) == [path]


def test_every_mistake_is_named_at_once():
    found = mistakes(
        {
            "mcpServers": {
                "files": {"comand": "npx", "timeout": "30", "window": {"intensity": True, "perod": 1}},
                "clock": {"python": "nowhere"},
                "a": {"command": "a", "window": {}},
            },
            "groups": {"x": {"servers": ["a", "b"]}, "y": {"servers": []}},
            "gateway": {"port": -1, "clients": {"me": {"allowedServers": ["a", "flies"]}}},
            "sweep": 3,
        }
    )
    assert set(found) == {
        "mcpServers.files.comand",
        "mcpServers.files.timeout",
        "mcpServers.files.window.intensity",
        "mcpServers.files.window.perod",
        "mcpServers.clock.python",
        "mcpServers.a.window",
        "groups.x.servers[1]",
        "groups.y.servers",
        "gateway.port",
        "gateway.clients.me.allowedServers[1]",
        "sweep",
    }


def test_an_error_reads_well():
    with pytest.raises(ConfigError) as caught:
        load({"mcpServers": {"files": {"command": "npx", "window": {"intensity": True}, "timout": 3}}})
    assert str(caught.value).splitlines() == [
        "(configuration given in code): 2 mistakes",
        "  mcpServers.files.window.intensity: expected a whole number of at least 0, found true",
        '  mcpServers.files.timout: expected "timeout", found an unknown key (did you mean "timeout"?)',
    ]


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("inFlight", "in_flight"),
        ("start-timeout", "start_timeout"),
        ("Restart", "restart"),
        ("env_file", "envFile"),
        ("arguments", "args"),
        ("serverUrl", "url"),
        ("header", "headers"),
    ],
)
def test_a_key_near_one_of_ours_is_a_mistake_with_the_suggestion(wrong, meant):
    found = mistake({"command": "c", wrong: "x"})
    assert (found.path, found.suggestion) == (f"mcpServers.files.{wrong}", f'did you mean "{meant}"?')


def test_a_near_miss_of_a_choice_is_suggested():
    assert mistake({"command": "c", "era": "mordern"}).suggestion == 'did you mean "modern"?'


def test_a_key_given_twice_is_a_mistake(tmp_path):
    file = written(tmp_path, '{"mcpServers": {"a": {"command": "x", "args": [{"b": 1, "b": 2}], "command": "y"}}}')
    assert set(mistakes(file)) == {"mcpServers.a.command", "mcpServers.a.args[0].b", "mcpServers.a.args[0]"}


def test_a_file_that_cannot_be_read_is_refused_with_its_name(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.json: 1 mistake\n.*no such file"):
        load(tmp_path / "nowhere.json")
    with pytest.raises(ConfigError, match="is a directory"):
        load(tmp_path)


def test_a_file_that_holds_no_object_is_refused(tmp_path):
    assert mistakes(written(tmp_path, "[]"))[""].value == "a list"


def test_a_syntax_error_names_the_file_and_the_line(tmp_path):
    with pytest.raises(ConfigError, match=r"mcp\.json: 1 mistake\n  line 2, column 1: expected"):
        load(written(tmp_path, '{"mcpServers": {\n'))


# Groups ------------------------------------------------------------------------------------------

FOUR = {name: {"command": name} for name in ("a", "b", "c", "d")}


def grouped(servers=FOUR, **groups):
    return {"mcpServers": servers, "groups": groups}


def test_groups_nest():
    config = load(grouped(outer={"strategy": "rest_for_one", "servers": ["a", "inner"]}, inner={"servers": ["b", "c"]}))
    assert config.groups["outer"].servers == ("a", "inner")
    assert config.groups["outer"].strategy == "rest_for_one"
    assert config.groups["inner"].strategy == "one_for_one"


@pytest.mark.parametrize(
    ("groups", "path"),
    [
        ({"x": {"servers": ["a", "b"]}, "y": {"servers": ["c", "a"]}}, "groups.y.servers[1]"),
        ({"x": {"servers": ["a", "a"]}}, "groups.x.servers[1]"),
        ({"x": {"servers": ["x"]}}, "groups.x.servers[0]"),
        ({"x": {"servers": ["y", "a"]}, "y": {"servers": ["z"]}, "z": {"servers": ["b", "x"]}}, "groups.z.servers[1]"),
        ({"x": {"servers": ["aa"]}}, "groups.x.servers[0]"),
        ({"x": {"servers": []}}, "groups.x.servers"),
        ({"x": {}}, "groups.x.servers"),
        ({"a": {"servers": ["b"]}}, "groups.a"),
        ({"x": {"servers": ["a"], "strategy": "one_for_some"}}, "groups.x.strategy"),
        ({"x": {"servers": ["a"], "stategy": "one_for_all"}}, "groups.x.stategy"),
        ({"x": ["a"]}, "groups.x"),
    ],
)  # fmt: skip
def test_a_mistake_of_a_group_is_named_at_its_path_and_alone(groups, path):
    assert list(mistakes(grouped(**groups))) == [path]


def test_a_ring_of_groups_is_spelled_out():
    found = mistakes(grouped(x={"servers": ["y"]}, y={"servers": ["x"]}))
    assert found["groups.y.servers[0]"].suggestion == "x in y in x"


def test_a_window_of_a_grouped_server_is_a_mistake_that_points_to_the_group():
    servers = {**FOUR, "a": {"command": "a", "window": {"intensity": 1}}}
    found = mistakes(grouped(servers, x={"servers": ["a", "b"]}))
    assert list(found) == ["mcpServers.a.window"]
    assert '"x"' in found["mcpServers.a.window"].suggestion


def test_a_disabled_server_leaves_its_group_and_an_empty_group_goes():
    servers = {**FOUR, "a": {"disabled": True, "command": "a", "window": {}}, "b": {"enabled": False}}
    config = load(grouped(servers, x={"servers": ["a", "y", "d"]}, y={"servers": ["b"]}, z={"servers": ["c"]}))
    assert config.disabled == ("a", "b")
    assert set(config.servers) == {"c", "d"}
    assert {name: group.servers for name, group in config.groups.items()} == {"x": ("d",), "z": ("c",)}


# Files of other programs -------------------------------------------------------------------------


def test_a_claude_desktop_file_works_as_it_is(tmp_path):
    file = written(
        tmp_path,
        """{"globalShortcut": "Ctrl+Space", "mcpServers": {"filesystem": {"command": "npx",
        "args": ["-y", "@modelcontextprotocol/server-filesystem", "/home/me/Desktop"], "env": {"DEBUG": "1"}}}}""",
    )
    config = load(file, environ={})
    assert config.servers["filesystem"].reach == Command(
        ("npx", "-y", "@modelcontextprotocol/server-filesystem", "/home/me/Desktop"), {"DEBUG": Secret("1")}
    )
    assert [(note.path, note.kind) for note in config.notes] == [("globalShortcut", "foreign")]


def test_a_cursor_file_works_as_it_is(tmp_path):
    file = written(
        tmp_path,
        """{"mcpServers": {
        "tools": {"type": "stdio", "command": "python", "args": ["${workspaceFolder}${/}tools.py"],
                  "envFile": ".env"},
        "remote": {"url": "https://example.org/mcp", "env": {},
                   "headers": {"Authorization": "Bearer ${env:TOKEN}"}}}}""",
    )
    (tmp_path / ".env").write_text("KEY=value")
    config = load(file, environ={"TOKEN": "t0ken"})
    assert config.servers["tools"].reach == Command(("python", f"{tmp_path}/tools.py"), {"KEY": Secret("value")})
    assert config.servers["remote"].reach == Remote(
        "https://example.org/mcp", {"Authorization": Secret("Bearer t0ken")}
    )


def test_a_vs_code_file_works_as_it_is(tmp_path):
    file = written(
        tmp_path,
        """{
        // asked for once
        "inputs": [{"type": "promptString", "id": "api-key", "description": "API key", "password": true},
                   {"type": "pickString", "id": "size", "default": "s",
                    "options": ["s", {"label": "Large", "value": "l"}]}],
        "servers": {
            "perplexity": {"type": "stdio", "command": "npx", "args": ["${input:size}"],
                           "env": {"KEY": "${input:api-key}", "GONE": null},
                           "envFile": "${workspaceFolder}/.env", "dev": {"watch": "src/**"}},
            "fetch": {"type": "http", "url": "https://example.org/mcp", "gallery": true},
        },
        }""",
    )
    (tmp_path / ".env").write_text("# comment\nGONE=1\nKEPT=2\n")
    config = load(file, environ={"API_KEY": "k3y"})
    assert config.servers["perplexity"].reach == Command(
        ("npx", Secret("s")), {"KEY": Secret("k3y"), "KEPT": Secret("2")}, unset=frozenset({"GONE"})
    )
    assert config.servers["fetch"].reach == Remote("https://example.org/mcp", type="http")
    assert mistakes(written(tmp_path, '{"servers": {"a": {"type": "stdoi", "command": "x"}}}')).keys() == {
        "servers.a.type"
    }


def test_foreign_keys_are_noted_and_a_switched_off_server_is_not_started():
    config = {
        "$schema": "https://example.org/schema.json",
        "mcpServers": {
            "on": {"command": "c", "disabled": False, "alwaysAllow": ["x"], "autoApprove": [], "frobnicate": {"a": 1}},
            "off": {"command": "${UNSET}", "disabled": True},
        },
    }
    assert notes(config) == {
        "mcpServers.on.alwaysAllow": "foreign",
        "mcpServers.on.autoApprove": "foreign",
        "mcpServers.on.frobnicate": "unknown",
        "mcpServers.off": "disabled",
    }
    assert load(config).disabled == ("off",)
    assert list(load(config).servers) == ["on"]


def test_a_key_without_effect_yet_is_noted_only_when_it_is_set():
    assert notes({"mcpServers": {"a": {"command": "c", "timeout": 3, "window": {}, "cache": {"tools": {}}}}}) == {}
    assert notes(
        {
            "mcpServers": {
                "a": {"command": "c", "lazy": False, "era": "per_caller", "cache": {"lists": 3}},
                "b": {"url": "http://h"},
            },
            "gateway": {"port": 1},
            "cache": {"entries_per_tool": 3, "bytes": 4},
        }
    ) == dict.fromkeys(
        [
            "mcpServers.a.lazy",
            "mcpServers.a.era",
            "mcpServers.a.cache.lists",
            "gateway.port",
            "cache.bytes",
        ],
        "later",
    )


def test_what_is_valid_but_hardly_meant_is_advised():
    assert notes({"mcpServers": {"a": {"command": "c", "timeout": 60000, "headers": {}}}}) == {
        "mcpServers.a.timeout": "advice",
        "mcpServers.a.headers": "advice",
    }


def test_certificates_are_looked_at_before_anything_starts(tmp_path):
    server = {"url": "https://example.org/mcp", "ca": "ca.pem"}
    file, ca = tmp_path / "mcp.json", tmp_path / "ca.pem"
    file.write_text(json.dumps({"mcpServers": {"far": server}}))
    with pytest.raises(ConfigError, match=r"far\.ca: expected a file that can be read"):
        load(file)
    ca.write_text("nothing of that sort")
    with pytest.raises(ConfigError, match=r"far\.ca: expected a file of certificates in PEM"):
        load(file)
    ca.write_bytes((Path(__file__).parents[2] / "servers" / "localhost.pem").read_bytes())
    assert load(file).servers["far"].reach == Remote("https://example.org/mcp", ca=str(ca))
    [note] = load({"mcpServers": {"near": {"command": "c", "ca": str(ca)}}}).notes
    assert note.text == 'has no effect without "url"'


def test_a_server_that_others_run_is_looked_for_with_more_patience():
    url, command = "https://example.org/mcp", {"command": "c"}
    servers = {"far": {"url": url}, "near": command, "ours": {**command, "url": "http://127.0.0.1:{port}/mcp"}}
    servers["set"] = {"url": url, "window": {"intensity": 2}, "backoff": {"first": 1}}
    specs = load({"mcpServers": servers}).servers
    assert (specs["far"].window, specs["far"].backoff) == (Window(20, 300), Backoff(0.1, 2, 15, 0.1, 300))
    assert (specs["set"].window, specs["set"].backoff) == (Window(2, 300), Backoff(first=1))
    for name in ("near", "ours"):
        assert (specs[name].window, specs[name].backoff) == (Window(), Backoff())


# Secrets and servers given alone -----------------------------------------------------------------


@pytest.mark.parametrize("url", ["https://me:pw@h/", "https://h/mcp?api_key=k"])
def test_an_address_that_holds_a_key_is_a_secret(url):
    reach = server({"url": url}).reach
    assert reach == Remote(Secret(url))
    assert reveal(reach.url) == url


def test_what_a_variable_put_in_is_secret_and_what_the_file_says_is_not():
    reach = server({"command": "c", "args": ["--key=${KEY}", "plain"]}, KEY="k").reach
    assert reach.argv == ("c", Secret("--key=k"), "plain")


def test_one_server_can_be_read_alone():
    assert load_server("x", {"command": "c", "queue": 0}) == ServerSpec("x", Command(("c",)), queue=0)
    with pytest.raises(ConfigError, match=r"mcpServers\.x\.queue"):
        load_server("x", {"command": "c", "queue": -1})
    with pytest.raises(ConfigError, match="disabled"):
        load_server("x", {"command": "c", "disabled": True})


def test_a_mapping_may_hold_secrets_and_tuples():
    assert server({"command": "c", "args": ("a",), "env": {"A": Secret("s")}}).reach == Command(
        ("c", "a"), {"A": Secret("s")}
    )


def test_a_specification_cannot_be_changed():
    config = load({"mcpServers": {"a": {"command": "c", "env": {"A": "1"}}}})
    with pytest.raises(TypeError):
        config.servers["b"] = config.servers["a"]
    with pytest.raises(TypeError):
        config.servers["a"].reach.env["B"] = "2"


def test_the_same_file_reads_the_same_twice(tmp_path):
    file = written(tmp_path, json.dumps({"mcpServers": {"a": {"command": "c", "env": {"A": "${HOME}"}}}}))
    assert load(file, environ={"HOME": "/h"}) == load(Path(file), environ={"HOME": "/h"})
    assert load(file, environ={"HOME": "/h"}) != load(file, environ={"HOME": "/other"})
