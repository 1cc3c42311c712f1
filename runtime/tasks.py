"""Tasks that live exactly as long as a block."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio


@asynccontextmanager
async def beside(*tasks: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """Runs `tasks` while the block runs, and cancels them after it.

    An exception of the block leaves bare, as if there were no nursery; one of a task, which is an error of
    ours, cancels the block and leaves in the nursery's group.
    """
    failure: BaseException | None = None
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            for task in tasks:
                nursery.start_soon(task)
            try:
                yield
            except BaseException as error:  # noqa: BLE001 - it goes on below, outside the nursery
                failure = error
            # The tasks end at their next checkpoint; a cancellation from outside must not replace `failure`.
            scope.shield = True
            nursery.cancel_scope.cancel()
    if failure is not None:
        try:
            raise failure
        finally:
            del failure  # or it would hold, by its traceback, the frame that holds it
