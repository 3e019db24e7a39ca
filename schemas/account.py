"""Catalog documents of who pays: accounts and their wallets."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.invoice_parts import TaxCategory as VatCategory
from schemas.invoice_terms import AccountInvoicing, VatReasonCode
from schemas.price_plan import (
    LEVELS_MAX,
    Code,
    Country,
    DiscountAssignment,
    Document,
    ExactDecimal,
    Instant,
    Level,
    UnitCode,
)

PAYS_FOR_MAX = 64
IN_UNIT = "#"
TERMS = {"pays_for", "shared_by", "unit"}
"""Fields of a wallet that say which usage may draw it."""


class PaysFor(Document):
    """Usage that a wallet pays for: of the `event_type`, by the `charge`, whose plan is the `price_plan`, of the `offer`.

    What is left out may be any. The `condition` is CEL over the usage, as that of a charge; it wants an event type or a charge,
    so that it is known what usage says.
    """

    offer: Code | None = None
    charge: Code | None = None
    event_type: Code | None = None
    price_plan: Code | None = None
    condition: str | None = None

    def matches(self, offer: str, charge: str, event_type: str, price_plan: str) -> bool:
        """Return whether it is for a charge of an offer, whatever its condition."""
        asked = (
            (self.offer, offer),
            (self.charge, charge),
            (self.event_type, event_type),
            (self.price_plan, price_plan),
        )
        return all(wanted is None or wanted == found for wanted, found in asked)


def unit_mark(unit: str | None) -> str:
    """Return what ends the name of a wallet in a vocabulary: "#" and the unit that it holds, nothing of money.

    So another unit makes another wallet, and no balance changes its meaning.
    """
    return f"{IN_UNIT}{unit}" if unit is not None else ""


def wallet_parts(name: str) -> tuple[str, str, str]:
    """Return (account, wallet, unit) of what a vocabulary calls a wallet; the unit is empty of money."""
    account, _, rest = name.partition("/")
    code, _, unit = rest.partition(IN_UNIT)
    return account, code, unit


def any_of(conditions: Iterable[str]) -> str:
    """Return the condition that holds when one of some does."""
    return " || ".join(f"({condition})" for condition in dict.fromkeys(conditions))


class Wallet(Document):
    """One balance of an account. Prepaid wallets are drawn in ascending `priority`, then the postpaid one, if any.

    `opening_balance` is credited once, when the account first appears. `overdraft` is how far below zero usage may take it:
    without it, a prepaid wallet not at all, a postpaid one without end. `notify_below` are balances of which somebody is told
    when the wallet falls to one or below it. With `pays_for`, it pays for usage that one of these is for, and for no other; of
    one priority, such wallets are drawn before those that pay for anything. `shared_by` says whose usage may draw it: that of
    its account, or of all accounts of, and below, the account of a level, which is this one or above it. With a `unit`, it
    holds units rather than money, and pays what is priced in them.
    """

    code: Code
    type: Literal["prepaid", "postpaid"]
    priority: Annotated[int, Field(ge=0, le=1000)] = 0
    opening_balance: ExactDecimal = Decimal(0)
    overdraft: ExactDecimal | None = None
    notify_below: Annotated[tuple[ExactDecimal, ...], Field(max_length=LEVELS_MAX)] = ()
    pays_for: Annotated[tuple[PaysFor, ...], Field(max_length=PAYS_FOR_MAX)] = ()
    unit: UnitCode | None = None
    shared_by: Literal["account", "user_account", "billing_account", "customer_account", "customer"] = "account"

    @property
    def terms(self) -> Wallet | None:
        """The same wallet with nothing but what decides whether usage may draw it; None where anything of the account may."""
        said = self.model_dump(include=TERMS, exclude_defaults=True)
        return self.model_validate({"code": self.code, "type": self.type, **said}) if said else None


class TaxExemption(Document):
    """Why, and from when until when, an account pays no tax; what VAT category that is on invoices, and its VATEX code."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=255, strip_whitespace=True)]
    start: Instant | None = None
    end: Instant | None = None
    category: VatCategory = "E"
    reason_code: VatReasonCode | None = None


class Account(Document):
    """An account, by default a billing account. Without `wallets` it has one postpaid wallet named `principal`.

    `parent` is an account of a higher `level`: the customer account of a billing account, the customer of that one.
    `billing_cycle`, `tax_category`, `country`, `tax_exemption` and `invoicing` are those of the nearest parent that has them
    where they are left out.
    """

    kind: Literal["account"]
    code: Code
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    level: Level = "billing_account"
    parent: Code | None = None
    country: Country | None = None
    billing_cycle: Code | None = None
    tax_category: Code | None = None
    tax_exemption: TaxExemption | None = None
    invoicing: AccountInvoicing | None = None
    discounts: Annotated[tuple[DiscountAssignment, ...], Field(max_length=64)] = ()
    wallets: tuple[Wallet, ...] = (Wallet(code="principal", type="postpaid"),)
