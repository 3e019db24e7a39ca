"""An index from 128-bit keys to places, by open addressing in lines of three words. Twin: a dict.

A slot is (hi, lo, place + 1), and empty when its last word is 0. Places below `dead` count as gone: nobody takes them out, they
are left behind when the index moves to a new table.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

I64 = np.int64
U = np.uint64


@njit(cache=True, nogil=True, error_model="numpy")
def find(table: Any, other: Any, hi: Any, lo: Any, dead: Any, place: Any) -> None:
    """Find n keys, in `table` first, then in `other`.

    Args:
        table, other: (capacity, 3) uint64, capacities powers of two, each with an empty slot.
        hi, lo: (n,) uint64. dead: int64. place: (n,) int64, written: -1 for keys that are not there.
    """
    for row in range(len(hi)):
        found = I64(-1)
        for which in range(2):
            slots = table if which == 0 else other
            mask = U(len(slots) - 1)
            at = (lo[row] ^ hi[row]) & mask
            while slots[at, 2] != U(0):
                if slots[at, 0] == hi[row] and slots[at, 1] == lo[row] and I64(slots[at, 2]) - I64(1) >= dead:
                    found = I64(slots[at, 2]) - I64(1)
                    break
                at = (at + U(1)) & mask
            if found >= 0:
                break
        place[row] = found


@njit(cache=True, nogil=True, error_model="numpy")
def put(table: Any, hi: Any, lo: Any, place: Any) -> None:
    """Put n keys, none of which the table has at a place that is not dead, where there is room for all of them.

    Args:
        table: (capacity, 3) uint64, updated. hi, lo: (n,) uint64. place: (n,) int64.
    """
    mask = U(len(table) - 1)
    for row in range(len(hi)):
        at = (lo[row] ^ hi[row]) & mask
        while table[at, 2] != U(0):
            at = (at + U(1)) & mask
        table[at, 0] = hi[row]
        table[at, 1] = lo[row]
        table[at, 2] = U(place[row] + I64(1))


@njit(cache=True, nogil=True, error_model="numpy")
def move(old: Any, first: Any, end: Any, dead: Any, table: Any) -> Any:
    """Copy what is not dead in slots first .. end of `old` into `table`; return how many that were."""
    mask = U(len(table) - 1)
    moved = 0
    for slot in range(first, end):
        if old[slot, 2] == U(0) or I64(old[slot, 2]) - I64(1) < dead:
            continue
        at = (old[slot, 1] ^ old[slot, 0]) & mask
        while table[at, 2] != U(0):
            at = (at + U(1)) & mask
        table[at, 0] = old[slot, 0]
        table[at, 1] = old[slot, 1]
        table[at, 2] = old[slot, 2]
        moved += 1
    return moved
