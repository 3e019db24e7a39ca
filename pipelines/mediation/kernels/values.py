"""Values: numbers, dates and digits in one field of many records, as `schemas.values` packs them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.mediation.kernels.quantities import scale_decimal
from pipelines.mediation.kernels.reasons import INVALID_VALUE

VALUE_ABSENT = -(2**63)
DIGITS_MAX = 18
BASE = 11
DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int64)
_BEFORE_1970 = 719_468
"""Days from 0000-03-01 to 1970-01-01 of the Gregorian calendar."""


@njit(cache=True, nogil=True)
def read_numbers(text: Any, start: Any, end: Any, wanted: Any, factor: Any, out: Any, reason: Any) -> None:
    """Read `[+-]digits[.digits][e[+-]digits]` times `factor`; more decimals than it has are refused.

    Args:
        text: (b,) uint8. start, end: (n,) int32. wanted: (n,) bool. factor: int64, 1 .. 10**12.
        out: (n,) int64, written. reason: (n,) uint16, INVALID_VALUE where a wanted number cannot be read.
    """
    for i in range(len(wanted)):
        out[i] = VALUE_ABSENT
        if not wanted[i]:
            continue
        at = start[i]
        negative = text[at] == 45
        if negative:
            at += 1
            if at < end[i] and (text[at] == 45 or text[at] == 43):
                reason[i] = INVALID_VALUE
                continue
        value, why = scale_decimal(text, at, end[i], factor, False)
        if why != 0:
            reason[i] = INVALID_VALUE
            continue
        out[i] = -value if negative else value


@njit(cache=True, nogil=True)
def read_digits(text: Any, start: Any, end: Any, wanted: Any, out: Any, reason: Any) -> None:
    """Read digits, after an optional `+`; those beyond DIGITS_MAX are not kept. Arguments as in `read_numbers`."""
    for i in range(len(wanted)):
        out[i] = VALUE_ABSENT
        if not wanted[i]:
            continue
        at = start[i]
        if text[at] == 43:
            at += 1
        value = np.int64(0)
        length = np.int64(0)
        valid = at < end[i]
        while at < end[i]:
            digit = np.int64(text[at]) - 48
            if digit < 0 or digit > 9:
                valid = False
                break
            if length < DIGITS_MAX:
                value = BASE * value + digit + 1
                length += 1
            at += 1
        if not valid:
            reason[i] = INVALID_VALUE
            continue
        for _ in range(DIGITS_MAX - length):
            value *= BASE
        out[i] = value


@njit(cache=True, nogil=True)
def read_dates(text: Any, start: Any, end: Any, wanted: Any, out: Any, reason: Any) -> None:
    """Read `YYYY-MM-DD` or `YYYYMMDD` as days since 1970-01-01. Arguments as in `read_numbers`."""
    for i in range(len(wanted)):
        out[i] = VALUE_ABSENT
        if not wanted[i]:
            continue
        at = start[i]
        dashed = end[i] - at == 10
        valid = dashed or end[i] - at == 8
        number = np.int64(0)
        if valid:
            for k in range(end[i] - at):
                byte = np.int64(text[at + k])
                if dashed and (k == 4 or k == 7):
                    valid = valid and byte == 45
                elif byte < 48 or byte > 57:
                    valid = False
                else:
                    number = 10 * number + byte - 48
        year, month, day = number // 10_000, number // 100 % 100, number % 100
        if valid and (year < 1 or month < 1 or month > 12 or day < 1):
            valid = False
        if valid:
            leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
            valid = day <= DAYS[month] + (1 if month == 2 and leap else 0)
        if not valid:
            reason[i] = INVALID_VALUE
            continue
        # the year begins in March, so that the leap day is its last
        era_year = year if month > 2 else year - 1
        day_of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
        out[i] = era_year * 365 + era_year // 4 - era_year // 100 + era_year // 400 + day_of_year - _BEFORE_1970


@njit(cache=True, nogil=True)
def place_values(layout: Any, kind: Any, found: Any, out: Any) -> None:
    """Put each value where the record's event type has it.

    Args:
        layout: (e, s) int32 which row of `found` a slot holds, -1 for none.
        kind: (n,) int32 index of the event type, -1 unknown. found: (v, n) int64. out: (n, s) int64, written.
    """
    for i in range(len(kind)):
        for slot in range(out.shape[1]):
            row = -1
            if kind[i] >= 0:
                row = layout[kind[i], slot]
            out[i, slot] = found[row, i] if row >= 0 else VALUE_ABSENT
