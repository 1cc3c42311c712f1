"""What may be asked of a supervisor, and the address by which one asks it (R70-R77)."""

from __future__ import annotations

from typing import final

from attrs import define, frozen

from actors.inspect import Node
from actors.message import Ask
from actors.ref import Ref
from actors.supervision.spec import Spec


@frozen(repr=False)
class StartChild(Ask[Ref | None]):
    spec: Spec


@frozen(repr=False)
class StartFromTemplate(Ask[Ref | None]):
    arguments: tuple[object, ...]
    name: str | None


@frozen(repr=False)
class TerminateChild(Ask[None]):
    name: str


@frozen(repr=False)
class RestartChild(Ask[Ref | None]):
    name: str


@frozen(repr=False)
class DeleteChild(Ask[None]):
    name: str


@frozen(repr=False)
class WhichChildren(Ask[tuple[Node, ...]]):
    pass


@frozen(repr=False)
class CountChildren(Ask["ChildCount"]):
    pass


@frozen(repr=False)
class GetSpec(Ask[Spec]):
    name: str


@frozen
class ChildCount:
    """How many children there are: specs; those alive; and, alive or not, supervisors and workers (R76, R102)."""

    specs: int
    active: int
    supervisors: int
    workers: int


@final
@define(eq=False, repr=False)
class SupervisorRef:
    """The address of a supervisor, and what may be asked of it.

    All of it is done in the supervisor's own turns, one after another with its children's exits (R77). What it does not
    do it refuses with `ChildRefused`; a supervisor that is gone raises `ActorStopped`.
    """

    ref: Ref

    async def start_child(self, spec: Spec) -> Ref | None:
        """Start one child more, after the others (R70). None: its start said IGNORE."""
        return await self.ref.ask(StartChild(spec))

    async def start_from_template(self, *arguments: object, name: str | None = None) -> Ref | None:
        """Start one child more of a dynamic supervisor, its ``start`` called with ``arguments`` (R100).

        None: its start said IGNORE. Refused beyond ``max_children``, and where a child of that name is there.
        """
        return await self.ref.ask(StartFromTemplate(arguments, name))

    async def terminate_child(self, name: str) -> None:
        """Stop a child, or its pending restart; keep its spec, unless it is temporary (R71)."""
        await self.ref.ask(TerminateChild(name))

    async def restart_child(self, name: str) -> Ref | None:
        """Start a child that is down (R72). Its address is the same as before."""
        return await self.ref.ask(RestartChild(name))

    async def delete_child(self, name: str) -> None:
        """Forget the spec of a child that is down (R73)."""
        await self.ref.ask(DeleteChild(name))

    async def get_childspec(self, name: str) -> Spec:
        """Return the spec of a child (R74)."""
        return await self.ref.ask(GetSpec(name))

    async def which_children(self) -> tuple[Node, ...]:
        """Return its children, newest first (R75)."""
        return await self.ref.ask(WhichChildren())

    async def count_children(self) -> ChildCount:
        """Return how many there are (R76)."""
        return await self.ref.ask(CountChildren())
