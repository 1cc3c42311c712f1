"""Where a task hangs, for people: lines of the user's own, not Trio's."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType

from trio.lowlevel import Task


def draw(task: Task, name: str | None = None, indent: str = "") -> str:
    """Draw a task and all below it, each with the place where it waits."""
    lines = [f"{indent}{name or task.name}: {place(task)}"]
    for nursery in task.child_nurseries:
        children = sorted(nursery.child_tasks, key=lambda task: task.name)
        lines.extend(draw(child, indent=indent + "  ") for child in children)
    return "\n".join(lines)


def place(task: Task) -> str:
    """Return the innermost line of a task that is neither Trio's nor the standard library's."""
    lines = [line(frame, at) for frame, at in task.iter_await_frames() if not is_below(frame)]
    return lines[-1] if lines else "in Trio"


def line(frame: FrameType, at: int) -> str:
    """Show a line of a running function."""
    return f"{Path(frame.f_code.co_filename).name}:{at} in {frame.f_code.co_name}"


def is_below(frame: FrameType) -> bool:
    """Whether a frame is Trio's or the standard library's."""
    package = str(frame.f_globals.get("__name__")).partition(".")[0]
    return package in ("trio", "outcome") or package in sys.stdlib_module_names
