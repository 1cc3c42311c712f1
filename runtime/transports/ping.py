"""Asks a starting HTTP server for a sign of life: one connection, one request, the first line of the answer.

The request is a ping in JSON-RPC: every MCP endpoint answers it at once, with a result, an error or a refusal, and no
stream hangs on it. It carries no credential. What the endpoint can do is for the handshake to find out.
"""

import re
import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

import trio

from .ports import Address
from .readiness import Answer

PATIENCE: Final = 5.0  # seconds for an answer

_BODY = b'{"jsonrpc":"2.0","id":"ready?","method":"ping"}'
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")
_LINE = 1024  # bytes within which the first line ends


async def connected(addresses: Iterable[Address], port: int) -> trio.SocketStream | None:
    """A connection to whoever listens at one of the addresses; None: nobody does, or takes none for five seconds."""
    for address in addresses:
        made = trio.socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
        with trio.move_on_after(PATIENCE), suppress(OSError):
            try:
                await made.connect((str(address), port))
            except BaseException:
                made.close()
                raise
            return trio.SocketStream(made)
    return None


async def ping(stream: trio.SocketStream, url: str) -> Answer | None:
    """The answer to a ping at the url's path; None: what came was no HTTP, or nothing for five seconds.

    With TLS the connection is the answer: whether to trust it is for those to say who are going to use it.
    """
    began = trio.current_time()
    parts = urlsplit(url)
    if parts.scheme in ("https", "wss"):
        return Answer(None, 0.0)
    head = (
        f"POST {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc.rpartition('@')[2]}\r\n"
        "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
        f"Content-Length: {len(_BODY)}\r\nUser-Agent: greenroom\r\nConnection: close\r\n\r\n"
    )
    line = b""
    with trio.move_on_after(PATIENCE):
        try:
            await stream.send_all(head.encode() + _BODY)
            while len(line) < _LINE and b"\n" not in line and (data := await stream.receive_some()):
                line += data
        except trio.BrokenResourceError:
            return None
    status = _STATUS.match(line)
    return None if status is None else Answer(int(status[1]), trio.current_time() - began)
