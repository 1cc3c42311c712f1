"""Hypothesis strategies for what can happen to a tree: its shape, its actors' faults, what is done to it, and in what
order its tasks run. All of it is data, so that a failing example shrinks to what matters.

::

    @given(trees(), st.data(), seeds())
    def test_every_ask_ends(tree, data, seed):
        plan = data.draw(plans(tree))
        run(drive, tree, plan, seed=seed)  # opens the tree, carries out the plan, asserts
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, final

from attrs import evolve, frozen
from hypothesis import strategies as st

from actors.mailbox import Overflow
from actors.supervision.backoff import Backoff
from actors.supervision.spec import BRUTAL_KILL, ChildSpec, Spec, SupervisorSpec
from actors.supervision.strategy import Restart, Strategy
from actors.supervision.window import RestartWindow
from actors.testing.plan import Action, Asking, Killing, Pausing, Stopping, Telling
from actors.testing.script import (
    Answer,
    Crash,
    Defer,
    Drop,
    Overrun,
    Refuse,
    Script,
    Stall,
    StartStep,
    Step,
    Swallow,
)

_TIMES = st.sampled_from([0.0, 0.5, 1.0, 3.0])


def seeds() -> st.SearchStrategy[int]:
    """Seeds for :func:`actors.testing.run`."""
    return st.integers(0, 2**32 - 1)


def steps() -> st.SearchStrategy[Step]:
    """What a message can meet; the faults that are hardest to survive are as common as answers."""
    return st.one_of(
        st.builds(Answer, st.integers(0, 9)),
        st.builds(Answer, st.integers(0, 9), _TIMES),
        st.builds(Crash),
        st.builds(Crash, after=_TIMES),
        st.builds(Refuse),
        st.builds(Defer, st.integers(0, 9), st.integers(1, 3)),
        st.builds(Drop),
        st.builds(Swallow),
        st.builds(Stall),
        st.builds(Overrun, st.sampled_from([1.0, 10.0])),
    )


def start_steps() -> st.SearchStrategy[StartStep]:
    """What a restart can meet: most come up, some late, some fail. None stalls: a start has no deadline (R14)."""
    return st.one_of(st.builds(Answer), st.builds(Answer, after=_TIMES), st.builds(Crash))


@st.composite
def scripts(draw: st.DrawFn, max_steps: int = 5) -> Script:
    """Actors that fail. The first start always comes up, so that the tree is there to be tried."""
    starts: list[StartStep] = draw(st.lists(start_steps(), max_size=2))
    return Script(
        draw(st.lists(steps(), max_size=max_steps)),
        starts=[Answer(), *starts] if starts else [],
        managed=draw(st.booleans()),
    )


@final
@frozen
class Tree:
    """A tree of scripted actors: its specs for `open_system`, and the script at each worker's path."""

    spec: SupervisorSpec
    scripts: Mapping[str, Script]

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of its workers."""
        return tuple(self.scripts)

    @property
    def supervisors(self) -> tuple[str, ...]:
        """The paths of its supervisors, the root left out."""
        return tuple(dict.fromkeys(path.rpartition("/")[0] for path in self.scripts if "/" in path))

    def opened(self) -> dict[str, Any]:
        """Return the keyword arguments of `open_system`, its children left out."""
        return {"strategy": self.spec.strategy, "window": self.spec.window, "name": self.spec.name}


def children(max_steps: int = 5) -> st.SearchStrategy[ChildSpec]:
    """Specs of scripted workers, with all that a spec can ask for."""
    return st.builds(
        lambda script, **spec: ChildSpec("worker", script.start, **spec),
        scripts(max_steps),
        restart=st.sampled_from(Restart),
        shutdown=st.sampled_from([0.0, 2.0, BRUTAL_KILL]),  # not without limit: a stall would have it
        backoff=st.none() | st.builds(Backoff, first=_TIMES),
        capacity=st.sampled_from([1, 2, 256, math.inf]),
        overflow=st.sampled_from(Overflow),
        nursery=st.booleans(),
    )


@st.composite
def trees(draw: st.DrawFn, max_children: int = 3, max_depth: int = 2, max_steps: int = 5) -> Tree:
    """Trees of scripted workers under supervisors of every strategy, ``max_depth`` of them above each other."""
    spec = _supervisor(draw, "root", max_children, max_depth, max_steps)
    return Tree(spec, dict(_scripts(spec.first_children(), "")))


def _supervisor(draw: st.DrawFn, name: str, max_children: int, depth: int, max_steps: int) -> SupervisorSpec:
    below: list[Spec] = []
    for number in range(draw(st.integers(1, max_children))):
        if depth > 1 and draw(st.booleans()):
            below.append(_supervisor(draw, f"s{number}", max_children, depth - 1, max_steps))
        else:
            below.append(evolve(draw(children(max_steps)), name=f"w{number}"))
    return SupervisorSpec(
        name,
        tuple(below),
        strategy=draw(st.sampled_from(Strategy)),
        window=draw(st.builds(RestartWindow, st.integers(0, 4), st.sampled_from([1.0, 10.0]))),
        restart=draw(st.sampled_from(Restart)),
        concurrent_stop=draw(st.booleans()),
    )


def _scripts(specs: Sequence[Spec], path: str) -> list[tuple[str, Script]]:
    found: list[tuple[str, Script]] = []
    for spec in specs:
        if isinstance(spec, SupervisorSpec):
            found.extend(_scripts(spec.first_children(), f"{path}{spec.name}/"))
        else:
            script = getattr(spec.start, "__self__", None)
            assert isinstance(script, Script)
            found.append((f"{path}{spec.name}", script))
    return found


def plans(tree: Tree, max_size: int = 12) -> st.SearchStrategy[list[Action]]:
    """What may be done to ``tree``, for :func:`actors.testing.carry_out`; half of it asks.

    Most asks never give up, and some meet a `Stall`: they end when the tree does, so carry a plan out beside it.
    """
    worker = st.sampled_from(tree.paths)
    anybody = st.sampled_from((*tree.paths, *tree.supervisors))
    return st.lists(
        st.one_of(
            st.builds(Asking, worker, st.sampled_from([0.0, 0.5, 2.0])),
            st.builds(Asking, worker),
            st.builds(Asking, worker),
            st.builds(Pausing, _TIMES),
            st.one_of(
                st.builds(Telling, worker),
                st.builds(Killing, anybody),
                st.builds(Stopping, worker, st.booleans()),
            ),
        ),
        max_size=max_size,
    )
