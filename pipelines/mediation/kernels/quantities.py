"""Quantities: decimal text times a unit's step count, exactly, to int64 base steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.mediation.kernels.reasons import (
    INVALID_QUANTITY,
    NEGATIVE_QUANTITY,
    QUANTITY_OVERFLOW,
    QUANTITY_PRECISION,
)
from pipelines.mediation.kernels.words import AHEAD, ZEROS, are_digits, eight_digits
from rating.kernels.hashing import load64, prefetch

U = np.uint64
QUANTITY_MAX = 2**62
SECOND_US = 1_000_000
EXPONENT_MAX = 10**9
"""Exponents are clamped here, far above the digits a record can hold: no digit can bring such a number back into range."""


@njit(cache=True, nogil=True)
def _fraction_steps(text: Any, at: Any, end: Any, zeros: Any, factor: Any, half_up: Any) -> Any:
    """Return (steps, exact) of 0.<zeros zeros><digits of text[at:end]> times `factor`; a point among them is skipped.

    From the last digit to the first, each digit of the product is a remainder and the carry moves up: nothing ever
    exceeds 10 * factor, however many digits there are.
    """
    carry = np.int64(0)
    top = np.int64(0)
    exact = True
    while end > at:
        end -= 1
        byte = text[end]
        if byte == 46:
            continue
        carry += (np.int64(byte) - 48) * factor
        top = carry % 10
        carry //= 10
        if top != 0:
            exact = False
    while zeros > 0:
        zeros -= 1
        top = carry % 10
        carry //= 10
        if top != 0:
            exact = False
        elif carry == 0:
            break
    if half_up:
        return carry + (1 if top >= 5 else 0), True
    return carry, exact


@njit(cache=True, nogil=True)
def _whole_steps(text: Any, at: Any, end: Any, zeros: Any, factor: Any) -> Any:
    """Return the digits of text[at:end] followed by `zeros` zeros, times `factor`, or -1 when above QUANTITY_MAX."""
    limit = QUANTITY_MAX // factor
    value = np.int64(0)
    while at < end:
        byte = text[at]
        at += 1
        if byte == 46:
            continue
        if value > QUANTITY_MAX // 10:
            return -1
        value = 10 * value + (np.int64(byte) - 48)
    if value == 0:
        return value
    while zeros > 0:
        zeros -= 1
        if value > QUANTITY_MAX // 10:
            return -1
        value *= 10
    return value * factor if value <= limit else -1


@njit(cache=True, nogil=True)
def scale_decimal(text: Any, at: Any, stop: Any, factor: Any, half_up: Any) -> Any:
    """Read `[+-]digits[.digits][e[+-]digits]` times `factor`.

    Args:
        text: (b,) uint8; at, stop: the range; factor: int64 base steps of one unit, 1 .. 10**15.
        half_up: bool; round excess decimals half up (on the magnitude) instead of refusing them.

    Returns:
        (steps, reason): reason 0, INVALID_QUANTITY, QUANTITY_PRECISION, QUANTITY_OVERFLOW, or NEGATIVE_QUANTITY: then the
        number is -steps.
    """
    negative = False
    if at < stop and (text[at] == 45 or text[at] == 43):
        negative = text[at] == 45
        at += 1
    first = at
    point = np.int64(-1)
    digits = 0
    significant = False
    while at < stop:
        byte = text[at]
        if 48 <= byte <= 57:
            digits += 1
            significant |= byte != 48
        elif byte == 46 and point < 0:
            point = at
        else:
            break
        at += 1
    last = at
    if digits == 0:
        return np.int64(0), INVALID_QUANTITY
    exponent = np.int64(0)
    if at < stop:
        if text[at] != 69 and text[at] != 101:
            return np.int64(0), INVALID_QUANTITY
        at += 1
        down = False
        if at < stop and (text[at] == 45 or text[at] == 43):
            down = text[at] == 45
            at += 1
        if at == stop:
            return np.int64(0), INVALID_QUANTITY
        while at < stop:
            digit = np.int64(text[at]) - 48
            if digit < 0 or digit > 9:
                return np.int64(0), INVALID_QUANTITY
            exponent = min(10 * exponent + digit, EXPONENT_MAX)
            at += 1
        if down:
            exponent = -exponent
    if not significant:
        return np.int64(0), 0
    # the digits before the value's decimal point: written ones moved by the exponent
    whole = (point - first if point >= 0 else last - first) + exponent
    whole = np.int64(whole)
    cut = first
    if whole > 0:
        cut = first + min(whole, digits)
        if point >= 0 and cut > point:
            cut += 1
    steps = _whole_steps(text, first, cut, max(whole - digits, 0), factor)
    part, exact = _fraction_steps(text, cut, last, max(-whole, 0), factor, half_up)
    if not exact:
        return np.int64(0), QUANTITY_PRECISION
    if steps < 0 or steps + part > QUANTITY_MAX:
        return np.int64(0), QUANTITY_OVERFLOW
    return steps + part, NEGATIVE_QUANTITY if negative else 0


@njit(cache=True, nogil=True)
def read_counters(text: Any, start: Any, end: Any, kind: Any, counter: Any, reason: Any) -> None:
    """Read whole numbers of up to 64 bits, unsigned, as their bits.

    Args:
        text: (b,) uint8; start, end: (n,) int32.
        kind: (n,) int32, -1 where the counter stays 0.
        counter: (n,) int64, written: the bits; 0 where it cannot be read.
        reason: (n,) uint16, changed where it was 0: INVALID_QUANTITY or QUANTITY_OVERFLOW.
    """
    most = U(0xFFFFFFFFFFFFFFFF)
    for i in range(len(start)):
        counter[i] = 0
        if kind[i] < 0:
            continue
        value = U(0)
        found = 0 if start[i] < end[i] else INVALID_QUANTITY
        for at in range(start[i], end[i]):
            digit = np.int64(text[at]) - 48
            if digit < 0 or digit > 9:
                found = INVALID_QUANTITY
                break
            if value > (most - U(digit)) // U(10):
                found = QUANTITY_OVERFLOW
            value = U(10) * value + U(digit)
        if found == 0:
            counter[i] = np.int64(value)
        elif reason[i] == 0:
            reason[i] = found


@njit(cache=True, nogil=True)
def read_quantities(
    text: Any, start: Any, end: Any, kind: Any, factors: Any, half_up: Any, signed: Any, quantity: Any, reason: Any
) -> None:
    """Read the quantity of each record.

    Args:
        text: (b,) uint8; start, end: (n,) int32.
        kind: (n,) int32 index of the record's event type in `factors`, or -1: the quantity stays 0.
        factors: (e,) int64 base steps of one source unit.
        half_up: bool, see `scale_decimal`. signed: bool, whether it may be below zero.
        quantity: (n,) int64 base steps, written; 0 where it cannot be read.
        reason: (n,) uint16, changed where it was 0.
    """
    base = text.ctypes.data
    last = len(start) - 1
    for i in range(len(start)):
        prefetch(base + np.int64(start[min(i + AHEAD, last)]))
        quantity[i] = 0
        if kind[i] < 0:
            continue
        at = np.int64(start[i])
        stop = np.int64(end[i])
        factor = factors[kind[i]]
        if 0 < stop - at <= 8 and factor <= 1_000_000_000:
            room = U(64) - (U(stop - at) << U(3))  # eight digits with zeros in front: no loop, no branch per digit
            word = (load64(base + at) << room) | (ZEROS & ((U(1) << room) - U(1)))
            if are_digits(word):
                quantity[i] = eight_digits(word) * factor
                continue
        if 0 < stop - at <= 9 and factor <= 1_000_000_000:  # nine digits times a factor of nine digits: no checks
            value = np.int64(0)
            while at < stop:
                digit = np.int64(text[at]) - 48
                if digit < 0 or digit > 9:
                    break
                value = 10 * value + digit
                at += 1
            if at == stop:
                quantity[i] = value * factor
                continue
            at = np.int64(start[i])
        steps, found = scale_decimal(text, at, stop, factor, half_up)
        if found == 0:
            quantity[i] = steps
        elif found == NEGATIVE_QUANTITY and signed:
            quantity[i] = -steps
        elif reason[i] == 0:
            reason[i] = found


@njit(cache=True, nogil=True)
def add_amounts(amounts: Any, total: Any, reason: Any) -> None:
    """Add one field to the sum of others; a sum beyond QUANTITY_MAX is refused (QUANTITY_OVERFLOW).

    Args:
        amounts: (n,) int64, 0 .. QUANTITY_MAX.
        total: (n,) int64, 0 .. QUANTITY_MAX, changed; 0 where refused.
        reason: (n,) uint16, changed where it was 0.
    """
    for i in range(len(amounts)):
        if amounts[i] > QUANTITY_MAX - total[i]:
            if reason[i] == 0:
                reason[i] = QUANTITY_OVERFLOW
            total[i] = 0
        else:
            total[i] += amounts[i]


@njit(cache=True, nogil=True)
def scale_durations(
    from_at: Any, to_at: Any, kind: Any, factors: Any, half_up: Any, quantity: Any, reason: Any
) -> None:
    """Measure the time from one instant to another in base steps.

    Args:
        from_at, to_at: (n,) int64 microseconds, within 2000 and 2100, or 0 where `reason` is set.
        kind, half_up, quantity, reason: as for `read_quantities`.
        factors: (e,) int64 base steps of one second, at most 1000.
    """
    for i in range(len(from_at)):
        quantity[i] = 0
        if kind[i] < 0 or reason[i] != 0:
            continue
        span = to_at[i] - from_at[i]
        if span < 0:
            reason[i] = NEGATIVE_QUANTITY
            continue
        steps = span * factors[kind[i]]
        rest = steps % SECOND_US
        if rest != 0 and not half_up:
            reason[i] = QUANTITY_PRECISION
            continue
        quantity[i] = steps // SECOND_US + (1 if 2 * rest >= SECOND_US else 0)
