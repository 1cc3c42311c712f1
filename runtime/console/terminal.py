"""A line editor in a worker thread, and the screen it shares with everything that prints meanwhile.

prompt_toolkit needs an asyncio loop of its own while it reads; it gets one in a thread, for the length of one prompt.
The terminal is in raw mode then, so that Ctrl-C is a key and no signal. Output during a prompt is collected, and
drawn above it by that loop. (prompt_toolkit's own ``patch_stdout`` writes from a third thread and after a delay; a
statement's last words could then come after the next prompt.)
"""

import asyncio
import contextlib
import io
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TextIO, final

import trio
from attrs import frozen
from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.cursor_shapes import CursorShape
from prompt_toolkit.document import Document
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import has_focus, is_searching
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import FileHistory, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import create_output
from prompt_toolkit.output.vt100 import Vt100_Output

from runtime.console.completion import Offer
from runtime.console.statements import Compiler, Ending

_INDENT = "    "
_LAST_OF_BLOCK = re.compile(r"\s*(return|pass|break|continue|raise)\b")


@final
@frozen
class Cleared:
    """Ctrl-C at the prompt; ``empty`` if there was nothing to clear."""

    empty: bool


@final
@frozen
class EndOfInput:
    """Ctrl-D at an empty prompt, or the terminal went away."""


@final
class Screen(io.TextIOBase):
    """The terminal as a file, for any thread. Lines written while a prompt is up appear above it."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream  # what the prompt itself is drawn on
        self._lock = threading.RLock()
        self._loop: asyncio.AbstractEventLoop | None = None  # of the prompt that is up
        self._waiting: list[str] = []  # written since it came up, not yet drawn

    def write(self, text: str, /) -> int:
        with self._lock:
            if self._loop is None:
                return self.stream.write(text)
            self._waiting.append(text)
            if "\n" in text:
                self._loop.call_soon_threadsafe(self._draw_above)
            return len(text)

    def flush(self) -> None:
        with self._lock:
            self.stream.flush()

    def isatty(self) -> bool:
        return self.stream.isatty()

    def fileno(self) -> int:
        return self.stream.fileno()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]  # read-only, as the stream's own is
        return self.stream.encoding

    def raise_prompt(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to collect; ``loop`` draws."""
        with self._lock:
            self.stream.flush()
            self._loop = loop

    def lower_prompt(self) -> None:
        """Write what was not drawn yet; later writes are direct again. To be called before the loop ends."""
        with self._lock:
            self._loop = None
            self.stream.write(self._taken())
            self.stream.flush()

    def in_prompt(self, action: Callable[[], None]) -> bool:
        """Have the prompt's loop run an action soon; False if no prompt is up."""
        with self._lock:
            if self._loop is None:
                return False
            self._loop.call_soon_threadsafe(action)
            return True

    def _draw_above(self) -> None:
        with self._lock:
            due = any("\n" in text for text in self._waiting)
        if due:
            run_in_terminal(self._draw)

    def _draw(self) -> None:
        with self._lock:
            lines, newline, rest = self._taken().rpartition("\n")
            self._waiting = [rest] if rest else []
            self.stream.write(lines + newline)
            self.stream.flush()

    def _taken(self) -> str:
        text = "".join(self._waiting)
        self._waiting.clear()
        return text


@final
class Prompt:
    """Reads statements of one or many lines, with history, completion and indentation."""

    def __init__(
        self, screen: Screen, compiler: Compiler, offers: Callable[[str], list[Offer]], history: Path | None
    ) -> None:
        self._screen = screen
        self._dismissed = False
        self.free = trio.Lock()  # held by whoever has the terminal: a statement that is typed, or a question
        self.busy = False  # a statement is being typed
        output = create_output(screen.stream)
        if isinstance(output, Vt100_Output):
            # Asked where its cursor is, a terminal answers on stdin, where a statement may already be reading.
            output.enable_cpr = False
        self._output = output
        self._editor: PromptSession[str] = PromptSession(
            FormattedText([("ansigreen", ">>> ")]),
            output=output,
            multiline=True,
            prompt_continuation=lambda width, line, wrapped: FormattedText([("ansibrightblack", "... ")]),
            key_bindings=_keys(compiler),
            history=_PrivateHistory(str(history)) if history is not None else InMemoryHistory(),
            completer=_Completer(offers, trio.lowlevel.current_trio_token()),
            complete_while_typing=False,
            auto_suggest=AutoSuggestFromHistory(),
            cursor=CursorShape.BEAM,
            enable_suspend=True,
            reserve_space_for_menu=6,
        )

    async def read(self) -> str | Cleared | EndOfInput:
        """Show the prompt and give the statement typed. Cancelled, it takes the prompt down first, which leaves the
        terminal as it was."""
        async with self.free:
            self.busy = True
            try:
                return await self._read(self._editor)
            finally:
                self.busy = False

    async def ask(self, label: str) -> str | Cleared | EndOfInput:
        """Show a label and give the line typed after it; for whoever holds `free`. Cancelled as :meth:`read` is."""
        editor: PromptSession[str] = PromptSession(
            FormattedText([("ansicyan", label)]), output=self._output, history=InMemoryHistory(), enable_suspend=True
        )
        return await self._read(editor)

    async def _read(self, editor: PromptSession[str]) -> str | Cleared | EndOfInput:
        self._dismissed = False
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._dismiss_when_cancelled, editor)
            read = await trio.to_thread.run_sync(lambda: asyncio.run(self._edit(editor)))
            nursery.cancel_scope.cancel()
        return read

    async def _dismiss_when_cancelled(self, editor: PromptSession[str]) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self._dismissed = True
            self._screen.in_prompt(lambda: self._dismiss(editor))

    def _dismiss(self, editor: PromptSession[str]) -> None:
        app = editor.app
        if self._dismissed and app.is_running and not app.is_done:
            app.exit(exception=EOFError)

    async def _edit(self, editor: PromptSession[str]) -> str | Cleared | EndOfInput:
        self._screen.raise_prompt(asyncio.get_running_loop())
        try:
            return await editor.prompt_async(handle_sigint=False, pre_run=lambda: self._dismiss(editor))
        except KeyboardInterrupt:
            return Cleared(empty=not editor.default_buffer.text)
        except EOFError:
            return EndOfInput()
        finally:
            self._screen.lower_prompt()


@final
class _PrivateHistory(FileHistory):
    """A history file that may stop being writable while the console runs: lines are then remembered until the end."""

    def store_string(self, string: str) -> None:
        with contextlib.suppress(OSError):
            super().store_string(string)


@final
class _Completer(Completer):
    def __init__(self, offers: Callable[[str], list[Offer]], token: trio.lowlevel.TrioToken) -> None:
        self._offers, self._token = offers, token

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> list[Completion]:
        # The fleet is looked at from the thread that it lives in.
        offers = trio.from_thread.run_sync(self._offers, document.text_before_cursor, trio_token=self._token)
        return [Completion(offer.text, -offer.replaces, display_meta=offer.about) for offer in offers]


def _keys(compiler: Compiler) -> KeyBindings:
    keys = KeyBindings()
    editing = has_focus(DEFAULT_BUFFER)

    @keys.add("enter", filter=editing & ~is_searching)
    def enter(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.complete_state and buffer.complete_state.current_completion:
            buffer.complete_state = None
        elif ends_statement(buffer.document, compiler):
            buffer.validate_and_handle()
        else:
            new_line(buffer)

    @keys.add("escape", "enter", filter=editing)
    def always_new_line(event: KeyPressEvent) -> None:
        new_line(event.current_buffer)

    @keys.add("tab", filter=editing)
    def tab(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if not buffer.document.current_line_before_cursor.strip():
            buffer.insert_text(_INDENT)
        elif buffer.complete_state:
            buffer.complete_next()
        else:
            buffer.start_completion(insert_common_part=True)

    return keys


def ends_statement(document: Document, compiler: Compiler) -> bool:
    """Tell whether Enter runs the text: at its end, when it is whole, and a block when an empty line ends it."""
    if document.text_after_cursor.strip():
        return document.line_count == 1
    match compiler.ending(document.text):
        case Ending.OPEN:
            return False
        case Ending.BLOCK:
            return document.line_count > 1 and not document.current_line.strip()
        case Ending.CLOSED:
            return True


def new_line(buffer: Buffer) -> None:
    """Begin a line where Python would expect it to begin."""
    line = buffer.document.current_line_before_cursor
    indent = line[: len(line) - len(line.lstrip())]
    if line.rstrip().endswith(":"):
        indent += _INDENT
    elif _LAST_OF_BLOCK.match(line):
        indent = indent.removesuffix(_INDENT)
    buffer.insert_text("\n" + indent)
