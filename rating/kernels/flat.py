"""Flat pricing: one price for all of the quantity."""

from __future__ import annotations

from typing import Any

from numba import njit

from rating.kernels.wide import multiply


@njit(inline="always")
def price_flat(quantity: Any, price: Any) -> Any:
    """Return quantity * price as a pair (hi, lo). Both int64, 0 .. 2**63 - 1. Twin: `rating.reference`."""
    return multiply(quantity, price)
