"""How many processes share the work, and what keeps them from the user's own files and each other's processes."""

import secrets
from collections.abc import Iterator

import pytest


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Run the whole suite on every core, and what somebody names in this process, where `-s` and `--pdb` work."""
    return None if config.args_source is pytest.Config.ArgsSource.TESTPATHS else 0


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what runtimes write down out of the state directory of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture
def marker_variable(monkeypatch: pytest.MonkeyPatch) -> str:
    """Name the variable by which this test knows orphans: those of a test beside it, which sweeps too, are others."""
    name = f"GREENROOM_HOST_{secrets.token_hex(4)}"
    monkeypatch.setattr("runtime.transports.sweep._ENTRY", f"{name}=".encode())
    return name
