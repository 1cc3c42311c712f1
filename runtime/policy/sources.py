"""The rules and budgets that a configuration says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from runtime.policy.budget import Budget
from runtime.policy.rules import CallerRules, Guard, Patterns, Rules, as_guard

if TYPE_CHECKING:
    from runtime.config import RuntimeConfig, ServerSpec


def rules_of(config: RuntimeConfig, allow: Guard | Iterable[str] | None = None) -> Rules:
    """Return the rules that a configuration has for callers, with a guard of the program's own, see `as_guard`.

    Where no client is configured, whoever is let in at all is no stranger.
    """
    clients = config.gateway.clients
    return Rules(
        callers={
            name: CallerRules(
                None if client.allowed_servers is None else frozenset(client.allowed_servers),
                Patterns(client.allow, client.deny),
            )
            for name, client in clients.items()
        },
        strangers=not clients,
        guard=None if allow is None else as_guard(allow),
    )


def tools_of(spec: ServerSpec) -> Patterns:
    """Return the tools that a server is configured to show."""
    return Patterns(spec.allow, spec.deny)


def budgets_of(config: RuntimeConfig) -> Mapping[str, Budget]:
    """Return the budgets of the clients that have one."""
    return {
        name: Budget(client.calls, client.rate)
        for name, client in config.gateway.clients.items()
        if client.calls is not None or client.rate is not None
    }
