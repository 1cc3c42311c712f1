import os
import stat
from pathlib import Path

import pytest

from runtime.console.places import found_configuration, history_file


def test_history_is_kept_in_the_state_directory_and_private(tmp_path):
    path = history_file({"XDG_STATE_HOME": str(tmp_path / "state"), "HOME": "/nowhere"})
    assert path == tmp_path / "state" / "greenroom" / "history"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_history_falls_back_to_the_home_directory(tmp_path):
    for ignored in ("", "relative/state"):
        path = history_file({"XDG_STATE_HOME": ignored, "HOME": str(tmp_path)})
        assert path == tmp_path / ".local" / "state" / "greenroom" / "history"


def test_history_that_is_there_is_kept(tmp_path):
    path = history_file({"HOME": str(tmp_path)})
    assert path is not None
    path.write_text("+before\n")
    assert history_file({"HOME": str(tmp_path)}) == path
    assert path.read_text() == "+before\n"


@pytest.mark.parametrize("home", [None, "", "relative"])
def test_without_a_home_there_is_no_history(home):
    assert history_file({} if home is None else {"HOME": home}) is None


def test_a_home_that_cannot_be_written_gives_no_history(tmp_path):
    (tmp_path / "file").write_text("")
    assert history_file({"HOME": str(tmp_path / "file")}) is None
    if os.geteuid() != 0:
        (tmp_path / "locked").mkdir(mode=0o500)
        assert history_file({"HOME": str(tmp_path / "locked")}) is None


def test_a_configuration_is_found_by_name_our_own_first(tmp_path):
    assert found_configuration(tmp_path) is None
    (tmp_path / ".vscode").mkdir()
    (tmp_path / ".vscode" / "mcp.json").write_text("{}")
    assert found_configuration(tmp_path) == Path(".vscode/mcp.json")
    (tmp_path / "mcp.toml").write_text("")
    assert found_configuration(tmp_path) == Path("mcp.toml")
    (tmp_path / "mcp.json").mkdir()
    assert found_configuration(tmp_path) == Path("mcp.toml")
