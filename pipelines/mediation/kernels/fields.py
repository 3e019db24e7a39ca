"""Decisions on the text of single fields: empty, null, one of a set of values, needed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.mediation.kernels.reasons import FIELD_MISSING, FILTERED_BY_SOURCE, IDENTITY_MISSING
from pipelines.mediation.kernels.words import AHEAD
from rating.kernels.hashing import hash128, load64, prefetch

U = np.uint64
MEMO = 256
"""How many short texts a look-up remembers."""


@njit(cache=True, nogil=True)
def blank_nulls(text: Any, start: Any, end: Any, null: Any) -> None:
    """Make every field empty whose text is the source's null literal.

    Args:
        text: (b,) uint8; start: (n,) int32; end: (n,) int32, changed; null: (k,) uint8, k > 0.
    """
    size = len(null)
    for i in range(len(start)):
        at = start[i]
        if end[i] - at != size:
            continue
        same = True
        for j in range(size):
            if text[at + j] != null[j]:
                same = False
                break
        if same:
            end[i] = at


@njit(cache=True, nogil=True)
def _probe(address: Any, length: Any, table_hi: Any, table_lo: Any, table_value: Any, missing: Any) -> Any:
    hi, lo = hash128(address, length, U(0), U(0))
    if hi == U(0) and lo == U(0):
        lo = U(1)
    mask = U(len(table_value) - 1)
    place = lo & mask
    while table_hi[place] != U(0) or table_lo[place] != U(0):
        if table_hi[place] == hi and table_lo[place] == lo:
            return table_value[place]
        place = (place + U(1)) & mask
    return missing


@njit(cache=True, nogil=True)
def look_up(
    text: Any,
    start: Any,
    end: Any,
    table_hi: Any,
    table_lo: Any,
    table_value: Any,
    missing: Any,
    memo: Any,
    memo_answer: Any,
    out: Any,
) -> None:
    """Find the value of each field's text in an open-addressing table of text hashes.

    Texts of up to 16 bytes are remembered as they are: fields worth looking up have few values. No text holds a NUL, so
    sixteen bytes padded with NULs name one text, and all zeros the empty one.

    Args:
        text: (b,) uint8, padded; start, end: (n,) int32.
        table_hi, table_lo: (cap,) uint64 hash128 of each text with seed (0, 0), (0, 0) empty; cap a power of two,
            never full; probing is linear from `lo & (cap - 1)`.
        table_value: (cap,) int32.
        missing: int32, the answer for a text that is not in the table.
        memo: (MEMO, 2) uint64 zeros; memo_answer: (MEMO,) int32, all the empty text's answer.
        out: (n,) int32, written.
    """
    base = text.ctypes.data
    last = len(start) - 1
    for i in range(len(start)):
        prefetch(base + np.int64(start[min(i + AHEAD, last)]))
        at = np.int64(start[i])
        length = np.int64(end[i]) - at
        if length > 16:
            out[i] = _probe(base + at, length, table_hi, table_lo, table_value, missing)
            continue
        first = U(0)
        second = U(0)
        if length > 8:
            first = load64(base + at)
            second = load64(base + at + 8)
            if length < 16:
                second &= (U(1) << U(8 * (length - 8))) - U(1)
        elif length == 8:
            first = load64(base + at)
        else:
            first = load64(base + at) & ((U(1) << U(8 * length)) - U(1))
        fold = first ^ second
        fold ^= fold >> U(32)
        fold ^= fold >> U(16)
        fold ^= fold >> U(8)
        place = np.int64(fold & U(MEMO - 1))
        if memo[place, 0] != first or memo[place, 1] != second:
            memo[place, 0] = first
            memo[place, 1] = second
            memo_answer[place] = _probe(base + at, length, table_hi, table_lo, table_value, missing)
        out[i] = memo_answer[place]


@njit(cache=True, nogil=True)
def place_attributes(layout: Any, kind: Any, values: Any, out: Any) -> None:
    """Put each attribute where the record's event type has it.

    Args:
        layout: (e, s) int32: which row of `values` a slot holds, -1 for none.
        kind: (n,) int32 index of the event type, -1 unknown; values: (a, n) int32.
        out: (n, s) int32, written; 0 where there is none.
    """
    for i in range(len(kind)):
        for slot in range(out.shape[1]):
            row = -1
            if kind[i] >= 0:
                row = layout[kind[i], slot]
            out[i, slot] = values[row, i] if row >= 0 else 0


@njit(cache=True, nogil=True)
def keep_only(found: Any, excluded: Any, reason: Any) -> None:
    """Filter the records whose look-up gave `excluded`; a record refused for its bytes stays refused.

    Args:
        found: (n,) int32; reason: (n,) uint16, changed.
    """
    for i in range(len(found)):
        if reason[i] == 0 and found[i] == excluded:
            reason[i] = FILTERED_BY_SOURCE


@njit(cache=True, nogil=True)
def require(start: Any, end: Any, reason: Any) -> None:
    """Refuse records in which a needed field is absent or empty (FIELD_MISSING).

    Args:
        start, end: (n,) int32; reason: (n,) uint16, changed.
    """
    for i in range(len(start)):
        if reason[i] == 0 and start[i] == end[i]:
            reason[i] = FIELD_MISSING


@njit(cache=True, nogil=True)
def require_any(start: Any, end: Any, slots: Any, reason: Any) -> None:
    """Refuse records in which all of some fields are absent or empty (FIELD_MISSING).

    Args:
        start, end: (f, m) int32; slots: (k,) int32 rows of the fields; reason: (n <= m,) uint16, changed.
    """
    for i in range(len(reason)):
        length = 0
        for j in range(len(slots)):
            length += end[slots[j], i] - start[slots[j], i]
        if length == 0 and reason[i] == 0:
            reason[i] = FIELD_MISSING


@njit(cache=True, nogil=True)
def require_identity(start: Any, end: Any, slots: Any, reason: Any) -> None:
    """Refuse records in which every identity field is empty (IDENTITY_MISSING).

    Args:
        start, end: (f, m) int32; slots: (k,) int32 rows of the identity fields; reason: (n <= m,) uint16, changed.
    """
    for i in range(len(reason)):
        if reason[i] != 0:
            continue
        length = 0
        for j in range(len(slots)):
            length += end[slots[j], i] - start[slots[j], i]
        if length == 0:
            reason[i] = IDENTITY_MISSING
