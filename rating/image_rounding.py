"""Prices that are rounded before they price anything: of one unit, or of each increment, as prices of a common quantity.

An item then costs what so many roundings come to, but kernels know nothing of them. Twin: `unit_price_of` of
`rating.reference_shapes`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from math import lcm

import numpy as np

from schemas.arrays import Int64Array
from schemas.money import EXACT, PRICE_DECIMALS_MAX, RoundingMode
from schemas.price_plan import PriceVersion, Tier
from schemas.quantity import QUANTITY_MAX

PRICE_END = 9_000_000 * 10**PRICE_DECIMALS_MAX
"""What a price may be at most, in 10**-12 currency units, as catalogs write prices."""


def rounded_for(version: PriceVersion, tiers: Sequence[Tier], steps: Callable[[str], int]) -> list[int] | None:
    """Return the base steps of which the price of each tier is rounded, or of the one price; None where none is.

    Raises:
        ValueError: when a price is rounded for increments that it does not have.
    """
    rounding = version.rounding
    if rounding.unit_price is not None:
        return [steps(rounding.unit_price.per)] * max(1, len(tiers))
    if rounding.increment is None:
        return None
    texts = [tier.increment for tier in tiers] or [None]
    whole = version.increments.next if version.increments is not None else None
    if any(text is None for text in texts) and whole is None:
        raise ValueError("there are no increments whose price could be rounded")
    return [steps(text or whole or "") for text in texts]


def common_quantity(sold: Sequence[int]) -> int:
    """Return the base steps for which all prices can be told in whole units, of what they are rounded for.

    Raises:
        ValueError: when they are more than a quantity may be.
    """
    common = lcm(*sold)
    if common > QUANTITY_MAX:
        raise ValueError(
            f"increments of {', '.join(map(str, sold))} steps have no common multiple that a quantity may be"
        )
    return common


def rounded_price(version: PriceVersion, price: Decimal, per: int, sold: int, common: int) -> Decimal:
    """Return a price for `per` base steps as one for `common` of them, having rounded it for `sold`."""
    pico = int(price.scaleb(PRICE_DECIMALS_MAX, EXACT))
    return Decimal(rounded_pico(version, pico, per, sold, common)).scaleb(-PRICE_DECIMALS_MAX, EXACT)


def rounded_table(version: PriceVersion, pico: Int64Array, per: int, sold: int) -> Int64Array:
    """Return prices of a table, in 10**-12, for `per` base steps as prices for `sold` of them, rounded.

    Raises:
        ValueError: when one is more than a price may be.
    """
    known, place = np.unique(pico, return_inverse=True)
    found = [rounded_pico(version, price, per, sold, sold) for price in known.tolist()]
    return np.array(found, np.int64)[place].reshape(pico.shape)


def rounded_pico(version: PriceVersion, pico: int, per: int, sold: int, common: int) -> int:
    """Return a price in 10**-12 for `per` base steps as one for `common` of them, having rounded it for `sold`.

    Raises:
        ValueError: when it is more than a price may be.
    """
    rule = version.rounding.unit_price or version.rounding.increment
    assert rule is not None
    power: int = 10 ** (PRICE_DECIMALS_MAX - rule.decimals)
    whole, rest = divmod(pico * sold, per * power)
    twice = 2 * rest - per * power
    up = {
        RoundingMode.UP: rest > 0,
        RoundingMode.DOWN: False,
        RoundingMode.HALF_UP: twice >= 0,
        RoundingMode.HALF_EVEN: twice > 0 or (twice == 0 and whole % 2 == 1),
    }[rule.mode]
    found = (whole + up) * power * (common // sold)
    if found > PRICE_END:
        raise ValueError(f"a price of {pico} 10**-12 for {per} steps, rounded for {sold}, is too large for {common}")
    return found
