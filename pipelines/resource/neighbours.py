"""Identities near midnight: records of one usage whose event times lie on two days are known to each other.

Every day has keys of its own. A record near a midnight is decided on the other side of it where its key is held there, or where
an earlier record of its block stands there. All others stay on their day: this runs for sources that ask for it only.
"""

from __future__ import annotations

import numpy as np

from pipelines.resource.dedup import DAY_US, DedupWindow
from pipelines.resource.kernels import dedup as kernels
from schemas.arrays import BoolArray, Int64Array, UInt64Array


def dated(
    window: DedupWindow,
    key_hi: UInt64Array,
    key_lo: UInt64Array,
    event_at: Int64Array,
    candidate: BoolArray,
    tolerance_us: int,
) -> Int64Array:
    """Return (n,) instants on the day on which each record's key is, or is going to be, held.

    Args:
        window: looked at, not changed, but for days that wake.
        key_hi, key_lo: (n,) identities. event_at: (n,) microseconds UTC. candidate: (n,) rows that count.
        tolerance_us: at most half a day; how far from midnight both records may be.
    """
    found = event_at.copy()
    day, off = event_at // DAY_US, event_at % DAY_US
    late = off >= DAY_US - tolerance_us
    near = np.flatnonzero(candidate & (late | (off < tolerance_us)))
    if not len(near):
        return found
    other = day[near] + np.where(late[near], 1, -1)
    held = _held(window, key_hi, key_lo, near, day[near])
    beyond = ~held & _held(window, key_hi, key_lo, near, other)
    found[near[beyond]] = other[beyond] * DAY_US
    fresh = ~held & ~beyond
    rows, midnight = near[fresh], np.maximum(day[near], other)[fresh]
    if len(rows):
        order = np.lexsort((rows, midnight, key_lo[rows], key_hi[rows]))
        rows, midnight = rows[order], midnight[order]
        columns = (key_hi[rows], key_lo[rows], midnight)
        begins = np.ones(len(rows), np.bool_)
        begins[1:] = np.any([column[1:] != column[:-1] for column in columns], axis=0)
        leader = rows[begins][np.cumsum(begins) - 1]
        found[rows] = np.where(day[leader] == day[rows], event_at[rows], day[leader] * DAY_US)
    return found


def _held(
    window: DedupWindow, key_hi: UInt64Array, key_lo: UInt64Array, rows: Int64Array, day: Int64Array
) -> BoolArray:
    """Return (k,) whether the key of each row is held on a day."""
    held = np.zeros(len(rows), np.bool_)
    n = len(key_hi)
    content, verdict = np.ones(n, np.uint64), np.zeros(n, np.uint8)
    for number in np.unique(day).tolist():
        bucket = window.buckets.get(number)
        if number < window.first_day or bucket is None or not bucket.count:
            continue
        of_day = day == number
        asked = rows[of_day]
        bucket.log.decide(asked, key_hi, key_lo, content, np.zeros(n, np.bool_), verdict, np.full(n, -1, np.int64))
        held[of_day] = np.isin(verdict[asked], (kernels.DUPLICATE, kernels.CONFLICT))
    return held
