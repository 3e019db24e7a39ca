"""Graduated pricing: the part of the quantity that falls in each tier has that tier's price."""

from __future__ import annotations

from typing import Any

import numpy as np

from rating.kernels.compiled import kernel
from rating.kernels.wide import add, multiply

I64 = np.int64
U = np.uint64


@kernel
def price_graduated(
    quantity: Any,
    consumed: Any,
    tier_upper: Any,
    first: Any,
    count: Any,
    price: Any,
    price_first: Any,
    stride: Any,
) -> Any:
    """Return (hi, lo, tier): the exact sum of part * price, and the last tier that priced a part.

    Twin: `rating.reference`. Cannot overflow: the parts sum to `quantity` <= 2**62 and every price is below
    2**63.

    Args:
        quantity: int64, 0 .. 2**62, to be priced.
        consumed: int64, what was consumed before, below 0 by what was carried over: tiers are walked from there.
        tier_upper: int64, exclusive upper bounds; those of this plan are tier_upper[first : first + count],
            the last one is open whatever it says.
        price: int64; tier t costs price[price_first + t * stride].
    """
    last = count - 1
    tier = I64(0)
    while tier < last and consumed >= tier_upper[first + tier]:
        tier += 1
    hi, lo = I64(0), U(0)
    rest = quantity
    position = consumed
    while tier < last and rest > tier_upper[first + tier] - position:
        part = tier_upper[first + tier] - position
        product_hi, product_lo = multiply(part, price[price_first + tier * stride])
        hi, lo, _ = add(hi, lo, product_hi, product_lo)
        rest -= part
        position = tier_upper[first + tier]
        tier += 1
    product_hi, product_lo = multiply(rest, price[price_first + tier * stride])
    hi, lo, _ = add(hi, lo, product_hi, product_lo)
    return hi, lo, tier
