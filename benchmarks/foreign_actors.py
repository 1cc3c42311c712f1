"""The same jobs by libraries of other worlds, where they are installed: Pykka's threads, Erlang's processes.

They share no code and no event loop with ours; what they are good for here is the order of magnitude.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

ERLANG = Path(__file__).with_name("erlang_actors.escript")
JOBS = ("ask 1:1", "tell, prebuilt", "spawn", "stop", "restart")


def ways(job: str) -> dict[str, Callable[[], float]]:
    """Return how those that are here do a job of the kernel's, if they do."""
    found: dict[str, Callable[[], float]] = {}
    if importlib.util.find_spec("pykka") and job in PYKKA:
        found["pykka"] = PYKKA[job]
    if shutil.which("escript") and job in JOBS:
        found["erlang"] = partial(_erlang, job)
    return found


def absent() -> list[str]:
    """Say of those that are not here how they would be."""
    lines = []
    if not importlib.util.find_spec("pykka"):
        lines.append("Pykka is not installed: pip install pykka")
    if not shutil.which("escript"):
        lines.append("Erlang is not installed: apt install erlang-base")
    return lines


def _erlang(job: str) -> float:
    """Run one job in a virtual machine of its own, with one scheduler; it prints the cost."""
    said = subprocess.run([str(ERLANG), job], capture_output=True, text=True, check=True)
    return float(said.stdout)


def _counter() -> Any:
    import pykka

    class Counter(pykka.ThreadingActor):
        def __init__(self) -> None:
            super().__init__()
            self.total = 0

        def on_receive(self, message: int) -> int:
            self.total += message
            return self.total

    return Counter


def _pykka_ask(asks: int = 2000) -> float:
    ref = _counter().start()
    started = time.perf_counter()
    for amount in range(asks):
        ref.ask(amount)
    cost = (time.perf_counter() - started) / asks * 1e6
    ref.stop()
    return cost


def _pykka_tell(tells: int = 10_000) -> float:
    ref = _counter().start()
    started = time.perf_counter()
    for _ in range(tells):
        ref.tell(1)
    assert ref.ask(0) == tells
    cost = (time.perf_counter() - started) / tells * 1e9
    ref.stop()
    return cost


def _pykka_spawn_and_stop(count: int = 200) -> tuple[float, float]:
    counter = _counter()
    started = time.perf_counter()
    refs = [counter.start() for _ in range(count)]
    up = time.perf_counter()
    for ref in reversed(refs):
        ref.stop()
    return (up - started) / count * 1e6, (time.perf_counter() - up) / count * 1e6


PYKKA: dict[str, Callable[[], float]] = {
    "ask 1:1": _pykka_ask,
    "tell, prebuilt": _pykka_tell,
    "spawn": lambda: _pykka_spawn_and_stop()[0],
    "stop": lambda: _pykka_spawn_and_stop()[1],
}
