"""JSON, one object per line: where the lines are, and what CloudEvents demand of an event."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.mediation.kernels.reasons import MALFORMED_RECORD
from pipelines.mediation.kernels.words import AHEAD, find, repeat
from rating.kernels.hashing import prefetch


@njit(cache=True, nogil=True)
def find_lines(text: Any, size: Any, raw_start: Any, raw_end: Any) -> Any:
    """Find complete lines; empty ones are no records.

    Args:
        text: (b,) uint8 with at least 16 readable bytes after `size`; size: bytes to read.
        raw_start, raw_end: (m,) int64 the line without its end, written.

    Returns:
        (rows, consumed): at most m rows; the offset after the last line taken.
    """
    base = text.ctypes.data
    newlines = repeat(10)
    rows_max = len(raw_start)
    row = 0
    at = np.int64(0)
    while row < rows_max:
        line_end = find(base, at, size, newlines)
        if line_end >= size:
            break
        stop = line_end
        if stop > at and text[stop - 1] == 13:
            stop -= 1
        if stop > at:
            raw_start[row] = at
            raw_end[row] = stop
            row += 1
        at = line_end + 1
    return row, at


@njit(cache=True, nogil=True)
def check_envelope(raw: Any, text: Any, start: Any, end: Any, version: Any, strings: Any, reason: Any) -> None:
    """Refuse events whose context attributes have no form that CloudEvents 1.0 allows (MALFORMED_RECORD).

    A required attribute that is there must be a string, and `specversion` must be "1.0".

    Args:
        raw: (b,) uint8 the block as received: a string has a quote before its first byte.
        text: (t,) uint8 unescaped; start, end: (f, m) int32.
        version: slot of `specversion`; strings: (k,) int32 slots of all required attributes.
        reason: (n,) uint16, changed where it was 0.
    """
    raw_base = raw.ctypes.data
    last = len(reason) - 1
    for i in range(len(reason)):
        for j in range(len(strings)):
            prefetch(raw_base + np.int64(start[strings[j], min(i + AHEAD, last)]))
        if reason[i] != 0:
            continue
        for j in range(len(strings)):
            at = start[strings[j], i]
            if end[strings[j], i] != at and raw[at - 1] != 34:
                reason[i] = MALFORMED_RECORD
        at = start[version, i]
        size = end[version, i] - at
        if size > 0 and (size != 3 or text[at] != 49 or text[at + 1] != 46 or text[at + 2] != 48):
            reason[i] = MALFORMED_RECORD
