"""Lines of NEM12 as numbers: what a 200 record says of its intervals, and the values of 300 records.

Layout: AEMO, Meter Data File Format Specification NEM12 & NEM13. The twin is `pipelines.mediation.nem.nem12.LineReader`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.mediation.kernels.timestamps import days_from_civil, month_days, two_digits

UNUSUAL = -1
NO_VALUE = -(2**62)
FIELDS = 8
KIND, BEGIN, END, DAY, VALUES, QUALITY, UPDATED, COUNT = range(FIELDS)
"""Columns of the table of lines; see `scan_lines`."""
PER_DAY, SCALE = 0, 1
"""Places of the state: intervals of a day, and how many digits values are scaled by; UNUSUAL when the last 200 is unusual."""
LIMIT = 2**61
DECIMALS = 6
DAY_S, HOUR_S = 86_400, 3600
COMMA, RETURN, NEWLINE, ZERO = 44, 13, 10, 48
LETTER_STEP, FLAG_STEP = 1_000_000, 10_000
POWERS = np.array([10**n for n in range(19)], np.int64)


@njit(cache=True, nogil=True)
def _date(buffer: Any, at: Any) -> Any:
    """Return days since 1970 of `YYYYMMDD`, or UNUSUAL."""
    century, of_century = two_digits(buffer, at), two_digits(buffer, at + 2)
    year = 100 * century + of_century
    month, day = two_digits(buffer, at + 4), two_digits(buffer, at + 6)
    if (
        of_century < 0
        or year < 1996
        or year > 2199
        or month < 1
        or month > 12
        or day < 1
        or day > month_days(year, month)
    ):
        return UNUSUAL
    return days_from_civil(year, month, day)


@njit(cache=True, nogil=True)
def _is_end(byte: Any) -> Any:
    return byte == COMMA or byte == RETURN or byte == NEWLINE


@njit(cache=True, nogil=True)
def _definition(buffer: Any, at: Any, end: Any, state: Any) -> None:
    """Read of a 200 record how many intervals a day has, and the scale of its unit, into the state."""
    state[PER_DAY], state[SCALE] = UNUSUAL, UNUSUAL
    field = 0
    while at < end and field < 7:
        if buffer[at] == COMMA:
            field += 1
        at += 1
    if field < 7:
        return
    begin = at
    while at < end and buffer[at] != COMMA:
        at += 1
    if at - begin < 2 or at >= end:
        return
    first = buffer[begin] | 32
    if (
        first != 107 and first != 109 and first != 119 and first != 118
    ):  # k, m, w, v: another prefix, or a blank, is unusual
        return
    scale = 3 if first == 107 else (6 if first == 109 else 0)  # k, m
    last = buffer[at - 1] | 32
    if last != 104:  # of energy alone the unit ends with h
        return
    at += 1
    minutes = 0
    begin = at
    while at < end and not _is_end(buffer[at]):
        digit = np.int64(buffer[at]) - ZERO
        if digit < 0 or digit > 9 or at - begin > 1:
            return
        minutes = 10 * minutes + digit
        at += 1
    if minutes == 5 or minutes == 15 or minutes == 30:
        state[PER_DAY], state[SCALE] = 1440 // minutes, scale + DECIMALS


@njit(cache=True, nogil=True)
def _value(buffer: Any, at: Any, scale: Any, powers: Any, found: Any, row: Any) -> Any:
    """Read one value that ends with a comma into found[row]; return the offset behind the comma, or UNUSUAL."""
    begin, mantissa, decimals, digits = at, np.int64(0), np.int64(0), 0
    while True:
        digit = np.int64(buffer[at]) - ZERO
        if digit < 0 or digit > 9:
            break
        mantissa = 10 * mantissa + digit
        at += 1
    digits = at - begin
    if buffer[at] == 46:
        at += 1
        begin = at
        while True:
            digit = np.int64(buffer[at]) - ZERO
            if digit < 0 or digit > 9:
                break
            mantissa = 10 * mantissa + digit
            at += 1
        decimals = at - begin
        if decimals == 0:
            return UNUSUAL
    if digits == 0 or digits + decimals > 18 or decimals > scale or buffer[at] != COMMA:
        return UNUSUAL
    power = powers[scale - decimals]
    if mantissa > LIMIT // power:
        return UNUSUAL
    found[row] = mantissa * power
    return at + 1


@njit(cache=True, nogil=True)
def _seconds(buffer: Any, at: Any) -> Any:
    """Return local seconds since 1970 of `YYYYMMDDhhmmss`, or UNUSUAL."""
    day = _date(buffer, at)
    hour, minute, second = two_digits(buffer, at + 8), two_digits(buffer, at + 10), two_digits(buffer, at + 12)
    if day == UNUSUAL or hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 59:
        return UNUSUAL
    return day * DAY_S + hour * HOUR_S + 60 * minute + second


@njit(cache=True, nogil=True)
def _tail(buffer: Any, at: Any, line: Any) -> Any:
    """Read quality, reason and time of update of a 300 record; return the offset of what ends the last of them, or UNUSUAL."""
    letter = np.int64(buffer[at])
    if letter not in (65, 69, 70, 78, 83, 86):  # A, E, F, N, S, V
        return UNUSUAL
    at += 1
    code = letter * LETTER_STEP
    if not _is_end(buffer[at]):
        flag = two_digits(buffer, at)
        if flag < 0 or flag > 98 or letter == 86:
            return UNUSUAL
        code += (flag + 1) * FLAG_STEP
        at += 2
    if buffer[at] != COMMA:
        return UNUSUAL
    at += 1
    begin, reason = at, 0
    while not _is_end(buffer[at]):
        digit = np.int64(buffer[at]) - ZERO
        if digit < 0 or digit > 9 or at - begin > 2 or (at > begin and buffer[begin] == ZERO):
            return UNUSUAL
        reason = 10 * reason + digit
        at += 1
    if at > begin:
        if letter == 86:
            return UNUSUAL
        code += reason + 1
    line[QUALITY] = code
    if buffer[at] != COMMA:
        return UNUSUAL
    at += 1
    while not _is_end(buffer[at]):
        if buffer[at] >= 127 or buffer[at] == 34:
            return UNUSUAL
        at += 1
    if buffer[at] != COMMA:
        return UNUSUAL
    at += 1
    line[UPDATED] = 0
    if not _is_end(buffer[at]):
        updated = _seconds(buffer, at)
        if updated == UNUSUAL:
            return UNUSUAL
        line[UPDATED] = updated
        at += 14
    if buffer[at] != COMMA:
        return UNUSUAL
    at += 1
    if not _is_end(buffer[at]):
        if _seconds(buffer, at) == UNUSUAL:
            return UNUSUAL
        at += 14
    if buffer[at] != NEWLINE and (buffer[at] != RETURN or buffer[at + 1] != NEWLINE):
        return UNUSUAL
    return at


@njit(cache=True, nogil=True)
def scan_lines(buffer: Any, size: Any, state: Any, powers: Any, lines: Any, values: Any) -> Any:
    """Read whole lines of NEM12.

    Args:
        buffer: (b,) uint8 with 32 readable bytes behind `size`, the first of them a newline; size: bytes to read.
        state: (2,) int64: intervals of a day and scale by the last 200 record; updated. powers: POWERS.
        lines: (m, FIELDS) int64, written: of each line its kind (100 to 900, UNUSUAL for another text), where it begins and
            ends; of a 300 record its day since 1970, where its values begin in `values`, its quality (letter * LETTER_STEP +
            (flag + 1) * FLAG_STEP + reason + 1, the last two 0 for none), the time of its update (local seconds, 0 for none)
            and its number of values; of a 200 record the state that it leaves, as COUNT and QUALITY. DAY is UNUSUAL where
            another reader must read it.
        values: (v,) int64, written: scaled by 10 ** DECIMALS of the unit without its prefix.

    Returns:
        (lines, values)
    """
    count, held, at = np.int64(0), np.int64(0), np.int64(0)
    while at < size:
        line = lines[count]
        begin = at
        line[BEGIN], line[DAY], line[COUNT], line[VALUES] = begin, UNUSUAL, 0, held
        line[KIND] = UNUSUAL
        first, second, third = buffer[at], buffer[at + 1], buffer[at + 2]
        if 49 <= first <= 57 and 48 <= second <= 57 and third == ZERO and _is_end(buffer[at + 3]):
            line[KIND] = 100 * (np.int64(first) - ZERO) + 10 * (np.int64(second) - ZERO)
        if (
            line[KIND] == 300
            and buffer[at + 3] == COMMA
            and state[PER_DAY] > 0
            and buffer[at + 12] == COMMA
            and held + state[PER_DAY] <= len(values)
        ):
            day = _date(buffer, at + 4)
            at += 13
            row = held
            for _ in range(state[PER_DAY]):
                behind = _value(buffer, at, state[SCALE], powers, values, row)
                if behind < 0:
                    day = UNUSUAL
                    break
                at = behind
                row += 1
            if day != UNUSUAL:
                behind = _tail(buffer, at, line)
                if behind < 0:
                    day = UNUSUAL
                else:
                    at = behind
                    line[COUNT] = row - held
                    held = row
            line[DAY] = day
        while buffer[at] != NEWLINE:
            at += 1
        line[END] = min(at, size)
        if line[KIND] == 200:
            _definition(buffer, begin, line[END], state)
            line[COUNT], line[QUALITY] = state[PER_DAY], state[SCALE]
        at += 1
        count += 1
    return count, held
