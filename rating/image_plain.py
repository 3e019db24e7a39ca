"""Plain versions of an image: those that `rating.kernels.plain` prices."""

from __future__ import annotations

import numpy as np

from rating.kernels import layout
from schemas.arrays import BoolArray, Int32Array, Int64Array

FEE_MAX = 2**62
TIERS_PLAIN = 8
"""All tiers are looked at: with more, walking to the one that counts is faster."""
NEVER = 2**63 - 1
COPIED = {
    layout.PLAIN_ID: layout.VERSION_ID,
    layout.PLAIN_FIRST: layout.FIRST,
    layout.PLAIN_NEXT: layout.NEXT,
    layout.PLAIN_FEE: layout.FEE_LO,
    layout.PLAIN_DIVISOR: layout.DIVISOR,
    layout.PLAIN_FACTOR: layout.FACTOR,
    layout.PLAIN_MODE: layout.MODE,
    layout.PLAIN_TIER_PTR: layout.TIER_PTR,
    layout.PLAIN_TIER_COUNT: layout.TIER_COUNT,
    layout.PLAIN_PRICE_PTR: layout.PRICE_PTR,
    layout.PLAIN_COUNTER: layout.COUNTER,
}


def plain_rows(
    start: Int64Array,
    end: Int64Array,
    version_row: Int64Array,
    counter_kind: Int32Array,
    counter_zone: Int32Array,
    rolls: Int64Array | None = None,
) -> Int64Array:
    """Return (versions, PLAIN_COLUMNS) the versions as `rating.kernels.plain` wants them.

    Args:
        start, end: (versions,) when each is in force. version_row .. counter_zone: of `layout.Tariff`; rows after those of the
            versions are terms of price tables. rolls: what rolls over, which is not plain.
    """
    rows = version_row[: len(start)]
    found = np.zeros((len(start), layout.PLAIN_COLUMNS), np.int64)
    for column, copied in COPIED.items():
        found[:, column] = rows[:, copied]
    plain = _is_plain(rows)
    if rolls is not None:
        plain &= (rows[:, layout.COUNTER] < 0) | (rolls[rows[:, layout.COUNTER], layout.ROLL_PERIODS] == 0)
    found[:, layout.PLAIN_START] = np.where(plain, start, NEVER)
    found[:, layout.PLAIN_END] = end
    counter = rows[:, layout.COUNTER]
    counting = counter >= 0
    found[counting, layout.PLAIN_CLOCK] = (
        counter_zone[counter[counting]].astype(np.int64) * 4 + counter_kind[counter[counting]]
    )
    return found


def _is_plain(rows: Int64Array) -> BoolArray:
    plain: BoolArray = (
        (rows[:, layout.SHAPE] <= layout.MODEL_GRADUATED)
        & (rows[:, layout.LOOKUP] == layout.LOOKUP_NONE)
        & (rows[:, layout.CALENDAR] < 0)
        & (rows[:, layout.PEAK] == 0)
        & (rows[:, layout.EXTRA] == 1)
        & (rows[:, layout.FEE_HI] == 0)
        & (rows[:, layout.FEE_LO] >= 0)
        & (rows[:, layout.FEE_LO] < FEE_MAX)
        & (rows[:, layout.TIER_COUNT] <= TIERS_PLAIN)
    )
    return plain


def cell_versions(
    cell_ptr: Int32Array,
    candidate_charge: Int32Array,
    candidate_attribute: Int32Array,
    candidate_condition: Int32Array,
    charge_ptr: Int32Array,
) -> Int32Array:
    """Return (cells,) the version of each cell's only charge, if that asks for nothing and has but one; else -1."""
    versions = np.full(len(cell_ptr) - 1, -1, np.int32)
    single = np.flatnonzero(np.diff(cell_ptr) == 1)
    candidate = cell_ptr[single]
    charge = candidate_charge[candidate]
    asks = (candidate_attribute[candidate] != 0).any(axis=1) | (candidate_condition[candidate] >= 0)
    simple = ~asks & (charge_ptr[charge + 1] - charge_ptr[charge] == 1)
    versions[single[simple]] = charge_ptr[charge[simple]]
    return versions
