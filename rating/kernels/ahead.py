"""Fetching what usage needs of many accounts into the processor's cache, a run of rows at a time.

Among many accounts it is the translation of addresses that takes time, more than the memory: a prefetch waits for its own.
Those that follow each other closely are translated side by side, those with the work of a row between them one after another.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from rating.kernels import layout
from rating.kernels.compiled import kernel
from rating.kernels.destination import bucket_of, find_destination
from rating.kernels.hashing import prefetch
from rating.kernels.scratch import AHEAD

I64 = np.int64
MANY = 1 << 20
"""Subscriptions from which on addresses take longer than memory."""
RUN = 32
"""Rows whose lines are fetched together: subscriptions two runs ahead, what they lead to one run ahead."""
FAR = 24
"""Rows ahead whose subscription, and whose bucket of destinations, is fetched into the processor's cache."""
MIDDLE = 16
"""Rows ahead whose destination is narrowed down to some cuts, which are fetched."""
NEAR = 8
"""Rows ahead whose counters and balances are fetched, their subscription being there by then; their destination is found."""


@kernel
def fetch_run(
    row: Any, start: Any, subscriptions: Any, subscription_row: Any, counter_base: Any, balance_base: Any
) -> None:
    """Fetch what the next run of rows moves, and the subscriptions of the run after it.

    Args:
        row: int64, the row at hand, with which a run begins. start: int64, the first row of all: nothing was fetched before it.
        subscriptions: (n,) int32, below 0 of nobody. subscription_row: of `layout.Tariff`.
        counter_base, balance_base: int64, addresses of `layout.Accounts.counter_used` and `balance`.
    """
    count, base = I64(len(subscriptions)), subscription_row.ctypes.data
    near, far = row + I64(RUN), row + I64(2 * RUN)
    if row == start:
        for place in range(row, min(far, count)):
            prefetch(base + I64(subscriptions[place]) * I64(4 * layout.SUBSCRIPTION_COLUMNS))
        near = row
    for place in range(far, min(far + I64(RUN), count)):
        prefetch(base + I64(subscriptions[place]) * I64(4 * layout.SUBSCRIPTION_COLUMNS))
    for place in range(near, min(far, count)):
        if subscriptions[place] >= 0:
            ahead = I64(subscriptions[place])
            prefetch(counter_base + I64(subscription_row[ahead, layout.COUNTER_FIRST]) * I64(8 * layout.COUNTER_WORDS))
            prefetch(balance_base + I64(subscription_row[ahead, layout.WALLET_FIRST]) * I64(16))


@njit(inline="always")
def ahead_key_of(row: Any, table: Any, slot: Any) -> Any:
    """Return which look-up a place of what was found ahead holds: that of a row, in a table, of the value in a slot."""
    return (I64(row) << I64(24)) | (I64(table) << I64(3)) | I64(slot)


@njit(inline="always")
def look_ahead(
    row: Any,
    count: Any,
    event_at: Any,
    values: Any,
    tables: Any,
    table: Any,
    slot: Any,
    price_at: Any,
    width: Any,
    root: Any,
    cut: Any,
    prefix_parent: Any,
    prefix_row: Any,
    row_start: Any,
    row_end: Any,
    row_variant: Any,
    price: Any,
    found: Any,
    key: Any,
) -> None:
    """Look up the destination of a row to come, and fetch what it and the rows behind it will need.

    Args:
        row: int64, the row at hand, of `count`. event_at, values: of `layout.Usage`.
        table, slot: int64, what is looked up. price_at, width: int64, where the prices of the table start, and of each row.
        tables, root .. price: of `layout.Tariff`.
        found, key: (AHEAD,) int64, written: the row of the table, and for which look-up.
    """
    if row + FAR < count and values[row + FAR, slot] >= 0:
        prefetch(root.ctypes.data + bucket_of(values[row + FAR, slot], tables, table) * I64(4))
    if row + MIDDLE < count and values[row + MIDDLE, slot] >= 0:
        bucket = bucket_of(values[row + MIDDLE, slot], tables, table)
        middle_cut = (I64(root[bucket]) + I64(root[bucket + 1]) + I64(1)) >> I64(1)
        prefetch(cut.ctypes.data + middle_cut * I64(8 * layout.CUT_COLUMNS))
    if row + NEAR < count:
        kept = (row + NEAR) & I64(AHEAD - 1)
        near = find_destination(
            values[row + NEAR, slot], event_at[row + NEAR], tables, table, root, cut, prefix_parent, prefix_row,
            row_start, row_end,
        )  # fmt: skip
        found[kept] = near
        key[kept] = ahead_key_of(row + NEAR, table, slot)
        if near >= 0:
            near -= tables[table, layout.FOUND_PTR]
            prefetch(row_variant.ctypes.data + I64(4) * (tables[table, layout.ROW_PTR] + near))
            prefetch(price.ctypes.data + I64(8) * (price_at + near * width))
            prefetch(price.ctypes.data + I64(8) * (price_at + (near + I64(1)) * width - I64(1)))
