"""Attribution: which subscription an access point belongs to at an instant."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from rating.kernels.hashing import prefetch

U = np.uint64
BATCH = 32
"""Rows whose slots, then whose windows, are asked of memory together."""
SHARED_BIT = U(32)
COUNT = U(0xFFFFFFFF)
SLOT_BYTES = 32
WINDOW_BYTES = 32
FOUND = 0
UNKNOWN = 1
NOT_VALID_AT = 2
SHARED = 3


@njit(cache=True, nogil=True)
def _slot_of(slots: Any, hi: Any, lo: Any) -> Any:
    """Return the slot of an identifier, or -1."""
    mask = U(len(slots) - 1)
    slot = lo & mask
    while True:
        a = slots[slot, 0]
        b = slots[slot, 1]
        if a == hi and b == lo:
            return np.int64(slot)
        if a == U(0) and b == U(0):
            return -1
        slot = (slot + U(1)) & mask


@njit(cache=True, nogil=True)
def attribute(
    slots: Any,
    windows: Any,
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
        slots, windows: `rating.tariff_image.AccessIndex`.
        access_hi, access_lo: (n,) uint64; instant: (n,) int64 microseconds; candidate: (n,) bool.
        subscription, access_point: (n,) int32, written (-1 where not found).
        answer: (n,) uint8, written: FOUND, SHARED (the first window that contains it, and more may), UNKNOWN or
            NOT_VALID_AT; FOUND for rows that are no candidates.
    """
    n = len(access_hi)
    mask = U(len(slots) - 1)
    slot_base = slots.ctypes.data
    window_base = windows.ctypes.data
    rows = np.empty(BATCH, np.int64)
    found = np.empty(BATCH, np.int64)
    begin = 0
    while begin < n:
        count = 0
        while begin < n and count < BATCH:
            subscription[begin] = -1
            access_point[begin] = -1
            answer[begin] = FOUND
            if candidate[begin]:
                prefetch(slot_base + np.int64(access_lo[begin] & mask) * SLOT_BYTES)
                rows[count] = begin
                count += 1
            begin += 1
        for k in range(count):
            slot = _slot_of(slots, access_hi[rows[k]], access_lo[rows[k]])
            found[k] = slot
            if slot >= 0:
                prefetch(window_base + np.int64(slots[slot, 2]) * WINDOW_BYTES)
        for k in range(count):
            i = rows[k]
            slot = found[k]
            if slot < 0:
                answer[i] = UNKNOWN
                continue
            answer[i] = NOT_VALID_AT
            at = instant[i]
            first = np.int64(slots[slot, 2])
            for w in range(first, first + np.int64(slots[slot, 3] & COUNT)):
                if windows[w, 0] <= at and at < windows[w, 1]:
                    subscription[i] = windows[w, 2]
                    access_point[i] = windows[w, 3]
                    answer[i] = SHARED if slots[slot, 3] >> SHARED_BIT != U(0) else FOUND
                    break


@njit(cache=True, nogil=True)
def fan_out(
    slots: Any,
    windows: Any,
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
        slots, windows, access_hi, access_lo, instant: as for `attribute`.
        rows: (m,) int64 rows that `attribute` found.
        row: (k,) int64; branch: (k,) uint8; subscription, access_point: (k,) int32, written while there is room.

    Returns:
        How many there are; what lies beyond k was only counted.
    """
    count = 0
    for j in range(len(rows)):
        i = rows[j]
        slot = _slot_of(slots, access_hi[i], access_lo[i])
        if slot < 0:
            continue
        at = instant[i]
        branches = 0
        first = np.int64(slots[slot, 2])
        for w in range(first, first + np.int64(slots[slot, 3] & COUNT)):
            if windows[w, 0] <= at and at < windows[w, 1]:
                if count < len(row):
                    row[count] = i
                    branch[count] = branches
                    subscription[count] = windows[w, 2]
                    access_point[count] = windows[w, 3]
                count += 1
                branches += 1
    return count
