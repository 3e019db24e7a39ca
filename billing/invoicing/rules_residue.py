"""Lines of invoices, rounded so that they add up: for columns of any number of invoices at once.

What has the same taxes is summed, the sum is rounded once, and its lines show their parts of it, by the largest remainder. So
lines add up to the base of their tax, whatever decimals their prices have.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from rating.amounts import allocate, rounded, rounded_column, rounding_step
from schemas.price_plan import Rounding


def rounded_lines(amounts: Iterable[int], rounding: Rounding) -> list[int]:
    """Return the lines of one sum, in billionths: the twin of `rounded_columns`."""
    exact = list(amounts)
    return to_whole(exact, rounded(sum(exact), 1, rounding), rounding)


def to_whole(exact: list[int], whole: int, rounding: Rounding) -> list[int]:
    """Return lines that add up to a rounded whole: each exact line cut off, and what is left to the largest remainders."""
    step = rounding_step(rounding)
    sign = -1 if sum(exact) < 0 else 1
    floors = [sign * each // step for each in exact]
    rests = [sign * each % step for each in exact]
    left = sign * whole // step - sum(floors)
    order = sorted(range(len(exact)), key=lambda place: (-rests[place], place))
    for turn in range(abs(left)):
        floors[order[turn % len(order)]] += 1 if left > 0 else -1
    return [sign * each * step for each in floors]


def rounded_columns(rows: pl.DataFrame, rounding: Rounding) -> pl.DataFrame:
    """Return rows with `part` and `whole`: the rounded sum of the rows of one group, and each row's part of it.

    Args:
        rows: `group` (integers) and `exact` (Int128, billionths), and any other columns; of equal remainders the first row goes
            first.
    """
    sums = rows.group_by("group").agg(whole=pl.col("exact").sum())
    sums = sums.with_columns(whole=rounded_column(pl.col("whole"), pl.lit(1, pl.Int128), rounding))
    return parts_of(rows.join(sums, on="group", how="left", maintain_order="left"), rounding)


def parts_of(rows: pl.DataFrame, rounding: Rounding) -> pl.DataFrame:
    """Return rows with `part`: each row's part of the rounded `whole` of its group; `to_whole` is the twin.

    Args:
        rows: `group`, `exact` and `whole`, the same for all rows of a group.
    """
    step = pl.lit(rounding_step(rounding), pl.Int128)
    below = rows.group_by("group").agg(below=pl.col("exact").sum() < 0)
    cut = rows.join(below, on="group", how="left", maintain_order="left").with_columns(
        sign=pl.when("below").then(pl.lit(-1, pl.Int128)).otherwise(pl.lit(1, pl.Int128))
    )
    cut = cut.with_columns(
        floor=(pl.col("sign") * pl.col("exact")) // step,
        rest=((pl.col("sign") * pl.col("exact")) % step).cast(pl.Int64),
    )
    sums = cut.group_by("group").agg(floors=pl.col("floor").sum(), count=pl.len().cast(pl.Int128))
    cut = cut.join(sums, on="group", how="left", maintain_order="left").with_columns(
        left=(pl.col("sign") * pl.col("whole")) // step - pl.col("floors"),
        place=(-pl.col("rest")).rank("ordinal").over("group").cast(pl.Int128) - 1,
    )
    # a whole of another rounding than that of the sum may leave more than one unit for each row
    each = pl.col("left").abs() // pl.col("count") + (pl.col("place") < pl.col("left").abs() % pl.col("count")).cast(
        pl.Int128
    )
    part = pl.col("sign") * (pl.col("floor") + pl.col("left").sign() * each) * step
    return cut.with_columns(part=part).select(*rows.columns, "part")


def shared_taxes(tax: int, rates: list[int], rounding: Rounding) -> list[int]:
    """Return the shares of the taxes that are due together in what is between gross and net, by their rates."""
    step = rounding_step(rounding)
    return [share * step for share in allocate(tax // step, rates)]
