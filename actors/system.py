"""The root of a tree, in your nursery."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import final

import trio
from attrs import define, field

from actors.errors import ActorCrashed, ActorStopped, SupervisorExit
from actors.exits import Crashed, ExitReason, Killed, Shutdown, cause_of, leaves
from actors.inspect import Node, TreeEvent
from actors.mailbox import Mailbox
from actors.names import Names
from actors.ref import Ref
from actors.supervision.child import Child, Status, Surroundings
from actors.supervision.requests import SupervisorRef
from actors.supervision.spec import Spec, SupervisorSpec
from actors.supervision.strategy import Strategy
from actors.supervision.supervisor import Supervisor, node_of, supervise
from actors.supervision.window import RestartWindow


@final
@define(eq=False, repr=False)
class System:
    """A running tree. ``system["name"]`` is the address of a child of the root, ``system["a/b"]`` of one below."""

    _root: Child = field(alias="root")
    names: Names

    def __getitem__(self, path: str) -> Ref:
        """Return the address at ``path``. Raises `KeyError`."""
        return self._find(path).ref

    def __contains__(self, path: object) -> bool:
        try:
            self._find(str(path))
        except KeyError:
            return False
        return True

    @property
    def root(self) -> SupervisorRef:
        """The root supervisor."""
        return SupervisorRef(self._root.ref)

    def supervisor(self, path: str) -> SupervisorRef:
        """Return the supervisor at ``path``. Raises `KeyError`."""
        child = self._find(path)
        if not isinstance(child.spec, SupervisorSpec):
            raise KeyError(f"{path!r} is a worker, not a supervisor")
        return SupervisorRef(child.ref)

    def tree(self) -> Node:
        """Return the whole tree as it is now; ``str`` draws it."""
        return node_of(self._root)

    def _find(self, path: str) -> Child:
        at = self._root
        for name in path.split("/"):
            if not isinstance(at.actor, Supervisor) or name not in at.actor.children:
                known = list(at.actor.children) if isinstance(at.actor, Supervisor) else []
                raise KeyError(f"no child {name!r} in {at.mailbox.path!r} on the way to {path!r}; there: {known}")
            at = at.actor.children[name]
        return at


@asynccontextmanager
@trio.lowlevel.enable_ki_protection
async def open_system(
    *children: Spec,
    strategy: Strategy = Strategy.ONE_FOR_ONE,
    window: RestartWindow = RestartWindow(),  # noqa: B008  # frozen
    name: str = "root",
    observe: Callable[[TreeEvent], None] | None = None,
) -> AsyncIterator[System]:
    """Start a tree of actors under one root supervisor, enter when all are up, and stop it in order at the end.

    Leaves no task (K12). An exception of the body comes out bare, after the tree has stopped; a cancellation stops the
    tree in order, too, each child with its own time. A root that gives up cancels the body and raises `SupervisorExit`
    with the last crash as its cause; so does one that cannot start. ``observe`` is called with each `TreeEvent`, from
    inside the tree: it must not wait and must not raise.
    """
    spec = SupervisorSpec(name, tuple(children), strategy=strategy, window=window)
    tree = _Tree(name, spec, observe)
    raised: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tree.run, name=f"actors of {name!r}")
            try:
                await tree.wait_booted()
                if tree.gave_up is None:
                    with tree.body:
                        yield System(tree.root, tree.surroundings.names)
            except BaseException as error:  # noqa: BLE001  # it leaves below, bare, once the tree has stopped
                raised = error
            finally:
                tree.leave()
    except BaseExceptionGroup as group:  # an interrupt, while the tree stopped
        raised = next((leaf for leaf in leaves(group) if not isinstance(leaf, trio.Cancelled)), group)
    if tree.interruption is not None:
        raise tree.interruption
    if tree.gave_up is not None and isinstance(raised, ActorStopped | ActorCrashed | None):
        # What the body met of the end is not why it came.
        raise SupervisorExit(name, tree.gave_up) from tree.last_crash()
    if raised is not None:
        raise raised


@final
@define(eq=False, repr=False)
class _Tree:
    """Runs a root out of reach of cancellations from outside: they would end all actors at once, in no order (T5)."""

    name: str
    spec: SupervisorSpec
    observe: Callable[[TreeEvent], None] | None
    body: trio.CancelScope = field(factory=trio.CancelScope, init=False)
    root: Child = field(init=False)
    surroundings: Surroundings = field(init=False)
    nursery: trio.Nursery = field(init=False)
    interruption: BaseException | None = field(default=None, init=False)
    gave_up: ExitReason | None = field(default=None, init=False)
    _supervisor: Supervisor | None = field(default=None, init=False)
    _booted: trio.Event = field(factory=trio.Event, init=False)
    _over: trio.Event = field(factory=trio.Event, init=False)  # the body has ended, or the root has

    def __attrs_post_init__(self) -> None:
        self.surroundings = Surroundings(self.observe, self.interrupted)
        start = partial(supervise, "", self.spec, self.surroundings)
        self.root = Child(self.spec, start, Mailbox(self.name, math.inf), self)

    @trio.lowlevel.enable_ki_protection
    async def run(self) -> None:
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as self.nursery:
                if self._over.is_set():
                    return
                self.root.begin()
                await self.root.wait_started()
                if isinstance(self.root.actor, Supervisor):
                    self._supervisor = self.root.actor
                if self.root.status is Status.STOPPED:
                    self.gave_up = self.root.last_exit
                self._booted.set()
                if self.root.status is Status.RUNNING:
                    await self._over.wait()
                await self.root.take_down()
                if isinstance(self.root.last_exit, Crashed):
                    self.gave_up = self.root.last_exit
                self.root.close(self.root.last_exit or Shutdown())

    async def wait_booted(self) -> None:
        """Wait until all children are up, or one did not come up. Cancelling this kills what has come up (R95)."""
        try:
            await self._booted.wait()
        except BaseException:  # an interrupt, too
            self.root.kill(Killed())
            raise

    def leave(self) -> None:
        self._over.set()

    def last_crash(self) -> BaseException | None:
        crash = self._supervisor.last_crash if self._supervisor is not None else None
        if isinstance(self.gave_up, Crashed) or crash is None:
            crash = self.gave_up
        return cause_of(crash or Shutdown())

    # -- what its root tells it

    def came_up(self, root: Child) -> None:
        """The whole tree is up; whoever waits for that is told by `run`."""

    def ended(self, root: Child, reason: ExitReason) -> None:
        """End the body, unless the root ended because that did."""
        if root.status is Status.EXITED:
            self.gave_up = reason
            self._end_body()

    def interrupted(self, error: BaseException) -> None:
        """End the body, and the system with this error; a tree that is not up yet is not waited for."""
        self.interruption = self.interruption or error
        if not self._booted.is_set():
            self.root.kill(Killed())
        self._end_body()

    def _end_body(self) -> None:
        self.body.cancel()
        self._over.set()
