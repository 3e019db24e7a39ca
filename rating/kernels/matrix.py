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
SAID, KEY, SEARCHED, FOUND = 0, 1, 2, 3
ROOM = 4
"""Rows of the room that a look-up works in."""
ROW_BITS = 0xFFFFFFFF
"""Of a slot: its row. Above them is half of the hash of the row's key; -1 where the slot is free."""
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
def _slot_of(digest: Any, row: Any) -> Any:
    """Return what a table of slots has for a row (>= 0): above it half of the hash of its key, to tell other keys apart."""
    return I64(((digest >> U(33)) << U(32)) | U(row))


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
    room: Any,
) -> Any:
    """Return the row that prices a usage, -1 when there is none. Twin: `rating.reference_tables`.

    Args:
        row: int64, the usage's row of `attributes` and `values`. at: int64 microseconds UTC.
        attributes: (n, ATTRIBUTE_SLOTS) int32. values: (n, VALUE_SLOTS) int64, or (0, VALUE_SLOTS).
        tables: `layout.Tariff.table`. table: int64, which of them. source .. range_high: of `layout.Tariff`.
        room: (4, KEY_COLUMNS) int64, room to work in: what the usage says in each column, the key that a group makes of it, and
            which ranges were searched last for it, with the place that was found in them.
    """
    dimensions = tables[table, SOURCE_COUNT]
    for place in range(dimensions):
        column = I64(source[U(tables[table, SOURCE_PTR] + place)])
        if column < ATTRIBUTE_SLOTS:
            said = I64(attributes[row, column])
        elif column == SOURCE_AT:
            said = I64(at)
        elif values.shape[0] > 0:
            said = I64(values[row, column - ATTRIBUTE_SLOTS])
        else:
            said = -I64(2**63 - 1) - I64(1)
        room[SAID, place] = said
        room[SEARCHED, place] = -1
    best = I64(-1)
    rank = I64(WORST)
    first_group = tables[table, GROUP_PTR]
    for number in range(U(first_group), U(first_group + tables[table, GROUP_COUNT])):
        if group[number, GROUP_RANK] >= rank:
            break
        digest = U(0)
        possible = True
        for place in range(U(dimensions)):
            count = group[number, U(GROUP_RANGES + 1) + U(2) * place]
            part = I64(0)
            if count == RANGE_CODE:
                part = room[SAID, place]
            elif count != RANGE_ANY:
                low = group[number, U(GROUP_RANGES) + U(2) * place]
                if room[SEARCHED, place] != low:
                    said = room[SAID, place]
                    first, rest = low, count
                    while rest > 1:  # without branches, which nobody could foretell
                        half = rest >> I64(1)
                        first += half if range_low[U(first + half)] <= said else I64(0)
                        rest -= half
                    inside = range_low[U(first)] <= said and said < range_high[U(first)]
                    room[SEARCHED, place] = low
                    room[FOUND, place] = first - low + I64(1) if inside else I64(0)
                part = room[FOUND, place]
            if part <= 0 and count != RANGE_ANY:
                possible = False
                break
            room[KEY, place] = part
            digest = _mix(digest, part)
        if not possible:
            continue
        first_slot, mask = group[number, SLOT_PTR], group[number, SLOT_MASK]
        slot = I64(digest & U(mask))
        while True:
            kept = slot_row[U(first_slot + slot)]
            if kept < 0:
                break
            found = I64(U(kept) & U(ROW_BITS))
            if kept == _slot_of(digest, found):
                same = True
                for place in range(U(dimensions)):
                    same = same and row_key[U(found), place] == room[KEY, place]
                if same:
                    if row_rank[U(found)] < rank:
                        rank = I64(row_rank[U(found)])
                        best = found
                    break
            slot = (slot + I64(1)) & mask
    return best


@kernel
def fill_slots(rows: Any, row_key: Any, row_rank: Any, slot_row: Any) -> None:
    """Put the rows of one group into its open-addressing table; of rows with one key the best rank stays.

    Args:
        rows: (r,) int64 rows of row_key (.., KEY_COLUMNS) int32, -1 behind the last column, and row_rank int32.
        slot_row: (a power of two above r,) int64, -1 all over; written: rows, with half of the hash of their keys above them.
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
        known = I64(-1)
        while slot_row[slot] >= 0:
            known = slot_row[slot] & I64(ROW_BITS)
            same = True
            for place in range(row_key.shape[1]):
                same = same and row_key[known, place] == row_key[row, place]
            if same:
                break
            slot = (slot + I64(1)) & mask
        if slot_row[slot] < 0 or row_rank[row] < row_rank[known]:
            slot_row[slot] = _slot_of(digest, row)


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
