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


def _check(holds: bool, of: str, field: str, value: object, expected: str) -> None:
    if not holds:
        raise SpecError(of, field, value, expected)


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _check_common(spec: ChildSpec | SupervisorSpec, of: str) -> None:
    name, restart, shutdown, backoff = spec.name, spec.restart, spec.shutdown, spec.backoff
    has_name = isinstance(name, str) and bool(name) and "/" not in name
    _check(has_name, of, "name", name, "is a string, not empty and without a slash")
    if isinstance(spec, ChildSpec):
        _check(callable(spec.start), of, "start", spec.start, "is a function that returns the actor")
    _check(isinstance(restart, Restart), of, "restart", restart, "is a Restart")
    _check(isinstance(spec.significant, bool), of, "significant", spec.significant, "is a bool")
    is_shutdown = shutdown is BRUTAL_KILL or _is_time(shutdown)
    _check(is_shutdown, of, "shutdown", shutdown, "is a number of seconds, math.inf or BRUTAL_KILL")
    _check(backoff is None or isinstance(backoff, Backoff), of, "backoff", backoff, "is a Backoff or None")
    can_be = not spec.significant or restart is not Restart.PERMANENT
    _check(can_be, of, "significant", spec.significant, "cannot be True of a permanent child")  # R4


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
        of = f"child {self.name!r}"
        _check_common(self, of)
        is_bound = isinstance(self.capacity, int | float) and self.capacity >= 1
        is_bound = is_bound and (self.capacity == math.inf or type(self.capacity) is int)
        _check(is_bound, of, "capacity", self.capacity, "is a whole number from 1, or math.inf")
        _check(isinstance(self.overflow, Overflow), of, "overflow", self.overflow, "is an Overflow")


@frozen(kw_only=True)
class SupervisorSpec:
    """How to start one supervisor and its first children, one after another in this order (R10).

    ``children`` may be a function that returns them: it is called at each start, as OTP's ``init`` is, so that a
    supervisor that is restarted begins with what is to be there by then (R15). What it raises fails the start.
    ``shutdown`` is by default without limit (R2). ``concurrent_stop`` stops its children all at once, each with its own
    time, instead of one after another in reverse order.

    With a ``template`` it is dynamic (OTP's simple_one_for_one): it has no first children, each is started from the
    template with arguments of its own, at most ``max_children`` at a time, is forgotten when it stays down, and all are
    stopped at once with the template's time for all of them together (R100-R107). Raises `SpecError`.
    """

    name: str = field(kw_only=False)
    children: tuple[Spec, ...] | Callable[[], tuple[Spec, ...]] = field(kw_only=False, default=())
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
        of = f"supervisor {self.name!r}"
        strategy, window, auto = self.strategy, self.window, self.auto_shutdown
        _check(isinstance(strategy, Strategy), of, "strategy", strategy, "is a Strategy")
        _check(isinstance(window, RestartWindow), of, "window", window, "is a RestartWindow")
        _check(isinstance(auto, AutoShutdown), of, "auto_shutdown", auto, "is an AutoShutdown")
        _check_common(self, of)
        if not callable(self.children):
            self.first_children()
        if self.template is not None:
            self._check_dynamic(of + " has a template, so its", self.template)

    def first_children(self) -> tuple[Spec, ...]:
        """Return what it begins with when it is started now. Raises `SpecError`."""
        children = self.children() if callable(self.children) else self.children
        names = set[str]()
        for child in children:
            check_child(self, child)
            is_new = child.name not in names
            _check(is_new, f"supervisor {self.name!r}", "children", child.name, "have names of their own")  # R5
            names.add(child.name)
        return children

    def _check_dynamic(self, of: str, template: ChildSpec) -> None:
        _check(not self.children, of, "children", self.children, "come from that alone")  # R5
        one_for_one = self.strategy is Strategy.ONE_FOR_ONE
        _check(one_for_one, of, "strategy", self.strategy, "is one_for_one")
        never = self.auto_shutdown is AutoShutdown.NEVER
        _check(never, of, "auto_shutdown", self.auto_shutdown, "is never")  # R6
        _check(isinstance(template, ChildSpec), of, "template", template, "is a ChildSpec")
        _check(_is_time(self.max_children), of, "max_children", self.max_children, "is a number")
        check_child(self, template)


Spec: TypeAlias = ChildSpec | SupervisorSpec


def check_child(supervisor: SupervisorSpec, child: Any) -> None:
    """Check a child against its supervisor's flags (R4). Raises `SpecError`."""
    of = f"supervisor {supervisor.name!r}"
    _check(isinstance(child, ChildSpec | SupervisorSpec), of, "child", child, "is a ChildSpec or SupervisorSpec")
    can_be = not child.significant or supervisor.auto_shutdown is not AutoShutdown.NEVER
    never = f"cannot be True below {of}, which never shuts down by itself"
    _check(can_be, f"child {child.name!r}", "significant", child.significant, never)
