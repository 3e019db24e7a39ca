"""Discount plans: what is taken off what is billed, from whom, how often and for how long."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.price_plan import Code, Document, ExactDecimal, Instant, Price

PERCENT_DECIMALS = 6


class DiscountLimits(Document):
    """What ends a discount that is assigned: so many bills, so much in all, so many months from its start."""

    applications: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    amount: Price | None = None
    months: Annotated[int, Field(ge=1, le=1200)] | None = None


class DiscountItem(Document):
    """One thing that is taken off: a percentage of what it matches, or a fixed amount of a bill.

    It matches what is sold by `charges`, `offers` and `event_types`, any where they are left out, and by its condition, CEL
    over the codes `account`, `subscription`, `offer`, `charge` and `event_type`. Of the items of a plan that match something,
    only those with the lowest `priority` apply to it, by ascending `sequence`, then in their order; after one that is `last`,
    nothing more is taken off it. `allow_to_negate` lets what is left fall below zero.
    """

    code: Code
    type: Literal["percentage", "fixed"]
    value: Annotated[ExactDecimal, Field(gt=0, le=Decimal(9_000_000), decimal_places=PERCENT_DECIMALS)]
    priority: Annotated[int, Field(ge=0, le=1_000_000)] = 100
    sequence: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    last: bool = False
    allow_to_negate: bool = False
    charges: tuple[Code, ...] = ()
    offers: tuple[Code, ...] = ()
    event_types: tuple[Code, ...] = ()
    condition: str | None = None


class DiscountPlan(Document):
    """Discounts that are assigned together, to accounts and subscriptions, by their `discounts`.

    Plans take off by ascending `sequence`, then code. `cascading`: of what discounts before have left; otherwise of what the
    price was.
    """

    kind: Literal["discount_plan"]
    code: Code
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] | None = None
    start: Instant | None = None
    end: Instant | None = None
    sequence: Annotated[int, Field(ge=0, le=1_000_000)] = 100
    cascading: bool = False
    limits: DiscountLimits = DiscountLimits()
    items: Annotated[tuple[DiscountItem, ...], Field(min_length=1, max_length=1000)]
