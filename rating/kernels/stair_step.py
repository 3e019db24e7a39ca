"""Fixed amounts of tiers: the one that is reached, or all that are begun."""

from __future__ import annotations

from typing import Any

import numpy as np

from rating.kernels.compiled import kernel
from rating.kernels.volume import cumulated, tier_of
from rating.kernels.wide import add, subtract

I64 = np.int64
U = np.uint64


@kernel
def price_stair_step(quantity: Any, consumed: Any, tier_upper: Any, first: Any, count: Any, tier_amount: Any) -> Any:
    """Return (hi, lo, tier): the amount of the tier reached, less that of the tier reached before, and the tier.

    Twin: `rating.reference_shapes`.

    Args:
        quantity: int64, 0 .. 2**63 - 1. consumed: int64; nothing was paid while it is 0 or, when usage was taken back, below.
        tier_upper, first, count: as in `price_graduated`.
        tier_amount: (tiers, 2) int64 halves; they do not fall from tier to tier where something was consumed before.
    """
    tier = tier_of(cumulated(consumed, quantity), tier_upper, first, count)
    hi, lo = tier_amount[first + tier, 0], U(tier_amount[first + tier, 1])
    if consumed > 0:
        paid = tier_of(U(consumed), tier_upper, first, count)
        hi, lo, _ = subtract(hi, lo, tier_amount[first + paid, 0], U(tier_amount[first + paid, 1]))
    return hi, lo, tier


@kernel
def amounts_begun(quantity: Any, consumed: Any, tier_upper: Any, first: Any, count: Any, tier_amount: Any) -> Any:
    """Return (hi, lo): the amounts of the tiers of which this usage consumes the first step.

    Args:
        quantity: int64, 0 .. 2**63 - 1; nothing begins with 0.
        consumed .. tier_amount: as in `price_stair_step`.
    """
    hi, lo = I64(0), U(0)
    low = I64(0)
    tier = I64(0)
    after = cumulated(consumed, quantity)
    while tier < count and U(low) < after:
        if low >= consumed:
            hi, lo, _ = add(hi, lo, tier_amount[first + tier, 0], U(tier_amount[first + tier, 1]))
        low = tier_upper[first + tier]
        tier += 1
    return hi, lo
