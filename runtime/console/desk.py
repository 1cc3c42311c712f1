"""Where servers' questions to the user arrive, long before there is a prompt to put them at."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, final

import trio
from attrs import define, field

if TYPE_CHECKING:
    from runtime.console.terminal import Prompt
    from runtime.protocol import ElicitParams, ElicitResult


@final
@define(eq=False)
class Desk:
    """Answers servers for the user who sits at a prompt, one question after another.

    There may be none yet, and while a statement is typed it is not interrupted: a question waits for the prompt to be
    free. ``say`` prints above it.
    """

    say: Callable[[str], object] = print
    _prompt: Prompt | None = field(default=None, init=False)
    _seated: trio.Event = field(factory=trio.Event, init=False)

    def seat(self, prompt: Prompt, say: Callable[[str], object]) -> None:
        """There is a prompt from now on."""
        self._prompt, self.say = prompt, say
        self._seated.set()

    async def elicit(self, server: str, params: ElicitParams) -> ElicitResult:
        """Ask the user. What `open_runtime` takes as ``elicitation``."""
        await self._seated.wait()
        assert self._prompt is not None
        if self._prompt.busy:
            self.say(f"· {server} asks you something; it is put to you when the statement at the prompt has run")
        async with self._prompt.free:
            from runtime.console.forms import ask

            return await ask(server, params, self._prompt.ask, self.say)
