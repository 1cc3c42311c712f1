"""Signals become cancellation: the tree stops in order, and the exit code says why."""

import signal
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import final

import trio
from attrs import define

from runtime.console.session import busy_in_user_code

Handler = Callable[[FrameType | None], None]


@contextmanager
def handling(handlers: Mapping[signal.Signals, Handler]) -> Generator[None]:
    """Install handlers, which get the interrupted frame, until the block ends. A signal that was ignored when the
    process began (``nohup``, a job in the background of a script) stays so. Main thread only."""
    before = {number: signal.getsignal(number) for number in handlers}
    for number, handler in handlers.items():
        if before[number] is not signal.SIG_IGN:
            signal.signal(number, partial(_handle, handler))
    try:
        yield
    finally:
        for number, handler_before in before.items():
            signal.signal(number, handler_before)


def _handle(handler: Handler, number: int, frame: FrameType | None) -> None:
    handler(frame)


@final
@define
class Stop:
    """Whether a signal has told the program to end, and which."""

    number: signal.Signals | None = None

    def told(self) -> bool:
        """Tell whether one has."""
        return self.number is not None


async def until_signalled(work: Callable[[], Awaitable[int]], stop: Stop | None = None) -> int:
    """Run ``work`` and give its exit code. SIGINT, SIGTERM and SIGHUP cancel it, which ``stop`` shows at once; when it
    has cleaned up, the exit code is 128 and the signal's number, as a shell expects."""
    token = trio.lowlevel.current_trio_token()
    stop = Stop() if stop is None else stop
    with trio.CancelScope() as scope:

        def end(number: signal.Signals, frame: FrameType | None) -> None:
            stop.number = stop.number or number
            token.run_sync_soon(scope.cancel)
            if busy_in_user_code(frame):
                raise KeyboardInterrupt

        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        with handling({number: partial(end, number) for number in numbers}):
            code = await work()
            if stop.number is None:
                return code
    assert stop.number is not None  # nothing else cancels this scope
    return 128 + stop.number
