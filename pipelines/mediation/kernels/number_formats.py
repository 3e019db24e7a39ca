"""Quantities written in other ways, rewritten as plain decimals `digits[.digits]`; nothing where they are not well formed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

HMS_DIGITS_MAX = 9
HEX_DIGITS_MAX = 16
TOO_LARGE = 99
"""Two digits after an `e`: how a number that no quantity can hold is written."""


@njit(cache=True, nogil=True)
def _is_digit(byte: Any) -> Any:
    return 48 <= byte <= 57


@njit(cache=True, nogil=True)
def _put_decimal(text: Any, at: Any, stop: Any, mark: Any, thousands: Any, out: Any, to: Any) -> Any:
    """Write text[at:stop] with `.` for `mark` and without `thousands`; return the offset after it, or -1."""
    if at < stop and (text[at] == 45 or text[at] == 43):
        out[to] = text[at]
        to += 1
        at += 1
    group = 0
    grouped = False
    first = to
    while at < stop and text[at] != mark:
        byte = text[at]
        if _is_digit(byte):
            out[to] = byte
            to += 1
            group += 1
            if grouped and group > 3:
                return -1
        elif byte == thousands and 0 < group <= 3 and (not grouped or group == 3):
            grouped = True
            group = 0
        else:
            return -1
        at += 1
    if grouped and group != 3:
        return -1
    if at < stop:
        at += 1
        out[to] = 46
        to += 1
        if at == stop:
            return -1
        while at < stop:
            if not _is_digit(text[at]):
                return -1
            out[to] = text[at]
            to += 1
            at += 1
        if first + 1 == to:
            return -1
    return to if to > first else -1


@njit(cache=True, nogil=True)
def rewrite_decimals(
    text: Any, start: Any, end: Any, mark: Any, thousands: Any, out: Any, out_start: Any, out_end: Any
) -> None:
    """Rewrite `[+-]ddd[Tddd…][Mddd]`; thousands stand between groups of exactly three digits.

    Args:
        text: (b,) uint8; start, end: (n,) int32.
        mark: the byte before the decimals; thousands: the byte between groups, or -1.
        out: (c,) uint8 with room for all of it; out_start, out_end: (n,) int32, written.
    """
    to = 0
    for i in range(len(start)):
        out_start[i] = to
        after = _put_decimal(text, start[i], end[i], mark, thousands, out, to)
        if after >= 0:
            to = after
        out_end[i] = to


@njit(cache=True, nogil=True)
def _put_number(value: Any, out: Any, to: Any) -> Any:
    """Write a uint64 in decimal; return the offset after it."""
    ten = np.uint64(10)
    rest = value
    size = 1
    while rest >= ten:
        rest //= ten
        size += 1
    for j in range(size - 1, -1, -1):
        out[to + j] = np.uint8(48) + np.uint8(value % ten)
        value //= ten
    return to + size


@njit(cache=True, nogil=True)
def rewrite_durations(text: Any, start: Any, end: Any, out: Any, out_start: Any, out_end: Any) -> None:
    """Rewrite `h…h:mm:ss[.f…]` or `m…m:ss[.f…]` as seconds; the first number has at most 9 digits, the others are below 60.

    Args:
        text: (b,) uint8; start, end: (n,) int32.
        out: (c,) uint8 with room for 20 bytes more per record; out_start, out_end: (n,) int32, written.
    """
    for i in range(len(start)):
        at = start[i]
        stop = end[i]
        to = out_end[i - 1] if i > 0 else 0
        out_start[i] = to
        out_end[i] = to
        total = np.uint64(0)
        part = np.uint64(0)
        parts = 0
        digits = 0
        well = True
        while at < stop and well:
            byte = text[at]
            if _is_digit(byte):
                part = part * np.uint64(10) + np.uint64(byte - 48)
                digits += 1
                well = digits <= (HMS_DIGITS_MAX if parts == 0 else 2)
            elif byte == 58:
                well = digits > 0 and parts < 2 and (parts == 0 or (digits == 2 and part < np.uint64(60)))
                total = (total + part) * np.uint64(60)
                parts += 1
                part = np.uint64(0)
                digits = 0
            else:
                break
            at += 1
        if not well or parts == 0 or digits != 2 or part >= np.uint64(60):
            continue
        to = _put_number(total + part, out, to)
        if at < stop:
            if (text[at] != 46 and text[at] != 44) or at + 1 == stop:
                continue
            out[to] = 46
            to += 1
            at += 1
            while at < stop and _is_digit(text[at]):
                out[to] = text[at]
                to += 1
                at += 1
            if at < stop:
                continue
        out_end[i] = to


@njit(cache=True, nogil=True)
def rewrite_hex(text: Any, start: Any, end: Any, out: Any, out_start: Any, out_end: Any) -> None:
    """Rewrite whole numbers in hexadecimal, with or without `0x`; one beyond 64 bits as a number too large to hold.

    Args:
        text, start, end, out, out_start, out_end: as for `rewrite_durations`.
    """
    for i in range(len(start)):
        at = start[i]
        stop = end[i]
        to = out_end[i - 1] if i > 0 else 0
        out_start[i] = to
        out_end[i] = to
        if stop - at > 2 and text[at] == 48 and (text[at + 1] == 120 or text[at + 1] == 88):
            at += 2
        value = np.uint64(0)
        significant = 0
        well = at < stop
        while at < stop:
            byte = text[at]
            digit = 0
            if _is_digit(byte):
                digit = byte - 48
            elif 65 <= byte <= 70:
                digit = byte - 55
            elif 97 <= byte <= 102:
                digit = byte - 87
            else:
                well = False
                break
            if significant > 0 or digit > 0:
                significant += 1
            value = (value << np.uint64(4)) | np.uint64(digit)
            at += 1
        if not well:
            continue
        if significant > HEX_DIGITS_MAX:
            out[to] = 49
            out[to + 1] = 101
            to = _put_number(np.uint64(TOO_LARGE), out, to + 2)
        else:
            to = _put_number(value, out, to)
        out_end[i] = to
