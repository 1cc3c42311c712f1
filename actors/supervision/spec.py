"""Child specs: what to start, and how to treat it. Checked when made, so that a wrong one starts nothing (R3-R5)."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from enum import Enum
from typing import Any, TypeAlias, final

from attrs import field, frozen

from actors.actor import Actor
from actors.errors import SpecError
from actors.mailbox import Overflow
from actors.supervision.backoff import Backoff
from actors.supervision.strategy import AutoShutdown, Restart, Strategy
from actors.supervision.window import RestartWindow


@final
class Sentinel(Enum):
    """Two words of child specs."""

    IGNORE = "ignore"
    BRUTAL_KILL = "brutal_kill"


IGNORE = Sentinel.IGNORE
"""Returned by a spec's ``start``: there is nothing to start now. The spec is kept; nothing has failed (R11)."""

BRUTAL_KILL = Sentinel.BRUTAL_KILL
"""A ``shutdown``: kill at once, clean-up cancelled (R40)."""

Start: TypeAlias = Callable[..., Actor | AbstractAsyncContextManager[Actor] | Sentinel]
ShutdownTime: TypeAlias = float | Sentinel


def _check_common(spec: ChildSpec | SupervisorSpec) -> None:
    if not isinstance(spec.name, str) or not spec.name or "/" in spec.name:
        raise SpecError(f"a child's name is a string, not empty and without a slash, not {spec.name!r}")
    if not isinstance(spec.restart, Restart):
        raise SpecError(f"child {spec.name!r}: restart is a Restart, not {spec.restart!r}")
    shutdown = spec.shutdown
    if shutdown is not BRUTAL_KILL and not (
        isinstance(shutdown, int | float) and not isinstance(shutdown, bool) and shutdown >= 0
    ):
        raise SpecError(
            f"child {spec.name!r}: shutdown is a number of seconds, math.inf or BRUTAL_KILL, not {shutdown!r}"
        )
    if spec.significant and spec.restart is Restart.PERMANENT:
        raise SpecError(f"child {spec.name!r}: a permanent child cannot be significant")  # R4


@frozen(kw_only=True)
class ChildSpec:
    """How to start one actor, and what its supervisor promises it.

    ``start`` takes nothing and returns the actor (anything with ``receive``), or an async context manager that yields
    it: entering is its init, leaving its clean-up; or `IGNORE`. ``shutdown`` is how many seconds it has to end when it
    is told to, the message in hand and the clean-up included, before it is killed. ``capacity`` bounds its work lane.
    ``nursery=True`` gives it ``context().nursery`` for helper tasks. ``backoff`` delays its restarts. ``trap_exits``
    turns the exits of what it is linked to into messages. Raises `SpecError`.
    """

    name: str = field(kw_only=False)
    start: Start = field(kw_only=False)
    restart: Restart = Restart.PERMANENT
    shutdown: ShutdownTime = 5.0
    significant: bool = False
    backoff: Backoff | None = None
    capacity: float = 256
    overflow: Overflow = Overflow.REFUSE
    nursery: bool = False
    trap_exits: bool = False

    def __attrs_post_init__(self) -> None:
        _check_common(self)
        if not callable(self.start):
            raise SpecError(f"child {self.name!r}: start is a function without arguments, not {self.start!r}")
        if not (isinstance(self.capacity, int) or self.capacity == math.inf) or self.capacity < 1:
            raise SpecError(
                f"child {self.name!r}: capacity is a whole number from 1 or math.inf, not {self.capacity!r}"
            )


@frozen(kw_only=True)
class SupervisorSpec:
    """How to start one supervisor and its first children, one after another in this order (R10).

    ``shutdown`` is by default without limit (R2). ``concurrent_stop`` stops its children all at once, each with its own
    time, instead of one after another in reverse order.

    With a ``template`` it is dynamic (OTP's simple_one_for_one): it has no first children, each is started from the
    template with arguments of its own, at most ``max_children`` at a time, is forgotten when it stays down, and all are
    stopped at once with the template's time for all of them together (R100-R107). Raises `SpecError`.
    """

    name: str = field(kw_only=False)
    children: tuple[Spec, ...] = field(kw_only=False, default=())
    strategy: Strategy = Strategy.ONE_FOR_ONE
    window: RestartWindow = field(factory=RestartWindow)
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER
    restart: Restart = Restart.PERMANENT
    shutdown: ShutdownTime = math.inf
    significant: bool = False
    backoff: Backoff | None = None
    concurrent_stop: bool = False
    template: ChildSpec | None = None
    max_children: float = math.inf

    def __attrs_post_init__(self) -> None:
        _check_common(self)
        if self.template is not None:
            _check_dynamic(self)
        if not isinstance(self.strategy, Strategy):
            raise SpecError(f"supervisor {self.name!r}: strategy is a Strategy, not {self.strategy!r}")
        if not isinstance(self.auto_shutdown, AutoShutdown):
            raise SpecError(f"supervisor {self.name!r}: auto_shutdown is an AutoShutdown, not {self.auto_shutdown!r}")
        names = set[str]()
        for child in self.children:
            check_child(self, child)
            if child.name in names:
                raise SpecError(f"supervisor {self.name!r}: two children are named {child.name!r}")  # R5
            names.add(child.name)


def _check_dynamic(spec: SupervisorSpec) -> None:
    wrong = f"supervisor {spec.name!r} has a template: "
    if spec.children:
        raise SpecError(wrong + "it cannot have children of its own beside it")
    if spec.strategy is not Strategy.ONE_FOR_ONE or spec.auto_shutdown is not AutoShutdown.NEVER:  # R6
        raise SpecError(wrong + "its strategy is one_for_one, and it never shuts down by itself")
    check_child(spec, spec.template)


Spec: TypeAlias = ChildSpec | SupervisorSpec


def check_child(supervisor: SupervisorSpec, child: Any) -> None:
    """Check a child against its supervisor's flags (R4). Raises `SpecError`."""
    if not isinstance(child, ChildSpec | SupervisorSpec):
        raise SpecError(f"supervisor {supervisor.name!r}: a child is a ChildSpec or SupervisorSpec, not {child!r}")
    if child.significant and supervisor.auto_shutdown is AutoShutdown.NEVER:
        raise SpecError(
            f"supervisor {supervisor.name!r} never shuts down by itself: its child {child.name!r} cannot be significant"
        )
