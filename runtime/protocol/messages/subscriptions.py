"""Subscriptions (modern): one long request per listener, answered when it ends."""

from __future__ import annotations

from .part import Params, Part, part

__all__ = ["ListenParams", "SubscriptionFilter", "SubscriptionsAcknowledged"]


@part
class SubscriptionFilter(Part):
    """What a listener wants to hear of."""

    tools_list_changed: bool | None = None
    prompts_list_changed: bool | None = None
    resources_list_changed: bool | None = None
    resource_subscriptions: tuple[str, ...] | None = None
    """URIs."""
    task_ids: tuple[str, ...] | None = None
    """With the tasks extension."""


@part
class ListenParams(Params):
    """``subscriptions/listen``."""

    notifications: SubscriptionFilter


@part
class SubscriptionsAcknowledged(Params):
    """``notifications/subscriptions/acknowledged``: what of it the server will tell, before all else it tells."""

    notifications: SubscriptionFilter
