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
SHARED = 3


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
        answer: (n,) uint8, written: FOUND, SHARED (the first window that contains it, and more may), UNKNOWN or
            NOT_VALID_AT; FOUND for rows that are no candidates.
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
        known = False
        while True:
            b = slot_lo[slot]
            a = slot_hi[slot]
            if a == hi and b == lo:
                known = True
                break
            if a == U(0) and b == U(0):
                break
            slot = (slot + U(1)) & mask
        if not known:
            answer[i] = UNKNOWN
            continue
        entry = np.int64(slot_entry[slot])
        found = FOUND
        if entry < 0:
            entry = ~entry
            found = SHARED
        answer[i] = NOT_VALID_AT
        at = instant[i]
        for w in range(window_ptr[entry], window_ptr[entry + 1]):
            if window_start[w] <= at and at < window_end[w]:
                subscription[i] = window_subscription[w]
                access_point[i] = window_access_point[w]
                answer[i] = found
                break


@njit(cache=True, nogil=True)
def fan_out(
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
    rows: Any,
    row: Any,
    branch: Any,
    subscription: Any,
    access_point: Any,
) -> int:
    """List every window that contains the instant of each row, in the order of rows, then of windows.

    Args:
        slot_hi .. instant: as for `attribute`.
        rows: (m,) int64 rows that `attribute` found.
        row: (k,) int64; branch: (k,) uint8; subscription, access_point: (k,) int32, written while there is room.

    Returns:
        How many there are; what lies beyond k was only counted.
    """
    mask = U(len(slot_hi) - 1)
    count = 0
    for j in range(len(rows)):
        i = rows[j]
        slot = access_lo[i] & mask
        while not (slot_hi[slot] == access_hi[i] and slot_lo[slot] == access_lo[i]):
            if slot_hi[slot] == U(0) and slot_lo[slot] == U(0):
                break
            slot = (slot + U(1)) & mask
        if slot_hi[slot] == U(0) and slot_lo[slot] == U(0):
            continue
        entry = np.int64(slot_entry[slot])
        if entry < 0:
            entry = ~entry
        at = instant[i]
        branches = 0
        for w in range(window_ptr[entry], window_ptr[entry + 1]):
            if window_start[w] <= at and at < window_end[w]:
                if count < len(row):
                    row[count] = i
                    branch[count] = branches
                    subscription[count] = window_subscription[w]
                    access_point[count] = window_access_point[w]
                count += 1
                branches += 1
    return count
