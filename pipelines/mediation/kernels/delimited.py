"""Delimited text without quoting: one pass over 8-byte words."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.mediation.kernels.reasons import FIELD_COUNT
from pipelines.mediation.kernels.words import first, matches, repeat
from rating.kernels.hashing import load64

U = np.uint64
CARRIAGE_RETURN = 13
NEWLINE = 10


@njit(cache=True, nogil=True)
def split_plain(
    buffer: Any,
    size: Any,
    delimiter: Any,
    columns_min: Any,
    rest: Any,
    slots: Any,
    start: Any,
    end: Any,
    raw_start: Any,
    raw_end: Any,
    reason: Any,
) -> Any:
    """Split complete lines into fields; blank lines are no records; CR before LF belongs to the line end.

    Args:
        buffer: (b,) uint8, at least `size` + 8 bytes; quote characters in it are text.
        size: bytes to read; what follows the last newline is left for the next block.
        delimiter: one byte.
        columns_min: fewest columns of a record; those that it lacks are empty.
        rest: bool; delimiters after the last column are part of it.
        slots: (c,) int32: for each column the row of `start`/`end` it goes to, or -1.
        start, end: (f, m) int32 offsets of each mapped field, written; zero for a row refused here.
        raw_start, raw_end: (m,) int64 the record without its line end, written.
        reason: (m,) uint16, written: 0 or FIELD_COUNT.

    Returns:
        (rows, consumed): at most m rows; `consumed` is the offset after the last record taken.
    """
    base = buffer.ctypes.data
    columns = len(slots)
    last = columns - 1
    least = columns_min - 1
    fields = len(start)
    rows_max = len(reason)
    delimiters = repeat(delimiter)
    newlines = repeat(NEWLINE)
    row = 0
    column = 0
    record = 0
    field = 0
    if rows_max == 0:
        return 0, 0
    for at in range(0, size, 8):
        word = load64(base + at)
        ends = matches(word, newlines)
        mask = ends | matches(word, delimiters)
        if at + 8 > size:
            mask &= (U(1) << U(8 * (size - at))) - U(1)
        while mask != U(0):
            others = mask & (mask - U(1))
            here = at + first(mask)
            if (mask ^ others) & ends == U(0):
                if column < last or not rest:
                    if column < columns:
                        slot = slots[column]
                        if slot >= 0:
                            start[slot, row] = field
                            end[slot, row] = here
                    column += 1
                    field = here + 1
            else:
                stop = here
                if stop > record and buffer[stop - 1] == CARRIAGE_RETURN:
                    stop -= 1
                if stop > record:
                    if least <= column <= last:
                        reason[row] = 0
                        slot = slots[column]
                        if slot >= 0:
                            start[slot, row] = field
                            end[slot, row] = stop
                        for absent in range(column + 1, columns):
                            slot = slots[absent]
                            if slot >= 0:
                                start[slot, row] = 0
                                end[slot, row] = 0
                    else:
                        reason[row] = FIELD_COUNT
                        for slot in range(fields):
                            start[slot, row] = 0
                            end[slot, row] = 0
                    raw_start[row] = record
                    raw_end[row] = stop
                    row += 1
                record = here + 1
                field = record
                column = 0
                if row == rows_max:
                    return row, record
            mask = others
    return row, record
