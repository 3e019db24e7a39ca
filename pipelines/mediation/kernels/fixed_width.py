"""Records whose fields stand at fixed places, one a line or one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.mediation.kernels.reasons import FIELD_COUNT, INVALID_ENCODING
from pipelines.mediation.kernels.vectors import equal, highest, lowest, without_lowest
from pipelines.mediation.kernels.words import first, matches, repeat
from rating.kernels.hashing import load64

U = np.uint64
BLANK = 32
CARRIAGE_RETURN = 13
NEWLINE = 10
TILE = 256
"""Records that are placed field by field: they stay in a core's cache."""
LINE_EMPTY = 0
LINE_RETURN = 1
LINE_FILLED = 2
"""What a line holds so far: nothing, one carriage return, anything else."""


@njit(cache=True, nogil=True)
def split_lines(
    buffer: Any,
    size: Any,
    bytes_min: Any,
    bytes_max: Any,
    raw_start: Any,
    raw_end: Any,
    reason: Any,
) -> Any:
    """Split complete lines; blank lines are no records; CR before LF belongs to the line end.

    Args:
        buffer: (b,) uint8, at least `size` + 64 bytes.
        size: bytes to read; what follows the last newline is left for the next block.
        bytes_min, bytes_max: lengths that a record may have.
        raw_start, raw_end: (m,) int64 the record without its line end, written.
        reason: (m > 0,) uint16, written: 0 or FIELD_COUNT.

    Returns:
        (rows, consumed): at most m rows; `consumed` is the offset after the last record taken.
    """
    base = buffer.ctypes.data
    rows_max = len(reason)
    row = 0
    record = 0
    for at in range(0, size, 64):
        mask = equal(base + at, NEWLINE)
        if at + 64 > size:
            mask &= (U(1) << U(size - at)) - U(1)
        while mask != U(0):
            here = at + lowest(mask)
            mask = without_lowest(mask)
            stop = here
            if stop > record and buffer[stop - 1] == CARRIAGE_RETURN:
                stop -= 1
            if stop > record:
                raw_start[row] = record
                raw_end[row] = stop
                reason[row] = 0 if bytes_min <= stop - record <= bytes_max else FIELD_COUNT
                row += 1
            record = here + 1
            if row == rows_max:
                return row, record
    return row, record


@njit(cache=True, nogil=True)
def split_lengths(
    buffer: Any, size: Any, final: Any, record_bytes: Any, raw_start: Any, raw_end: Any, reason: Any
) -> Any:
    """Split records of `record_bytes` that follow each other; a shorter rest at the end of the file is FIELD_COUNT.

    Args:
        buffer, size, raw_start, raw_end, reason: as for `split_lines`.
        final: nothing follows the buffer.

    Returns:
        (rows, consumed), as `split_lines`.
    """
    row = 0
    record = 0
    while row < len(reason) and record + record_bytes <= size:
        raw_start[row] = record
        record += record_bytes
        raw_end[row] = record
        reason[row] = 0
        row += 1
    if final and row < len(reason) and record < size:
        raw_start[row] = record
        raw_end[row] = size
        reason[row] = FIELD_COUNT
        row += 1
        record = size
    return row, record


@njit(cache=True, nogil=True)
def _trim(address: Any, width: Any, trim_left: Any, trim_right: Any) -> Any:
    """Return (start, end) of a field's text within it; where it is blank they are equal."""
    start: Any = np.int64(0)
    stop: Any = np.int64(width)
    while trim_right and stop > 0:
        begin = max(stop - 64, 0)
        filled = ~equal(address + begin, BLANK)
        if stop - begin < 64:
            filled &= (U(1) << U(stop - begin)) - U(1)
        stop = begin + highest(filled) + 1
        if filled != U(0):
            break
    while trim_left and start < stop:
        filled = ~equal(address + start, BLANK)
        if filled != U(0):
            start = min(start + lowest(filled), stop)
            break
        start = min(start + 64, stop)
    return start, stop


@njit(cache=True, nogil=True)
def place_fields(
    buffer: Any,
    offset: Any,
    width: Any,
    trim_left: Any,
    trim_right: Any,
    check_edges: Any,
    raw_start: Any,
    raw_end: Any,
    start: Any,
    end: Any,
    reason: Any,
) -> None:
    """Say where the fields of each record are, without the blanks that are trimmed.

    Args:
        buffer: (b,) uint8, 64 bytes after the last record readable.
        offset, width: (f,) int64 of each mapped field within the record; records without a reason hold all of them.
        trim_left, trim_right, check_edges: bool; check: refuse a record (INVALID_ENCODING) in which a field begins or
            ends inside a character of UTF-8.
        raw_start, raw_end: (n,) int64.
        start, end: (f, m >= n) int32, written; zero for a refused record.
        reason: (n,) uint16, changed.
    """
    base = buffer.ctypes.data
    for first_row in range(0, len(reason), TILE):
        after = min(first_row + TILE, len(reason))
        if check_edges:
            for i in range(first_row, after):
                for slot in range(len(offset)):
                    at = raw_start[i] + offset[slot]
                    stop = at + width[slot]
                    if reason[i] == 0 and (
                        buffer[at] & 0xC0 == 0x80 or (stop < raw_end[i] and buffer[stop] & 0xC0 == 0x80)
                    ):
                        reason[i] = INVALID_ENCODING
        for slot in range(len(offset)):
            size = width[slot]
            inside = (U(1) << U(size)) - U(1) if size < 64 else ~U(0)
            for i in range(first_row, after):
                if reason[i] != 0:
                    start[slot, i] = 0
                    end[slot, i] = 0
                    continue
                at = raw_start[i] + offset[slot]
                if size > 64:
                    left, right = _trim(base + at, size, trim_left, trim_right)
                else:
                    filled = ~equal(base + at, BLANK) & inside
                    right = highest(filled) + 1 if trim_right else size
                    left = min(lowest(filled), right) if trim_left else 0
                start[slot, i] = at + left
                end[slot, i] = at + right


@njit(cache=True, nogil=True)
def count_lines(buffer: Any, size: Any, line: Any) -> Any:
    """Count the lines that `split_lines` would call records, piece by piece.

    Args:
        buffer: (b,) uint8, at least `size` + 8 bytes.
        size: bytes to look at.
        line: what the line in which the piece begins holds before it: LINE_EMPTY, LINE_RETURN or LINE_FILLED.

    Returns:
        (lines, line): how many ended in the piece, and what the line in which it ends holds.
    """
    base = buffer.ctypes.data
    newlines = repeat(NEWLINE)
    lines = 0
    begin = 0
    for at in range(0, size, 8):
        mask = matches(load64(base + at), newlines)
        if at + 8 > size:
            mask &= (U(1) << U(8 * (size - at))) - U(1)
        while mask != U(0):
            here = at + first(mask)
            mask &= mask - U(1)
            length = here - begin
            if line == LINE_EMPTY:
                lines += length > 1 or (length == 1 and buffer[begin] != CARRIAGE_RETURN)
            else:
                lines += line == LINE_FILLED or length > 0
            line = LINE_EMPTY
            begin = here + 1
    if begin < size:
        line = (
            LINE_RETURN
            if line == LINE_EMPTY and size - begin == 1 and buffer[begin] == CARRIAGE_RETURN
            else LINE_FILLED
        )
    return lines, line
