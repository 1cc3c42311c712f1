"""The console on a terminal."""

from __future__ import annotations

import importlib
import sys
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

import runtime
from runtime.console.completion import World, complete
from runtime.console.events import EventLog, is_news
from runtime.console.places import found_configuration, history_file
from runtime.console.session import Session
from runtime.console.words import prompt_words

if TYPE_CHECKING:
    from rich.console import Console

    from runtime.host import Runtime
    from runtime.journal import Event

# Seconds that the opening screen waits for servers that start: quick ones are shown ready, slow ones as they are.
_PATIENCE = 1.0
_ON_THEIR_WAY = ("starting", "handshaking")


async def interactive(config: Any, *, named: bool) -> int:
    """Open a configuration and talk about it until the user leaves; the answer is the exit code. ``named`` tells that
    the user chose the configuration. The prompt comes up whatever the servers do: to look at those that fail is what
    it is for."""
    async with runtime.open_runtime(config, wait="none") as host:
        return await converse(host, named=named)


async def converse(host: Runtime, *, named: bool) -> int:
    """Show the opening screen, then run statements until the user leaves."""
    log = EventLog()
    async with host.events() as events, trio.open_nursery() as nursery:
        nursery.start_soon(log.follow, events)
        async with trio.open_nursery() as preparing:
            # Half of the time to the first prompt is these imports, which the servers need not wait for.
            preparing.start_soon(trio.to_thread.run_sync, _import_for_later)
            preparing.start_soon(_servers_started, host)
        code = await _converse(host, log, named=named)
        nursery.cancel_scope.cancel()
    return code


def _import_for_later() -> None:
    for module in ("runtime.console.terminal", "runtime.console.opening"):
        importlib.import_module(module)


async def _servers_started(host: Runtime) -> None:
    with trio.move_on_after(_PATIENCE):
        async with host.events() as events:
            while any(str(status.state) in _ON_THEIR_WAY for status in host.status().values()):
                await events.receive()


async def _converse(host: Runtime, log: EventLog, *, named: bool) -> int:
    from rich.console import Console

    from runtime.console.opening import opening
    from runtime.console.render import show
    from runtime.console.talk import talk
    from runtime.console.terminal import Prompt, Screen

    screen = Screen(sys.stdout)
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(screen))
        if sys.stderr.isatty():
            stack.enter_context(redirect_stderr(screen))
        console = Console()
        session = Session(prompt_words(host, log), partial(show, console=console))
        world = World(session.namespace, host.status, lambda server: [e.tool for e in host.tools(server=server)])
        prompt = Prompt(screen, session.compiler, partial(complete, world=world), history_file())
        console.print(opening(host, None if named else found_configuration(Path.cwd())), highlight=False)
        log.announce = partial(_announce, console)
        return await talk(session, prompt, console)


def _announce(console: Console, event: Event) -> None:
    if is_news(event):
        console.print(f"· {event}", style="dim", markup=False, highlight=False)
