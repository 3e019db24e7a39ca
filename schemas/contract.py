"""Contracts: what an account has negotiated, in the place of the prices that everybody pays."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Annotated, Literal

from pydantic import Field

from schemas.money import EXACT
from schemas.price_plan import Code, Document, ExactDecimal, Instant, Price

PERCENTAGE_DECIMALS_MAX = 6
ROUNDED = Context(prec=EXACT.prec)
Percentage = Annotated[ExactDecimal, Field(gt=0, le=100, allow_inf_nan=False, decimal_places=PERCENTAGE_DECIMALS_MAX)]


class ContractItem(Document):
    """Which charges a contract prices, and how: by another `price_plan`, at a `price`, or with a `percentage` off.

    It is for usage priced by the `charge`, of the `event_type`, by subscriptions to the `offer`; what is left out may be any.
    """

    offer: Code | None = None
    charge: Code | None = None
    event_type: Code | None = None
    price_plan: Code | None = None
    price: Price | dict[Code, Price] | None = None
    percentage: Percentage | None = None

    def matches(self, offer: str, charge: str, event_type: str) -> bool:
        """Return whether it is for a charge of an offer."""
        asked = ((self.offer, offer), (self.charge, charge), (self.event_type, event_type))
        return all(wanted is None or wanted == found for wanted, found in asked)


class Contract(Document):
    """What an account, and the accounts below it, pay during [start, end); the first item that matches counts.

    A contract of a nearer account counts before one of an account above it, and any before the price plan of the charge.
    """

    kind: Literal["contract"]
    code: Code
    account: Code
    start: Instant
    end: Instant | None = None
    items: Annotated[tuple[ContractItem, ...], Field(min_length=1, max_length=1000)]

    def item_for(self, offer: str, charge: str, event_type: str) -> ContractItem | None:
        """Return the item that prices a charge of an offer, None where none does."""
        return next((item for item in self.items if item.matches(offer, charge, event_type)), None)


def taken_off(value: Decimal, percentage: Decimal, decimals: int) -> Decimal:
    """Return a price with a percentage off, rounded to `decimals`, halves up."""
    exact = EXACT.multiply(value, EXACT.subtract(Decimal(100), percentage)).scaleb(-2, EXACT)
    return exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP, ROUNDED)
