"""Variables, inputs and env files: what they stand for, and that they stay secret."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.config import Command, ConfigError, Input, Secret, load


def argument(template, directory=None, **environ):
    """What one argument of a command becomes."""
    config = {"mcpServers": {"x": {"command": "c", "args": [template]}}}
    return load(config, environ=environ).servers["x"].reach.argv[1]


def refusal(template, **environ):
    with pytest.raises(ConfigError) as caught:
        argument(template, **environ)
    (mistake,) = caught.value.mistakes
    assert mistake.path == "mcpServers.x.args[0]"
    return mistake


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("${A}", Secret("1")),
        ("${env:A}", Secret("1")),
        ("<${A}${B}>", Secret("<12>")),
        ("${NO:-default}", Secret("default")),
        ("${env:NO:-default}", Secret("default")),
        ("${EMPTY:-default}", Secret("default")),
        ("${EMPTY}", Secret("")),
        ("${NO:-}", Secret("")),
        ("${NO:-a:-b $x}", Secret("a:-b $x")),
        ("${A:-default}", Secret("1")),
        ("$${A}", "${A}"),
        ("$A $ {A} %A% {}", "$A $ {A} %A% {}"),
        ("${workspaceFolder}/x", os.getcwd() + "/x"),
        ("${workspaceFolderBasename}", os.path.basename(os.getcwd())),
        ("a${/}b${pathSeparator}", f"a{os.sep}b{os.sep}"),
        ("${userHome}/x", "/home/me/x"),
    ],
)
def test_what_a_variable_stands_for(template, value):
    assert argument(template, A="1", B="2", EMPTY="", HOME="/home/me") == value


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("${NO}", "environment variable NO"),
        ("${env:NO}", "environment variable NO"),
        ("${userHome}", "environment variable HOME"),
        ("${A", "a } after each ${"),
        ("${A:-${B}}", "none within another"),
        ("${}", "one of ${VAR}"),
        ("${config:x.y}", "one of ${VAR}"),
        ("${A-b}", "one of ${VAR}"),
        ("${input:who}", 'an input "who"'),
    ],
)
def test_a_variable_that_stands_for_nothing_is_a_mistake(template, expected):
    assert expected in refusal(template, A="1", B="2").expected


def test_nothing_is_expanded_twice():
    assert argument("${A}", A="${B}", B="secret") == Secret("${B}")


def test_elsewhere_a_variable_is_a_mistake_that_says_so():
    with pytest.raises(ConfigError, match=r"queue: .*a \$\{variable\} is not expanded here"):
        load({"mcpServers": {"x": {"command": "c", "queue": "${N}"}}}, environ={"N": "3"})


@settings(deadline=None)
@given(st.text(alphabet=st.characters(blacklist_characters="$", blacklist_categories=["Cs"], min_codepoint=1)))
def test_a_string_without_dollar_is_itself(text):
    assert argument(text) == text


# Inputs ------------------------------------------------------------------------------------------


def with_input(template="${input:api-key}", **declared):
    return {
        "inputs": [{"id": "api-key", "type": "promptString", **declared}],
        "servers": {"x": {"command": "c", "env": {"A": template, "B": template}}},
    }


def answered(config, ask=None, **environ):
    return load(config, environ=environ, ask_input=ask).servers["x"].reach.env["A"]


def test_an_input_is_asked_for_once():
    asked = []

    def ask(wanted):
        asked.append(wanted)
        return "from the user"

    assert answered(with_input(description="Key?", password=True), ask, API_KEY="x") == Secret("from the user")
    assert asked == [Input("api-key", description="Key?", password=True)]


@pytest.mark.parametrize("ask", [None, lambda wanted: None])
@pytest.mark.parametrize("variable", ["api-key", "API_KEY"])
def test_without_an_answer_an_input_comes_from_the_environment(ask, variable):
    assert answered(with_input(default="d"), ask, **{variable: "from outside"}) == Secret("from outside")


def test_without_an_environment_variable_an_input_has_its_default():
    assert answered(with_input(default="d")) == Secret("d")


def test_an_input_from_nowhere_is_a_mistake_at_each_place_that_needs_it():
    with pytest.raises(ConfigError, match="set API_KEY") as caught:
        answered(with_input())
    assert [mistake.path for mistake in caught.value.mistakes] == ["servers.x.env.A", "servers.x.env.B"]


def test_an_undeclared_input_is_a_mistake_with_a_suggestion():
    with pytest.raises(ConfigError, match='did you mean "api-key"') as caught:
        answered(with_input("${input:apikey}"))
    assert caught.value.mistakes[0].path == "servers.x.env.A"


@pytest.mark.parametrize("declared", [{"password": "yes"}, {"type": "promptSrting"}, {"default": 3}])
def test_a_wrongly_declared_input_is_named_once_and_not_where_it_is_used(declared):
    with pytest.raises(ConfigError) as caught:
        answered(with_input(**declared))
    assert [mistake.path for mistake in caught.value.mistakes] == [f"inputs[0].{next(iter(declared))}"]


def test_nobody_is_asked_while_anything_else_is_wrong():
    config = with_input() | {"gateway": {"port": -1}}
    with pytest.raises(ConfigError) as caught:
        load(config, environ={}, ask_input=lambda wanted: pytest.fail("asked"))
    assert [mistake.path for mistake in caught.value.mistakes] == ["gateway.port"]


def test_what_an_answer_breaks_is_found_afterwards():
    config = with_input()
    config["servers"]["y"] = {"url": "${input:api-key}"}
    with pytest.raises(ConfigError) as caught:
        load(config, environ={}, ask_input=lambda wanted: "no address")
    assert [(mistake.path, mistake.value) for mistake in caught.value.mistakes] == [("servers.y.url", "***")]


# Env files ---------------------------------------------------------------------------------------


def env_file(directory, text, **env):
    file = directory / "my.env"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    keys = {"command": "c", "envFile": str(file), "env": env}
    reach = load({"mcpServers": {"x": keys}}, environ={}).servers["x"].reach
    assert isinstance(reach, Command)
    return {name: value.reveal() for name, value in reach.env.items()}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=1", "1"),
        ("export A=1", "1"),
        ("  A = 1  ", "1"),
        ("A=", ""),
        ("A=one two", "one two"),
        ("A=one # comment", "one"),
        ("A=one#two", "one#two"),
        ("A='one # ${two}' # comment", "one # ${two}"),
        ('A="one\\ntwo \\"three\\""', 'one\ntwo "three"'),
        ('A="one\ntwo"', "one\ntwo"),
        ("A=it's", "it's"),
        ("A=a=b", "a=b"),
        ("A=1\r\nB=2", "1"),
        ("A=0\nA=1", "1"),
        ("# A=0\n\n\nA=1\n\n", "1"),
        ("\ufeffA=1", "1"),
    ],
)
def test_a_line_of_an_env_file(tmp_path, line, value):
    assert env_file(tmp_path, line)["A"] == value


def test_env_goes_before_the_env_file(tmp_path):
    assert env_file(tmp_path, "A=1\nB=2\n", B="3") == {"A": "1", "B": "3"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1\nsk-secret\n", "line 2 of this file to be NAME=value"),
        ('A=1\n\nB="sk-secret\n', "line 3 of this file"),
        ("1A=sk-secret", "line 1 of this file"),
        ("A='sk-secret' sk-secret", "line 1 of this file"),
        (b"A=sk-secret\xff", "UTF-8"),
        ("A=sk-secret\0", "NUL"),
    ],
)
def test_a_wrong_env_file_is_named_without_its_contents(tmp_path, text, expected):
    with pytest.raises(ConfigError) as caught:
        env_file(tmp_path, text)
    (mistake,) = caught.value.mistakes
    assert mistake.path == "mcpServers.x.envFile"
    assert expected in mistake.expected
    assert "sk-secret" not in str(caught.value) + repr(caught.value)


def test_an_env_file_that_is_not_there_is_a_mistake(tmp_path):
    with pytest.raises(
        ConfigError, match=r"mcpServers\.x\.envFile: expected a file that can be read, found .*\(No such"
    ):
        load({"mcpServers": {"x": {"command": "c", "envFile": str(tmp_path / "my.env")}}}, environ={})


@settings(deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"[A-Z_]{1,8}", fullmatch=True), st.text(st.characters(min_codepoint=32, max_codepoint=126))
    )
)
def test_a_quoted_env_file_reads_back(tmp_path_factory, variables):
    quoted = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in variables.items()}
    text = "".join(f'{name}="{value}"\n' for name, value in quoted.items())
    assert env_file(tmp_path_factory.getbasetemp(), text) == variables
