"""Which levels values cross upwards: from < level <= to. Vectorised; twin: `tests/support/notify_twin.py`."""

from __future__ import annotations

import numpy as np

from rating.image_levels import Levels
from schemas.arrays import BoolArray, Int32Array, Int64Array, UInt64Array

INT64_MAX = 2**63 - 1


def crossed(levels: Levels, of: Int32Array, before: Int64Array, after: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Return (row, index of the level), each (k,), of all crossings, row by row, a row's in the order of its levels.

    Args:
        of: (n,) int32, whose levels each row may cross. before, after: (n,) int64, saturated; what falls crosses nothing.
    """
    first = levels.ptr[of]
    count = levels.ptr[of + 1] - first
    row = np.repeat(np.arange(len(of)), count)
    ends = np.cumsum(count)
    at = np.arange(len(row)) + np.repeat(first - ends + count, count)
    level = levels.level[at]
    hit = (before[row] < level) & (level <= after[row])
    return row[hit], at[hit]


def plus(hi: Int64Array, lo: UInt64Array, more: Int64Array) -> tuple[Int64Array, UInt64Array]:
    """Return (hi, lo) of 128-bit values plus int64 numbers; the sums fit."""
    low = lo + more.view(np.uint64)
    return hi + (more >> 63) + (low < lo), low


def saturated(hi: Int64Array, lo: UInt64Array) -> Int64Array:
    """Return 128-bit values as int64, those beyond 63 bits as the nearest of -INT64_MAX .. INT64_MAX."""
    low = lo.view(np.int64)
    fits: BoolArray = hi == low >> 63
    return np.where(fits, np.maximum(low, -INT64_MAX), np.where(hi < 0, -INT64_MAX, INT64_MAX))
