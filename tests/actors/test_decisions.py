"""Supervision's pure decisions."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import (
    AutoShutdown,
    Backoff,
    ChildSpec,
    Crashed,
    Killed,
    Normal,
    Restart,
    RestartWindow,
    Shutdown,
    SpecError,
    Strategy,
    SupervisorSpec,
    Verdict,
)
from actors.exits import crash
from actors.supervision.strategy import group, verdict

from .support import Everything

BOOM = OSError("boom")
CRASH = Crashed(BOOM)


@pytest.mark.parametrize("reason", [Normal(), Shutdown(), Shutdown("because"), CRASH, Killed()])
def test_a_permanent_child_is_always_restarted_and_a_temporary_never(reason: object) -> None:  # R21, R23
    assert verdict(Restart.PERMANENT, reason) is Verdict.RESTART  # type: ignore[arg-type]
    assert verdict(Restart.TEMPORARY, reason) is Verdict.DELETE  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (Normal(), Verdict.KEEP),
        (Shutdown(), Verdict.KEEP),
        (Shutdown("because"), Verdict.KEEP),
        (CRASH, Verdict.RESTART),
        (Killed(), Verdict.RESTART),
    ],
)
def test_a_transient_child_is_restarted_after_an_abnormal_end(reason: object, expected: Verdict) -> None:  # R22
    assert verdict(Restart.TRANSIENT, reason) is expected  # type: ignore[arg-type]


def test_each_strategy_names_its_group() -> None:  # R30-R32
    assert group(Strategy.ONE_FOR_ONE, "abc", "b") == ["b"]
    assert group(Strategy.ONE_FOR_ALL, "abc", "b") == ["a", "b", "c"]
    assert group(Strategy.REST_FOR_ONE, "abc", "b") == ["b", "c"]


def test_the_edge_of_the_window_is_inclusive() -> None:  # R51
    window = RestartWindow(intensity=1, period=5.0)
    assert window.counted((0.0,), 5.0) == (0.0,)
    assert window.counted((0.0,), 5.0001) == ()


@given(st.integers(0, 5), st.floats(0.1, 10), st.lists(st.floats(0, 3, allow_nan=False), max_size=40))
def test_a_window_never_allows_more_than_its_intensity_in_any_period(
    intensity: int, period: float, pauses: list[float]
) -> None:  # R50
    window, counted, now, allowed = RestartWindow(intensity, period), (), 0.0, list[float]()
    for pause in pauses:
        now += pause
        counted = (now, *window.counted(counted, now))
        if window.spent(counted):
            break
        allowed.append(now)
    for at in allowed:
        assert sum(0 <= other - at <= period for other in allowed) <= intensity


@given(st.integers(1, 10_000), st.floats(-1, 1))
def test_a_backoff_grows_to_its_cap_and_stays_within_its_jitter(failures: int, spread: float) -> None:
    backoff = Backoff(first=0.1, factor=2, cap=5, jitter=0.1)
    exact = min(0.1 * 2 ** min(failures - 1, 10), 5)
    assert exact * 0.9 <= backoff.delay(failures, spread) + 1e-9
    assert backoff.delay(failures, spread) <= exact * 1.1 + 1e-9


@pytest.mark.parametrize(
    "make",
    [
        lambda: ChildSpec("", Everything),
        lambda: ChildSpec("a/b", Everything),
        lambda: ChildSpec("a", "not callable"),  # type: ignore[arg-type]
        lambda: ChildSpec("a", Everything, shutdown=-1),
        lambda: ChildSpec("a", Everything, shutdown=True),
        lambda: ChildSpec("a", Everything, capacity=0),
        lambda: ChildSpec("a", Everything, restart="permanent"),  # type: ignore[arg-type]
        lambda: ChildSpec("a", Everything, significant=True),
        lambda: SupervisorSpec("s", (ChildSpec("a", Everything), ChildSpec("a", Everything))),
        lambda: SupervisorSpec("s", (ChildSpec("a", Everything, restart=Restart.TRANSIENT, significant=True),)),
        lambda: SupervisorSpec("s", strategy="one_for_one"),  # type: ignore[arg-type]
        lambda: SupervisorSpec("s", auto_shutdown=True),  # type: ignore[arg-type]
        lambda: RestartWindow(-1, 5),
        lambda: RestartWindow(True, 5),
        lambda: RestartWindow(1, 0),
        lambda: RestartWindow(1, float("inf")),
    ],
)
def test_a_wrong_spec_is_refused_when_it_is_made(make: object) -> None:  # R1-R5
    with pytest.raises(SpecError):
        make()  # type: ignore[operator]


def test_a_significant_child_is_allowed_where_its_supervisor_can_shut_down() -> None:  # R4
    child = ChildSpec("a", Everything, restart=Restart.TRANSIENT, significant=True)
    assert SupervisorSpec("s", (child,), auto_shutdown=AutoShutdown.ANY_SIGNIFICANT).children == (child,)


def test_a_crash_keeps_no_frame_of_the_actor_alive() -> None:  # T15
    class Witness:
        pass

    def fail() -> None:
        local = Witness()
        raise OSError(str(type(local)))

    try:
        fail()
    except OSError as error:
        reason = crash(error)
    traceback = reason.exception.__traceback__
    assert traceback is not None
    assert traceback.tb_next is not None
    assert "local" not in traceback.tb_next.tb_frame.f_locals
    assert "in fail" in reason.report()


def test_reading_a_crash_closes_no_coroutine_that_its_traceback_names() -> None:
    class Once:
        def __await__(self) -> Generator[None, None, None]:
            yield

    async def live_on() -> str:
        with suppress(OSError):
            raise BOOM
        await Once()
        return "lived on"

    suspended = live_on()
    suspended.send(None)
    crash(BOOM)
    with pytest.raises(StopIteration, match="lived on"):
        suspended.send(None)


def test_a_group_around_one_error_is_read_as_that_error() -> None:  # T9
    error = OSError("boom")
    assert crash(ExceptionGroup("", [ExceptionGroup("", [error])])) == Crashed(error)
    several = ExceptionGroup("", [error, ValueError()])
    assert crash(several) == Crashed(several)
