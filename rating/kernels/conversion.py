"""Amounts of the general path: rounded as their version says, then converted into the currency of the account."""

from __future__ import annotations

from typing import Any

from rating.kernels import layout
from rating.kernels.compiled import kernel
from rating.kernels.wide import multiply, to_amount


@kernel
def amount_of(hi: Any, lo: Any, version: Any, conversion: Any) -> Any:
    """Return (amount in billionths, overflow) of a sum of part * price, rounded once, and once more where it is converted.

    Args:
        hi, lo: the sum. version: its row of `layout.Tariff.version_row`, CONVERSION not below 0. conversion: `layout.Tariff`.
    """
    amount, overflow = to_amount(
        hi, lo, version[layout.DIVISOR], version[layout.EXTRA], version[layout.MODE], version[layout.FACTOR]
    )
    if version[layout.CONVERSION] == 0 or overflow:
        return amount, overflow
    by = conversion[version[layout.CONVERSION] - 1]
    hi, lo = multiply(amount, by[layout.RATE_OVER])
    step = by[layout.CONVERTED_STEP]
    return to_amount(hi, lo, by[layout.RATE_UNDER], step, by[layout.CONVERTED_MODE], step)
