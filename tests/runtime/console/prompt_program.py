"""The prompt without a fleet, for tests that drive it through a terminal: run as a program."""

# ruff: noqa: T201
import sys
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path

import trio
from rich.console import Console

from runtime.console.completion import World, complete
from runtime.console.session import Leave, Session
from runtime.console.signals import until_signalled
from runtime.console.talk import talk
from runtime.console.terminal import Prompt, Screen


async def main(history: Path) -> int:
    screen = Screen(sys.stdout)
    with redirect_stdout(screen):
        try:
            async with trio.open_nursery() as nursery:
                session = Session(
                    {"trio": trio, "nursery": nursery, "exit": Leave()}, lambda value: print("=", repr(value))
                )
                world = World(session.namespace, lambda: ("clock", "notes"), lambda server: ())
                prompt = Prompt(screen, session.compiler, partial(complete, world=world), history)
                print("up")
                code = await talk(session, prompt, Console())
                nursery.cancel_scope.cancel()
        finally:
            print("stopped in order")
    return code


sys.exit(trio.run(until_signalled, partial(main, Path(sys.argv[1]))))
