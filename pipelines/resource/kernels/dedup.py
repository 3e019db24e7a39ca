"""Exact deduplication: open-addressing tables of 128-bit keys, each with a 64-bit content hash.

A slot is (hi, lo) in `table[2 * slot]`, `table[2 * slot + 1]`; (0, 0) is empty; probing is linear from `lo & mask`.
`contents[slot]` is never 0 for a key that was accepted; 0 marks a *void* key, whose record was refused after all and may
come again. Tables are sized before a batch and never rehashed here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from rating.kernels.hashing import prefetch

U = np.uint64
AHEAD = 16  # rows between the prefetch of a slot and its use: about one memory latency

UNSEEN = 0
NEW = 1
DUPLICATE = 2
CONFLICT = 3
UNUSABLE = 4


@njit(cache=True, nogil=True)
def probe(table: Any, contents: Any, rows: Any, key_hi: Any, key_lo: Any, content: Any, verdict: Any) -> None:
    """Mark rows whose key is in a sealed segment.

    Args:
        table: (2 * cap,) uint64; contents: (cap,) uint64; cap a power of two.
        rows: (m,) int64 rows of the block that belong to this bucket.
        key_hi, key_lo, content: (n,) uint64 columns of the block.
        verdict: (n,) uint8; UNSEEN rows found here become DUPLICATE or CONFLICT.
    """
    mask = U(len(contents) - 1)
    base = table.ctypes.data
    m = len(rows)
    for j in range(m):
        if j + AHEAD < m:
            prefetch(base + np.int64((key_lo[rows[j + AHEAD]] & mask) << U(4)))
        i = rows[j]
        if verdict[i] != UNSEEN:
            continue
        hi = key_hi[i]
        lo = key_lo[i]
        slot = lo & mask
        while True:
            a = table[slot << U(1)]
            b = table[(slot << U(1)) | U(1)]
            if a == hi and b == lo:
                held = contents[slot]
                if held != U(0):
                    verdict[i] = DUPLICATE if held == content[i] else CONFLICT
                break
            if a == U(0) and b == U(0):
                break
            slot = (slot + U(1)) & mask


@njit(cache=True, nogil=True)
def insert(
    table: Any, contents: Any, rows: Any, key_hi: Any, key_lo: Any, content: Any, usable: Any, verdict: Any, place: Any
) -> int:
    """Decide the UNSEEN rows against the open segment and insert the new, usable ones.

    Args:
        table, contents, rows, key_hi, key_lo, content, verdict: as for `probe`; the caller guarantees room for m keys.
        usable: (n,) bool; a row that is not usable consumes no key and becomes UNUSABLE unless its key is known.
        place: (n,) int64; the slot of each NEW row, and of each row whose key is in this segment already.

    Returns:
        How many slots were newly occupied.
    """
    mask = U(len(contents) - 1)
    base = table.ctypes.data
    m = len(rows)
    occupied = 0
    for j in range(m):
        if j + AHEAD < m:
            prefetch(base + np.int64((key_lo[rows[j + AHEAD]] & mask) << U(4)))
        i = rows[j]
        if verdict[i] != UNSEEN:
            continue
        hi = key_hi[i]
        lo = key_lo[i]
        slot = lo & mask
        while True:
            a = table[slot << U(1)]
            b = table[(slot << U(1)) | U(1)]
            if a == hi and b == lo:
                held = contents[slot]
                if held != U(0):
                    verdict[i] = DUPLICATE if held == content[i] else CONFLICT
                    place[i] = np.int64(slot)
                elif usable[i]:
                    contents[slot] = content[i]
                    verdict[i] = NEW
                    place[i] = np.int64(slot)
                else:
                    verdict[i] = UNUSABLE
                break
            if a == U(0) and b == U(0):
                if usable[i]:
                    table[slot << U(1)] = hi
                    table[(slot << U(1)) | U(1)] = lo
                    contents[slot] = content[i]
                    verdict[i] = NEW
                    place[i] = np.int64(slot)
                    occupied += 1
                else:
                    verdict[i] = UNUSABLE
                break
            slot = (slot + U(1)) & mask
    return occupied


@njit(cache=True, nogil=True)
def bucket_rows(event_at: Any, candidate: Any, day_us: Any, first_day: Any, counts: Any, order: Any) -> None:
    """Group candidate rows by event day, keeping their order: a counting sort.

    Args:
        event_at: (n,) int64 microseconds; candidate: (n,) bool; day_us: microseconds per bucket.
        first_day: smallest day among the candidates.
        counts: (days + 1,) int64 zeros; on return counts[d] .. counts[d + 1] delimits day d in `order`.
        order: (k,) int64, written: rows by day.
    """
    n = len(event_at)
    for i in range(n):
        if candidate[i]:
            counts[event_at[i] // day_us - first_day + 1] += 1
    for d in range(1, len(counts)):
        counts[d] += counts[d - 1]
    cursor = counts.copy()
    for i in range(n):
        if candidate[i]:
            d = event_at[i] // day_us - first_day
            order[cursor[d]] = i
            cursor[d] += 1
