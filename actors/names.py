"""Names of a system: each points at one address, for as long as that lives."""

from __future__ import annotations

from typing import final
from weakref import WeakValueDictionary

from attrs import define, field

from actors.errors import NameTaken
from actors.ref import Ref


@final
@define(eq=False, repr=False)
class Names:
    """Unique names to addresses. A name outlives the crashes of its actor, as its address does (K3, R135)."""

    _refs: WeakValueDictionary[str, Ref] = field(factory=WeakValueDictionary, init=False)

    def register(self, name: str, ref: Ref) -> None:
        """Point ``name`` at ``ref``; again, if it does already. Raises `NameTaken` while it points at another."""
        holder = self.whereis(name)
        if holder is not None and holder is not ref:
            raise NameTaken(name, holder.path)
        self._refs[name] = ref

    def unregister(self, name: str) -> None:
        """Forget ``name``, if it is known."""
        self._refs.pop(name, None)

    def whereis(self, name: str) -> Ref | None:
        """Return the living address of that name, if there is one."""
        ref = self._refs.get(name)
        if ref is not None and not ref.alive:
            del self._refs[name]
            return None
        return ref

    def of(self, ref: Ref) -> tuple[str, ...]:
        """Return the names that point at ``ref``."""
        return tuple(name for name, holder in self._refs.items() if holder is ref)
