"""Matrices: the row of a price matrix that a usage finds.

Rows that ask for the same columns, and in each of them for texts or for ranges that do not overlap, are a group: in it a
usage has one key, hence one row. Groups are tried by the best rank of their rows; the best row of all of them is the one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import config, njit

from rating.kernels.compiled import kernel
from rating.kernels.layout import (
    ATTRIBUTE_SLOTS,
    GROUP_COUNT,
    GROUP_PTR,
    GROUP_RANGES,
    GROUP_RANK,
    RANGE_ANY,
    RANGE_CODE,
    SLOT_MASK,
    SLOT_PTR,
    SOURCE_AT,
    SOURCE_COUNT,
    SOURCE_PTR,
)

I64 = np.int64
U = np.uint64
WORST = 2**62
_FACTOR = 0x9E3779B97F4A7C15
_M64 = 0xFFFFFFFFFFFFFFFF


if config.DISABLE_JIT:  # numpy would warn of what machine code does on purpose

    def _mix(digest: Any, part: Any) -> Any:
        """Return the hash of a key with one more part, >= 0."""
        product = ((int(digest) ^ int(part)) * _FACTOR) & _M64
        return U(product ^ (product >> 29))

else:

    @njit(inline="always")
    def _mix(digest: Any, part: Any) -> Any:
        """Return the hash of a key with one more part, >= 0."""
        product = (digest ^ U(part)) * U(_FACTOR)
        return product ^ (product >> U(29))


@njit(inline="always")
def find_in_matrix(
    row: Any,
    at: Any,
    attributes: Any,
    values: Any,
    tables: Any,
    table: Any,
    source: Any,
    group: Any,
    slot_row: Any,
    row_key: Any,
    row_rank: Any,
    range_low: Any,
    range_high: Any,
    said: Any,
    key: Any,
) -> Any:
    """Return the row that prices a usage, -1 when there is none. Twin: `rating.reference_tables`.

    Args:
        row: int64, the usage's row of `attributes` and `values`. at: int64 microseconds UTC.
        attributes: (n, ATTRIBUTE_SLOTS) int32. values: (n, VALUE_SLOTS) int64, or (0, VALUE_SLOTS).
        tables: `layout.Tariff.table`. table: int64, which of them. source .. range_high: of `layout.Tariff`.
        said: (KEY_COLUMNS,) int64, key: (KEY_COLUMNS,) int32: room to work in.
    """
    dimensions = tables[table, SOURCE_COUNT]
    for place in range(dimensions):
        column = I64(source[tables[table, SOURCE_PTR] + place])
        if column == SOURCE_AT:
            said[place] = at
        elif column < ATTRIBUTE_SLOTS:
            said[place] = attributes[row, column]
        elif values.shape[0] > 0:
            said[place] = values[row, column - ATTRIBUTE_SLOTS]
        else:
            said[place] = -I64(2**63 - 1) - I64(1)
    best = I64(-1)
    rank = I64(WORST)
    for number in range(tables[table, GROUP_PTR], tables[table, GROUP_PTR] + tables[table, GROUP_COUNT]):
        if group[number, GROUP_RANK] >= rank:
            break
        digest = U(0)
        possible = True
        for place in range(dimensions):
            count = group[number, GROUP_RANGES + 2 * place + 1]
            part = I64(0)
            if count == RANGE_CODE:
                part = said[place]
                possible = part > 0
            elif count != RANGE_ANY:
                low = group[number, GROUP_RANGES + 2 * place]
                first, last = low, low + count - I64(1)
                while first < last:
                    middle = (first + last + I64(1)) >> I64(1)
                    if range_low[middle] <= said[place]:
                        first = middle
                    else:
                        last = middle - I64(1)
                part = first - low + I64(1)
                possible = range_low[first] <= said[place] and said[place] < range_high[first]
            if not possible:
                break
            key[place] = part
            digest = _mix(digest, part)
        if not possible:
            continue
        slot = I64(digest & U(group[number, SLOT_MASK]))
        while True:
            found = I64(slot_row[group[number, SLOT_PTR] + slot])
            if found < 0:
                break
            same = True
            for place in range(dimensions):
                same = same and row_key[found, place] == key[place]
            if same:
                if row_rank[found] < rank:
                    rank = I64(row_rank[found])
                    best = found
                break
            slot = (slot + I64(1)) & group[number, SLOT_MASK]
    return best


@kernel
def fill_slots(rows: Any, row_key: Any, row_rank: Any, slot_row: Any) -> None:
    """Put the rows of one group into its open-addressing table; of rows with one key the best rank stays.

    Args:
        rows: (r,) int64 rows of row_key (.., KEY_COLUMNS) int32, 0 from the last column on, and row_rank int32.
        slot_row: (a power of two above r,) int32, -1 all over; written.
    """
    mask = I64(len(slot_row) - 1)
    for i in range(len(rows)):
        row = rows[i]
        digest = U(0)
        for place in range(row_key.shape[1]):
            if row_key[row, place] < 0:
                break
            digest = _mix(digest, row_key[row, place])
        slot = I64(digest & U(mask))
        while slot_row[slot] >= 0:
            known = slot_row[slot]
            same = True
            for place in range(row_key.shape[1]):
                same = same and row_key[known, place] == row_key[row, place]
            if same:
                break
            slot = (slot + I64(1)) & mask
        if slot_row[slot] < 0 or row_rank[row] < row_rank[slot_row[slot]]:
            slot_row[slot] = row


@kernel
def first_overlap(low: Any, high: Any, rank: Any, sweep: Any) -> Any:
    """Return two rows of one rank that some usage would find both, (-1, -1) when there are none.

    Args:
        low, high: (r, d) int64, what each row asks for, half-open; ascending by rank, then by low of `sweep`.
        rank: (r,) int64. sweep: int64, the column along which rows are compared.
    """
    for one in range(len(rank)):
        for other in range(one + 1, len(rank)):
            if rank[other] != rank[one] or low[other, sweep] >= high[one, sweep]:
                break
            both = True
            for place in range(low.shape[1]):
                if low[other, place] >= high[one, place] or low[one, place] >= high[other, place]:
                    both = False
                    break
            if both:
                return one, other
    return -1, -1
