"""Over generated configurations: a valid one loads, one planted mistake is named and nothing else, no secret shows."""

import json
from copy import deepcopy

from hypothesis import assume, given, note, settings
from hypothesis import strategies as st

from runtime.config import ConfigError, load

words = st.from_regex(r"[a-z][a-z0-9_]{0,7}", fullmatch=True)
seconds = st.integers(1, 500) | st.floats(0.001, 500)
counts = st.integers(1, 10**6)
flags = st.booleans()
globs = st.lists(words, max_size=3)

NO_NUMBER = [True, "5", None, [], {}, -1, float("inf"), float("nan"), 10**400]
NO_FLAG = [0, 1, "true", None, []]
NO_LIST = ["x", None, 3, {}]
NO_WORD = [None, 3, True, [], ""]
NO_OBJECT = [None, 3, "x", [], True]


brief = settings(max_examples=100, deadline=None)


@st.composite
def objects(draw, **keys):
    """Objects with a few of the keys: small enough to shrink quickly."""
    chosen = draw(st.lists(st.sampled_from(sorted(keys)), max_size=3, unique=True))
    return {key: draw(keys[key]) for key in chosen}


WINDOW = objects(intensity=st.integers(0, 99), period=seconds)
BACKOFF = objects(
    first=st.floats(0, 4), factor=st.floats(1, 9), cap=st.floats(4, 99), jitter=st.floats(0, 1), reset=seconds
)
SERVER = {
    "args": st.lists(st.text(st.characters(exclude_characters="$\0", exclude_categories=["Cs"])), max_size=3),
    "env": st.dictionaries(words, words | st.integers() | st.none(), max_size=3),
    "inherit_env": globs,
    "required": flags,
    "required_tools": st.lists(words, max_size=3),
    "lazy": flags,
    "keep_alive": seconds,
    "era": st.sampled_from(["auto", "modern", "legacy", "per_caller"]),
    "start_timeout": seconds,
    "stop_timeout": seconds,
    "timeout": seconds,
    "max_timeout": st.integers(500, 9999),
    "in_flight": counts,
    "queue": st.integers(0, 99),
    "restart": st.sampled_from(["permanent", "transient", "temporary"]),
    "window": WINDOW,
    "backoff": BACKOFF,
    "breaker": st.just(False) | objects(failures=counts, reset=seconds),
    "health": objects(interval=seconds, timeout=seconds, misses=counts, slow=seconds),
    "idempotent": globs,
    "trust_annotations": flags,
    "cache": objects(
        tools=st.dictionaries(words, seconds, max_size=2),
        lists=seconds,
        stale_if_error=seconds,
        stale_while_revalidate=seconds,
    ),
    "prefix": st.sampled_from(["always", "on_conflict", "never"]),
    "alias": st.dictionaries(words, words, max_size=2),
    "allow": globs,
    "deny": globs,
    "sharing": st.sampled_from(["shared", "per_session", "per_principal"]),
    "on_reload": st.sampled_from(["replace", "overlap"]),
    "bounds": objects(rss=counts, files=counts, age=seconds, calls=counts),
    "card": words,
}
HOST = {
    "start": st.sampled_from(["settled", "required", "none"]),
    "names": objects(
        prefix=st.sampled_from(["always", "never"]), separator=words, max=st.integers(16, 128), conflict=st.just("fail")
    ),
    "cache": objects(bytes=counts, entries_per_tool=counts, entry_bytes=counts, persist=flags),
    "journal": st.just(False) | objects(path=words, arguments=flags, events=counts, days=seconds),
    "retries": objects(per_second=seconds),
    "spawns": objects(per_second=seconds, burst=counts),
    "gateway": objects(
        host=st.sampled_from(["127.0.0.1", "0.0.0.0", "::1"]),
        port=st.integers(0, 65535),
        clients=st.dictionaries(
            words, objects(token=words, allow=globs, deny=globs, rate=seconds, calls=counts), max_size=2
        ),
        auth=st.just("token"),
        origins=globs,
        body=counts,
    ),
    "sweep": flags,
    "reload": st.sampled_from(["ask", "auto"]),
}
# What each leaf may not be; a name that stands for several keys is as strict in all of them.
WRONG = {
    "args": NO_LIST, "env": NO_OBJECT, "inherit_env": NO_LIST, "required": NO_FLAG, "required_tools": NO_LIST,
    "lazy": NO_FLAG, "keep_alive": NO_NUMBER, "era": [*NO_WORD, "old"], "start_timeout": [*NO_NUMBER, 0],
    "stop_timeout": NO_NUMBER, "timeout": [*NO_NUMBER, 0], "max_timeout": [*NO_NUMBER, 0.0001], "in_flight":
    [*NO_NUMBER, 0, 1.0], "queue": [*NO_NUMBER, 1.5], "restart": [*NO_WORD, "always"], "window": NO_OBJECT,
    "backoff": NO_OBJECT, "breaker": NO_OBJECT, "health": NO_OBJECT, "idempotent": NO_LIST, "trust_annotations":
    NO_FLAG, "cache": NO_OBJECT, "prefix": [*NO_WORD, "x__"], "alias": NO_OBJECT, "allow": NO_LIST, "deny": NO_LIST,
    "sharing": NO_WORD, "on_reload": NO_WORD, "bounds": NO_OBJECT, "card": NO_WORD, "intensity": [*NO_NUMBER, 1.0],
    "period": [*NO_NUMBER, 0], "first": NO_NUMBER, "factor": [*NO_NUMBER, 0.5], "cap": NO_NUMBER, "jitter":
    [*NO_NUMBER, 1.5], "failures": [*NO_NUMBER, 0], "reset": NO_NUMBER, "interval": [*NO_NUMBER, 0], "misses":
    [*NO_NUMBER, 0], "slow": [*NO_NUMBER, 0], "tools": NO_OBJECT, "lists": NO_NUMBER, "stale_if_error": NO_NUMBER,
    "stale_while_revalidate": NO_NUMBER, "rss": [*NO_NUMBER, 0], "files": [*NO_NUMBER, 0], "age": [*NO_NUMBER, 0],
    "calls": [*NO_NUMBER, 0], "start": [*NO_WORD, "all"], "names": NO_OBJECT, "separator": NO_WORD, "max":
    [*NO_NUMBER, 129], "conflict": NO_WORD, "bytes": NO_NUMBER, "entries_per_tool": [*NO_NUMBER, 0], "entry_bytes":
    NO_NUMBER, "persist": NO_FLAG, "journal": NO_OBJECT, "path": NO_WORD, "arguments": NO_FLAG, "events":
    [*NO_NUMBER, 0], "days": [*NO_NUMBER, 0], "retries": NO_OBJECT, "per_second": NO_NUMBER, "spawns": NO_OBJECT,
    "burst": [*NO_NUMBER, 0], "gateway": NO_OBJECT, "host": NO_WORD, "port": [*NO_NUMBER, 65536], "clients":
    NO_OBJECT, "auth": [*NO_WORD, "password"], "origins": NO_LIST, "body": [*NO_NUMBER, 0], "sweep": NO_FLAG,
    "reload": NO_WORD, "token": [None, 3, True, []], "rate": [*NO_NUMBER, 0], "command": [*NO_WORD, ["x"]], "url":
    [*NO_WORD, "nowhere"], "python": [*NO_WORD, "nowhere"], "strategy": [*NO_WORD, "one"], "servers": NO_LIST,
}  # fmt: skip
FREE = {"env", "tools", "alias", "clients", "mcpServers", "groups"}  # objects whose keys the user names


@st.composite
def configurations(draw):
    names = draw(st.lists(words.map("s_".__add__), min_size=1, max_size=3, unique=True))
    servers = {}
    for name in names:
        way, value = draw(st.sampled_from([("command", "npx"), ("python", "a.b:c"), ("url", "https://h/mcp")]))
        servers[name] = {way: value} | draw(objects(**SERVER))
    config = {"mcpServers": servers} | draw(objects(**HOST))
    free = draw(st.permutations(names))
    if draw(flags):
        cut = draw(st.integers(1, len(free)))
        config["groups"] = {
            "g_outer": {"servers": free[:cut]} | draw(objects(strategy=st.just("one_for_all"), window=WINDOW))
        }
        if rest := free[cut:]:
            config["groups"]["g_inner"] = {"servers": rest}
            config["groups"]["g_outer"]["servers"] = [*free[:cut], "g_inner"]
        for name in free:
            servers[name].pop("window", None)
    return config


def leaves(value, path=()):
    """The path of every key with a fixed name, outermost first."""
    for key, part in value.items() if isinstance(value, dict) else ():
        if not (path and path[-1] in FREE) and key not in ("mcpServers", "groups"):
            yield (*path, key)
        yield from leaves(part, (*path, key))


def planted(config, path, change):
    """The configuration with its object at ``path[:-1]`` changed."""
    config = deepcopy(config)
    place = config
    for key in path[:-1]:
        place = place[key]
    change(place, path[-1])
    return config


def outcome(config):
    try:
        return load(config, environ={})
    except ConfigError as error:
        return error


@brief
@given(configurations())
def test_every_valid_configuration_loads(config):
    loaded = load(config, environ={})
    assert list(loaded.servers) == list(config["mcpServers"])
    assert list(loaded.groups) == list(config.get("groups", {}))


@brief
@given(configurations(), st.data())
def test_a_value_out_of_place_is_named_at_its_path_and_nothing_else(config, data):
    path = data.draw(st.sampled_from(list(leaves(config))))
    value = data.draw(st.sampled_from(WRONG[path[-1]]))
    note(f"{'.'.join(path)} = {value!r}")
    error = outcome(planted(config, path, lambda place, key: place.update({key: value})))
    assert isinstance(error, ConfigError)
    assert [mistake.path for mistake in error.mistakes] == [".".join(path)]


@brief
@given(configurations(), st.data())
def test_a_misspelt_key_is_named_with_the_key_that_was_meant_and_nothing_else(config, data):
    path = data.draw(st.sampled_from(list(leaves(config))))
    spelling = data.draw(
        st.sampled_from([str.upper, lambda key: key + "x", lambda key: key[0] + key, lambda key: "-" + key])
    )
    wrong = spelling(path[-1])
    error = outcome(planted(config, path, lambda place, key: place.update({wrong: place.pop(key)})))
    assert isinstance(error, ConfigError)
    assert [mistake.path for mistake in error.mistakes] == [".".join((*path[:-1], wrong))]
    assert error.mistakes[0].suggestion == f'did you mean "{path[-1]}"?'


@brief
@given(configurations(), st.data())
def test_a_key_of_nobody_is_noted_and_changes_nothing(config, data):
    path = data.draw(st.sampled_from(list(leaves(config))))
    loaded = load(planted(config, path, lambda place, key: place.update({"qwxyz": {"a": 1}})), environ={})
    assert loaded == load(config, environ={})
    assert ".".join((*path[:-1], "qwxyz")) in [each.path for each in loaded.notes if each.kind == "unknown"]


@brief
@given(configurations(), st.text(alphabet="KQXZ", min_size=12), st.data())
def test_no_secret_shows_in_an_error_a_note_or_a_representation(tmp_path_factory, config, secret, data):
    assume(secret not in json.dumps(config))  # else it is no secret
    directory = tmp_path_factory.getbasetemp()
    (directory / "secret.env").write_text(f"A={secret}\n")
    anywhere = data.draw(
        st.sampled_from(
            [
                {"command": "c", "env": {"A": secret}},
                {"command": "c", "env": secret},
                {"command": "c", "env": [secret]},
                {"command": "c", "env": {"A": [secret]}},
                {"command": "c", "env": {"A=" + secret: 3}},
                {"command": "c", "env": {"A": secret + "\0"}},
                {"command": "c", "env": {"A": secret + "${UNSET}"}},
                {"command": "c", "evn": {"A": secret}},
                {"command": "c", "secrets": {"A": secret}},
                {"command": "c", "alwaysAllow": [secret]},
                {"command": "c", "disabled": True, "env": secret},
                {"command": "c", "args": ["${S}", "--x=${S}"], "cwd": "/${S}", "card": "${S}"},
                {"command": "${S}\0"},
                {"command": "c", "envFile": "${S}"},
                {"command": "c", "envFile": str(directory / "secret.env")},
                {"command": "c", "args": ["${input:key}"]},
                {"url": "${S}"},
                {"url": "https://h/${S}", "type": "ws"},
                {"url": f"https://me:{secret}@h/"},
                {"url": "wss://h/${S}", "type": "sse"},
                {"url": "https://h", "headers": {"Authorization": f"Bearer {secret}"}},
                {"url": "https://h", "headers": {"Authorization": f"Bearer {secret}\n"}},
                {"url": "https://h", "headers": {"X": [secret]}},
                {"url": "https://h", "header": {"X": secret}},
                [secret],
            ]
        )
    )
    config["mcpServers"]["planted"] = anywhere
    config["inputs"] = [{"id": "key", "default": data.draw(st.sampled_from([secret, [secret]])), "password": True}]
    clients = data.draw(st.sampled_from([{"token": secret}, {"token": [secret]}, {"tokn": secret}, {"token": "${S}"}]))
    config.setdefault("gateway", {}).setdefault("clients", {})["planted"] = clients
    try:
        loaded = load(config, environ={"S": secret})
        shown = [repr(loaded), str(loaded), *map(str, loaded.notes), *map(repr, loaded.notes)]
    except ConfigError as error:
        shown = [repr(error), str(error), repr(error.args), *map(repr, error.mistakes)]
    assert not [each for each in shown if secret in each]


@brief
@given(configurations())
def test_json_and_toml_say_the_same(tmp_path_factory, config):
    config = json.loads(json.dumps(config))
    for server in config["mcpServers"].values():
        server.pop("env", None)  # TOML has no null
    directory = tmp_path_factory.getbasetemp()
    (directory / "mcp.json").write_text("// same\n" + json.dumps(config, indent=1), "utf-8")
    (directory / "mcp.toml").write_text("".join(f"{key} = {toml(value)}\n" for key, value in config.items()), "utf-8")
    from_json, from_toml = (load(directory / name, environ={}) for name in ("mcp.json", "mcp.toml"))
    assert (from_json.servers, from_json.groups, from_json.gateway) == (
        from_toml.servers,
        from_toml.groups,
        from_toml.gateway,
    )


def toml(value):
    match value:
        case dict():
            return "{" + ", ".join(f"{json.dumps(key)} = {toml(part)}" for key, part in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def test_each_key_of_ours_is_generated_here():
    from runtime.config.keys import keys_of
    from runtime.config.spec import RuntimeConfig, ServerSpec

    assert set(keys_of(ServerSpec)) <= set(SERVER)
    assert set(keys_of(RuntimeConfig)) == set(HOST)
