"""What happens when another configuration is applied while the runtime runs."""

from __future__ import annotations

from typing import ClassVar, final

from runtime.journal.events import Event


@final
class ServerAdjusted(Event, frozen=True):
    """It has taken on these changed keys as it runs."""

    name: ClassVar[str] = "adjusted"
    keys: tuple[str, ...]

    def told(self) -> str:
        return f"goes on with another configuration: {', '.join(self.keys)}"


@final
class ServerRolledBack(Event, frozen=True):
    """It did not get ready with its new configuration, so what was there before is started again."""

    name: ClassVar[str] = "rolled_back"
    reason: str

    def told(self) -> str:
        return f"not ready with its new configuration, so back to the old one: {self.reason}"


@final
class ConfigApplied(Event, frozen=True):
    """Another configuration has been applied; ``steps`` says what was done for it."""

    name: ClassVar[str] = "config_applied"
    steps: tuple[str, ...]

    def told(self) -> str:
        return f"configuration applied: {'; '.join(self.steps) or 'nothing to do'}"
