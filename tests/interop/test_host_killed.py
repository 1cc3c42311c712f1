"""Nothing outlives its host, whatever stands between the host and the server."""

import json
import subprocess
import sys

import trio

from tests.processes import ended, marked

from .conftest import need
from .peers import HERE, MARK, NODE


async def test_a_server_behind_npx_dies_with_its_killed_host_within_a_second(mark):
    """npx is npm, a shell and node; only the first of them is a child of the host."""
    need("npx", NODE / "mcp-server-everything")
    server = {
        "command": "npx",
        "args": ["--no-install", "mcp-server-everything"],
        "cwd": str(HERE),
        "inherit_env": [MARK],
    }
    config = json.dumps({"mcpServers": {"behind": server}, "journal": False})
    with trio.fail_after(60):
        host = await trio.lowlevel.open_process(
            [sys.executable, str(HERE / "host_program.py"), config], stdout=subprocess.PIPE
        )
        try:
            async with host.stdout:
                assert b"is 5" in await host.stdout.receive_some()
            others = {pid: line for pid, line in marked(MARK, mark).items() if pid != host.pid}
            assert len([line for line in others.values() if "mcp-server-everything" in line]) > 1, others
        finally:
            host.kill()
        with trio.fail_after(1):
            await ended(others)
        await host.wait()
