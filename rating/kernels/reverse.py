"""Taking back what rating did: counters fall, wallets get back what was drawn. Twin: `tests/support/reversal_twin.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from rating.kernels.balance import WALLET_SPLIT
from rating.kernels.layout import COUNTER, COUNTER_PTR, OFFER, PERIOD_FIRST, PERIODS_KEPT, VERSION_ID
from rating.kernels.local_time import local_instant, period_number
from rating.kernels.wide import add, low_signed, widen

I64 = np.int64
INT64_MAX = 2**63 - 1
NO_COUNTER = 0
LOWERED = 1
LEFT = 2


@njit(cache=True, nogil=True, error_model="numpy")
def locate_counters(
    event_at: Any,
    subscription: Any,
    version: Any,
    subscription_row: Any,
    counter_slot: Any,
    version_row: Any,
    offer_counter: Any,
    counter_kind: Any,
    counter_zone: Any,
    zone_ptr: Any,
    zone_bucket: Any,
    zone_instant: Any,
    zone_offset: Any,
    out_slot: Any,
    out_cell: Any,
    out_period: Any,
) -> None:
    """Find the counter cell that each of n rated items consumed, as `rate_rows` found it.

    Args:
        event_at: (n,) int64 microseconds UTC. subscription: (n,) int32, known to the image.
        version: (n,) int64 rows of `version_row`.
        subscription_row .. zone_offset: of the `layout.Tariff` of the image that rated them.
        out_slot, out_cell, out_period: (n,) int32, written: the counter's slot, the cell within it and the period that the
            cell counted; -1, 0, -1 for an item without counter.
    """
    for row in range(len(event_at)):
        out_slot[row] = -1
        out_cell[row] = 0
        out_period[row] = -1
        counter = version_row[version[row], COUNTER]
        if counter < 0:
            continue
        owner = I64(subscription[row])
        offer = I64(subscription_row[owner, OFFER])
        kind = I64(counter_kind[counter])
        local = local_instant(
            event_at[row], I64(counter_zone[counter]), zone_ptr, zone_bucket, zone_instant, zone_offset
        )
        number = period_number(kind, local)
        out_slot[row] = counter_slot[subscription_row[owner, COUNTER_PTR] + offer_counter[offer, counter]]
        out_cell[row] = number & I64(PERIODS_KEPT - 1)
        out_period[row] = number * I64(4) + kind


@njit(cache=True, nogil=True, error_model="numpy")
def largest_version(version_row: Any) -> Any:
    """Return the largest charge version id of a `layout.Tariff`, -1 without any."""
    largest = I64(-1)
    for row in range(len(version_row)):
        largest = max(largest, I64(version_row[row, VERSION_ID]))
    return largest


@njit(cache=True, nogil=True, error_model="numpy")
def locate_versions(
    charge_version: Any, subscription: Any, version_row: Any, subscriptions: Any, rows: Any, version: Any
) -> Any:
    """Find the rows of n charge versions; return whether all are known, and all subscriptions.

    Args:
        charge_version, subscription: (n,) int32 ids. version_row: of `layout.Tariff`. subscriptions: int64, how many it has.
        rows: (`largest_version` + 1,) int64, written. version: (n,) int64, written.
    """
    rows[:] = -1
    for row in range(len(version_row)):
        rows[version_row[row, VERSION_ID]] = row
    for row in range(len(charge_version)):
        of = charge_version[row]
        if of < 0 or of >= len(rows) or rows[of] < 0 or not 0 <= subscription[row] < subscriptions:
            return False
        version[row] = rows[of]
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def unexpected(slot: Any, wallet: Any, quantity: Any, amount: Any, counters: Any, wallets: Any) -> Any:
    """Return 1 where a counter of n items is unknown, 2 where a wallet is, 3 where an item is below zero wrongly, else 0.

    An item below zero is usage that was taken back: one wallet got its amount.

    Args:
        slot, wallet: (n,) int32. quantity, amount: (n,) int64, rated. counters, wallets: int64, how many there are.
    """
    for row in range(len(slot)):
        if slot[row] >= counters:
            return 1
        if wallet[row] >= wallets:
            return 2
        back = quantity[row] < 0
        if (amount[row] < 0 and not back) or (back and (amount[row] > 0 or wallet[row] == WALLET_SPLIT)):
            return 3
    return 0


@njit(cache=True, nogil=True, error_model="numpy")
def lower_counters(
    slot: Any,
    cell: Any,
    period: Any,
    quantity: Any,
    counter_period: Any,
    counter_used: Any,
    before: Any,
    fate: Any,
    least: Any,
) -> Any:
    """Take n rated quantities out of the counters that they are in; return the first row that does not fit, else -1.

    Args:
        slot, cell, period: (n,) int32, as `locate_counters` found them. quantity: (n,) int64 rated quantities, -2**62 .. 2**62.
        counter_period, counter_used: of `layout.Accounts`, updated.
        before: (n,) int64, written: the counter before the row, 0 where there is none. fate: (n,) uint8, written: NO_COUNTER,
            LOWERED, or LEFT where the cell counts another period by now.
        least: int64, -2**62 .. 0, below which no counter falls.
    """
    for row in range(len(slot)):
        before[row] = 0
        fate[row] = NO_COUNTER
        if slot[row] < 0:
            continue
        if counter_period[slot[row], PERIOD_FIRST + cell[row]] != period[row]:
            fate[row] = LEFT
            continue
        used = counter_used[slot[row], cell[row]]
        if used < quantity[row] + least or used > I64(INT64_MAX) + min(quantity[row], I64(0)):
            return row
        before[row] = used
        counter_used[slot[row], cell[row]] = used - quantity[row]
        fate[row] = LOWERED
    return -1


@njit(cache=True, nogil=True, error_model="numpy")
def give_back(wallet: Any, amount: Any, balance: Any, out_hi: Any, out_lo: Any) -> Any:
    """Credit amounts in order, noting each balance afterwards; return the first row that overflows, else -1.

    Args:
        wallet: (k,) int32 below the number of wallets; a negative one moves nothing. amount: (k,) int64, > 0 where it moves,
            < 0 where what was given back is taken.
        balance: of `layout.Accounts`, updated.
        out_hi: (k,) int64, out_lo: (k,) uint64, written: the wallet's balance after the row, 0 where nothing moves.
    """
    for row in range(len(wallet)):
        out_hi[row] = 0
        out_lo[row] = np.uint64(0)
        w = I64(wallet[row])
        if w < 0:
            continue
        add_hi, add_lo = widen(amount[row])
        hi, lo, overflow = add(balance[w, 0], np.uint64(balance[w, 1]), add_hi, add_lo)
        if overflow:
            return row
        balance[w, 0] = hi
        balance[w, 1] = low_signed(lo)
        out_hi[row] = hi
        out_lo[row] = lo
    return -1
