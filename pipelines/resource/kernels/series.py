"""Series of cumulative readings: consumption is the difference of consecutive indexes of one register.

A reading that is refused here has no part in deduplication: its key may come again, in the same block too. Hence rows
with the same key are decided here one after the other, whatever came of the first of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

U = np.uint64

MEASURED = 0
OPENED = 1
OUT_OF_ORDER = 2
DECREASED = 3
PLAIN = 4
SAME = 5
OTHER = 6
UNUSABLE = 7


@njit(cache=True, nogil=True)
def difference(
    key_hi: Any,
    key_lo: Any,
    last_at: Any,
    last_index: Any,
    rows: Any,
    series_hi: Any,
    series_lo: Any,
    read_at: Any,
    index: Any,
    first: Any,
    usable: Any,
    content: Any,
    held: Any,
    start_at: Any,
    consumed: Any,
    answer: Any,
) -> int:
    """Turn readings into consumption since the register's previous reading.

    Args:
        key_hi, key_lo: (cap,) uint64 register table, (0, 0) empty, cap a power of two with room for every row.
        last_at, last_index: (cap,) int64: instant and index of the register's latest accepted reading.
        rows: (m,) int64 rows of the block, in order: those that took a key or ask for one taken in this block.
        series_hi, series_lo, read_at, index, content: (n,) its columns; series (0, 0) is plain usage.
        first: (n,) int64 the row that took the same key first. usable: (n,) bool: a subscription owns it.
        held: (n,) uint64 zeros; on return held[first] is the content of the row that has the key, 0 when all were refused.
        start_at, consumed: (n,) int64, written for MEASURED rows: previous instant, difference of indexes (>= 0).
        answer: (n,) uint8, written: MEASURED, OPENED (first reading), OUT_OF_ORDER (not later than the latest) or
            DECREASED, both of which leave the register as it was; PLAIN usage; SAME or OTHER content as the row that has
            the key; UNUSABLE.

    Returns:
        How many registers were opened.
    """
    mask = U(len(key_hi) - 1)
    opened = 0
    for j in range(len(rows)):
        i = rows[j]
        holder = held[first[i]]
        if holder != U(0):
            answer[i] = SAME if holder == content[i] else OTHER
            continue
        if not usable[i]:
            answer[i] = UNUSABLE
            continue
        hi = series_hi[i]
        lo = series_lo[i]
        if hi == U(0) and lo == U(0):
            answer[i] = PLAIN
            held[first[i]] = content[i]
            continue
        slot = lo & mask
        while not (key_hi[slot] == hi and key_lo[slot] == lo):
            if key_hi[slot] == U(0) and key_lo[slot] == U(0):
                break
            slot = (slot + U(1)) & mask
        if key_hi[slot] == U(0) and key_lo[slot] == U(0):
            key_hi[slot] = hi
            key_lo[slot] = lo
            last_at[slot] = read_at[i]
            last_index[slot] = index[i]
            answer[i] = OPENED
            held[first[i]] = content[i]
            opened += 1
        elif read_at[i] <= last_at[slot]:
            answer[i] = OUT_OF_ORDER
        elif index[i] < last_index[slot]:
            answer[i] = DECREASED
        else:
            answer[i] = MEASURED
            held[first[i]] = content[i]
            start_at[i] = last_at[slot]
            consumed[i] = index[i] - last_index[slot]
            last_at[slot] = read_at[i]
            last_index[slot] = index[i]
    return opened


@njit(cache=True, nogil=True)
def open_registers(
    key_hi: Any, key_lo: Any, last_at: Any, last_index: Any, series_hi: Any, series_lo: Any, read_at: Any, index: Any
) -> int:
    """Open the registers that are not known yet with a given reading; leave the others as they are.

    Args:
        key_hi, key_lo, last_at, last_index: as for `difference`, with room for every row.
        series_hi, series_lo, read_at, index: (m,) the opening readings.

    Returns:
        How many registers were opened.
    """
    mask = U(len(key_hi) - 1)
    opened = 0
    for i in range(len(series_hi)):
        hi = series_hi[i]
        lo = series_lo[i]
        slot = lo & mask
        while not (key_hi[slot] == hi and key_lo[slot] == lo):
            if key_hi[slot] == U(0) and key_lo[slot] == U(0):
                key_hi[slot] = hi
                key_lo[slot] = lo
                last_at[slot] = read_at[i]
                last_index[slot] = index[i]
                opened += 1
                break
            slot = (slot + U(1)) & mask
    return opened
