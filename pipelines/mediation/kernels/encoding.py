"""Which bytes a block holds, and whether its records are valid text."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.mediation.kernels.reasons import INVALID_ENCODING, NUL_BYTE, RECORD_TOO_LONG
from pipelines.mediation.kernels.vectors import above, bits, equal
from pipelines.mediation.kernels.words import NONE, matches
from rating.kernels.hashing import load64

U = np.uint64
HIGH_BITS = U(0x8080808080808080)
SUSPECTED = 1024
"""Bytes that are suspected together: only records that touch them are looked at closely."""
HAS_HIGH = 1
HAS_NUL = 2
RAW_KEPT = 65_537
"""Bytes that are kept of a record longer than the source accepts: one more than a rejection keeps, so that it knows."""


@njit(cache=True, nogil=True)
def survey(buffer: Any, size: Any, suspects: Any) -> Any:
    """Look for the bytes that decide how a block is read.

    Args:
        buffer: (b,) uint8, 64 bytes after `size` readable.
        suspects: (>= size / SUSPECTED,) uint8, written: HAS_HIGH + HAS_NUL of each `SUSPECTED` bytes.

    Returns:
        (all, quote, lines): what any of the bytes is suspected of, whether there is a double quote, how many newlines.
    """
    base = buffer.ctypes.data
    every = 0
    quotes = U(0)
    lines = 0
    for part in range((size + SUSPECTED - 1) // SUSPECTED):
        high = U(0)
        nul = U(0)
        begin = part * SUSPECTED
        for at in range(begin, min(begin + SUSPECTED, size), 64):
            inside = (U(1) << U(size - at)) - U(1) if at + 64 > size else ~U(0)
            high |= above(base + at) & inside
            nul |= equal(base + at, 0) & inside
            quotes |= equal(base + at, 34) & inside
            lines += bits(equal(base + at, 10) & inside)
        suspicion = (HAS_HIGH if high != U(0) else 0) + (HAS_NUL if nul != U(0) else 0)
        suspects[part] = suspicion
        every |= suspicion
    return every, quotes != U(0), lines


@njit(cache=True, nogil=True)
def is_utf8(buffer: Any, at: Any, end: Any) -> Any:
    """Return whether buffer[at:end] is UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF)."""
    while at < end:
        byte = buffer[at]
        at += 1
        if byte < 0x80:
            continue
        low = 0x80
        high = 0xBF
        if 0xC2 <= byte <= 0xDF:
            rest = 1
        elif 0xE0 <= byte <= 0xEF:
            rest = 2
            if byte == 0xE0:
                low = 0xA0
            elif byte == 0xED:
                high = 0x9F
        elif 0xF0 <= byte <= 0xF4:
            rest = 3
            if byte == 0xF0:
                low = 0x90
            elif byte == 0xF4:
                high = 0x8F
        else:
            return False
        if at + rest > end or buffer[at] < low or buffer[at] > high:
            return False
        for i in range(1, rest):
            if buffer[at + i] < 0x80 or buffer[at + i] > 0xBF:
                return False
        at += rest
    return True


@njit(cache=True, nogil=True)
def _marks(base: Any, at: Any, end: Any) -> Any:
    """Return (high, nul): masks that are zero when no byte of [at, end) is >= 0x80, or NUL."""
    high = NONE
    nul = NONE
    while at + 8 <= end:
        word = load64(base + at)
        high |= word
        nul |= matches(word, NONE)
        at += 8
    if at < end:
        kept = (U(1) << U(8 * (end - at))) - U(1)
        word = load64(base + at)
        high |= word & kept
        nul |= matches(word, NONE) & kept
    return high & HIGH_BITS, nul


@njit(cache=True, nogil=True)
def refuse_bytes(
    buffer: Any,
    bytes_max: Any,
    suspects: Any,
    check: Any,
    raw_start: Any,
    raw_end: Any,
    start: Any,
    end: Any,
    reason: Any,
) -> None:
    """Refuse records that are too long, hold a NUL byte or are not UTF-8; the smallest reason stays.

    A refused record has no fields. Of a record that is too long only the first 64 KiB are kept.

    Args:
        buffer: (b,) uint8, with 8 readable bytes after it; bytes_max: longest record accepted.
        suspects: (>= b / SUSPECTED,) uint8 of `survey`; check: HAS_HIGH + HAS_NUL, as far as they are objected to.
        raw_start, raw_end: (n,) int64; raw_end is cut for records that are too long.
        start, end: (f, m >= n) int32, zeroed for refused records.
        reason: (n,) uint16, changed.
    """
    base = buffer.ctypes.data
    for i in range(len(raw_start)):
        found = 0
        high = NONE
        nul = NONE
        suspicion = 0
        if check != 0:
            for part in range(raw_start[i] // SUSPECTED, (raw_end[i] + SUSPECTED - 1) // SUSPECTED):
                suspicion |= suspects[part] & check
        if suspicion != 0:
            high, nul = _marks(base, raw_start[i], raw_end[i])
        if raw_end[i] - raw_start[i] > bytes_max:
            found = RECORD_TOO_LONG
            raw_end[i] = min(raw_end[i], raw_start[i] + RAW_KEPT)
        elif suspicion & HAS_NUL and nul != NONE:
            found = NUL_BYTE
        elif suspicion & HAS_HIGH and high != NONE and not is_utf8(buffer, raw_start[i], raw_end[i]):
            found = INVALID_ENCODING
        if found != 0:
            if reason[i] == 0 or reason[i] > found:
                reason[i] = found
            for slot in range(len(start)):
                start[slot, i] = 0
                end[slot, i] = 0


@njit(cache=True, nogil=True)
def latin1_growth(text: Any, start: Any, end: Any) -> Any:
    """Return how many bytes the UTF-8 forms of those ranges of ISO 8859-1 text need that hold a byte >= 0x80.

    Args:
        text: (b,) uint8; start, end: (n,) int32.
    """
    total = 0
    for i in range(len(start)):
        high = 0
        for at in range(start[i], end[i]):
            if text[at] >= 128:
                high += 1
        if high > 0:
            total += end[i] - start[i] + high
    return total


@njit(cache=True, nogil=True)
def latin1_to_utf8(text: Any, start: Any, end: Any, out: Any) -> Any:
    """Append the UTF-8 form of each range that needs one at offset `out` of `text`, and move the range there.

    Args:
        text: (b,) uint8 with `latin1_growth` bytes of room from `out` on.
        start, end: (n,) int32, changed.

    Returns:
        The offset after the last byte written.
    """
    for i in range(len(start)):
        high = False
        for at in range(start[i], end[i]):
            if text[at] >= 128:
                high = True
                break
        if not high:
            continue
        begin = out
        for at in range(start[i], end[i]):
            byte = text[at]
            if byte < 128:
                text[out] = byte
                out += 1
            else:
                text[out] = 0xC0 | (byte >> 6)
                text[out + 1] = 0x80 | (byte & 0x3F)
                out += 2
        start[i] = begin
        end[i] = out
    return out
