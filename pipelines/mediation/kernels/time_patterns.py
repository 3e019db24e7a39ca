"""Event times in forms that a pattern describes, to microseconds UTC; date and time joined from two fields."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.mediation.kernels.reasons import INVALID_TIMESTAMP, TIMESTAMP_OUT_OF_RANGE, TIMESTAMP_WITHOUT_ZONE
from pipelines.mediation.kernels.timestamps import (
    DAY_S,
    MAX_US,
    MIN_US,
    SECOND_US,
    days_from_civil,
    month_days,
    segment,
    two_digits,
)
from pipelines.mediation.kernels.words import AHEAD
from rating.kernels.hashing import prefetch

LITERAL = 0
NUMBER = 1
FRACTION = 2
OFFSET = 3
"""Kinds of steps."""
YEAR = 0
YEAR_OF_CENTURY = 1
MONTH = 2
DAY = 3
HOUR = 4
MINUTE = 5
SECOND = 6
"""What a NUMBER is."""
PARTS = 7
NO_OFFSET = -(10**6)
FAILED = -(10**18)


@njit(cache=True, nogil=True)
def _offset_at(text: Any, at: Any, stop: Any) -> Any:
    """Return (seconds east, offset after it) of `Z`, `+hh`, `+hhmm` or `+hh:mm` at `at`; NO_OFFSET when it is none."""
    if at >= stop:
        return NO_OFFSET, at
    byte = text[at]
    if byte == 90 or byte == 122:
        return 0, at + 1
    if (byte != 43 and byte != 45) or at + 3 > stop:
        return NO_OFFSET, at
    hours = two_digits(text, at + 1)
    minutes = 0
    after = at + 3
    if after + 3 <= stop and text[after] == 58:
        minutes = two_digits(text, after + 1)
        after += 3
    elif after + 2 <= stop and two_digits(text, after) >= 0:
        minutes = two_digits(text, after)
        after += 2
    if hours < 0 or hours > 23 or minutes < 0 or minutes > 59:
        return NO_OFFSET, at
    seconds = hours * 3600 + minutes * 60
    return (-seconds if byte == 45 else seconds), after


@njit(cache=True, nogil=True)
def _match(text: Any, at: Any, stop: Any, program: Any, first: Any, last: Any, parts: Any) -> Any:
    """Read text[at:stop] by steps `first` to `last`; return (local seconds or FAILED, microseconds, seconds east or NO_OFFSET).

    Args:
        text: (b,) uint8; program: (k, 4) int32, see `read_pattern`; parts: (PARTS,) int64 working space.
    """
    for i in range(PARTS):
        parts[i] = 0
    micros = 0
    east = NO_OFFSET
    for step in range(first, last):
        kind = program[step, 0]
        low = program[step, 2]
        high = program[step, 3]
        if kind == LITERAL:
            if at >= stop or text[at] != program[step, 1]:
                return FAILED, 0, east
            at += 1
        elif kind == OFFSET:
            east, at = _offset_at(text, at, stop)
            if east == NO_OFFSET:
                return FAILED, 0, east
        else:
            value = 0
            digits = 0
            scale = 100_000
            while digits < high and at < stop and 48 <= text[at] <= 57:
                digit = np.int64(text[at]) - 48
                if kind == FRACTION:
                    micros += digit * scale
                    scale //= 10
                else:
                    value = 10 * value + digit
                digits += 1
                at += 1
            if digits < low:
                return FAILED, 0, east
            if kind == NUMBER:
                part = program[step, 1]
                if part == YEAR_OF_CENTURY:
                    parts[YEAR] = 2000 + value
                else:
                    parts[part] = value
    year = parts[YEAR]
    month = parts[MONTH]
    day = parts[DAY]
    if at != stop or month < 1 or month > 12 or day < 1 or day > month_days(year, month):
        return FAILED, 0, east
    if parts[HOUR] > 23 or parts[MINUTE] > 59 or parts[SECOND] > 59:
        return FAILED, 0, east
    days = days_from_civil(year, month, day)
    return days * DAY_S + parts[HOUR] * 3600 + parts[MINUTE] * 60 + parts[SECOND], micros, east


@njit(cache=True, nogil=True)
def read_pattern(
    text: Any,
    start: Any,
    end: Any,
    program: Any,
    pattern_ptr: Any,
    has_zone: Any,
    thresholds: Any,
    offsets: Any,
    event_at: Any,
    reason: Any,
) -> None:
    """Read times by the first of several patterns that fits; a finer fraction than a microsecond is truncated.

    Args:
        text: (b,) uint8; start, end: (n,) int32.
        program: (k, 4) int32 steps: kind, its byte (LITERAL) or part (NUMBER), fewest and most digits.
        pattern_ptr: (p + 1,) int32: the steps of each pattern.
        has_zone, thresholds, offsets, event_at, reason: as for `timestamps.read_iso`.
    """
    near = 0
    parts = np.zeros(PARTS, np.int64)
    base = text.ctypes.data
    last = len(start) - 1
    for i in range(len(start)):
        prefetch(base + np.int64(start[min(i + AHEAD, last)]))
        event_at[i] = 0
        found = INVALID_TIMESTAMP
        for p in range(len(pattern_ptr) - 1):
            seconds, micros, east = _match(
                text, np.int64(start[i]), np.int64(end[i]), program, pattern_ptr[p], pattern_ptr[p + 1], parts
            )
            if seconds == FAILED:
                continue
            found = 0
            if east != NO_OFFSET:
                seconds -= east
            elif has_zone:
                near = segment(seconds, thresholds, near)
                seconds -= offsets[near]
            else:
                found = TIMESTAMP_WITHOUT_ZONE
            if found == 0:
                instant = seconds * SECOND_US + micros
                if MIN_US <= instant < MAX_US:
                    event_at[i] = instant
                else:
                    found = TIMESTAMP_OUT_OF_RANGE
            break
        if found != 0 and reason[i] == 0:
            reason[i] = found


@njit(cache=True, nogil=True)
def join_fields(
    text: Any, start: Any, end: Any, other_start: Any, other_end: Any, glue: Any, out: Any, out_start: Any, out_end: Any
) -> None:
    """Write the text of two fields one after the other, `glue` between them; nothing where one of them is empty.

    Args:
        text: (b,) uint8; start, end, other_start, other_end: (n,) int32.
        glue: a byte, or -1 for none.
        out: (c,) uint8 with room for all of it and n bytes more; out_start, out_end: (n,) int32, written.
    """
    to = 0
    for i in range(len(start)):
        out_start[i] = to
        if end[i] > start[i] and other_end[i] > other_start[i]:
            for at in range(start[i], end[i]):
                out[to] = text[at]
                to += 1
            if glue >= 0:
                out[to] = glue
                to += 1
            for at in range(other_start[i], other_end[i]):
                out[to] = text[at]
                to += 1
        out_end[i] = to
