"""Copying again what usage may have moved, for a copy that is made beside those who move it."""

from __future__ import annotations

from typing import Any

from rating.kernels.compiled import kernel
from rating.kernels.hashing import prefetch
from rating.kernels.layout import (
    COUNTER_FIRST,
    COUNTER_PTR,
    COUNTER_WORDS,
    WALLET_COUNT,
    WALLET_FIRST,
    WALLET_PTR,
)

ROW_AHEAD, STATE_AHEAD = 24, 8


@kernel
def copy_reached(
    subscription: Any,
    subscription_row: Any,
    counter_slot: Any,
    account_wallet: Any,
    counters: Any,
    balances: Any,
    counters_copy: Any,
    balances_copy: Any,
) -> None:
    """Copy the counters and the wallets that usage of subscriptions (k,), below 0 of none, may move.

    Twin: `rating.trial.reached`, which says which those are.

    Args:
        subscription_row, counter_slot, account_wallet: of `Tariff`. counters, balances: of `AccountState`.
        counters_copy, balances_copy: of the same shapes, written.
    """
    of, count = subscription_row.ctypes.data, len(subscription)
    row_bytes = 4 * subscription_row.shape[1]
    for i in range(count):
        if i + ROW_AHEAD < count and subscription[i + ROW_AHEAD] >= 0:
            prefetch(of + row_bytes * subscription[i + ROW_AHEAD])
        if i + STATE_AHEAD < count and subscription[i + STATE_AHEAD] >= 0:
            one = subscription[i + STATE_AHEAD]
            if subscription_row[one, COUNTER_FIRST] >= 0:
                at = 8 * COUNTER_WORDS * subscription_row[one, COUNTER_FIRST]
                prefetch(counters.ctypes.data + at)
                prefetch(counters_copy.ctypes.data + at)
            if subscription_row[one, WALLET_FIRST] >= 0:
                at = 16 * subscription_row[one, WALLET_FIRST]
                prefetch(balances.ctypes.data + at)
                prefetch(balances_copy.ctypes.data + at)
        one = subscription[i]
        if one < 0:
            continue
        end = len(counter_slot)
        if one + 1 < len(subscription_row):
            end = subscription_row[one + 1, COUNTER_PTR]
        for k in range(subscription_row[one, COUNTER_PTR], end):
            slot = counter_slot[k]
            if slot >= 0:
                for word in range(COUNTER_WORDS):
                    counters_copy[slot, word] = counters[slot, word]
        first = subscription_row[one, WALLET_PTR]
        for k in range(first, first + subscription_row[one, WALLET_COUNT]):
            wallet = account_wallet[k]
            balances_copy[wallet, 0], balances_copy[wallet, 1] = balances[wallet, 0], balances[wallet, 1]
