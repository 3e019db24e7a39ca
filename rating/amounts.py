"""Amounts of single bills and contracts: rounded once, by name; and shared out so that the parts add up to the whole."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from schemas.money import AMOUNT_DECIMALS, RoundingMode
from schemas.price_plan import Rounding


def rounding_step(rounding: Rounding) -> int:
    """Return what amounts are rounded to, in billionths."""
    return int(10 ** (AMOUNT_DECIMALS - rounding.decimals))


def rounded(numerator: int, denominator: int, rounding: Rounding) -> int:
    """Return numerator / denominator, an amount in billionths, rounded once to `rounding.decimals`, in billionths.

    Negative amounts mirror positive ones; the denominator is above zero.
    """
    step = rounding_step(rounding)
    whole, rest = divmod(abs(numerator), denominator * step)
    up = {
        RoundingMode.HALF_UP: 2 * rest >= denominator * step,
        RoundingMode.HALF_EVEN: 2 * rest + whole % 2 > denominator * step,
        RoundingMode.UP: rest > 0,
        RoundingMode.DOWN: False,
    }[rounding.mode]
    return (whole + up) * step * (-1 if numerator < 0 else 1)


def rounded_column(numerator: pl.Expr, denominator: pl.Expr, rounding: Rounding) -> pl.Expr:
    """Return what `rounded` returns, for columns of Int128."""
    step = rounding_step(rounding)
    by = denominator * step
    whole, rest = numerator.abs() // by, numerator.abs() % by
    up = {
        RoundingMode.HALF_UP: 2 * rest >= by,
        RoundingMode.HALF_EVEN: 2 * rest + whole % 2 > by,
        RoundingMode.UP: rest > 0,
        RoundingMode.DOWN: pl.lit(value=False),
    }[rounding.mode]
    exact: pl.Expr = (whole + up.cast(pl.Int128)) * step * numerator.sign()
    return exact


def allocate(total: int, weights: Sequence[int]) -> list[int]:
    """Return the shares of a whole number in proportion to weights; their sum is exactly the whole.

    Each share is the exact one, cut off; what is left goes by ones to the largest remainders, of equal ones to the first. A
    negative whole mirrors a positive one. Where all weights are zero, the first has everything.

    Raises:
        ValueError: when there are no weights, or one is negative.
    """
    if not weights or min(weights) < 0:
        raise ValueError("a whole is shared out by weights of zero or more, at least one")
    whole = sum(weights)
    if whole == 0:
        return [total, *[0] * (len(weights) - 1)]
    sign = -1 if total < 0 else 1
    shares, remainders = [], []
    for place, weight in enumerate(weights):
        share, remainder = divmod(abs(total) * weight, whole)
        shares.append(share)
        remainders.append((-remainder, place))
    for _, place in sorted(remainders)[: abs(total) - sum(shares)]:
        shares[place] += 1
    return [sign * share for share in shares]
