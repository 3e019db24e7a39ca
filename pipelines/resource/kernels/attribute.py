"""Attribution: which subscription an access point belongs to at an instant."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from rating.kernels.hashing import prefetch

U = np.uint64
AHEAD = 24
FOUND = 0
UNKNOWN = 1
NOT_VALID_AT = 2


@njit(cache=True, nogil=True)
def attribute(
    slot_hi: Any,
    slot_lo: Any,
    slot_entry: Any,
    window_ptr: Any,
    window_start: Any,
    window_end: Any,
    window_subscription: Any,
    window_access_point: Any,
    access_hi: Any,
    access_lo: Any,
    instant: Any,
    candidate: Any,
    subscription: Any,
    access_point: Any,
    answer: Any,
) -> None:
    """Find the window [start, end) of each candidate row's access point that contains its instant.

    Args:
        slot_hi .. window_access_point: `rating.tariff_image.AccessIndex`.
        access_hi, access_lo: (n,) uint64; instant: (n,) int64 microseconds; candidate: (n,) bool.
        subscription, access_point: (n,) int32, written (-1 where not found).
        answer: (n,) uint8, written: FOUND, UNKNOWN or NOT_VALID_AT (FOUND for rows that are no candidates).
    """
    n = len(access_hi)
    mask = U(len(slot_hi) - 1)
    base_lo = slot_lo.ctypes.data
    base_hi = slot_hi.ctypes.data
    base_entry = slot_entry.ctypes.data
    for i in range(n):
        if i + AHEAD < n:
            ahead = np.int64(access_lo[i + AHEAD] & mask)
            prefetch(base_lo + ahead * 8)
            prefetch(base_hi + ahead * 8)
            prefetch(base_entry + ahead * 4)
        subscription[i] = -1
        access_point[i] = -1
        answer[i] = FOUND
        if not candidate[i]:
            continue
        hi = access_hi[i]
        lo = access_lo[i]
        slot = lo & mask
        entry = -1
        while True:
            b = slot_lo[slot]
            a = slot_hi[slot]
            if a == hi and b == lo:
                entry = np.int64(slot_entry[slot])
                break
            if a == U(0) and b == U(0):
                break
            slot = (slot + U(1)) & mask
        if entry < 0:
            answer[i] = UNKNOWN
            continue
        answer[i] = NOT_VALID_AT
        at = instant[i]
        for w in range(window_ptr[entry], window_ptr[entry + 1]):
            if window_start[w] <= at and at < window_end[w]:
                subscription[i] = window_subscription[w]
                access_point[i] = window_access_point[w]
                answer[i] = FOUND
                break
