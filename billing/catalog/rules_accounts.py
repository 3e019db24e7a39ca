"""Rules of accounts and subscriptions written as documents; what concerns rows of tables is in `parties`."""

from __future__ import annotations

from typing import Any

from billing.catalog.checking import Context, units_of
from billing.catalog.models import Entry, Path
from billing.catalog.resellers import check_reseller, overlap, span
from billing.catalog.rules_discounts import check_assignments
from billing.catalog.rules_taxes import check_taxed
from billing.catalog.rules_wallets import check_wallet
from schemas.account import Account
from schemas.price_plan import AccessPoint, Subscription


def check_account(ctx: Context, entry: Entry[Account]) -> None:
    """Check an account: the currency; distinct wallets, at most one of them postpaid."""
    account = entry.document
    ctx.currency(entry, ("currency",), account.currency)
    check_taxed(ctx, entry)
    check_assignments(ctx, entry)
    postpaid = [index for index, wallet in enumerate(account.wallets) if wallet.type == "postpaid"]
    for index in postpaid[1:]:
        message = f'the wallet "{account.wallets[postpaid[0]].code}" is postpaid already'
        ctx.problems.at(entry, ("wallets", index, "type"), message, "keep at most one postpaid wallet")
    seen: set[str] = set()
    for index, wallet in enumerate(account.wallets):
        if wallet.code in seen:
            message = f'the wallet "{wallet.code}" is repeated'
            ctx.problems.at(entry, ("wallets", index, "code"), message, "give each wallet its own code")
        seen.add(wallet.code)
        check_wallet(ctx, entry, ("wallets", index), wallet)


def check_subscription(ctx: Context, entry: Entry[Subscription]) -> None:
    """Check the discounts of a subscription, and its access points, each alone."""
    check_assignments(ctx, entry)
    check_reseller(ctx, entry)
    ctx.period(entry, (), entry.document.start, entry.document.end)
    for index, point in enumerate(entry.document.access_points):
        _check_access_point(ctx, entry, ("access_points", index), point)


def _check_access_point(ctx: Context, entry: Entry[Any], path: Path, point: AccessPoint) -> None:
    before = ctx.problems.count
    ctx.period(entry, path, point.start, point.end)
    start, end = overlap(span(point), span(entry.document))
    if start >= end and ctx.problems.count == before:
        message = "the subscription is not in force while it has this access point"
        ctx.problems.at(entry, path, message, "correct the `start` or `end` of one of them")
    seen: set[tuple[str, object]] = set()
    for index, reading in enumerate(point.opening_readings):
        here: Path = (*path, "opening_readings", index)
        found = ctx.quantity(entry, (*here, "index"), reading.index)
        if found is not None and found[1].dimension != "energy":
            fix = f"use one of {units_of('energy', ctx.units)}"
            ctx.problems.at(entry, (*here, "index"), f'"{reading.index}" is not energy', fix)
        if (reading.series, reading.at) in seen:
            message = f'the register "{reading.series}" has two opening readings at the same instant'
            ctx.problems.at(entry, (*here, "series"), message, "remove one of them")
        seen.add((reading.series, reading.at))
