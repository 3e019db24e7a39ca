"""Compare decimal numbers as they are written, exactly, however long they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

NO_NUMBER = 2
EXPONENT_MAX = 10**9
"""Exponents are clamped here, far above the digits a record can hold."""


@njit(cache=True, nogil=True)
def _compare(text: Any, at: Any, stop: Any, digits: Any, magnitude: Any, sign: Any) -> Any:
    """Return -1, 0 or 1 as the number in text[at:stop] is less than, equal to or more than the bound, or NO_NUMBER."""
    negative = False
    if at < stop and (text[at] == 45 or text[at] == 43):
        negative = text[at] == 45
        at += 1
    first = at
    count = 0
    before = 0  # digits before the point
    zeros = 0  # digits before the first that is not 0
    leading = np.int64(-1)  # where that one is
    point = False
    while at < stop:
        byte = text[at]
        if 48 <= byte <= 57:
            if byte != 48 and leading < 0:
                leading = at
                zeros = count
            count += 1
            if not point:
                before += 1
        elif byte == 46 and not point:
            point = True
        else:
            break
        at += 1
    last = at
    if count == 0 or last == first:
        return NO_NUMBER
    exponent = np.int64(0)
    if at < stop:
        if text[at] != 69 and text[at] != 101:
            return NO_NUMBER
        at += 1
        down = False
        if at < stop and (text[at] == 45 or text[at] == 43):
            down = text[at] == 45
            at += 1
        if at == stop:
            return NO_NUMBER
        while at < stop:
            digit = np.int64(text[at]) - 48
            if digit < 0 or digit > 9:
                return NO_NUMBER
            exponent = min(10 * exponent + digit, EXPONENT_MAX)
            at += 1
        if down:
            exponent = -exponent
    own = 0 if leading < 0 else (-1 if negative else 1)
    if own != sign:
        return -1 if own < sign else 1
    if own == 0:
        return 0
    size = before - zeros + exponent
    if size != magnitude:
        return own if size > magnitude else -own
    place = 0
    at = leading
    while at < last or place < len(digits):
        mine = 0
        if at < last:
            if text[at] == 46:
                at += 1
                continue
            mine = np.int64(text[at]) - 48
            at += 1
        other = digits[place] if place < len(digits) else 0
        place += 1
        if mine != other:
            return own if mine > other else -own
    return 0


@njit(cache=True, nogil=True)
def compare_numbers(text: Any, start: Any, end: Any, digits: Any, magnitude: Any, sign: Any, answer: Any) -> None:
    """Compare `[+-]digits[.digits][e[+-]digits]` with a bound.

    Args:
        text: (b,) uint8; start, end: (n,) int32.
        digits: (k,) int64 of the bound from its first one that is not 0; magnitude: how many of them (negative: zeros
            after the point) stand before the decimal point; sign: -1, 0 or 1.
        answer: (n,) int32, written: -1, 0, 1 or NO_NUMBER.
    """
    for i in range(len(start)):
        answer[i] = _compare(text, np.int64(start[i]), np.int64(end[i]), digits, magnitude, sign)
