"""Every test here leaves what it found: the same descriptors, and no process that carries its mark."""

import os
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import trio
from attrs import frozen

from runtime.transports.stdio import StdioCommand

_VARIABLE = "TRANSPORT_TEST"


@frozen
class Marked:
    """Makes commands whose processes can be found again, wherever they went."""

    mark: str

    @property
    def env(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], _VARIABLE: self.mark}

    def __call__(self, *argv: str, env: Mapping[str, str] | None = None) -> StdioCommand:
        return StdioCommand(argv, {**self.env, **(env or {})})

    def python(self, source: str, *arguments: str) -> StdioCommand:
        return self(sys.executable, "-I", "-S", "-c", source, *arguments)

    def living(self) -> dict[int, str]:
        """Id and command line of each process, zombies left out, that carries the mark."""
        found = {}
        for directory in Path("/proc").iterdir():
            if directory.name.isdigit():
                try:
                    if f"{_VARIABLE}={self.mark}".encode() in (directory / "environ").read_bytes().split(b"\0"):
                        found[int(directory.name)] = (directory / "cmdline").read_text().replace("\0", " ")
                except OSError:
                    continue  # it ended, or is another user's
        return found

    async def until_living(self, wanted: Callable[[dict[int, str]], object], seconds: float = 10) -> dict[int, str]:
        """Waits until the processes are as wanted. Foreign processes give no event to wait for, so this looks."""
        with trio.fail_after(seconds):
            while not wanted(living := self.living()):  # noqa: ASYNC110
                await trio.sleep(0.005)
        return living


@pytest.fixture(autouse=True)
def state_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "greenroom"


@pytest.fixture
def command() -> Iterator[Marked]:
    marked = Marked(secrets.token_hex(8))
    descriptors = set(os.listdir("/proc/self/fd"))
    zombies = _zombies()
    yield marked
    assert marked.living() == {}
    assert set(os.listdir("/proc/self/fd")) <= descriptors
    assert _zombies() == zombies


def _zombies() -> Sequence[str]:
    """Children of ours that have ended and were not reaped."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [child for child in children if Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] == "Z"]
