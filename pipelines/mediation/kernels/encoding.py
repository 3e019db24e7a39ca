"""Which bytes a block holds, and whether its records are valid text."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.mediation.kernels.reasons import INVALID_ENCODING, NUL_BYTE, RECORD_TOO_LONG
from pipelines.mediation.kernels.words import NONE, matches, repeat
from rating.kernels.hashing import load64

U = np.uint64
HIGH_BITS = U(0x8080808080808080)
RAW_KEPT = 65_537
"""Bytes that are kept of a record longer than the source accepts: one more than a rejection keeps, so that it knows."""


@njit(cache=True, nogil=True)
def survey(words: Any, tail: Any) -> Any:
    """Return (high, nul, quote): whether a block holds a byte >= 0x80, a NUL, a double quote.

    Args:
        words: (w,) uint64, most of the block; tail: (t < 8,) uint8, the rest.
    """
    quotes = repeat(34)
    high = U(0)
    nul = U(0)
    quote = U(0)
    for i in range(len(words)):
        word = words[i]
        high |= word
        nul |= matches(word, NONE)
        quote |= matches(word, quotes)
    has_high = (high & HIGH_BITS) != U(0)
    has_nul = nul != U(0)
    has_quote = quote != U(0)
    for i in range(len(tail)):
        has_high |= tail[i] >= 128
        has_nul |= tail[i] == 0
        has_quote |= tail[i] == 34
    return has_high, has_nul, has_quote


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
    check_nul: Any,
    check_utf8: Any,
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
        check_nul, check_utf8: bool; false where `survey` found that no record can fail.
        raw_start, raw_end: (n,) int64; raw_end is cut for records that are too long.
        start, end: (f, m >= n) int32, zeroed for refused records.
        reason: (n,) uint16, changed.
    """
    base = buffer.ctypes.data
    for i in range(len(raw_start)):
        found = 0
        high = NONE
        nul = NONE
        if check_nul or check_utf8:
            high, nul = _marks(base, raw_start[i], raw_end[i])
        if raw_end[i] - raw_start[i] > bytes_max:
            found = RECORD_TOO_LONG
            raw_end[i] = min(raw_end[i], raw_start[i] + RAW_KEPT)
        elif check_nul and nul != NONE:
            found = NUL_BYTE
        elif check_utf8 and high != NONE and not is_utf8(buffer, raw_start[i], raw_end[i]):
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
