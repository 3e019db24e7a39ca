"""Which wallets usage may move. Twin: a set (`test_trial.py`)."""

from __future__ import annotations

from typing import Any

from rating.kernels.compiled import kernel
from rating.kernels.layout import WALLET_COUNT, WALLET_PTR


@kernel
def reach_wallets(subscription: Any, subscription_row: Any, account_wallet: Any, more: Any, found: Any) -> Any:
    """Write the wallets of the accounts of n subscriptions, and m more; return how many they are.

    Args:
        subscription: (n,) int32, below 0 of none. subscription_row, account_wallet: of `layout.Tariff`. more: (m,) int64.
        found: int64, written, with room for all of them together.
    """
    count = len(more)
    for place in range(count):
        found[place] = more[place]
    for row in range(len(subscription)):
        of = subscription[row]
        if of < 0:
            continue
        first = subscription_row[of, WALLET_PTR]
        for place in range(first, first + subscription_row[of, WALLET_COUNT]):
            found[count] = account_wallet[place]
            count += 1
    return count


@kernel
def once_each(ids: Any) -> Any:
    """Keep n ascending int64 ids once each, at the front; return how many they are."""
    once = 0
    for place in range(len(ids)):
        if place == 0 or ids[place] != ids[once - 1]:
            ids[once] = ids[place]
            once += 1
    return once
