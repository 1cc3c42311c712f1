"""Ours against its floor: several ways to do one job, run in turn, medians and their ratio.

Absolute times move with the machine and its neighbours, by half and more within a minute. So each round
runs every way once, close together, and the ratio is the median of the rounds' ratios: what slows a round
slows its floor as well.
"""

from __future__ import annotations

import gc
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

FLOOR, OURS = "floor", "ours"


@dataclass(frozen=True)
class Job:
    """One job and the ways to do it: each does it once and returns its cost, where less is better.

    ``goal`` bounds ours in multiples of the floor; ``limit`` bounds it in the job's own unit.
    """

    name: str
    unit: str
    ways: Mapping[str, Callable[[], float]]
    goal: float | None = None
    limit: float | None = None


@dataclass(frozen=True)
class Result:
    job: Job
    medians: Mapping[str, float]
    ratio: float

    @property
    def kept(self) -> bool:
        """Whether ours stayed within what was asked of it."""
        return (self.job.goal is None or self.ratio <= self.job.goal) and (
            self.job.limit is None or self.medians[OURS] <= self.job.limit
        )


def measure(job: Job, rounds: int = 9) -> Result:
    """Run every way of the job once per round, after one round that only warms up.

    The garbage collector runs between the measurements: in them it would bill one way for another's waste.
    """
    costs: dict[str, list[float]] = {name: [] for name in job.ways}
    for round_number in range(rounds + 1):
        for name, way in job.ways.items():
            gc.collect()
            gc.disable()
            try:
                cost = way()
            finally:
                gc.enable()
            if round_number:
                costs[name].append(cost)
    ratio = statistics.median(ours / floor for ours, floor in zip(costs[OURS], costs[FLOOR], strict=True))
    return Result(job, {name: statistics.median(values) for name, values in costs.items()}, ratio)


def report(title: str, jobs: Sequence[Job], rounds: int = 9) -> None:
    """Measure the jobs and print one line for each as soon as it is known."""
    ways = list(dict.fromkeys(name for job in jobs for name in job.ways))
    width = max(len(f"{job.name}, {job.unit}") for job in jobs)
    print(f"{title:{width}}" + "".join(f"{name:>12}" for name in ways) + f"{'ratio':>9}  goal")
    for job in jobs:
        result = measure(job, rounds)
        cells = (f"{result.medians[name]:12.2f}" if name in job.ways else " " * 12 for name in ways)
        goals = [f"{job.goal:.2f}x" if job.goal else "", f"{job.limit:g} {job.unit}" if job.limit else ""]
        goal = ", ".join(filter(None, goals)) + ("" if result.kept else "  missed")
        print(f"{f'{job.name}, {job.unit}':{width}}" + "".join(cells) + f"{result.ratio:8.2f}x  {goal}")
        sys.stdout.flush()
    print()
