"""Increments: usage is sold in steps, 60/30, 30/1, 1/1."""

from __future__ import annotations

from typing import Any

import numpy as np

from rating.kernels.compiled import kernel
from rating.kernels.wide import DOWN, HALF_EVEN, UP

I64 = np.int64


@kernel
def round_up(quantity: Any, first: Any, step: Any) -> Any:
    """Return a quantity rounded up to `first`, then in steps of `step`; 0 stays 0.

    All are int64 up to 2**62, hence nothing here exceeds 64 bits. Twin: `rating.reference_shapes`.
    """
    if quantity == 0:
        return I64(0)
    if quantity <= first:
        return first
    if step == 1:
        return quantity
    return first + (quantity - first + step - I64(1)) // step * step


@kernel
def round_increments(quantity: Any, first: Any, step: Any, mode: Any) -> Any:
    """Return a quantity in whole increments, one `first` and then `step` each, with begun ones rounded by `mode`.

    All are int64 up to 2**62. An even number of increments wins a tie of HALF_EVEN. Twin: `rating.reference_shapes`.
    """
    if mode == UP:
        return round_up(quantity, first, step)
    if quantity < first:
        used, size, whole = quantity, first, I64(0)
        count = I64(0)
    else:
        count = I64(1) + (quantity - first) // step
        whole = first + (count - I64(1)) * step
        used, size = quantity - whole, step
    if mode == DOWN:
        return whole
    rest = size - used
    if used > rest or (used == rest and (mode != HALF_EVEN or count & I64(1) == I64(1))):
        return whole + size
    return whole


@kernel
def round_in_tier(quantity: Any, tier_upper: Any, tier_step: Any, first: Any, count: Any) -> Any:
    """Return a quantity rounded up to the increment of the tier in which it ends; 0 stays 0.

    Args:
        quantity: int64, 0 .. 2**62.
        tier_upper, tier_step: those of the plan are at first .. first + count; a tier is a whole number of its steps
            (the last one is open), each step is >= 1.
    """
    low = I64(0)
    tier = I64(0)
    while tier < count - 1 and quantity > tier_upper[first + tier]:
        low = tier_upper[first + tier]
        tier += 1
    step = tier_step[first + tier]
    return low + (quantity - low + step - I64(1)) // step * step
