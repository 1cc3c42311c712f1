"""A fleet left alone loses no child: ``python -m tests.idle 60``."""

from __future__ import annotations

import secrets
import sys

import trio

import runtime
from runtime.builtin.fleet import FLEET
from tests.processes import marked
from tests.rounds import MARK, NAMES, SCRIPT


async def idle(seconds: float) -> list[str]:
    """Leave a fleet alone for so long, and return what has happened to it, which should be nothing."""
    mark = secrets.token_hex(8)
    server = {"command": sys.executable, "args": ["-I", "-S", SCRIPT, "echo"], "env": {MARK: mark}}
    config = {"mcpServers": {**FLEET["mcpServers"], **dict.fromkeys(NAMES, server)}, "journal": False}
    async with runtime.open_runtime(config) as host:
        children = set(marked(MARK, mark))
        async with host.events() as events:
            with trio.move_on_after(seconds):
                return [str(await events.receive())]
        if children != set(marked(MARK, mark)) or len(children) != len(NAMES):
            return [f"the children were {children} and are {set(marked(MARK, mark))}"]
        for name in NAMES:
            await host.call(name, "echo")
    return []


if __name__ == "__main__":
    happened = trio.run(idle, float(sys.argv[1]) if len(sys.argv) > 1 else 60.0)
    sys.stdout.write("\n".join(happened or ["no child was lost"]) + "\n")
    sys.exit(bool(happened))
