"""The console fed by a pipe or a file: the same statements, read like a script."""

import codecs
import os
import signal
import sys
from collections.abc import AsyncIterator

import trio

import runtime
from runtime.config import RuntimeConfig
from runtime.console.session import Done, Failed, Interrupted, Left, Session
from runtime.console.signals import Stop
from runtime.console.statements import Blocks, Statement
from runtime.console.words import prompt_words


async def piped(config: RuntimeConfig, stop: Stop) -> int:
    """Open a configuration, wait for its servers as it says, run the statements on stdin and leave.

    Values of expressions are printed as at the prompt. The first statement that fails ends the run, as it would in a
    script: what follows was written for a world in which it worked. The answer is the exit code: 1 then, else 0.
    """
    async with runtime.open_runtime(config) as host:
        session = Session(prompt_words(host), _show, stop.told)
        return await _run(session, None if sys.stdin is None else sys.stdin.fileno())


async def _run(session: Session, descriptor: int | None) -> int:
    blocks = Blocks(session.compiler)
    async for statement in _statements(blocks, descriptor):
        match await session.run(statement, statement.line):
            case Done():
                sys.stdout.flush()  # whoever feeds us line by line waits for this answer
            case Failed(report):
                print(report, file=sys.stderr)
                return 1
            case Interrupted():
                return 128 + signal.SIGINT
            case Left(code):
                return code
    return 0


async def _statements(blocks: Blocks, descriptor: int | None) -> AsyncIterator[Statement]:
    """Not through ``sys.stdin``: a thread that still waits in it when the interpreter ends holds its lock."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    while descriptor is not None and (data := await _read(descriptor)):
        for statement in blocks.feed(decoder.decode(data)):
            yield statement
    for statement in (*blocks.feed(decoder.decode(b"", final=True)), *blocks.close()):
        yield statement


async def _read(descriptor: int) -> bytes:
    return await trio.to_thread.run_sync(os.read, descriptor, 1 << 16, abandon_on_cancel=True)


def _show(value: object) -> None:
    if type(value) in (str, int, float, bool):  # not worth the import
        print(repr(value))
        return
    from rich.console import Console

    from runtime.console.render import show

    show(value, Console())
