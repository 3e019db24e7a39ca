"""Who pays a minimum of a wider scope for which days: what was asked of somebody is asked of nobody else.

Such a minimum is over an account, and one of its subscriptions pays it. Which one, and over which account, may change with the
catalog; a period that was asked stays with whom it was asked of, over the account and the charges of then. Only usage still
corrects it, or terms of a payer that are changed afterwards: days that it has no more may then be asked of others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

import polars as pl

from billing.subscriptions.rules_asking import KEY, recurring_shares
from billing.subscriptions.rules_fees import days_in_force
from billing.subscriptions.rules_periods import first_instant
from schemas.catalog import TIME_MAX
from schemas.fees import DAY_AFTER, FEE, FIRST_DAY, MinimumCharge

_DAYS = [FIRST_DAY, DAY_AFTER]
_TERMS = ["subscription", "account", "start_at", "end_at"]


def periods_to_pay(
    fee: MinimumCharge,
    terms: pl.DataFrame,
    paying: pl.DataFrame,
    until: date,
    sold: pl.DataFrame,
    held: pl.DataFrame,
    asked: pl.DataFrame,
) -> pl.DataFrame:
    """Return the periods that subscriptions have of a minimum, as `recurring_shares` does, and what is known of each.

    That is `at_level`, the account that it is over, `asked_before`, and `was_counted`: null where that was not noted.

    Args:
        terms: `subscription`, `account`, `start_at`, `end_at` of those that have it. paying: of those of other offers, too.
        sold: `subscription`, `account` of all. held: `account`, `at_level`. asked: ASKED_FRAME.
    """
    whose = sold.join(held, on="account").select("subscription", now="at_level")
    before = asked.filter(pl.col(FEE) == fee.code).join(whose, on="subscription", how="left", maintain_order="left")
    before = before.with_columns(over=pl.coalesce("over", "now")).drop("now")
    known = before.group_by(KEY, maintain_order=True).agg(
        pl.col("over").first(), pl.col(_DAYS).last(), was_counted=pl.col("counted").first(), asked_before=pl.lit(True)
    )
    terms = terms.select(_TERMS)
    found = _periods_of(fee, terms, until)
    left = _without_others(fee, terms.join(held, on="account", how="left"), _taken(fee, paying, until, known))
    if left is not None:
        kept = found.join(known, on=KEY, how="semi")
        same = kept.join(known, on=[*KEY, *_DAYS], how="semi")
        more = _periods_of(fee, left, until).select(kept.columns)
        mine = same.select("subscription", low=FIRST_DAY, high=DAY_AFTER)
        twice = more.join(mine, on="subscription").filter(
            pl.col(FIRST_DAY) < pl.col("high"), pl.col("low") < pl.col(DAY_AFTER)
        )
        more = more.join(twice, on=KEY, how="anti")
        # what is kept is as it was asked; where its terms have changed, it is without the days of others, too
        found = pl.concat([same, more, kept]).unique(KEY, keep="first", maintain_order=True)
    return (
        found.join(known.drop(_DAYS), on=KEY, how="left", maintain_order="left")
        .join(held, on="account", how="left", maintain_order="left")
        .with_columns(
            at_level=pl.coalesce("over", "at_level"), asked_before=pl.col("asked_before").fill_null(value=False)
        )
        .drop("over", FEE)
    )


def _periods_of(fee: MinimumCharge, terms: pl.DataFrame, until: date) -> pl.DataFrame:
    return recurring_shares(fee, terms, until, []).with_columns(pl.lit(fee.code).alias(FEE))


def _taken(fee: MinimumCharge, paying: pl.DataFrame, until: date, known: pl.DataFrame) -> pl.DataFrame:
    """Return `over`, days and `other`, of whom they were asked: who has the minimum still pays what it has of them."""
    has = _periods_of(fee, paying.select(_TERMS), until).select(*KEY, *_DAYS)
    still = known.drop(_DAYS).join(has, on=KEY)
    gone = known.join(paying, on="subscription", how="anti")
    columns = ["over", *_DAYS, pl.col("subscription").alias("other")]
    return pl.concat([still.select(columns), gone.select(columns)]).unique()


def _without_others(fee: MinimumCharge, terms: pl.DataFrame, taken: pl.DataFrame) -> pl.DataFrame | None:
    """Return the terms without the days that others were asked for over the same account; None where there are none."""
    met = terms.join(taken, left_on="at_level", right_on="over").filter(pl.col("subscription") != pl.col("other"))
    if met.is_empty():
        return None
    days: dict[str, list[tuple[date, date]]] = {}
    for subscription, first, after in met.select("subscription", *_DAYS).unique().sort(pl.all()).iter_rows():
        days.setdefault(subscription, []).append((first, after))
    rows = [
        (subscription, account, start, end)
        for subscription, account, start_at, end_at in terms.select(_TERMS).iter_rows()
        for start, end in _cut(fee, start_at, end_at, days.get(subscription, []))
    ]
    return pl.DataFrame(rows, schema={name: terms.schema[name] for name in _TERMS}, orient="row")


def _cut(
    fee: MinimumCharge, start_at: int, end_at: int, taken: Iterable[tuple[date, date]]
) -> Iterator[tuple[int, int]]:
    """Yield what is left of [start_at, end_at) without days that are taken, which are in order."""
    first, after = days_in_force(fee, start_at, None if end_at >= TIME_MAX else end_at)
    begin_at = start_at
    for low, high in taken:
        if high <= first or (after is not None and low >= after):
            continue
        if low > first:
            yield begin_at, first_instant(low, fee.zone)
        first, begin_at = high, max(begin_at, first_instant(high, fee.zone))
    if (after is None or first < after) and begin_at < end_at:
        yield begin_at, end_at
