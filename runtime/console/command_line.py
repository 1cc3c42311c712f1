"""``python -m runtime [CONFIG | -c CONFIG] [COMMAND ...]``"""

import json
import sys
from collections.abc import Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import trio
from attrs import frozen

from runtime.config import ConfigError, RuntimeConfig, load
from runtime.console import oneshot
from runtime.console.oneshot import FAILURE, MISUSE
from runtime.console.places import found_configuration
from runtime.console.signals import Stop, until_signalled
from runtime.errors import GreenroomError

if TYPE_CHECKING:
    from cyclopts import App

    from runtime.config import Input

PROGRAM = "python -m runtime"
_HELP = """\
Greenroom runs MCP servers as supervised actors.

Without COMMAND: a console on a terminal, else the statements on stdin are run.
Without CONFIG: two small servers of our own.
CONFIG ends in .json or .toml; after -c it may be called anything.
Exit code: 0 for a result without error, 1 for an error,
2 for a mistake in CONFIG or on the command line.
"""
_SERVE = "serve comes with the gateway, which is not part of this release yet"


class UsageError(Exception):
    """The command line asks for something that there is not; its words say what and what to do."""


@frozen
class CommandLine:
    """The two halves of a command line: which configuration (None: none was named), and what to do with it."""

    config: str | None
    words: tuple[str, ...]


def split(arguments: Sequence[str]) -> CommandLine:
    """Take the configuration out of the arguments. A first word is one only by its ending, so that a mistyped command
    is never taken for a file; ``-c`` may stand anywhere."""
    words = list(arguments)
    named: list[str] = []
    if words and not words[0].startswith("-") and words[0].endswith((".json", ".toml")):
        named.append(words.pop(0))
    rest: list[str] = []
    while words:
        word = words.pop(0)
        if word in ("-c", "--config"):
            if not words:
                raise UsageError(f"{word} wants the path of a configuration after it")
            named.append(words.pop(0))
        elif word.startswith("--config="):
            named.append(word.removeprefix("--config="))
        else:
            rest.append(word)
    if len(named) > 1:
        raise UsageError(f"one configuration at a time, not {' and '.join(named)}")
    return CommandLine(named[0] if named else None, tuple(rest))


def run(arguments: Sequence[str]) -> int:
    """Do what the arguments say; the answer is the exit code."""
    try:
        line = split(arguments)
        if not line.words:
            return trio.run(_console, line.config)
        if line.words[0] == "serve":
            raise UsageError(_SERVE)
        return _command(line)
    except (UsageError, ConfigError) as mistake:
        print(mistake, file=sys.stderr)
        return MISUSE
    except GreenroomError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return FAILURE


def _configuration(named: str | None) -> RuntimeConfig:
    if named is not None:
        return load(Path(named), ask_input=_ask if sys.stdin is not None and sys.stdin.isatty() else None)
    from runtime.builtin.fleet import FLEET

    return load(FLEET)


def _told(named: str | None, *, one_shot: bool = True) -> RuntimeConfig:
    """Load the configuration, and say on stderr what of it goes unheeded, or that another one was not taken."""
    config = _configuration(named)
    for note in config.notes:
        print(f"note: {note}", file=sys.stderr)
    if one_shot and named is None and (found := found_configuration(Path.cwd())) is not None:
        print(f"note: this asks the built-in fleet; {PROGRAM} {found} ... asks the one of {found}", file=sys.stderr)
    return config


async def _console(named: str | None) -> int:
    config = _told(named, one_shot=False)  # before signals are cancellation: it may block in a question to the user
    stop = Stop()
    if sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty():
        from runtime.console.interactive import interactive

        return await until_signalled(partial(interactive, config, stop, named=named is not None), stop)
    from runtime.console.piped import piped

    return await until_signalled(partial(piped, config, stop), stop)


def _command(line: CommandLine) -> int:
    from cyclopts import CycloptsError

    try:
        code = _app(line.config)(
            line.words, backend="trio", result_action="return_value", print_error=False, exit_on_error=False
        )
    except CycloptsError as error:
        raise UsageError(f"{error}\n{PROGRAM} --help lists the commands") from error
    return code if isinstance(code, int) else oneshot.SUCCESS  # None: it was --help or --version


def _app(config: str | None) -> "App":
    from cyclopts import App, Parameter

    app = App(
        name=PROGRAM,
        usage=f"Usage: {PROGRAM} [CONFIG | -c CONFIG] [COMMAND ...]",
        help=_HELP,
        help_format="plaintext",
        version=lambda: metadata.version("greenroom"),
    )
    as_json = Parameter(name="--json", negative="", help="Answer in JSON.")

    @app.command
    async def call(
        server: str,
        tool: str,
        arguments: str = "{}",
        /,
        *,
        timeout: float | None = None,
        json: Annotated[bool, as_json] = False,
    ) -> int:
        """Call a tool and print its answer.

        Parameters
        ----------
        server
            The server's name in the configuration.
        tool
            The tool, as the server calls it.
        arguments
            A JSON object.
        timeout
            Seconds to wait for the answer, the server's start included.
        """
        asked = parse_arguments(arguments)
        if timeout is not None and not timeout >= 0:
            raise UsageError(f"--timeout wants 0 seconds or more, not {timeout:g}")
        work = partial(oneshot.call, _told(config), server, tool, asked, as_json=json, timeout=timeout)
        return await until_signalled(work)

    @app.command
    async def tools(query: str | None = None, /, *, json: Annotated[bool, as_json] = False) -> int:
        """List the tools of all servers.

        Parameters
        ----------
        query
            Words to look for in names and descriptions.
        """
        return await until_signalled(partial(oneshot.tools, _told(config), query, as_json=json))

    @app.command
    def status(*, json: Annotated[bool, as_json] = False) -> int:
        """Tell from the journal how each server is, or last was. Nothing is started."""
        return oneshot.status(_told(config), as_json=json)

    @app.command
    def check(*, json: Annotated[bool, as_json] = False) -> int:
        """Check a configuration without starting anything."""
        found = found_configuration(Path.cwd())
        named = config if config is not None or found is None else str(found)
        if named is None:
            raise UsageError(f"there is no configuration here to check; name one: {PROGRAM} CONFIG check")
        try:
            return oneshot.check(_configuration(named), as_json=json)
        except ConfigError as error:
            if json:
                oneshot.refused(error)
            raise

    return app


def parse_arguments(text: str) -> dict[str, Any]:
    """Read the arguments of a call, which are one JSON object."""
    try:
        arguments = json.loads(text)
    except ValueError as error:
        raise UsageError(f"the arguments are no JSON: {error}, in {text}") from error
    if not isinstance(arguments, dict):
        raise UsageError(f'the arguments are to be a JSON object such as {{"name": "value"}}, not {text}')
    return arguments


def _ask(wanted: "Input") -> str | None:
    """Ask for an input on the terminal, not on stdout, which carries the answer."""
    import getpass

    question = f"{wanted.description or wanted.id}: "
    if wanted.password:
        return getpass.getpass(question)
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().rstrip("\n") or None
