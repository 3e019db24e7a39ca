"""Tables of open addressing that move into wider ones a little at a time: which of their keys are where.

All tables here have a power of two of slots, at most half of them taken; (0, 0) is no key. A key's home is found with its event
day, which tables without one leave out: then `key_day` is empty.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

U = np.uint64
I64 = np.int64
GOLDEN = U(0x9E3779B97F4A7C15)


@njit(inline="always")
def home(lo: Any, day: Any, mask: Any) -> Any:
    """Return the slot at which the search for a key begins; of day 0, it is the key's lower half alone."""
    return (lo ^ (U(day) * GOLDEN)) & mask


@njit(inline="always")
def is_gone(gone: Any, slot: Any) -> Any:
    """Return whether a slot's bit is set."""
    return gone[I64(slot) >> 3] >> (I64(slot) & 7) & 1 != 0


@njit(inline="always")
def set_gone(gone: Any, slot: Any) -> None:
    """Set a slot's bit."""
    gone[I64(slot) >> 3] |= np.uint8(1 << (I64(slot) & 7))


@njit(cache=True, nogil=True)
def take_out(
    key_hi: Any, key_lo: Any, key_day: Any, gone: Any, border: Any, hi: Any, lo: Any, day: Any, slots: Any
) -> int:
    """Find the keys (k,) that are still in a table that moves, each once, and mark their slots as gone.

    Args:
        key_hi, key_lo: (cap,) uint64; key_day: (cap,) int32, or (0,). gone: (cap / 8,) uint8, a bit for each slot, written.
        border: slots before it have moved; the slot before it is empty. hi, lo: (k,) uint64; day: (k,) int32, or (0,).
        slots: (k,) int64, written: where they are.

    Returns:
        How many there are.
    """
    mask = U(len(key_hi) - 1)
    found = 0
    for i in range(len(hi)):
        if hi[i] == U(0) and lo[i] == U(0):
            continue
        its_day = day[i] if len(day) > 0 else np.int32(0)
        slot = home(lo[i], its_day, mask)
        # also one that began at the end of the table and went on at its front: what is there has moved
        while I64(slot) >= border and (key_hi[slot] != U(0) or key_lo[slot] != U(0)):
            if key_hi[slot] == hi[i] and key_lo[slot] == lo[i] and (len(key_day) == 0 or key_day[slot] == its_day):
                if not is_gone(gone, slot):
                    set_gone(gone, slot)
                    slots[found] = I64(slot)
                    found += 1
                break
            slot = (slot + U(1)) & mask
    return found


@njit(cache=True, nogil=True)
def next_border(key_hi: Any, key_lo: Any, least: Any) -> Any:
    """Return the first border not before `least`: the end of the table, or a slot behind one that was always empty."""
    at = I64(least)
    while 0 < at < len(key_hi) and (key_hi[at - 1] != U(0) or key_lo[at - 1] != U(0)):
        at += 1
    return at


@njit(cache=True, nogil=True)
def take_piece(key_hi: Any, key_lo: Any, gone: Any, start: Any, end: Any, slots: Any) -> int:
    """Find all keys from one border to another.

    Args:
        key_hi, key_lo, gone: as for `take_out`. slots: (end - start,) int64, written: where they are.

    Returns:
        How many there are.
    """
    found = 0
    for slot in range(start, end):
        if (key_hi[slot] != U(0) or key_lo[slot] != U(0)) and not is_gone(gone, slot):
            slots[found] = slot
            found += 1
    return found


@njit(cache=True, nogil=True)
def mark_gone(gone: Any, slots: Any) -> None:
    """Set the bits of slots (k,)."""
    for i in range(len(slots)):
        set_gone(gone, slots[i])


@njit(cache=True, nogil=True)
def put_in(key_hi: Any, key_lo: Any, key_day: Any, hi: Any, lo: Any, day: Any, slots: Any) -> None:
    """Put keys (k,), each once and none of which is there, into a table with room for them.

    Args:
        key_hi .. day: as for `take_out`. slots: (k,) int64, written: where they are.
    """
    mask = U(len(key_hi) - 1)
    for i in range(len(hi)):
        its_day = day[i] if len(day) > 0 else np.int32(0)
        slot = home(lo[i], its_day, mask)
        while key_hi[slot] != U(0) or key_lo[slot] != U(0):
            slot = (slot + U(1)) & mask
        key_hi[slot] = hi[i]
        key_lo[slot] = lo[i]
        if len(day) > 0:
            key_day[slot] = its_day
        slots[i] = I64(slot)
