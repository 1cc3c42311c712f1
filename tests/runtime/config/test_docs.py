"""docs/configuration.md says what the code does: its tables come from the keys, its examples load."""

import re
from pathlib import Path

import pytest

from runtime.config import ConfigError, load
from runtime.config.keys import keys_of
from runtime.config.table import TABLES, table

DOCS = Path(__file__).parents[3] / "docs" / "configuration.md"
TEXT = DOCS.read_text("utf-8")


def examples(language):
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_the_documentation_is_the_table_of_the_keys(name):
    documented = re.search(rf"<!-- keys: {name} -->\n(.*?)\n?<!-- end -->", TEXT, re.DOTALL)
    assert documented is not None
    assert documented[1] == table(TABLES[name]), "copy it from: python -m runtime.config.table"


def test_the_keys_that_a_running_server_takes_on_are_those_that_say_so():
    documented = re.search(r"<!-- live -->(.*?)<!-- end -->", TEXT, re.DOTALL)
    assert documented is not None
    live = [name for name, key in keys_of(TABLES["server"]).items() if key.live]
    assert re.findall(r"`(\w+)`", documented[1]) == live


def test_every_key_of_every_object_is_in_a_table():
    tables = "\n".join(map(table, TABLES.values()))
    for cls in TABLES.values():
        for name, key in keys_of(cls).items():
            inner = [f"{name}.{each}" for each in keys_of(key.check.keys)] if key.check.keys else []
            assert all(f"`{each}`" in tables or key.check.keys in TABLES.values() for each in [name, *inner])


@pytest.mark.parametrize(("language", "suffix"), [("jsonc", "json"), ("toml", "toml")])
def test_every_example_loads(tmp_path, language, suffix):
    assert examples(language)
    for number, example in enumerate(examples(language)):
        file = tmp_path / f"{number}.{suffix}"
        file.write_text(example, "utf-8")
        notes = load(file, environ={"SEARCH_KEY": "k"}).notes
        assert {note.kind for note in notes} <= {"later"}


def test_the_error_is_shown_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mcp.json").write_text(
        """{"mcpServers": {"files": {"comand": "npx", "window": {"intensity": true}},
                           "search": {"command": "uvx", "env": {"API_KEY": "${SEARCH_KEY}"}}},
            "gateway": {"port": -1}}"""
    )
    with pytest.raises(ConfigError) as caught:
        load("mcp.json", environ={})
    assert examples("text") == [f"{caught.value}\n"]
