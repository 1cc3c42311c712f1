"""The console on a terminal."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import trio

import runtime
from runtime.config import RuntimeConfig
from runtime.console.completion import World, complete
from runtime.console.desk import Desk
from runtime.console.places import found_configuration, history_file
from runtime.console.session import Session
from runtime.console.signals import Stop
from runtime.console.words import prompt_words
from runtime.host import Runtime
from runtime.journal import EventsLost, ServerCrashed, ServerEjected, ServerReady, ServerRolledBack, ServerStopped
from runtime.servers import State

if TYPE_CHECKING:
    from rich.console import Console

    from runtime.console.terminal import Screen

# Seconds that the opening screen waits for servers that start: quick ones are shown ready, slow ones as they are.
_PATIENCE = 1.0
_ON_THEIR_WAY = (State.STARTING, State.HANDSHAKING)
# What is worth a line above the prompt; events() tells the rest.
_NEWS = (ServerCrashed, ServerReady, ServerEjected, ServerStopped, ServerRolledBack, EventsLost)


async def interactive(config: RuntimeConfig, stop: Stop, *, named: bool) -> int:
    """Open a configuration and talk about it until the user leaves; the answer is the exit code. ``named`` tells that
    the user chose the configuration. The prompt comes up whatever the servers do: to look at those that fail is what
    it is for."""
    desk = Desk()
    async with runtime.open_runtime(config, wait="none", elicitation=desk.elicit) as host:
        async with trio.open_nursery() as preparing:
            # Half of the time to the first prompt is these imports, which the servers need not wait for.
            preparing.start_soon(trio.to_thread.run_sync, _import_for_later)
            preparing.start_soon(_servers_started, host)
        return await _converse(host, stop, desk, named=named)


def _import_for_later() -> None:
    for module in ("runtime.console.talk", "runtime.console.opening"):
        importlib.import_module(module)


async def _servers_started(host: Runtime) -> None:
    with trio.move_on_after(_PATIENCE):
        async with host.events() as events:
            while any(status.state in _ON_THEIR_WAY for status in host.status().values()):
                await events.receive()


async def _converse(host: Runtime, stop: Stop, desk: Desk, *, named: bool) -> int:
    from rich.console import Console

    from runtime.console.opening import opening
    from runtime.console.render import show
    from runtime.console.talk import talk
    from runtime.console.terminal import Prompt

    with _shared_screen() as screen:
        console = Console()
        session = Session(prompt_words(host), partial(show, console=console), stop.told)
        world = World(
            session.namespace, host.status, lambda server: [entry.tool for entry in host.tools(server=server)]
        )
        prompt = Prompt(screen, session.compiler, partial(complete, world=world), history_file())
        desk.seat(prompt, print)
        async with trio.open_nursery() as nursery:
            console.print(opening(host, None if named else found_configuration(Path.cwd())), highlight=False)
            nursery.start_soon(_tell_news, host, console)
            code = await talk(session, prompt, console)
            nursery.cancel_scope.cancel()
        console.print("stopping the servers", style="dim")
    return code


@contextmanager
def _shared_screen() -> Iterator["Screen"]:
    """Make everything that prints go above the prompt; stderr too, unless it goes elsewhere."""
    from runtime.console.terminal import Screen

    screen = Screen(sys.stdout)
    with redirect_stdout(screen), redirect_stderr(screen if sys.stderr.isatty() else sys.stderr):
        yield screen


async def _tell_news(host: Runtime, console: "Console") -> None:
    from rich.text import Text

    async with host.events() as events:
        async for event in events:
            if isinstance(event, _NEWS):
                line = Text(f"· {event.server}: {event.told()}", style="dim")
                console.print(line, no_wrap=True, overflow="ellipsis")
