"""A clock as an MCP server, run as a process of its own: ``python -m runtime.builtin.clock``."""

import time
from datetime import UTC, datetime, tzinfo
from typing import TypedDict

import trio

from runtime.inprocess import Progress, ToolError, ToolServer

__all__ = ["server"]

READ_ONLY = {"readOnlyHint": True, "openWorldHint": False}

server = ToolServer("clock", "1.0", "Tells the time, and lets time pass.")


class Now(TypedDict):
    time: str
    """ISO 8601, with the offset from UTC."""
    timezone: str
    unix: float
    """Seconds since 1970-01-01 UTC."""


@server.tool(blocking=False, annotations=READ_ONLY)
def now(timezone: str = "UTC") -> Now:
    """The time now in a timezone, such as "Europe/Vienna"; UTC if none is named."""
    zone: tzinfo = UTC
    if timezone != "UTC":
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

        try:
            zone = ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ToolError(f"there is no timezone {timezone!r}") from None
    unix = time.time()
    return {"time": datetime.fromtimestamp(unix, zone).isoformat(), "timezone": timezone, "unix": unix}


@server.tool(annotations=READ_ONLY)
async def wait(seconds: float, progress: Progress) -> str:
    """Let seconds pass, and report each that has passed. Can be cancelled."""
    start = trio.current_time()
    passed = 0
    while passed + 1 <= seconds:
        passed += 1
        await trio.sleep_until(start + passed)
        progress(passed, seconds)
    await trio.sleep_until(start + seconds)
    return f"{seconds:g} seconds passed"


@server.tool(blocking=False, annotations=READ_ONLY)
def echo(text: str) -> str:
    """The same text again."""
    return text


if __name__ == "__main__":
    server.run_stdio()
