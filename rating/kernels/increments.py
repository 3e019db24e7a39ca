"""Increments: usage is sold in steps, 60/30, 30/1, 1/1."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

I64 = np.int64


@njit(cache=True, nogil=True, error_model="numpy")
def round_up(quantity: Any, first: Any, step: Any) -> Any:
    """Return a quantity rounded up to `first`, then in steps of `step`; 0 stays 0.

    All are int64 up to 2**62, hence nothing here exceeds 64 bits. Twin: `rating.reference`.
    """
    if quantity == 0:
        return I64(0)
    if quantity <= first:
        return first
    if step == 1:
        return quantity
    return first + (quantity - first + step - I64(1)) // step * step
