"""Letting records whose EDRs were withdrawn come again: their keys leave the deduplication window."""

from __future__ import annotations

import numpy as np

from pipelines.resource.dedup import DAY_US, Bucket, DedupWindow
from pipelines.resource.key_log import KeyLog
from schemas.arrays import BoolArray, Int64Array, UInt64Array


def release_keys(window: DedupWindow, key_hi: UInt64Array, key_lo: UInt64Array, event_at: Int64Array) -> int:
    """Take keys out of the window; return how many it held.

    The log of a day only grows, so a day that loses keys gets another one: call it once with all keys that are to go.

    Args:
        key_hi, key_lo: (n,) identities. event_at: (n,) event times of the records, microseconds UTC.
    """
    days = event_at // DAY_US
    released = 0
    for day in np.unique(days).tolist():
        bucket = window.buckets.get(day)
        entries = list(bucket.log.entries()) if bucket is not None else []
        if not entries:
            continue
        held = np.concatenate(entries)
        gone = days == day
        found = _among(held[:, 0], held[:, 1], key_hi[gone], key_lo[gone])
        if found.any():
            window.buckets[day] = Bucket(KeyLog.from_entries(np.ascontiguousarray(held[~found])))
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
