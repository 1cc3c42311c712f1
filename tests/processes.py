"""Processes that a test can find again, wherever they went: by a variable in their environment."""

import os
from collections.abc import Iterable
from pathlib import Path

import trio


def marked(variable: str, value: str) -> dict[int, str]:
    """Return id and command line of each living process, zombies left out, that was started with the variable."""
    mark = f"{variable}={value}".encode()
    found = {}
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit():
            try:
                if mark in (directory / "environ").read_bytes().split(b"\0"):
                    found[int(directory.name)] = (directory / "cmdline").read_text().replace("\0", " ").strip()
            except OSError:
                continue  # it ended meanwhile, or is another user's
    return found


def zombies() -> list[int]:
    """Return the ids of our children that have ended and were not reaped."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    states = {child: Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] for child in children}
    return [int(child) for child, state in states.items() if state == "Z"]


async def ended(pids: Iterable[int]) -> None:
    """Return when all of them have ended. They need not be children of ours."""
    for pid in pids:
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            await trio.lowlevel.wait_readable(handle)
        finally:
            os.close(handle)
