"""Building blocks of a tariff image, and of vocabularies, that loop over strings' hashes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from rating.kernels.hashing import hash128

U = np.uint64


@njit(cache=True, nogil=True, error_model="numpy")
def hash_chained(data: Any, start: Any, end: Any, seed_hi: Any, seed_lo: Any, out_hi: Any, out_lo: Any) -> None:
    """Hash n byte ranges, each from its own 128-bit seed; (0, 0) is replaced by (0, 1).

    Args:
        data: (b,) uint8, with at least 16 readable bytes after the last range.
        start, end: (n,) int64 offsets into `data`.
        seed_hi, seed_lo: (n,) uint64.
        out_hi, out_lo: (n,) uint64, written.
    """
    base = data.ctypes.data
    for i in range(len(start)):
        hi, lo = hash128(base + start[i], end[i] - start[i], seed_hi[i], seed_lo[i])
        if hi == U(0) and lo == U(0):
            lo = U(1)
        out_hi[i] = hi
        out_lo[i] = lo


@njit(cache=True, nogil=True, error_model="numpy")
def fill_slots(key_hi: Any, key_lo: Any, first: Any, count: Any, slots: Any) -> Any:
    """Insert keys in order into an empty hash table; return the first key met twice, else -1.

    Args:
        key_hi, key_lo: (n,) uint64, never (0, 0); first, count: (n,) uint64, what is kept beside them.
        slots: (cap, 4) uint64 zeros, cap a power of two > n; written.
    """
    mask = U(len(slots) - 1)
    for i in range(len(key_hi)):
        slot = key_lo[i] & mask
        while slots[slot, 0] != U(0) or slots[slot, 1] != U(0):
            if slots[slot, 0] == key_hi[i] and slots[slot, 1] == key_lo[i]:
                return i
            slot = (slot + U(1)) & mask
        slots[slot, 0] = key_hi[i]
        slots[slot, 1] = key_lo[i]
        slots[slot, 2] = first[i]
        slots[slot, 3] = count[i]
    return -1


@njit(cache=True, nogil=True, error_model="numpy")
def match_hashes(known: Any, asked: Any, out: Any) -> Any:
    """Find for each hash of `asked` its place in `known`, -1 where there is none; return False when `known` has one twice.

    Args:
        known: (n,) uint64, n below 2**31. asked: (m,) uint64. out: (m,) int32, written; worthless after False.
    """
    capacity = 16
    while capacity < 2 * len(known):
        capacity *= 2
    mask = U(capacity - 1)
    slots = np.full(capacity, -1, np.int32)
    for i in range(len(known)):
        slot = known[i] & mask
        while slots[slot] >= 0:
            if known[slots[slot]] == known[i]:
                return False
            slot = (slot + U(1)) & mask
        slots[slot] = i
    for j in range(len(asked)):
        slot = asked[j] & mask
        while slots[slot] >= 0 and known[slots[slot]] != asked[j]:
            slot = (slot + U(1)) & mask
        out[j] = slots[slot]
    return True
