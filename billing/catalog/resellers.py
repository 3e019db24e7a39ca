"""Resellers: who sold a subscription has one to the same access points as well, with prices and wallets of its own."""

from __future__ import annotations

from typing import Any

import polars as pl

from billing.catalog.checking import Context
from billing.catalog.models import Entry
from billing.catalog.origins import Origins
from schemas.catalog import TIME_MAX, TIME_MIN
from schemas.price_plan import Subscription, utc_microseconds

BETWEEN = "@"
"""Stands between the code of a subscription and that of the account that resells it, in the code of the reseller's own."""

Rows = list[tuple[Any, ...]]


def resold_code(subscription: str, account: str) -> str:
    """Return the code of what an account has of a subscription that it resells."""
    return f"{subscription}{BETWEEN}{account}"


def check_reseller(ctx: Context, entry: Entry[Subscription]) -> None:
    """Check that a subscription is resold for some time, and by somebody else."""
    reseller = entry.document.reseller
    if reseller is None:
        return
    ctx.period(entry, ("reseller",), reseller.start, reseller.end)
    if reseller.account == entry.document.account:
        fix = "name the account that sold it, or remove the reseller"
        ctx.problems.at(entry, ("reseller", "account"), "the account resells the subscription to itself", fix)


def resold_rows(ctx: Context, origins: Origins) -> tuple[Rows, Rows, Rows]:
    """Return rows of the resellers' subscriptions, of their zones, and of their access points, as `parties` has them."""
    subscriptions: Rows = []
    zones: Rows = []
    points: Rows = []
    for entry in ctx.documents.of(Subscription).values():
        bought, reseller = entry.document, entry.document.reseller
        if reseller is None:
            continue
        code, origin = resold_code(bought.code, reseller.account), origins.value(entry, ("reseller",))
        subscriptions.append((code, reseller.account, reseller.offer, origin))
        zones.append((code, bought.zone, origin))
        since, until = overlap(span(bought), span(reseller))
        for point in bought.access_points:
            start, end = overlap(span(point), (since, until))
            if start < end:
                points.append((point.id, code, start, end, True, origin))
    return subscriptions, zones, points


def overlap(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    """Return when both of two periods are; nothing where the start is not before the end."""
    return max(one[0], other[0]), min(one[1], other[1])


def span(dated: Any) -> tuple[int, int]:
    """Return the [start, end) of something, microseconds UTC, TIME_MIN and TIME_MAX where it is open."""
    start = TIME_MIN if dated.start is None else utc_microseconds(dated.start)
    return start, TIME_MAX if dated.end is None else utc_microseconds(dated.end)


def resold_table(table: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of a table that are resold, as those of the resellers' own subscriptions."""
    return table.filter(pl.all_horizontal(pl.col("reseller", "reseller_offer").is_not_null())).with_columns(
        subscription=pl.concat_str("subscription", "reseller", separator=BETWEEN),
        account=pl.col("reseller"),
        offer=pl.col("reseller_offer"),
        shared=pl.lit(value=True),
    )
