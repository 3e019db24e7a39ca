"""Rating for a look: what it moves is put back exactly, as if it had not happened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from rating.kernels.layout import COUNTER_PTR, WALLET_COUNT, WALLET_PTR
from rating.state import AccountState
from rating.tariff_image import TariffImage
from schemas.arrays import Int32Array, Int64Array


@contextmanager
def on_trial(subscriptions: Int32Array, image: TariffImage, state: AccountState) -> Iterator[None]:
    """Put back all that rating usage of some subscriptions (k,) moves in `state` by the end: counters and wallets.

    Nothing else may move them meanwhile, and the state may not grow.
    """
    counters, wallets = reached(subscriptions, image)
    was_counted, was_held = state.counters[counters].copy(), state.balances[wallets].copy()
    try:
        yield
    finally:
        state.counters[counters], state.balances[wallets] = was_counted, was_held


def reached(subscriptions: Int32Array, image: TariffImage) -> tuple[Int64Array, Int64Array]:
    """Return the counter slots, and the wallets, that usage of known subscriptions (k,) may move; each once."""
    rows = image.tariff.subscription_row[subscriptions]
    ends = np.append(image.tariff.subscription_row[:, COUNTER_PTR], len(image.tariff.counter_slot))
    counters = _ranges(rows[:, COUNTER_PTR], ends[subscriptions.astype(np.int64) + 1] - rows[:, COUNTER_PTR])
    wallets = _ranges(rows[:, WALLET_PTR], rows[:, WALLET_COUNT])
    slots = np.unique(image.tariff.counter_slot[counters])
    return slots[slots >= 0], np.unique(image.tariff.account_wallet[wallets])


def _ranges(first: Int64Array, count: Int64Array) -> Int64Array:
    """Return first[i] .. first[i] + count[i] of all i, one after another."""
    ends = np.cumsum(count)
    place: Int64Array = np.repeat(first - (ends - count), count) + np.arange(ends[-1] if len(ends) else 0)
    return place.astype(np.int64)
