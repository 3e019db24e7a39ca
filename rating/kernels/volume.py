"""Volume pricing: all of the quantity has the price of the tier that is reached with it."""

from __future__ import annotations

from typing import Any

import numpy as np

from rating.kernels.compiled import kernel
from rating.kernels.wide import multiply

I64 = np.int64
U = np.uint64


@kernel
def cumulated(consumed: Any, quantity: Any) -> Any:
    """Return consumed + quantity as uint64, 0 where what was carried over covers both."""
    if consumed < 0:
        return U(max(consumed + quantity, I64(0)))
    return U(consumed) + U(quantity)


@kernel
def tier_of(position: Any, tier_upper: Any, first: Any, count: Any) -> Any:
    """Return the tier in which a cumulated quantity (uint64) lies; bounds are exclusive, the last tier is open."""
    tier = I64(0)
    while tier < count - 1 and position >= U(tier_upper[first + tier]):
        tier += 1
    return tier


@kernel
def price_volume(
    quantity: Any,
    consumed: Any,
    tier_upper: Any,
    first: Any,
    count: Any,
    price: Any,
    price_first: Any,
    stride: Any,
) -> Any:
    """Return (hi, lo, tier): quantity * the price of the tier reached, and that tier. Twin: `rating.reference_shapes`.

    Args:
        quantity: int64, 0 .. 2**63 - 1. consumed: int64, what was consumed before, below 0 when usage was taken
            back. tier_upper .. stride: as in `price_graduated`.
    """
    tier = tier_of(cumulated(consumed, quantity), tier_upper, first, count)
    hi, lo = multiply(quantity, price[price_first + tier * stride])
    return hi, lo, tier
