"""Catalog documents of who pays: accounts and their wallets."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.price_plan import (
    LEVELS_MAX,
    Code,
    Country,
    DiscountAssignment,
    Document,
    ExactDecimal,
    Instant,
    Level,
)


class Wallet(Document):
    """One balance of an account. Prepaid wallets are drawn in ascending `priority`, then the postpaid one, if any.

    `opening_balance` is credited once, when the account first appears. `overdraft` is how far below zero usage may take it:
    without it, a prepaid wallet not at all, a postpaid one without end. `notify_below` are balances of which somebody is told
    when the wallet falls to one or below it.
    """

    code: Code
    type: Literal["prepaid", "postpaid"]
    priority: Annotated[int, Field(ge=0, le=1000)] = 0
    opening_balance: ExactDecimal = Decimal(0)
    overdraft: ExactDecimal | None = None
    notify_below: Annotated[tuple[ExactDecimal, ...], Field(max_length=LEVELS_MAX)] = ()


class TaxExemption(Document):
    """Why, and from when until when, an account pays no tax."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=255, strip_whitespace=True)]
    start: Instant | None = None
    end: Instant | None = None


class Account(Document):
    """An account, by default a billing account. Without `wallets` it has one postpaid wallet named `principal`.

    `parent` is an account of a higher `level`: the customer account of a billing account, the customer of that one.
    `tax_category`, `country` and `tax_exemption` are those of the nearest parent that has them where they are left out.
    """

    kind: Literal["account"]
    code: Code
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    level: Level = "billing_account"
    parent: Code | None = None
    country: Country | None = None
    tax_category: Code | None = None
    tax_exemption: TaxExemption | None = None
    discounts: Annotated[tuple[DiscountAssignment, ...], Field(max_length=64)] = ()
    wallets: tuple[Wallet, ...] = (Wallet(code="principal", type="postpaid"),)
