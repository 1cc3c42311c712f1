"""A run that can be repeated: virtual time, one order of tasks for each seed, and no hang without a name."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import trio
from trio.testing import MockClock

from actors.testing.stall import Stalled, StallWatch

R = TypeVar("R")


def run(
    main: Callable[..., Awaitable[R]],
    *args: Any,
    seed: int = 0,
    clock: trio.abc.Clock | None = None,
    real_limit: float = 60.0,
) -> R:
    """Run ``main(*args)`` as `trio.run` does, but let ``seed`` pick the order of tasks and the numbers of `random`.

    The same seed gives the same order, in another process too; other seeds give other orders. ``clock`` is by default a
    fresh `trio.testing.MockClock` that jumps over all waiting.

    Raises `Stalled` when every task waits and nothing can wake one (with a clock that jumps: at once), or when
    ``real_limit`` seconds of real time are over. What ``main`` can then still clean up, it cleans up, cancelled.

    The order is a setting of the whole process: run one at a time. Outside the main thread, and on Windows, a stalled
    run that a cancellation does not end ends the process, after a dump of its stacks.
    """
    watch = StallWatch(real_limit)
    with repeatable(seed):
        value = watch.run(main, args, clock or MockClock(autojump_threshold=0))
    if watch.found is not None:
        raise Stalled(seed, *watch.found)
    return value  # type: ignore[return-value]  # only a run that stalled has none


@contextmanager
def repeatable(seed: int) -> Iterator[None]:
    """Make the order of tasks, and `random`, depend on ``seed`` alone, until left; then all is as it was before.

    Trio runs those tasks that can run in an order it draws. It has no public switch for a repeatable draw, only the one
    that it keeps for its own plugins of pytest and Hypothesis. This is the one place that touches it.
    """
    from trio._core import _run as scheduler

    was_sorted, was_drawing, was_random = (
        scheduler._ALLOW_DETERMINISTIC_SCHEDULING,
        scheduler._r.getstate(),
        random.getstate(),
    )
    scheduler._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]  # Final, for everybody but its plugins
    scheduler._r.seed(seed)
    random.seed(seed)
    try:
        yield
    finally:
        scheduler._ALLOW_DETERMINISTIC_SCHEDULING = was_sorted  # type: ignore[misc]
        scheduler._r.setstate(was_drawing)
        random.setstate(was_random)
