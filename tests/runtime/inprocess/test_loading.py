"""A server is found beside the file that names it, and what is none is told."""

import sys

import pytest

from runtime.inprocess.loading import NoServer, load_server


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    known = set(sys.modules)
    yield
    for name in set(sys.modules) - known:
        del sys.modules[name]


def written(place, name: str, text: str) -> str:
    (place / f"{name}.py").write_text(text)
    return str(place)


def test_a_module_beside_the_configuration_is_found_with_its_neighbours(tmp_path):
    written(tmp_path, "neighbour_of_mine", "NAME = 'mine'")
    text = """
from runtime.inprocess import ToolServer
server = ToolServer("x")
@server.tool
def late() -> str:
    from neighbour_of_mine import NAME
    return NAME
"""
    directory = written(tmp_path, "server_of_mine", text)
    server = load_server("server_of_mine", "server", directory=directory)
    assert server.tools["late"].function.call() == "mine"
    assert load_server("server_of_mine", "server", directory=directory) is server
    assert sys.path.count(directory) == 1


def test_a_module_beside_the_configuration_hides_no_other(tmp_path):
    directory = written(tmp_path, "json", "raise SystemExit('imported')")
    with pytest.raises(NoServer, match="no attribute 'server'"):
        load_server("json", "server", directory=directory)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no attribute 'server'"),
        ("server = 5", "is a int, not a runtime.inprocess.ToolServer"),
        ("raise SystemExit('not today')", "its import exits: not today"),
        ("import no_such_module_anywhere", "No module named 'no_such_module_anywhere'"),
        ("1 / 0", "its import raises ZeroDivisionError: division by zero"),
        ("def", "its import raises SyntaxError"),
    ],
)
def test_what_is_no_server_says_why(tmp_path, text, reason):
    directory = written(tmp_path, "broken_one", text)
    with pytest.raises(NoServer, match=reason):
        load_server("broken_one", "server", directory=directory)
