"""Letting records whose EDRs were withdrawn come again: their keys leave the deduplication window."""

from __future__ import annotations

import numpy as np

from pipelines.resource.dedup import DAY_US, DedupWindow
from schemas.arrays import BoolArray, Int64Array, UInt64Array


def release_keys(window: DedupWindow, key_hi: UInt64Array, key_lo: UInt64Array, event_at: Int64Array) -> int:
    """Void keys that the window holds; return how many they were.

    Args:
        key_hi, key_lo: (n,) identities. event_at: (n,) event times of the records, microseconds UTC.
    """
    days = event_at // DAY_US
    released = 0
    for day in np.unique(days).tolist():
        gone = days == day
        bucket = window.buckets.get(day)
        for segment in bucket.segments if bucket is not None else ():
            held = segment.contents != 0
            found = np.zeros(len(held), np.bool_)
            found[held] = _among(segment.table[0::2][held], segment.table[1::2][held], key_hi[gone], key_lo[gone])
            segment.contents[found] = 0
            released += int(np.count_nonzero(found))
    return released


def _among(hi: UInt64Array, lo: UInt64Array, wanted_hi: UInt64Array, wanted_lo: UInt64Array) -> BoolArray:
    """Return (k,) whether each key (hi, lo) is one of the wanted ones."""
    found: BoolArray = np.isin(lo, wanted_lo)
    rows = np.flatnonzero(found)
    wanted = set(zip(wanted_hi.tolist(), wanted_lo.tolist(), strict=True))
    pairs = zip(hi[rows].tolist(), lo[rows].tolist(), strict=True)
    found[rows] = [pair in wanted for pair in pairs]
    return found
