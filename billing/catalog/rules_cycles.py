"""Rules of billing cycles: their zone and their numbers are right, one is the default, and accounts name one that there is."""

from __future__ import annotations

from billing.catalog.checking import Context
from billing.catalog.models import Path
from schemas.account import Account
from schemas.billing_cycle import BillingCycle
from schemas.money import AMOUNT_DECIMALS, to_scaled
from schemas.numbering import UnableToNumber, check_pattern


def check_cycles(ctx: Context) -> None:
    """Check all billing cycles, and the accounts that name one."""
    defaults = []
    for entry in ctx.documents.of(BillingCycle).values():
        cycle = entry.document
        ctx.zone(entry, ("zone",), cycle.zone)
        for name in ("number", "credit_number"):
            here: Path = (name,)
            try:
                check_pattern(getattr(cycle, name))
            except UnableToNumber as error:
                ctx.problems.at(entry, here, str(error), "write a pattern such as INV-{year}-{number:6}")
        if cycle.number == cycle.credit_number:
            message = "invoices and credit notes would have the same numbers"
            ctx.problems.at(entry, ("credit_number",), message, "give credit notes a pattern of their own")
        if cycle.threshold is not None:
            try:
                to_scaled(cycle.threshold, AMOUNT_DECIMALS)
            except ValueError as error:
                ctx.problems.at(entry, ("threshold",), str(error), f"use at most {AMOUNT_DECIMALS} decimals")
        if {"day", "month"} <= set(cycle.lines):
            ctx.problems.at(entry, ("lines",), "usage is told apart by day and by month", "keep one of them")
        if cycle.default:
            defaults.append(entry)
    for entry in defaults[1:]:
        message = f'"{defaults[0].document.code}" is the default already ({defaults[0].place(("default",))})'
        ctx.problems.at(entry, ("default",), message, "keep one default")
    for account in ctx.documents.of(Account).values():
        if account.document.billing_cycle is not None:
            ctx.reference(account, ("billing_cycle",), BillingCycle, "billing_cycle", account.document.billing_cycle)
