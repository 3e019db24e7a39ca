"""One bill a year on a real index: which points had none for too long (order of 18 April 2012)."""

from __future__ import annotations

from datetime import date

import polars as pl

from rating.months import months_later

REAL = ("R", "S", "C", "G")
"""Natures that rest on an index somebody read: the meter itself, the customer, or the distributor afterwards."""
STATED_FRAME = pl.Schema(
    {"point": pl.String, "first_day": pl.Date, "day_after": pl.Date, "nature": pl.String,
     "key": pl.String, "version": pl.Int64, "annuls": pl.Boolean}
)  # fmt: skip


def without_real_index(stated: pl.DataFrame, at: date, *, months: int = 12) -> pl.DataFrame:
    """Return the points whose latest real index lies more than so many months before a day, longest first.

    Args:
        stated: STATED_FRAME, periods whose energy the distributor stated, each as often as it did: of those with one `key` the
            highest version counts; one that annuls rests on no index. at: the day of the check.

    Returns:
        point, since (the day of its latest real index, or its first day when it had none), estimated_days since then.
    """
    latest = stated.sort("version", maintain_order=True).group_by("point", "key").last()
    known = latest.filter(pl.col("day_after") <= at)
    real = pl.col("day_after").filter(pl.col("nature").is_in(REAL) & ~pl.col("annuls")).max()
    since = pl.coalesce(real, pl.col("first_day").min())
    late = known.group_by("point").agg(since=since).filter(pl.col("since") < months_later(at, -months))
    return late.with_columns(days=(pl.lit(at) - pl.col("since")).dt.total_days()).sort("since", "point")
