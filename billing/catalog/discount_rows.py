"""Which discount plans are assigned to whom, and when: rows of DISCOUNT_FRAME from documents and tables."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import Any

import polars as pl

from billing.catalog.checking import Context
from billing.catalog.models import Entry
from billing.catalog.origins import Origins
from rating.months import months_later
from schemas.account import Account
from schemas.catalog import TIME_MAX, TIME_MIN
from schemas.discount import DiscountPlan
from schemas.price_plan import Subscription, utc_microseconds


def discount_rows(ctx: Context, origins: Origins) -> list[tuple[Any, ...]]:
    """Return the rows of DISCOUNT_FRAME, with their origins; assignments that never hold, or of unknown plans, have none."""
    plans = ctx.documents.of(DiscountPlan)
    holders: Iterable[tuple[str, Entry[Any]]] = (
        *(("account", entry) for entry in ctx.documents.of(Account).values()),
        *(("subscription", entry) for entry in ctx.documents.of(Subscription).values()),
    )
    rows: list[tuple[Any, ...]] = []
    for kind, entry in holders:
        for number, each in enumerate(entry.document.discounts):
            if each.plan not in plans:
                continue
            start, end = _period(plans[each.plan].document, each.start, each.end)
            if start < end:
                origin = origins.value(entry, ("discounts", number))
                rows.append((kind, entry.document.code, number, each.plan, start, end, origin))
    return rows


def discount_table(ctx: Context, table: pl.DataFrame) -> pl.DataFrame:
    """Return rows of DISCOUNT_FRAME with their origins: each line assigns one plan to its subscription, for its period."""
    plans = ctx.documents.of(DiscountPlan)
    said = table.filter(
        pl.col("discount").is_in(list(plans)), pl.col("discount_start").is_null() | (pl.col("start_at") != TIME_MIN)
    )
    distinct = said.select("discount", "discount_start", "end_at").unique()
    periods = [_period(plans[row[0]].document, _instant(row[1]), row[2]) for row in distinct.iter_rows()]
    held = distinct.with_columns(
        held_from=pl.Series([start for start, _ in periods], dtype=pl.Int64),
        held_until=pl.Series([end for _, end in periods], dtype=pl.Int64),
    )
    found = said.join(held, on=distinct.columns, how="left", nulls_equal=True, maintain_order="left")
    return found.filter(pl.col("held_from") < pl.col("held_until")).select(
        holder_kind=pl.lit("subscription"),
        holder="subscription",
        number=pl.lit(0, pl.Int64),
        plan="discount",
        start_at="held_from",
        end_at="held_until",
        origin="origin",
    )


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _period(plan: DiscountPlan, start: datetime | None, end: datetime | int | None) -> tuple[int, int]:
    """Return when a plan that is assigned from `start` to `end` holds: as long as all that is said of it does."""
    starts = [utc_microseconds(each) for each in (plan.start, start) if each is not None]
    ends = [each if isinstance(each, int) else utc_microseconds(each) for each in (plan.end, end) if each is not None]
    if plan.limits.months is not None and start is not None:
        with suppress(ValueError):  # that is after all years that there are
            ends.append(utc_microseconds(months_later(start, plan.limits.months)))
    return max(starts, default=TIME_MIN), min(ends, default=TIME_MAX)
