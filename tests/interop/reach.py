"""The ways to a peer: what a configuration says of it, and for one that is reached by its url its process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import trio

from .peers import MARK, NODE_JS, Peer

START = 60  # seconds; a peer that imports half the world takes ten on a busy machine


@asynccontextmanager
async def reached(peer: Peer, mark: str) -> AsyncIterator[dict[str, Any]]:
    """Give the configuration of a peer, which is up for as long as the block where it is reached by its url.

    Each process that takes part carries the mark in its environment.
    """
    if peer.over == "stdio":
        yield commanded(peer, mark)
    elif peer.owned:
        owned = commanded(peer, mark) | {"url": url(peer, "{port}")}
        yield owned | {"env": owned["env"] | {"PORT": "{port}"}}
    else:
        port = free_port()
        async with serving(peer, mark, port):
            yield {"url": url(peer, port)} | peer.keys


def commanded(peer: Peer, mark: str) -> dict[str, Any]:
    """Return the configuration of a peer that is reached over stdio."""
    env = {**peer.keys.get("env", {}), **_environment(mark)}
    return {"command": peer.argv[0], "args": list(peer.argv[1:])} | peer.keys | {"env": env}


def _environment(mark: str) -> dict[str, str]:
    return {MARK: mark, "PATH": f"{NODE_JS}{os.pathsep}{os.environ['PATH']}"}


@asynccontextmanager
async def serving(peer: Peer, mark: str, port: int, end: signal.Signals = signal.SIGTERM) -> AsyncIterator[None]:
    """Have a peer listen at a port; at the end of the block it is ended by a signal, and killed if it minds not."""
    argv = [word.replace("{port}", str(port)) for word in peer.argv]
    process = await trio.lowlevel.open_process(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | _environment(mark) | {"PORT": str(port)},
        start_new_session=True,
    )
    try:
        with trio.fail_after(START):
            await _listening(port)
        yield
    finally:
        with trio.CancelScope(shield=True):
            process.send_signal(end)  # a bridge ends its child
            with trio.move_on_after(3):
                await process.wait()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


def url(peer: Peer, port: int | str) -> str:
    """Return the url of a peer that listens at a port."""
    return f"{'ws' if peer.over == 'ws' else 'http'}://127.0.0.1:{port}{peer.path}"


def free_port() -> int:
    """Return a port that nobody listens at."""
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
