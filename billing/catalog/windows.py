"""To whom access points belong: to one subscription at a time, or to several that all say so."""

from __future__ import annotations

from typing import Any

import polars as pl

from billing.catalog.rows import Check

SHARED_MAX = 16
"""Most subscriptions that share an access point at an instant: each record becomes so many EDRs."""


def check_windows(check: Check, points: pl.DataFrame, resold: pl.DataFrame) -> None:
    """Say where an identifier belongs to two subscriptions that do not share it, or twice to one.

    Args:
        check: where problems go.
        points: the access points of `parties.Parties`, sorted by identifier, start. resold: those of resellers.
    """
    sharing = points.filter(pl.col("shared"))["access_point"].unique()
    alone = points.filter(~pl.col("access_point").is_in(sharing.implode())) if len(sharing) else points
    # sorted by start, whenever two windows of an identifier overlap, so do two neighbours
    before = alone.select(pl.all().shift(1).name.suffix("_before"))
    pairs = pl.concat([alone, before], how="horizontal").filter(pl.col("access_point") == pl.col("access_point_before"))
    overlapping = pairs.filter(pl.col("start_at") < pl.col("end_at_before"))
    check.refuse(overlapping, "access_point", ("id",), lambda row: _explain_overlap(check, row))
    if len(sharing):
        listed = pl.col("access_point").is_in(sharing.implode())
        _check_shared(check, points.filter(listed))
        together = pl.concat([points.filter(listed), resold.filter(listed)])
        _check_crowds(check, together.sort("access_point", "start_at", maintain_order=True))


def _overlapping(points: pl.DataFrame) -> pl.DataFrame:
    """Return each access point, with its `row`, beside each one before it that belongs to somebody at the same time."""
    numbered = points.with_row_index("row")
    others = numbered.select(pl.all().name.suffix("_before"))
    return numbered.join(others, left_on="access_point", right_on="access_point_before", how="inner").filter(
        pl.col("row_before") < pl.col("row"), pl.col("start_at") < pl.col("end_at_before")
    )


def _check_shared(check: Check, points: pl.DataFrame) -> None:
    pairs = _overlapping(points)
    twice = pl.col("subscription") == pl.col("subscription_before")
    wrong = pairs.filter(twice | ~pl.col("shared") | ~pl.col("shared_before")).sort("row", "row_before")
    check.refuse(
        wrong.unique("row", keep="first", maintain_order=True),
        "access_point",
        ("id",),
        lambda row: _explain_overlap(check, row),
    )


def _check_crowds(check: Check, points: pl.DataFrame) -> None:
    crowded = (
        _overlapping(points)
        .group_by("row")
        .len()
        .filter(pl.col("len") >= SHARED_MAX)
        .join(points.with_row_index("row"), on="row", how="inner")
        .sort("row")
    )
    check.refuse(crowded, "access_point", ("id",), _explain_crowd)


def _explain_overlap(check: Check, row: dict[str, Any]) -> tuple[str, str]:
    message = (
        f'the access point "{row["access_point"]}" belongs to subscription "{row["subscription_before"]}" '
        f"at the same time ({check.place(row['origin_before'])})"
    )
    fix = "end one of them before the other starts, or remove one"
    if row["subscription"] == row["subscription_before"]:
        return message, fix
    return message, f"{fix}; if both are to pay for its usage, write `shared: true` at both"


def _explain_crowd(row: dict[str, Any]) -> tuple[str, str]:
    message = f'more than {SHARED_MAX} subscriptions share the access point "{row["access_point"]}" at the same time'
    return message, "end some of them, or bill them through fewer subscriptions"
