"""Destinations: the row of the longest prefix that has a price in force, from the digits of a usage.

The numbering space is cut at the ends of all prefixes. A cut knows the longest prefix over it, that one the next shorter one,
and so on; each has its rows by time. A table of equal buckets says which cuts are worth a look.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from rating.kernels.compiled import kernel
from rating.kernels.layout import CUT_PREFIX, CUT_ROW, CUT_START, ROOT_PTR, ROOT_SHIFT

I64 = np.int64
DIGITS_BITS = 63
"""Packed digits are below 11**18 < 2**63."""


@njit(inline="always")
def bucket_of(digits: Any, tables: Any, table: Any) -> Any:
    """Return the bucket of `layout.Tariff.root` in which digits (int64, >= 0) lie."""
    return tables[table, ROOT_PTR] + (digits >> tables[table, ROOT_SHIFT])


@njit(inline="always")
def find_destination(
    digits: Any,
    at: Any,
    tables: Any,
    table: Any,
    root: Any,
    cut: Any,
    prefix_parent: Any,
    prefix_row: Any,
    row_start: Any,
    row_end: Any,
) -> Any:
    """Return the row that prices digits at an instant, -1 when there is none. Twin: `rating.reference_tables`.

    Args:
        digits: int64, `schemas.values.pack_digits`, or absent. at: int64 microseconds UTC.
        tables: `layout.Tariff.table`. table: int64, which of them. root .. row_end: of `layout.Tariff`.
    """
    found = I64(-1)
    if digits >= 0:
        bucket = bucket_of(digits, tables, table)
        low, high = I64(root[bucket]), I64(root[bucket + 1])
        while low < high:
            middle = (low + high + I64(1)) >> I64(1)
            if cut[middle, CUT_START] <= digits:
                low = middle
            else:
                high = middle - I64(1)
        found = cut[low, CUT_ROW]  # most prefixes have one price at all times
        prefix = cut[low, CUT_PREFIX] if found < 0 else I64(-1)
        while prefix >= 0 and found < 0:
            for row in range(I64(prefix_row[prefix]), I64(prefix_row[prefix + 1])):
                if row_start[row] <= at and at < row_end[row]:
                    found = I64(row)
                    break
            prefix = I64(prefix_parent[prefix])
    return found


@kernel
def begin_prefixes(number: Any, length: Any, base: Any, digits: Any, begin: Any) -> None:
    """Write where the range of each prefix begins. Twin: `schemas.values.prefix_range`.

    Args:
        number: (p,) int64 a prefix read as a number. length: (p,) int64 how many digits it has, at most `digits`.
        base, digits: int64, of packed digits.
        begin: (p,) int64, written.
    """
    for place in range(len(number)):
        rest = number[place]
        worth = I64(1)
        for _ in range(digits - length[place]):
            worth *= base
        packed = I64(0)
        for _ in range(length[place]):
            packed += (rest % I64(10) + I64(1)) * worth
            rest //= I64(10)
            worth *= base
        begin[place] = packed


@kernel
def nest(start: Any, end: Any, parent: Any, cut_start: Any, cut_prefix: Any) -> Any:
    """Cut the numbering space at the ends of nested prefixes, and return how many cuts there are.

    Args:
        start, end: (p,) int64 ranges of the prefixes, ascending by start, longer ranges first.
        parent: (p,) int32, written: the next shorter prefix over it, -1.
        cut_start: (2p + 1,) int64, cut_prefix: (2p + 1,) int32, written: where each cut begins and its longest prefix, -1.
    """
    cuts = 1
    cut_start[0] = 0
    cut_prefix[0] = -1
    top = -1
    for prefix in range(len(start) + 1):
        begin = start[prefix] if prefix < len(start) else I64(2**63 - 1)
        while top >= 0 and end[top] <= begin:
            border = end[top]
            top = parent[top]
            if cut_start[cuts - 1] != border:
                cut_start[cuts] = border
                cuts += 1
            cut_prefix[cuts - 1] = top
        if prefix == len(start):
            break
        parent[prefix] = top
        top = prefix
        if cut_start[cuts - 1] != begin:
            cut_start[cuts] = begin
            cuts += 1
        cut_prefix[cuts - 1] = prefix
    return cuts


@kernel
def fill_root(cut_start: Any, shift: Any, root: Any) -> None:
    """Write which cut is in force where each bucket of 2**shift numbers starts; the last bucket ends the table.

    Args:
        cut_start: (c,) int64 ascending, the first 0. root: (buckets + 1,) int32, written.
    """
    cut = 0
    for bucket in range(len(root)):
        while cut + 1 < len(cut_start) and cut_start[cut + 1] <= bucket << shift:
            cut += 1
        root[bucket] = cut
