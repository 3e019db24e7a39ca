"""Plain versions of an image: those that `rating.kernels.plain` prices."""

from __future__ import annotations

import numpy as np

from rating.kernels import layout
from rating.kernels.plain import inverse_of
from schemas.arrays import BoolArray, Int32Array, Int64Array, UInt8Array

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
    layout.PLAIN_CALENDAR: layout.CALENDAR,
    layout.PLAIN_BANDS: layout.BANDS,
}
OF_TABLE = {
    layout.PLAIN_TABLE: layout.TABLE,
    layout.PLAIN_VALUE_SLOT: layout.VALUE_SLOT,
    layout.PLAIN_VARIANT_PTR: layout.VARIANT_PTR,
    layout.PLAIN_ROW_PRICES: layout.ROW_PRICES,
}


def plain_rows(
    charge_ptr: Int32Array,
    start: Int64Array,
    end: Int64Array,
    version_row: Int64Array,
    table: Int64Array,
    counter_kind: Int32Array,
    counter_zone: Int32Array,
    rolls: Int64Array | None = None,
) -> Int64Array:
    """Return (rows, PLAIN_COLUMNS) what `rating.kernels.plain` wants of versions, and of the terms of price tables after them.

    Args:
        start, end: (versions,) when each is in force. charge_ptr, version_row .. counter_zone: of `layout.Tariff`. rolls: what
            rolls over, which is not plain.
    """
    versions = len(start)
    found = np.zeros((len(version_row), layout.PLAIN_COLUMNS), np.int64)
    for column, copied in COPIED.items():
        found[:, column] = version_row[:, copied]
    found[:, layout.PLAIN_INVERSE] = inverse_of(np.maximum(found[:, layout.PLAIN_DIVISOR], 1))
    rows, of = version_row[:versions], found[:versions]
    plain = _is_plain(version_row) & (version_row[:, layout.CONVERSION] == 0)
    looks_up = np.flatnonzero(rows[:, layout.LOOKUP] != layout.LOOKUP_NONE)
    if len(looks_up):
        # a version is as plain as the least plain of its table's terms, which lie one version's after another's
        plain[looks_up] &= np.logical_and.reduceat(np.append(plain, True), rows[looks_up, layout.VARIANT_PTR])
    plain = plain[:versions]
    counter = rows[:, layout.COUNTER]
    counting = counter >= 0
    if rolls is not None:
        plain &= ~counting | (rolls[counter, layout.ROLL_PERIODS] == 0)
    of[:, layout.PLAIN_START] = np.where(plain, start, NEVER)
    of[:, layout.PLAIN_END] = end
    of[:, layout.PLAIN_LATER] = np.repeat(charge_ptr[1:], np.diff(charge_ptr)) - 1 - np.arange(versions)
    of[counting, layout.PLAIN_CLOCK] = (
        counter_zone[counter[counting]].astype(np.int64) * 4 + counter_kind[counter[counting]]
    )
    of[:, layout.PLAIN_TABLE] = -1
    for column, copied in OF_TABLE.items():
        of[looks_up, column] = rows[looks_up, copied]
    of[rows[:, layout.LOOKUP] == layout.LOOKUP_MATRIX, layout.PLAIN_VALUE_SLOT] = layout.BY_MATRIX
    looked_up = table[rows[looks_up, layout.TABLE]]
    of[looks_up, layout.PLAIN_PRICE_PTR] -= looked_up[:, layout.FOUND_PTR] * rows[looks_up, layout.ROW_PRICES]
    of[looks_up, layout.PLAIN_ROW_PTR] = looked_up[:, layout.ROW_PTR] - looked_up[:, layout.FOUND_PTR]
    return found


def _is_plain(rows: Int64Array) -> BoolArray:
    plain: BoolArray = (
        (rows[:, layout.SHAPE] <= layout.MODEL_GRADUATED)
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
    cell_several: UInt8Array,
) -> Int32Array:
    """Return (cells,) the first version of each cell's only charge, if that asks for nothing; else -1.

    -1 also where usage of the cell may become several items.
    """
    versions = np.full(len(cell_ptr) - 1, -1, np.int32)
    single = np.flatnonzero(np.diff(cell_ptr) == 1)
    candidate = cell_ptr[single]
    charge = candidate_charge[candidate]
    asks = (candidate_attribute[candidate] != 0).any(axis=1) | (candidate_condition[candidate] >= 0)
    simple = ~asks & (charge_ptr[charge + 1] > charge_ptr[charge])
    versions[single[simple]] = charge_ptr[charge[simple]]
    versions[cell_several != 0] = -1
    return versions
