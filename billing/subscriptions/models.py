"""Running contracts: frozen, checked where they come in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from billing.accounts.models import Zone
from schemas.document import Code, Instant


class SubscriptionStatus(StrEnum):
    """Where a subscription is in its life.

    CREATED: agreed, not yet in force. ACTIVE: usage is its own. SUSPENDED: its usage is nobody's. CANCELED: was never in force.
    TERMINATED: ended. CLOSED: nothing of it changes any more.
    """

    CREATED = "CREATED"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    CANCELED = "CANCELED"
    TERMINATED = "TERMINATED"
    CLOSED = "CLOSED"


class Action(StrEnum):
    """What is done to a subscription."""

    ACTIVATE = "ACTIVATE"
    SUSPEND = "SUSPEND"
    RESUME = "RESUME"
    CANCEL = "CANCEL"
    TERMINATE = "TERMINATE"
    CLOSE = "CLOSE"


class EndOfTerm(StrEnum):
    """What becomes of a subscription whose term ends and is not renewed."""

    SUSPEND = "SUSPEND"
    TERMINATE = "TERMINATE"


def _trimmed(value: str) -> str:
    if value != value.strip() or any(not character.isprintable() for character in value):
        raise ValueError("there are blanks around it, or control characters in it")
    return value


Identifier = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(_trimmed)]


class Model(BaseModel):
    """Base: frozen, unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Term(Model):
    """How long a subscription runs: so many months, then again `renew_months` where it renews itself, else `then`.

    `notify_days` before its end somebody is told. An agreement (what the customer has committed to) ends with the first term,
    or goes on with each renewal where `extends_agreement`.
    """

    months: Annotated[int, Field(ge=1, le=600)]
    renews: bool = False
    renew_months: Annotated[int, Field(ge=1, le=600)] | None = None
    then: EndOfTerm = EndOfTerm.TERMINATE
    notify_days: Annotated[int, Field(ge=0, le=366)] = 0
    extends_agreement: bool = False


class Point(Model):
    """An access point: what usage names, and when it is the subscription's."""

    id: Identifier
    start: Instant | None = None
    end: Instant | None = None
    shared: bool = False


class Subscription(Model):
    """A contract to be kept: an offer for an account from `start` on, with its access points and its term."""

    code: Code
    account: Code
    offer: Code
    start: Instant | None = None
    zone: Zone | None = None
    group: Code | None = None
    term: Term | None = None
    access_points: Annotated[tuple[Point, ...], Field(max_length=1000)] = ()


class TerminationReason(Model):
    """Why subscriptions end, and what that means for what they pay.

    `apply_agreement`: recurring charges are due until the agreement ends, though usage ends at once. Otherwise they are due
    until the termination, by the proration of the catalog.
    """

    code: Code
    description: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    apply_agreement: bool = False


@dataclass(frozen=True, slots=True)
class Suspended:
    """A period in which usage is nobody's: microseconds UTC, `end_at` None while it goes on."""

    start_at: int
    end_at: int | None
