"""What happened to subscriptions, in the past tense."""

from __future__ import annotations

from dataclasses import dataclass

from billing.subscriptions.models import SubscriptionStatus


@dataclass(frozen=True, slots=True)
class SubscriptionAdded:
    """There is a subscription more, with a status."""

    id: str
    code: str
    status: str


@dataclass(frozen=True, slots=True)
class SubscriptionChanged:
    """Something was done to a subscription, or is planned: then `planned` is the id of that."""

    id: str
    code: str
    status: SubscriptionStatus
    planned: str | None
