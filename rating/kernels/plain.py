"""Plain versions: what most usage is priced by, in 64 bits and with nothing asked for that most usage does not need.

A version is plain when it is flat or graduated, without limits and the like: `rating.image_plain` says
which are. A usage whose numbers are too large for 64 bits is left to the general way, which gives the same bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from rating.kernels.wide import DOWN, HALF_EVEN, HALF_UP, add, low_signed, multiply

I64 = np.int64
U = np.uint64
INT64_MAX = 2**63 - 1
QUANTITY_MAX = 2**62


def inverse_of(divisor: Any) -> Any:
    """Return (n,) int64 2**63 / divisor, rounded down and below 2**63, of divisors >= 1."""
    return np.minimum(np.uint64(1 << 63) // divisor.astype(np.uint64), np.uint64(INT64_MAX)).astype(np.int64)


@njit(inline="always")
def divide_plainly(total: Any, divisor: Any, inverse: Any, mode: Any) -> Any:
    """Return total / divisor (int64, >= 0 and >= 1), rounded. Twin: `wide.divide_round`.

    The product with the `inverse` of the divisor is at most one too small, since total < 2**63: a multiplication takes a
    fraction of the time of a division.
    """
    high, low = multiply(total, inverse)
    quotient = U(high) << U(1) | low >> U(63)
    rest = total - low_signed(quotient) * divisor
    if rest >= divisor:
        rest -= divisor
        quotient += U(1)
    gap = divisor - rest
    if mode == HALF_UP:
        more = rest >= gap
    elif mode == DOWN:
        more = False
    elif mode == HALF_EVEN:
        more = rest > gap or (rest == gap and quotient & U(1) == U(1))
    else:
        more = rest != 0
    return low_signed(quotient) + I64(more)


@njit(inline="always")
def price_plainly(
    quantity: Any,
    before: Any,
    fee: Any,
    divisor: Any,
    inverse: Any,
    mode: Any,
    factor: Any,
    first_tier: Any,
    count: Any,
    first_price: Any,
    stride: Any,
    tier_upper: Any,
    price: Any,
) -> Any:
    """Return (amount, tier, fits): billionths, the last tier that priced a part, whether 64 bits were enough for it.

    Twin: `graduated.price_graduated` and what `rate` does after it; tiers are all looked at, since which of them usage ends in
    cannot be foretold.

    Args:
        quantity: int64, 0 .. 2**62, in whole increments. before: int64, what was consumed, perhaps below 0; their
            sum fits.
        fee .. count: int64 of `layout.Tariff.plain_row`. first_price: int64, >= 0, of the first tier; stride: to the next.
        tier_upper, price: of `layout.Tariff`.
    """
    hi, lo = I64(0), U(0)
    tier = I64(0)
    if count == 0:
        hi, lo = multiply(quantity, price[U(first_price)])
    else:
        after = before + quantity
        last = after - I64(quantity > 0)
        bottom = I64(-INT64_MAX)  # what lies before the first tier, when usage was taken back, is of it
        for place in range(count):
            top = tier_upper[U(first_tier + place)]
            part = max(min(after, top) - max(before, bottom), I64(0))
            high, low = multiply(part, price[U(first_price + place * stride)])
            hi, lo, _ = add(hi, lo, high, low)
            tier = I64(place) if bottom <= last else tier
            bottom = top
    if quantity > 0:
        hi, lo, _ = add(hi, lo, I64(0), U(fee))
    total = low_signed(lo)
    if hi != 0 or total < 0:
        return I64(0), tier, False
    above, low = multiply(divide_plainly(total, divisor, inverse, mode), factor)
    amount = low_signed(low)
    return amount, tier, above == 0 and amount >= 0
