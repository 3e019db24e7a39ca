"""Minimums and commitments: what is billed at least, at every level, from charges up to customers.

A minimum of a scope is compared with all that is billed for it in a period, what minimums below have added included: so that a
customer who pays the minimums of its subscriptions has paid that much of its own. What is lacking is a *true-up*. A commitment
is a minimum beyond which usage costs more by a factor: what that adds is an *overage*. Amounts are net of net prices, gross of
gross ones; discounts come after.
"""

from __future__ import annotations

import polars as pl

from rating.amounts import rounded_column
from schemas.price_plan import LEVELS, Rounding

SCOPE_LEVELS = ("charge", "subscription", *LEVELS)
"""Upwards."""
FACTOR_DECIMALS = 6
FACTOR_ONE = 10**FACTOR_DECIMALS
SCOPE_FRAME = pl.Schema(
    {
        "scope": pl.String,  # its name, one of its own at every level
        "level": pl.String,  # one of SCOPE_LEVELS
        "above": pl.String,  # the scope of a higher level that it is part of; null at the top
        "rated": pl.Int128,  # what was billed for it itself, not for what is below: billionths
        "items": pl.Int64,  # how many items that is
        "minimum": pl.Int128,  # of a whole period, billionths; null without one
        "share_numerator": pl.Int64,  # which share of the period it is for, by a basis of `billing.subscriptions`
        "share_denominator": pl.Int64,
        "overage_factor": pl.Int64,  # by 10**-6, 1 or more: what usage beyond the minimum costs
        "true_up": pl.Boolean,  # whether what is lacking is billed
        "when_unused": pl.Boolean,  # whether that is so without any item
    }
)
MINIMUM_FRAME = pl.Schema(
    {
        "scope": pl.String,
        "reached": pl.Int128,  # what is billed for it without this line, billionths
        "minimum": pl.Int128,  # prorated
        "kind": pl.String,  # true_up or overage
        "amount": pl.Int128,  # above zero
    }
)
_CARRIED = pl.Schema({"scope": pl.String, "carried": pl.Int128, "carried_items": pl.Int64})


def minimum_lines(scopes: pl.DataFrame, rounding: Rounding) -> pl.DataFrame:
    """Return the lines that minimums and commitments add to a period: MINIMUM_FRAME, by level upwards, then by scope.

    A minimum that is prorated is rounded once, and so is an overage. What is taken back may leave less than nothing: the
    minimum is due in full then, and what was taken back besides.

    Args:
        scopes: SCOPE_FRAME, in any order; one row for each scope.
    """
    carried = pl.DataFrame(schema=_CARRIED)
    found = [pl.DataFrame(schema=MINIMUM_FRAME)]
    for level in SCOPE_LEVELS:
        told = _told(scopes.filter(level=level).join(carried, on="scope", how="left").sort("scope"), rounding)
        found += [
            told.filter(pl.col(kind) > 0).select("scope", "reached", minimum="due", kind=pl.lit(kind), amount=kind)
            for kind in ("true_up_amount", "overage_amount")
        ]
        above = told.drop_nulls("above").select(
            scope="above",
            carried=pl.col("reached") + pl.col("true_up_amount") + pl.col("overage_amount"),
            carried_items=pl.col("used") + (pl.col("true_up_amount") > 0) + (pl.col("overage_amount") > 0),
        )
        carried = pl.concat([carried, above.cast(_CARRIED)]).group_by("scope").agg(pl.all().sum())
    lines = pl.concat(each.cast(MINIMUM_FRAME) for each in found)
    return lines.with_columns(pl.col("kind").str.strip_suffix("_amount"))


def _told(scopes: pl.DataFrame, rounding: Rounding) -> pl.DataFrame:
    """Return scopes of one level with what they have reached, what is due for it, and what lines that makes."""
    wide = scopes.with_columns(
        reached=pl.col("rated") + pl.col("carried").fill_null(0),
        used=pl.col("items") + pl.col("carried_items").fill_null(0),
        due=rounded_column(
            pl.col("minimum") * pl.col("share_numerator").cast(pl.Int128),
            pl.col("share_denominator").cast(pl.Int128),
            rounding,
        ),
    )
    counted = pl.max_horizontal(pl.col("reached"), pl.lit(0, pl.Int128))
    lacking = pl.max_horizontal(pl.col("due") - counted, pl.lit(0, pl.Int128))
    wanted = pl.col("true_up") & (pl.col("when_unused") | (pl.col("used") > 0))
    beyond = pl.max_horizontal(counted - pl.col("due"), pl.lit(0, pl.Int128))
    extra = rounded_column(
        beyond * (pl.col("overage_factor").cast(pl.Int128) - FACTOR_ONE), pl.lit(FACTOR_ONE, pl.Int128), rounding
    )
    return wide.with_columns(
        true_up_amount=pl.when(wanted & pl.col("due").is_not_null()).then(lacking).otherwise(pl.lit(0, pl.Int128)),
        overage_amount=pl.when(pl.col("due").is_not_null()).then(extra).otherwise(pl.lit(0, pl.Int128)),
    )
