"""Delimited text without quoting: where delimiters and line ends are, 64 bytes at a time, then the fields row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.mediation.kernels.reasons import FIELD_COUNT
from pipelines.mediation.kernels.vectors import bits, equal, lowest, without_lowest

U = np.uint64
CARRIAGE_RETURN = 13
NEWLINE = 10
PIECE = 1 << 15
"""Bytes that are looked at before their fields are written: they and the marks in them stay in a core's cache."""
UNROLLED = 8
"""Marks that are written at a time, whether there are so many or not: a branch per mark would be guessed wrong."""


@njit(cache=True, nogil=True)
def find_marks(base: Any, begin: Any, stop: Any, delimiter: Any, marks: Any, lines: Any) -> Any:
    """Find the delimiters and newlines in [begin, stop).

    Args:
        base: address of a buffer, 64 bytes after `stop` readable; delimiter: one byte.
        marks: (>= stop - begin + 65,) int32: their offsets, written from index 1 on; index 0 holds `begin` - 1.
        lines: (>= stop - begin,) int32: which of the marks are newlines, written.

    Returns:
        How many newlines there are.
    """
    marks[0] = begin - 1
    count = 1
    ends = 0
    for at in range(begin, stop, 64):
        newlines = equal(base + at, NEWLINE)
        mask = newlines | equal(base + at, delimiter)
        if at + 64 > stop:
            inside = (U(1) << U(stop - at)) - U(1)
            mask &= inside
            newlines &= inside
        while newlines != U(0):
            lowest_one = newlines & (~newlines + U(1))
            lines[ends] = count + bits(mask & (lowest_one - U(1)))
            ends += 1
            newlines ^= lowest_one
        found = bits(mask)
        for written in range(0, found, UNROLLED):
            for i in range(UNROLLED):
                marks[count + written + i] = at + lowest(mask)
                mask = without_lowest(mask)
        count += found
    return ends


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
        buffer: (b,) uint8, at least `size` + 64 bytes; quote characters in it are text.
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
    mapped = np.flatnonzero(slots >= 0)
    rows_max = len(reason)
    piece = PIECE
    marks, lines = np.empty(piece + 65, np.int32), np.empty(piece, np.int32)
    row = 0
    record = 0
    while row < rows_max and record < size:
        stop = min(record + piece, size)
        ends = find_marks(base, record, stop, delimiter, marks, lines)
        if ends == 0:
            if stop == size:
                break
            piece *= 2  # a line longer than a piece
            marks, lines = np.empty(piece + 65, np.int32), np.empty(piece, np.int32)
            continue
        before = 0  # the mark before the record's first field
        for line in range(ends):
            last = lines[line]
            text_end = np.int64(marks[last])
            following = text_end + 1
            if text_end > record and buffer[text_end - 1] == CARRIAGE_RETURN:
                text_end -= 1
            if text_end > record:
                found = last - before
                if found == columns or (rest and found > columns):
                    reason[row] = 0
                    for place in mapped:
                        slot = slots[place]
                        start[slot, row] = marks[before + place] + 1
                        end[slot, row] = marks[before + place + 1]
                    if slots[columns - 1] >= 0:
                        end[slots[columns - 1], row] = text_end
                elif columns_min <= found < columns:
                    reason[row] = 0
                    for place in mapped:
                        slot = slots[place]
                        is_there = place < found
                        start[slot, row] = marks[before + place] + 1 if is_there else 0
                        end[slot, row] = marks[before + place + 1] if is_there else 0
                    if slots[found - 1] >= 0:
                        end[slots[found - 1], row] = text_end
                else:
                    reason[row] = FIELD_COUNT
                    for slot in range(len(start)):
                        start[slot, row] = 0
                        end[slot, row] = 0
                raw_start[row] = record
                raw_end[row] = text_end
                row += 1
            record = following
            before = last
            if row == rows_max:
                break
    return row, record
