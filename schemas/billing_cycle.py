"""Catalog documents of invoicing: when accounts are billed, how lines are made, and what an invoice is called."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.money import AMOUNT_DECIMALS
from schemas.price_plan import CivilDate, Code, Document, ExactDecimal, Price

LineKey = Literal["subscription", "offer", "charge", "price_plan", "day", "month"]
"""What tells lines of an invoice apart, besides their tax, and the event type and unit of what they count."""
SplitKey = Literal["account", "subscription", "offer", "charge", "event_type"]
"""What tells invoices of a billing account apart, besides seller and currency."""
NumberPattern = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9./_{}:-]{1,40}$")]


class BillingCycle(Document):
    """When accounts that name it are billed, and how.

    Periods are `every` so many days, weeks, months or years from the `anchor`, whose day of the month is clipped to shorter
    months and returns; their days are those of the `zone`. An invoice is of the day after its period, or `delay_days` later;
    it is due `due_days` after that, or at the end of the month of that day (`due_end_of_month`).
    `lines` are what tells lines apart, `split` what tells invoices apart. Below a `threshold` nothing is invoiced: what it
    is compared with is said by `threshold_on`, of each invoice, or of all invoices of the account (`threshold_of`).
    `number` and `credit_number` are patterns: `{seller}`, `{year}`, `{month}`, `{day}` and `{number}`, or
    `{number:6}` with leading zeros; numbers run without a gap within what the rest of the pattern makes.
    What prepaid wallets paid is left out, or on the invoice (`invoice`). `cash_rounding` is the step of what is to be paid.
    """

    kind: Literal["billing_cycle"]
    code: Code
    default: bool = False
    every: Annotated[str, StringConstraints(pattern=r"^[1-9]\d{0,2} (day|week|month|year)$")] = "1 month"
    anchor: CivilDate = date(2000, 1, 1)
    zone: str = "UTC"
    delay_days: Annotated[int, Field(ge=0, le=366)] = 0
    due_days: Annotated[int, Field(ge=0, le=366)] = 30
    due_end_of_month: bool = False
    lines: Annotated[tuple[LineKey, ...], Field(max_length=6)] = ("subscription", "charge")
    split: Annotated[tuple[SplitKey, ...], Field(max_length=4)] = ()
    threshold: Price | None = None
    threshold_on: Literal["after_discount", "before_discount", "positive"] = "after_discount"
    threshold_of: Literal["invoice", "account"] = "invoice"
    zero: Literal["invoice", "leave_out"] = "invoice"
    prepaid: Literal["leave_out", "invoice"] = "leave_out"
    cash_rounding: Annotated[ExactDecimal, Field(gt=0, le=1000, decimal_places=AMOUNT_DECIMALS)] | None = None
    large_change: Annotated[int, Field(ge=2, le=1000)] = 3
    number: NumberPattern = "INV-{year}-{number:6}"
    credit_number: NumberPattern = "CN-{year}-{number:6}"
