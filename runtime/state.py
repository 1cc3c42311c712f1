"""Where we keep what is to outlive us."""

import os
from collections.abc import Mapping
from pathlib import Path


def state_directory(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Give our directory among the user's states; it need not exist yet. None: the environment does not say where."""
    state = environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(state):  # as the base directory specification says of relative ones
        home = environ.get("HOME", "")
        if not os.path.isabs(home):
            return None
        state = os.path.join(home, ".local", "state")
    return Path(state, "greenroom")
