"""The ways to a peer: what a configuration says of it, and for one that is reached by its url its process."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio

from .peers import MARK, Peer

START = 60  # seconds; a peer that imports half the world takes ten on a busy machine


@asynccontextmanager
async def reached(peer: Peer, mark: str) -> AsyncIterator[dict[str, Any]]:
    """Give the configuration of a peer, which is up for as long as the block where it is reached by its url.

    Each process that takes part carries the mark in its environment.
    """
    env = {**peer.keys.get("env", {}), MARK: mark}
    if peer.over == "stdio":
        yield {"command": peer.argv[0], "args": list(peer.argv[1:])} | peer.keys | {"env": env}
        return
    port = _free_port()
    argv = [word.replace("{port}", str(port)) for word in peer.argv]
    process = await trio.lowlevel.open_process(
        argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=os.environ | env | {"PORT": str(port)}, start_new_session=True,
    )  # fmt: skip
    try:
        with trio.fail_after(START):
            await _listening(port)
        scheme = "ws" if peer.over == "ws" else "http"
        yield {"url": f"{scheme}://127.0.0.1:{port}{peer.path}", "type": peer.over} | peer.keys
    finally:
        os.killpg(process.pid, 9)
        with trio.CancelScope(shield=True):
            await process.wait()


def _free_port() -> int:
    """Return a port that nobody listens at, and that no connection is given of itself."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


async def _listening(port: int) -> None:
    while True:
        try:
            stream = await trio.open_tcp_stream("127.0.0.1", port)
        except OSError:
            await trio.sleep(0.05)
        else:
            await stream.aclose()
            return
