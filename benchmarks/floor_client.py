"""The least code on Trio that calls a tool over stdio: two raw descriptors, one write for all that is queued.

No cancellation, no errors, no supervision, no types: of an answer only the envelope is decoded, for its id.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec
import trio
from trio.lowlevel import Abort, Task, current_task, reschedule, wait_task_rescheduled

CALL = (
    b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"echo","arguments":{"text":"hello"},'
    b'"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",'
    b'"io.modelcontextprotocol/clientCapabilities":{}}}}\n'
)


class Answer(msgspec.Struct):
    id: int
    result: msgspec.Raw


decode = msgspec.json.Decoder(Answer).decode


def _forget(_: object) -> Abort:
    return Abort.SUCCEEDED


class Client:
    def __init__(self, to_child: int, from_child: int) -> None:
        self.to_child, self.from_child = to_child, from_child
        self.queue: list[bytes] = []
        self.waiting: dict[int, Task] = {}
        self.calls = 0
        self.writer: Task | None = None

    async def call(self) -> None:
        self.calls += 1
        self.queue.append(CALL % self.calls)
        self.waiting[self.calls] = current_task()
        if (writer := self.writer) is not None:
            self.writer = None
            reschedule(writer)
        await wait_task_rescheduled(_forget)

    async def write(self) -> None:
        while True:
            if not self.queue:
                self.writer = current_task()
                await wait_task_rescheduled(_forget)
            data = b"".join(self.queue)
            self.queue.clear()
            while data:
                try:
                    data = data[os.write(self.to_child, data) :]
                except BlockingIOError:
                    await trio.lowlevel.wait_writable(self.to_child)

    async def read(self) -> None:
        rest = b""
        while True:
            await trio.lowlevel.wait_readable(self.from_child)
            *lines, rest = (rest + os.read(self.from_child, 1 << 16)).split(b"\n")
            for line in lines:
                reschedule(self.waiting.pop(decode(line).id))


@asynccontextmanager
async def open_client(command: Sequence[str]) -> AsyncIterator[Client]:
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)  # noqa: ASYNC220
    assert child.stdin is not None
    assert child.stdout is not None
    with child.stdin, child.stdout:
        client = Client(child.stdin.fileno(), child.stdout.fileno())
        os.set_blocking(client.to_child, False)
        os.set_blocking(client.from_child, False)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.write)
            nursery.start_soon(client.read)
            yield client
            nursery.cancel_scope.cancel()
    child.wait()
