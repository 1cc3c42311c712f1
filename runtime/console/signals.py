"""Signals become cancellation: the tree stops in order, and the exit code says why."""

import signal
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from functools import partial
from types import FrameType

import trio

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


async def until_signalled(work: Callable[[], Awaitable[int]]) -> int:
    """Run ``work`` and give its exit code. SIGINT, SIGTERM and SIGHUP cancel it; once it has cleaned up, the exit code
    is 128 and the signal's number, as a shell expects."""
    token = trio.lowlevel.current_trio_token()
    received: list[signal.Signals] = []
    with trio.CancelScope() as scope:

        def stop(number: signal.Signals, frame: FrameType | None) -> None:
            received.append(number)
            token.run_sync_soon(scope.cancel)
            if busy_in_user_code(frame):
                raise KeyboardInterrupt

        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        with handling({number: partial(stop, number) for number in numbers}):
            code = await work()
            if not received:
                return code
    return 128 + received[0]
