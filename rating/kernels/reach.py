"""Which wallets usage may move. Twin: a set (`test_trial.py`)."""

from __future__ import annotations

from typing import Any

from numba import njit

from rating.kernels.layout import WALLET_COUNT, WALLET_PTR


@njit(cache=True, nogil=True, error_model="numpy")
def reach_wallets(subscription: Any, subscription_row: Any, account_wallet: Any, more: Any, found: Any) -> Any:
    """Write the wallets of the accounts of n subscriptions, and m more, ascending, each once; return how many they are.

    Args:
        subscription: (n,) int32, below 0 of none. subscription_row, account_wallet: of `layout.Tariff`. more: (m,) int64.
        found: int64, written, with room for all of them together.
    """
    count = len(more)
    found[:count] = more
    for row in range(len(subscription)):
        of = subscription[row]
        if of < 0:
            continue
        first = subscription_row[of, WALLET_PTR]
        for place in range(first, first + subscription_row[of, WALLET_COUNT]):
            found[count] = account_wallet[place]
            count += 1
    found[:count].sort()
    once = 0
    for place in range(count):
        if place == 0 or found[place] != found[place - 1]:
            found[once] = found[place]
            once += 1
    return once
