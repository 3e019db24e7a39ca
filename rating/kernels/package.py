"""Package pricing: usage is sold in blocks, so many units each, beyond a free part."""

from __future__ import annotations

from typing import Any

import numpy as np

from rating.kernels.compiled import kernel
from rating.kernels.volume import cumulated
from rating.kernels.wide import multiply

I64 = np.int64
U = np.uint64


@kernel
def blocks_of(position: Any, free: Any, size: Any, down: Any) -> Any:
    """Return how many blocks a cumulated quantity (uint64) takes: begun ones count unless `down`."""
    if position <= U(free):
        return U(0)
    paid = position - U(free)
    count = paid // U(size)
    if down == 0 and paid != count * U(size):
        count += U(1)
    return count


@kernel
def price_package(quantity: Any, consumed: Any, free: Any, size: Any, down: Any, price: Any) -> Any:
    """Return (hi, lo): the price of the blocks that this usage adds to those consumed before.

    Any split of a quantity costs the same, because blocks are counted on the cumulated quantity. Twin:
    `rating.reference_shapes`.

    Args:
        quantity: int64, 0 .. 2**63 - 1. consumed: int64, what was consumed before, below 0 by what was carried over.
        free: int64 >= 0. size: int64 >= 1. down: 1 when a begun block does not count. price: int64, of one block.
    """
    before = blocks_of(U(max(consumed, I64(0))), free, size, down)
    after = blocks_of(cumulated(consumed, quantity), free, size, down)
    return multiply(I64(after - before), price)
