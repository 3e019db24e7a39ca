"""Decisions on the text of single fields: empty, null, one of a set of values, needed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.mediation.kernels.reasons import FIELD_MISSING, FILTERED_BY_SOURCE, IDENTITY_MISSING
from rating.kernels.hashing import hash128

U = np.uint64


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
def look_up(
    text: Any, start: Any, end: Any, table_hi: Any, table_lo: Any, table_value: Any, missing: Any, out: Any
) -> None:
    """Find the value of each field's text in an open-addressing table of text hashes.

    Args:
        text: (b,) uint8, padded; start, end: (n,) int32.
        table_hi, table_lo: (cap,) uint64 hash128 of each text with seed (0, 0), (0, 0) empty; cap a power of two,
            never full; probing is linear from `lo & (cap - 1)`.
        table_value: (cap,) int32.
        missing: the answer for a text that is not in the table.
        out: (n,) int32, written.
    """
    base = text.ctypes.data
    mask = U(len(table_value) - 1)
    for i in range(len(start)):
        hi, lo = hash128(base + start[i], np.int64(end[i] - start[i]), U(0), U(0))
        if hi == U(0) and lo == U(0):
            lo = U(1)
        place = lo & mask
        answer = missing
        while table_hi[place] != U(0) or table_lo[place] != U(0):
            if table_hi[place] == hi and table_lo[place] == lo:
                answer = table_value[place]
                break
            place = (place + U(1)) & mask
        out[i] = answer


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
