"""Rating for a look: what it moves is put back exactly, as if it had not happened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from rating.following import Moved
from rating.kernels.layout import COUNTER_PTR
from rating.kernels.reach import once_each, reach_wallets
from rating.state import AccountState
from rating.tariff_image import TariffImage
from schemas.arrays import Int32Array, Int64Array

_NOTHING: Int64Array = np.zeros(0, np.int64)


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


def reached_wallets(subscriptions: Int32Array, image: TariffImage, more: Int64Array | None = None) -> Int64Array:
    """Return the wallets that usage of subscriptions (k,), below 0 of none, may move, and `more`, ascending, each once."""
    besides = _NOTHING if more is None else more
    found = np.empty(len(subscriptions) * image.wallets_max + len(besides), np.int64)
    tariff = image.tariff
    count = reach_wallets(
        np.array(subscriptions, np.int32), tariff.subscription_row, tariff.account_wallet, besides, found
    )
    wallets = found[:count]
    wallets.sort()
    return wallets[: once_each(wallets)].copy()


def _ranges(first: Int64Array, count: Int64Array) -> Int64Array:
    """Return first[i] .. first[i] + count[i] of all i, one after another."""
    ends = np.cumsum(count)
    place: Int64Array = np.repeat(first - (ends - count), count) + np.arange(ends[-1] if len(ends) else 0)
    return place.astype(np.int64)
