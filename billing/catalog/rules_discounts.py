"""Rules of discounts: what they take off, and whom they are assigned to."""

from __future__ import annotations

from typing import Any

import polars as pl

from billing.catalog.checking import Context, fits
from billing.catalog.code_conditions import check_code_condition
from billing.catalog.models import Entry, Path
from billing.catalog.rows import Check
from schemas.account import Account
from schemas.discount import DiscountItem, DiscountPlan
from schemas.money import AMOUNT_DECIMALS, CURRENCY_DECIMALS
from schemas.price_plan import Charge, DiscountAssignment, EventType, Offer, Subscription

_HUNDRED = 100


def check_discount_plan(ctx: Context, entry: Entry[DiscountPlan]) -> None:
    """Check a discount plan: its period, its currency where amounts are named, and its items."""
    plan = entry.document
    ctx.period(entry, (), plan.start, plan.end)
    if plan.currency is not None:
        ctx.currency(entry, ("currency",), plan.currency)
    amounts = [("limits", "amount")] if plan.limits.amount is not None else []
    paths: list[Path] = [
        *amounts,
        *(("items", i, "value") for i, item in enumerate(plan.items) if item.type == "fixed"),
    ]
    if plan.currency is None and paths:
        ctx.problems.at(entry, paths[0], "an amount has a currency, and the plan names none", "add `currency: …`")
    if plan.limits.amount is not None and not fits(plan.limits.amount, AMOUNT_DECIMALS):
        message = f"{plan.limits.amount} has too many decimals"
        ctx.problems.at(entry, ("limits", "amount"), message, f"write at most {AMOUNT_DECIMALS}")
    ctx.unique(entry, ("items",), [item.code for item in plan.items], "item")
    for index, item in enumerate(plan.items):
        _check_item(ctx, entry, ("items", index), item, plan.currency)


def _check_item(ctx: Context, entry: Entry[DiscountPlan], path: Path, item: DiscountItem, currency: str | None) -> None:
    if item.type == "percentage" and item.value > _HUNDRED:
        ctx.problems.at(entry, (*path, "value"), f"{item.value} % is more than everything", "write 100 or less")
    decimals = CURRENCY_DECIMALS.get(currency or "")
    if item.type == "fixed" and decimals is not None and not fits(item.value, decimals):
        message = f"{item.value} {currency} cannot be billed"
        ctx.problems.at(entry, (*path, "value"), message, f"write at most {decimals} decimals")
    for code in range(len(item.charges)):
        ctx.reference(entry, (*path, "charges", code), Charge, "charge", item.charges[code])
    for code in range(len(item.offers)):
        ctx.reference(entry, (*path, "offers", code), Offer, "offer", item.offers[code])
    for code in range(len(item.event_types)):
        ctx.reference(entry, (*path, "event_types", code), EventType, "event_type", item.event_types[code])
    check_code_condition(ctx, entry, (*path, "condition"), item.condition)


def check_assignments(ctx: Context, entry: Entry[Account] | Entry[Subscription]) -> None:
    """Check the discounts of an account or subscription: each is known, and has one period at a time."""
    holder: Any = entry
    seen: dict[str, list[tuple[int, DiscountAssignment]]] = {}
    for index, each in enumerate(entry.document.discounts):
        path: Path = ("discounts", index)
        ctx.period(holder, path, each.start, each.end)
        plan = ctx.reference(holder, (*path, "plan"), DiscountPlan, "discount_plan", each.plan)
        if plan is not None and plan.limits.months is not None and each.start is None:
            message = f'"{each.plan}" ends after {plan.limits.months} months, and nobody knows of what'
            ctx.problems.at(holder, (*path, "start"), message, "add `start: …`")
        others = seen.setdefault(each.plan, [])
        for place, other in others:
            starts_before = other.end is None or each.start is None or each.start < other.end
            ends_after = each.end is None or other.start is None or other.start < each.end
            if starts_before and ends_after:
                message = f'"{each.plan}" is assigned at the same time already, by number {place}'
                ctx.problems.at(holder, path, message, "end one of them before the other starts, or remove it")
                break
        others.append((index, each))


def check_limited(check: Check, assigned: pl.DataFrame) -> None:
    """Check that lines of tables that assign plans of so many months say from when (see `Parties.assigned`)."""
    plans = check.ctx.documents.of(DiscountPlan)
    limited = {code: entry.document.limits.months for code, entry in plans.items()}
    limited = {code: months for code, months in limited.items() if months is not None}
    check.refuse(
        assigned.filter(pl.col("discount").is_in(list(limited)), pl.col("discount_start").is_null()),
        "start",
        (),
        lambda row: (
            f'"{row["discount"]}" ends after {limited[row["discount"]]} months, and nobody knows of what',
            "write a start",
        ),
    )


def check_discount_currencies(check: Check, discounts: pl.DataFrame, bought: pl.DataFrame) -> None:
    """Check that amounts of assigned plans are in the currency of the accounts.

    Args:
        discounts: DISCOUNT_FRAME with origins. bought: subscription, account and currency, of all accounts.
    """
    plans = check.ctx.documents.of(DiscountPlan)
    priced = {code: entry.document.currency for code, entry in plans.items() if entry.document.currency is not None}
    holders = pl.concat(
        [
            bought.select(holder_kind=pl.lit("account"), holder="account", currency="currency").unique(),
            bought.select(holder_kind=pl.lit("subscription"), holder="subscription", currency="currency"),
        ]
    ).drop_nulls("holder")
    named = discounts.join(holders, on=("holder_kind", "holder")).with_columns(
        plan_currency=pl.col("plan").replace_strict(priced, default=None, return_dtype=pl.String)
    )
    check.refuse(
        named.filter(pl.col("plan_currency") != pl.col("currency")),
        "discount",
        ("discounts",),
        lambda row: (
            f'the discount plan "{row["plan"]}" is in {row["plan_currency"]}, '
            f'but the {row["holder_kind"]} "{row["holder"]}" is billed in {row["currency"]}',
            f"assign a plan in {row['currency']}",
        ),
    )
