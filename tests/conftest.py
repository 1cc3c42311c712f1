"""How many processes share the work."""

import pytest


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Run the whole suite on every core, and what somebody names in this process, where `-s` and `--pdb` work."""
    return None if config.args_source is pytest.Config.ArgsSource.TESTPATHS else 0
