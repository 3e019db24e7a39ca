"""Transfers of access points: what another catalog changes about who owns them, and when."""

from __future__ import annotations

import polars as pl

from schemas.catalog import ACCESS_POINT_FRAME

TRANSFER_FRAME = pl.Schema(
    {
        "access_point": pl.String,
        "from_subscription": pl.String,  # null: nobody owned it
        "to_subscription": pl.String,  # null: nobody owns it any more
        "start_at": pl.Int64,  # microseconds UTC, TIME_MIN when open
        "end_at": pl.Int64,  # exclusive, TIME_MAX when open
    }
)


def access_transfers(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return the periods in which access points change hands when `after` replaces `before`, as TRANSFER_FRAME.

    Rows are as few as can say it: neighbouring periods with the same change are one. Where several owners change at once,
    those that leave and those that come are paired in the order of their codes.

    Args:
        before, after: access points of two catalogs, in ACCESS_POINT_FRAME.
    """
    columns = list(ACCESS_POINT_FRAME)
    gone = before.join(after, on=columns, how="anti")
    come = after.join(before, on=columns, how="anti")
    changed = pl.concat([gone, come]).select("access_point").unique()
    before = before.join(changed, on="access_point", how="semi")
    after = after.join(changed, on="access_point", how="semi")
    periods = _periods(pl.concat([before, after]))
    owned, owns = _owners(periods, before), _owners(periods, after)
    place = ["access_point", "start_at", "end_at"]
    left = _ranked(owned.join(owns, on=[*place, "subscription"], how="anti"), "from_subscription")
    came = _ranked(owns.join(owned, on=[*place, "subscription"], how="anti"), "to_subscription")
    pairs = left.join(came, on=[*place, "rank"], how="full", coalesce=True)
    return _merged(pairs)


def _periods(windows: pl.DataFrame) -> pl.DataFrame:
    """Return the periods between neighbouring bounds of each access point's windows."""
    bounds = pl.concat([windows.select("access_point", at=name) for name in ("start_at", "end_at")])
    bounds = bounds.unique().sort("access_point", "at")
    return bounds.select(
        "access_point", start_at="at", end_at=pl.col("at").shift(-1).over("access_point", order_by="at")
    ).drop_nulls()


def _owners(periods: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
    found = periods.join(windows, on="access_point", how="inner", suffix="_of_window")
    inside = (pl.col("start_at_of_window") <= pl.col("start_at")) & (pl.col("end_at") <= pl.col("end_at_of_window"))
    return found.filter(inside).select("access_point", "start_at", "end_at", "subscription").unique()


def _ranked(owners: pl.DataFrame, name: str) -> pl.DataFrame:
    rank = pl.col("subscription").rank("ordinal").over("access_point", "start_at")
    return owners.select("access_point", "start_at", "end_at", rank.alias("rank"), pl.col("subscription").alias(name))


def _merged(pairs: pl.DataFrame) -> pl.DataFrame:
    same = ["access_point", "from_subscription", "to_subscription"]
    ordered = pairs.sort(*same, "start_at", nulls_last=False)
    apart = pl.col("start_at") != pl.col("end_at").shift(1).over(same)
    runs = ordered.with_columns(run=apart.fill_null(value=True).cum_sum())
    merged = runs.group_by(*same, "run", maintain_order=True).agg(pl.col("start_at").first(), pl.col("end_at").last())
    return (
        merged.select(list(TRANSFER_FRAME))
        .cast(TRANSFER_FRAME)
        .sort("access_point", "start_at", "from_subscription", "to_subscription")
    )
