"""JSON tokens (RFC 8259): strings, numbers, literals, and the text that escapes stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.mediation.kernels.reasons import MALFORMED_RECORD, NUL_BYTE
from pipelines.mediation.kernels.vectors import WIDTH, lowest, string_stops
from pipelines.mediation.kernels.words import byte_at

U = np.uint64
QUOTE = 34
BACKSLASH = 92


@njit(cache=True, nogil=True)
def hex4(at: Any) -> Any:
    """Return the number four hexadecimal digits at an address make, or -1."""
    value = 0
    for i in range(4):
        byte = byte_at(at + i)
        if 48 <= byte <= 57:
            digit = byte - 48
        elif 65 <= byte <= 70:
            digit = byte - 55
        elif 97 <= byte <= 102:
            digit = byte - 87
        else:
            return -1
        value = value * 16 + digit
    return value


@njit(cache=True, nogil=True)
def _check_escape(at: Any) -> Any:
    """Return (length, problem) of the escape whose backslash is at address `at`; reads at most 12 bytes."""
    letter = byte_at(at + 1)
    if letter != 117:
        simple = letter == 34 or letter == 92 or letter == 47 or letter == 98 or letter == 102
        simple |= letter == 110 or letter == 114 or letter == 116
        return 2, 0 if simple else MALFORMED_RECORD
    code = hex4(at + 2)
    if code == 0:
        return 6, NUL_BYTE
    if code < 0 or 0xDC00 <= code <= 0xDFFF:
        return 6, MALFORMED_RECORD
    if code < 0xD800 or code > 0xDBFF:
        return 6, 0
    if byte_at(at + 6) != BACKSLASH or byte_at(at + 7) != 117:
        return 6, MALFORMED_RECORD
    low = hex4(at + 8)
    return 12, 0 if 0xDC00 <= low <= 0xDFFF else MALFORMED_RECORD


@njit(cache=True, nogil=True)
def string_end(at: Any, stop: Any) -> Any:
    """Return (address of the closing quote, number of escapes, problem) of the string whose first byte is at `at`.

    Args:
        at, stop: addresses; 40 bytes after `stop` are readable.
    """
    escapes = 0
    worst = 0
    while at < stop:
        mask = string_stops(at)
        if mask == U(0):
            at += WIDTH
            continue
        at += lowest(mask)
        if at >= stop:
            break
        byte = byte_at(at)
        if byte == QUOTE:
            return at, escapes, worst
        if byte != BACKSLASH or at + 1 >= stop:
            return at, escapes, MALFORMED_RECORD
        length, problem = _check_escape(at)
        if problem == MALFORMED_RECORD:
            return at, escapes, problem
        worst = max(worst, problem)
        escapes += 1
        at += length
    return at, escapes, MALFORMED_RECORD


@njit(cache=True, nogil=True)
def number_end(at: Any) -> Any:
    """Return the address after the number at `at`, or -1 when it is none. Any byte but those of numbers ends it."""
    if byte_at(at) == 45:
        at += 1
    if byte_at(at) == 48:
        at += 1
    elif 49 <= byte_at(at) <= 57:
        while 48 <= byte_at(at) <= 57:
            at += 1
    else:
        return -1
    if byte_at(at) == 46:
        at += 1
        if byte_at(at) < 48 or byte_at(at) > 57:
            return -1
        while 48 <= byte_at(at) <= 57:
            at += 1
    if byte_at(at) == 69 or byte_at(at) == 101:
        at += 1
        if byte_at(at) == 43 or byte_at(at) == 45:
            at += 1
        if byte_at(at) < 48 or byte_at(at) > 57:
            return -1
        while 48 <= byte_at(at) <= 57:
            at += 1
    return at


@njit(cache=True, nogil=True)
def literal_end(at: Any) -> Any:
    """Return the address after `true`, `false` or `null` at `at`, or -1."""
    if byte_at(at) == 116 and byte_at(at + 1) == 114 and byte_at(at + 2) == 117 and byte_at(at + 3) == 101:
        return at + 4
    if byte_at(at) == 110 and byte_at(at + 1) == 117 and byte_at(at + 2) == 108 and byte_at(at + 3) == 108:
        return at + 4
    if (
        byte_at(at) == 102
        and byte_at(at + 1) == 97
        and byte_at(at + 2) == 108
        and byte_at(at + 3) == 115
        and byte_at(at + 4) == 101
    ):
        return at + 5
    return -1


@njit(cache=True, nogil=True)
def _put_utf8(out: Any, to: Any, code: Any) -> Any:
    if code < 0x80:
        out[to] = code
        return to + 1
    if code < 0x800:
        out[to] = 0xC0 | (code >> 6)
        out[to + 1] = 0x80 | (code & 0x3F)
        return to + 2
    if code < 0x10000:
        out[to] = 0xE0 | (code >> 12)
        out[to + 1] = 0x80 | ((code >> 6) & 0x3F)
        out[to + 2] = 0x80 | (code & 0x3F)
        return to + 3
    out[to] = 0xF0 | (code >> 18)
    out[to + 1] = 0x80 | ((code >> 12) & 0x3F)
    out[to + 2] = 0x80 | ((code >> 6) & 0x3F)
    out[to + 3] = 0x80 | (code & 0x3F)
    return to + 4


@njit(cache=True, nogil=True)
def unescape(text: Any, at: Any, end: Any, out: Any, to: Any) -> Any:
    """Write the UTF-8 text of a valid string's inside to `out` from `to` on; return the offset after it.

    The result is never longer than its source, so `out` may be `text` and `to` may be `at`.
    """
    while at < end:
        byte = text[at]
        if byte != BACKSLASH:
            out[to] = byte
            at += 1
            to += 1
            continue
        letter = text[at + 1]
        if letter == 117:
            code = hex4(text.ctypes.data + at + 2)
            at += 6
            if 0xD800 <= code <= 0xDBFF:
                code = 0x10000 + ((code - 0xD800) << 10) + (hex4(text.ctypes.data + at + 2) - 0xDC00)
                at += 6
            to = _put_utf8(out, to, code)
            continue
        if letter == 98:
            letter = np.uint8(8)
        elif letter == 102:
            letter = np.uint8(12)
        elif letter == 110:
            letter = np.uint8(10)
        elif letter == 114:
            letter = np.uint8(13)
        elif letter == 116:
            letter = np.uint8(9)
        out[to] = letter
        at += 2
        to += 1
    return to


@njit(cache=True, nogil=True)
def unescape_strings(text: Any, start: Any, end: Any) -> None:
    """Unescape one field of every record in place and shorten it; numbers and literals hold no backslash.

    Args:
        text: (b,) uint8, a copy that may be changed; start: (n,) int32; end: (n,) int32, changed.
    """
    for i in range(len(start)):
        for at in range(start[i], end[i]):
            if text[at] == BACKSLASH:
                end[i] = unescape(text, at, end[i], text, at)
                break
