"""Rating for a look: what it moves is put back exactly, as if it had not happened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from rating.following import Moved
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
        state.touched(Moved(counters, wallets))


def reached(subscriptions: Int32Array, image: TariffImage) -> tuple[Int64Array, Int64Array]:
    """Return the counter slots, and the wallets, that usage of known subscriptions (k,) may move; each once."""
    tariff = image.tariff
    rows, after = tariff.subscription_row[subscriptions], subscriptions.astype(np.int64) + 1
    last = len(tariff.subscription_row) - 1
    ends = np.where(
        after > last, len(tariff.counter_slot), tariff.subscription_row[np.minimum(after, last), COUNTER_PTR]
    )
    counters = _ranges(rows[:, COUNTER_PTR], ends - rows[:, COUNTER_PTR])
    slots = np.unique(tariff.counter_slot[counters])
    return slots[slots >= 0], reached_wallets(subscriptions, image)


def reached_wallets(subscriptions: Int32Array, image: TariffImage) -> Int64Array:
    """Return the wallets that usage of known subscriptions (k,) may move, ascending, each once."""
    rows = image.tariff.subscription_row[subscriptions]
    found: Int64Array = np.unique(image.tariff.account_wallet[_ranges(rows[:, WALLET_PTR], rows[:, WALLET_COUNT])])
    return found


def _ranges(first: Int64Array, count: Int64Array) -> Int64Array:
    """Return first[i] .. first[i] + count[i] of all i, one after another."""
    ends = np.cumsum(count)
    place: Int64Array = np.repeat(first - (ends - count), count) + np.arange(ends[-1] if len(ends) else 0)
    return place.astype(np.int64)
