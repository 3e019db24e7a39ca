"""What rated items come to, counted apart from the loop that rated them: see `rating.rate`."""

from __future__ import annotations

from typing import Any

import numpy as np

from rating.kernels.balance import WALLET_NONE, WALLET_SPLIT
from rating.kernels.compiled import kernel
from rating.kernels.wide import add, widen

I64 = np.int64
U = np.uint64


@kernel
def total_by_payer(amount: Any, wallet: Any) -> Any:
    """Return (hi, lo, split hi, split lo, unpaid): sums of all amounts and of those that several wallets paid, any unpaid.

    Args:
        amount: (n,) int64 billionths. wallet: (n,) int32, a wallet, WALLET_SPLIT or WALLET_NONE.
    """
    hi, lo, split_hi, split_lo, unpaid = I64(0), U(0), I64(0), U(0), False
    for row in range(len(amount)):
        high, low = widen(amount[row])
        hi, lo, _ = add(hi, lo, high, low)
        if wallet[row] == WALLET_SPLIT:
            split_hi, split_lo, _ = add(split_hi, split_lo, high, low)
        unpaid |= wallet[row] == WALLET_NONE and amount[row] != 0
    return hi, lo, split_hi, split_lo, unpaid


@kernel
def bounds(quantity: Any, subscription: Any) -> Any:
    """Return the lowest and the highest of n quantities, and of n subscriptions, one at least.

    Args:
        quantity: (n,) int64. subscription: (n,) int32.
    """
    lowest = most = quantity[0]
    first = last = subscription[0]
    for row in range(len(quantity)):
        lowest, most = min(lowest, quantity[row]), max(most, quantity[row])
        first, last = min(first, subscription[row]), max(last, subscription[row])
    return lowest, most, first, last


@kernel
def in_money(version: Any, version_unit: Any, found: Any) -> None:
    """Write whether n charge versions price in money: those that the image does not know do.

    Args:
        version: (n,) int32. version_unit: (versions,) int32 the unit that each prices in, below 0 money.
        found: (n,) bool, written.
    """
    for row in range(len(version)):
        of = version[row]
        found[row] = of < 0 or of >= len(version_unit) or version_unit[of] < 0
