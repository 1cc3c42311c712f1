"""The conversation: read a statement, run it, again."""

import signal
from types import FrameType

import trio
from rich.console import Console

from runtime.console.session import Done, Failed, Interrupted, Left, Session, busy_in_user_code
from runtime.console.signals import handling
from runtime.console.terminal import Cleared, EndOfInput, Prompt


async def talk(session: Session, prompt: Prompt, console: Console) -> int:
    """Run what is typed until Ctrl-D or ``exit()``, and give the exit code. Ctrl-C clears the line at the prompt and
    cancels the statement that runs; nothing else is touched by it."""
    token = trio.lowlevel.current_trio_token()

    def interrupt(frame: FrameType | None) -> None:
        session.interrupt()
        if busy_in_user_code(frame):
            raise KeyboardInterrupt
        token.run_sync_soon(session.cancel)

    with handling({signal.SIGINT: interrupt}):
        while True:
            match await prompt.read():
                case EndOfInput():
                    return 0
                case Cleared(empty=True):
                    console.print("Ctrl-D stops the servers and leaves.", style="dim")
                case Cleared():
                    pass
                case text if text.strip():
                    match await session.run(text):
                        case Done():
                            pass
                        case Failed(report):
                            console.print(report, style="red", markup=False, highlight=False)
                        case Interrupted():
                            console.print("\ninterrupted", style="yellow")  # the terminal wrote ^C
                        case Left(code):
                            return code
