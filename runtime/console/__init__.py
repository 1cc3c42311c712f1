"""The command line and the prompt. Nobody imports this room; it is what ``python -m runtime`` runs."""

import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (None: this process's) and give its exit code."""
    try:
        from runtime.console.command_line import run

        code = run(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:  # before the first task, or after the last
        return 130
    except BrokenPipeError:
        # Whoever read our answer had enough of it. The interpreter must not try to flush the rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return code
