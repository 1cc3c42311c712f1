"""What a start costs: the import, the way to the first answer of a first server, and the memory it takes.

Bytecode is cached, as it is for every program that starts a second time: here in a directory of its own, whatever the
environment says, and the round that warms up fills it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from harness import FLOOR, OURS, Job, report

HERE = Path(__file__).parent

IMPORT = """
import time
started = time.perf_counter()
{statement}
print((time.perf_counter() - started) * 1e3)
"""

OPEN_RUNTIME = "from runtime import open_runtime"  # `import runtime` alone loads nothing yet

FIRST_ANSWER = {
    FLOOR: """
import sys, trio, floor_client

async def main():
    async with floor_client.open_client([sys.executable, "-I", "-S", "echo_server.py"]) as client:
        await client.call()
        print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0], flush=True)
trio.run(main)
""",
    OURS: """
import sys, trio, runtime

async def main():
    server = {"command": sys.executable, "args": ["-I", "-S", "echo_server.py"]}
    async with runtime.open_runtime({"mcpServers": {"echo": server}, "journal": False}) as host:
        await host.call("echo", "echo", {"text": "hello"})
        print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0], flush=True)
trio.run(main)
""",
}


def first_line(program: str) -> float:
    """Run the program in a fresh interpreter and read the number that it prints first."""
    with subprocess.Popen([sys.executable, "-c", program], cwd=HERE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        return float(process.stdout.readline())


def import_time(statement: str) -> float:
    return first_line(IMPORT.format(statement=statement))


def first_answer(program: str) -> float:
    """Milliseconds from nothing to the first answer; the way out is not counted."""
    started = time.perf_counter()
    with subprocess.Popen([sys.executable, "-c", program], cwd=HERE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        return (time.perf_counter() - started) * 1e3


def peak_memory(program: str) -> float:
    return first_line(program) / 1024


if __name__ == "__main__":
    cache = tempfile.TemporaryDirectory()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = cache.name
    report(
        "start",
        [
            Job(
                "import (floor: trio)",
                "ms",
                {FLOOR: partial(import_time, "import trio"), OURS: partial(import_time, OPEN_RUNTIME)},
                goal=1.6,
            ),
            Job(
                "first answer",
                "ms",
                {way: partial(first_answer, program) for way, program in FIRST_ANSWER.items()},
                goal=1.6,
            ),
            Job(
                "memory at the first answer",
                "MiB",
                {way: partial(peak_memory, program) for way, program in FIRST_ANSWER.items()},
                limit=40,
            ),
        ],
    )
