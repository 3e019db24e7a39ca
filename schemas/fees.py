"""Fees: what a subscription costs without any usage. A fee is a charge whose usage octroi makes itself, when it is due."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, get_args

from pydantic import Field, StringConstraints

from schemas.price_plan import Accumulated, CivilDate, Code, Document, ExactDecimal, Instant

FEE = "fee"
"""The event type of all fees, and their attribute that says which one it is."""
FEES = "fees"
"""The source of what is due."""
NUMERATOR, DENOMINATOR, FIRST_DAY, DAY_AFTER = "numerator", "denominator", "first_day", "day_after"
"""The values of a fee: which share of its price is due, and for which days."""
PRICE = "price"
"""The constant of a formula that stands for its price."""
FEE_FORMULA = f"quantity * {PRICE} * {NUMERATOR} / {DENOMINATOR}"
"""What a fee costs: the share is exact, so that an amount is rounded once."""
POINT_PREFIX = "fee:"
"""Before the code of a subscription: the access point on which its fees are charged."""

Scope = Literal["subscription", "account", "user_account", "billing_account", "customer_account", "customer"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
"""Of minimums, from the narrowest: those before count for those after."""
BasisName = Literal["actual", "thirty_360", "actual_360", "actual_365", "actual_actual", "month_12"]


class FeeBase(Document):
    """What all fees have: the `price_plan` says what a whole one costs."""

    kind: str
    code: Code
    price_plan: Code
    tax_class: Code | None = None
    accumulate: Accumulated = ()


class PeriodicFee(FeeBase):
    """What fees for periods of a subscription have.

    Periods are `every` so many days, weeks, months or years from the `anchor`: the subscription's first day, a day, or where
    the calendar has them begin. Days are those of `zone`. What is not a whole period costs its part by the `basis`, unless
    `prorate_start` or `prorate_end` says that it costs all.
    Of a day on which a subscription begins or ends in the middle, `start_day` and `end_day` say whether it is charged.
    """

    every: Annotated[str, StringConstraints(pattern=r"^[1-9]\d{0,2} (day|week|month|year)$")] = "1 month"
    anchor: Literal["subscription", "calendar"] | CivilDate = "calendar"
    zone: str = "UTC"
    prorate_start: bool = True
    prorate_end: bool = True
    basis: BasisName = "actual"
    start_day: Literal["charged", "free"] = "charged"
    end_day: Literal["charged", "free"] = "free"

    @property
    def terms(self) -> str:
        """What may not change once it was charged: the periods."""
        return f"{self.every} from {self.anchor}"


class RecurringCharge(PeriodicFee):
    """A fee for every period of a subscription, charged when it ends, or `in_advance` when it begins.

    `priced_per` says what the plan prices: a period, or a year, of which a period is its part. `per_unit` names what the
    subscription has a number of, such as kVA: it pays the price so many times. `cut_at_tax`: a piece begins where a rate of
    tax may change, too.
    """

    kind: Literal["recurring_charge"]
    in_advance: bool = False
    priced_per: Literal["period", "year"] = "period"
    per_unit: Code | None = None
    cut_at_tax: bool = False


class MinimumCharge(PeriodicFee):
    """What is paid at least for a period: at its end, what charges `of` a scope lack of the price of the plan.

    The `scope` is the subscription that has it, all subscriptions of its account, or all of accounts at or below the one of a
    level that its account is, or is below of; the subscription pays what is lacking. `of` nothing is of all charges of the
    offer, of a wider scope of all charges; minimums of narrower scopes are among these.
    `true_up`: whether what is lacking is charged, and with `when_unused` even if nothing was rated. A commitment has an
    `overage_factor` above 1, which usage beyond the minimum costs more by.
    """

    kind: Literal["minimum_charge"]
    scope: Scope = "subscription"
    of: Annotated[tuple[Code, ...], Field(max_length=1000)] = ()
    true_up: bool = True
    when_unused: bool = True
    overage_factor: Annotated[ExactDecimal, Field(ge=1, le=1000, decimal_places=6)] = Decimal(1)


class OneShotCharge(FeeBase):
    """A fee that is charged once: `at` the start of a subscription, or at its end."""

    kind: Literal["one_shot_charge"]
    at: Literal["start", "end"] = "start"
    zone: str = "UTC"

    @property
    def terms(self) -> str:
        """What may not change once it was charged."""
        return f"once, at the {self.at}"


class ProductCharge(FeeBase):
    """A fee for each product that a subscription buys, when it does: the `purchase` documents say how many, and when."""

    kind: Literal["product_charge"]
    zone: str = "UTC"

    @property
    def terms(self) -> str:
        """What may not change once it was charged."""
        return "for each product"


class Purchase(Document):
    """So many of a product that a subscription buys at an instant, at the price of then; all of them may come back later."""

    kind: Literal["purchase"]
    code: Code
    subscription: Code
    product: Code
    at: Instant
    quantity: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    returned_at: Instant | None = None
