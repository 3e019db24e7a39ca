"""Fetching what usage needs of many accounts into the processor's cache, a run of rows at a time.

Among many accounts it is the translation of addresses that takes time, more than the memory: a prefetch waits for its own.
Those that follow each other closely are translated side by side, those with the work of a row between them one after another.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rating.kernels import layout
from rating.kernels.compiled import kernel
from rating.kernels.hashing import prefetch

I64 = np.int64
MANY = 1 << 20
"""Subscriptions from which on addresses take longer than memory."""
RUN = 32
"""Rows whose lines are fetched together: subscriptions two runs ahead, what they lead to one run ahead."""


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
