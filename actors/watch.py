"""Watches and links: who is told of an end, and who shares it.

Both belong to an incarnation and end with it. They are plain lists at both ends, and what they deliver is appended to a
control lane in the moment of the end, so that nothing can come in between (R115).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from attrs import define, field, frozen

from actors.exits import ExitReason, Gone
from actors.mailbox import Personal
from actors.ref import Ref

if TYPE_CHECKING:
    from actors.supervision.child import Child


@final
@frozen(repr=False)
class Down(Personal):
    """An incarnation of what you watch has ended. ``Gone``: there was none when the watch began (R114)."""

    control = True
    ref: Ref
    incarnation: int
    reason: ExitReason
    watch: Watch


@final
@frozen(repr=False)
class Exit(Personal):
    """What you are linked to has ended, and your spec says ``trap_exits`` (R110)."""

    control = True
    ref: Ref
    reason: ExitReason


@final
@define(eq=False, repr=False)
class Watch:
    """One watch of one actor by another. Several are several: each gives its own `Down` (R114)."""

    watcher: Child
    target: Child
    once: bool

    def cancel(self) -> None:
        """End it; a `Down` of it that is still queued is not delivered."""
        self._leave()
        control = self.watcher.mailbox.control
        for item in [item for item in control or () if isinstance(item, Down) and item.watch is self]:
            assert control is not None
            control.remove(item)

    def _leave(self) -> None:
        if self.target.bonds is not None and self in self.target.bonds.watched_by:
            self.target.bonds.watched_by.remove(self)
        if self.watcher.bonds is not None and self in self.watcher.bonds.watching:
            self.watcher.bonds.watching.remove(self)

    def tell(self, incarnation: int, reason: ExitReason) -> None:
        """Deliver a `Down`."""
        mailbox = self.watcher.mailbox
        if mailbox.closed_by is None:
            mailbox.put_control(Down(self.target.ref, incarnation, reason, self))
        if self.once:
            self._leave()


@final
@define(eq=False, repr=False)
class Bonds:
    """The watches and links of one child."""

    watched_by: list[Watch] = field(factory=list)
    watching: list[Watch] = field(factory=list)
    linked: list[Child] = field(factory=list)

    def publish(self, child: Child, reason: ExitReason) -> None:
        """Tell of the end of ``child``'s incarnation: watchers first, then what it is linked to (R115)."""
        for watch in tuple(self.watched_by):
            watch.tell(child.incarnation, reason)
        linked, self.linked = self.linked, []
        for peer in linked:
            _bonds(peer).linked.remove(child)  # a link is in both lists, or in neither
            peer.signal(reason, child.ref)
        for watch in tuple(self.watching):
            watch._leave()


def forget(child: Child) -> None:
    """End the watches of a child that is gone for good: nothing more can be told of it."""
    if child.bonds is not None:
        for watch in tuple(child.bonds.watched_by):
            watch._leave()


def _bonds(child: Child) -> Bonds:
    if child.bonds is None:
        child.bonds = Bonds()
    return child.bonds


def watch(watcher: Child, target: Child, *, once: bool) -> Watch:
    """Begin a watch. Of what is gone for good it tells at once."""
    begun = Watch(watcher, target, once)
    if target.mailbox.closed_by is not None:
        begun.tell(target.incarnation, Gone())
    else:
        _bonds(target).watched_by.append(begun)
        _bonds(watcher).watching.append(begun)
    return begun


def link(one: Child, other: Child) -> None:
    """Let two incarnations share their ends; a second link of the same two is the first (R110, R113)."""
    if not other.running:
        one.signal(Gone(), other.ref)
    elif one is not other and other not in _bonds(one).linked:
        _bonds(one).linked.append(other)
        _bonds(other).linked.append(one)


def unlink(one: Child, other: Child) -> None:
    """Undo a link; an `Exit` of it that is still queued is not delivered (R113)."""
    for here, there in ((one, other), (other, one)):
        if here.bonds is not None and there in here.bonds.linked:
            here.bonds.linked.remove(there)
    control = one.mailbox.control
    for item in [item for item in control or () if isinstance(item, Exit) and item.ref is other.ref]:
        assert control is not None
        control.remove(item)
