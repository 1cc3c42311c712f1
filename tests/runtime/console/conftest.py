"""A person at a terminal: programs on a real pseudoterminal, for tests of the prompt."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest
from attrs import define, frozen


@define
class Person:
    """Types, and reads what appears. Whatever does not appear within ten seconds is a failure."""

    process: pexpect.spawn

    def sees(self, text: str) -> str:
        """Wait for the text, and give what came before it."""
        self.process.expect_exact(text)
        return self.process.before

    def enters(self, text: str) -> None:
        """Wait for a prompt, paste the text as a terminal does, and press Enter."""
        self.sees(">>> ")
        self.process.send(f"\x1b[200~{text}\x1b[201~\r")

    def presses(self, key: str) -> None:
        self.process.send(key)

    def sees_the_end(self) -> int:
        """Wait until the program has ended, and give its exit code; that of a shell if a signal ended it."""
        self.process.expect(pexpect.EOF)
        self.process.close()
        status = self.process.exitstatus
        return status if status is not None else 128 + self.process.signalstatus


Terminal = Callable[..., Person]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """Start Python with these arguments on a terminal, in an empty directory that is its home."""
    processes: list[pexpect.spawn] = []

    def start(*arguments: str, **environ: str) -> Person:
        process = pexpect.spawn(
            sys.executable,
            list(arguments),
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TERM": "xterm", "LANG": "C.UTF-8", **environ},
            dimensions=(40, 120),
            encoding="utf-8",
            timeout=10,
        )
        processes.append(process)
        return Person(process)

    yield start
    for process in processes:
        process.close(force=True)


@frozen
class Run:
    """What a program said, and how it ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Run]


@pytest.fixture
def greenroom(tmp_path: Path) -> Command:
    """Run ``python -m runtime`` in an empty directory that is its home, with this text piped in."""

    def run(*arguments: str, text: str = "", **environ: str) -> Run:
        done = subprocess.run(
            [sys.executable, "-m", "runtime", *arguments],
            input=text,
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8", **environ},
            capture_output=True,
            encoding="utf-8",
            timeout=30,
            check=False,
        )
        return Run(done.returncode, done.stdout, done.stderr)

    return run
