"""Values of TAP events as text, and the instants at which events started."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.mediation.kernels.ber import read_header
from pipelines.mediation.kernels.ber_text import write_value
from pipelines.mediation.kernels.radius_text import put_number
from pipelines.mediation.kernels.tap import TIME, read_integer
from pipelines.mediation.kernels.timestamps import days_from_civil

U = np.uint64
LOCAL_TIME_STAMP = 16
UTC_TIME_OFFSET_CODE = 232
TIME_DIGITS = 14
APPLICATION = 1
NO_TIME = np.int64(-(1 << 62))
NO_OFFSET = np.int64(1 << 30)
DAY_S = 86_400
ZERO = 48

FIRST, AMOUNT, LOOKED_UP, CONSTANT, EVENT = range(5)
"""How a field comes about: the first of some elements that is there, an amount, what a code stands for, the file's, or the
name of the event."""
FIELD_TEXT_MAX = 32
"""Room for a time or an amount, and beyond four times its contents for any other value."""


@njit(cache=True, nogil=True)
def find_code(codes: Any, code: Any) -> Any:
    """Return the place of a code in (c,) int64 `codes`, ascending, or -1."""
    low = 0
    high = len(codes)
    while low < high:
        middle = (low + high) // 2
        if codes[middle] < code:
            low = middle + 1
        else:
            high = middle
    return low if low < len(codes) and codes[low] == code else -1


@njit(cache=True, nogil=True)
def read_time(buffer: Any, at: Any, end: Any) -> Any:
    """Look into the time element whose contents are buffer[at:end], or end with end-of-contents octets before `end`.

    Returns:
        (digits, code): where its fourteen digits are, -1 when they are not; its offset's code, or NO_TIME without one.
    """
    digits = np.int64(-1)
    code = NO_TIME
    while at < end:
        key, constructed, at, length = read_header(buffer, at, end)
        if key <= 0 or constructed or at + length > end:
            break
        if key == LOCAL_TIME_STAMP * 4 + APPLICATION and length == TIME_DIGITS:
            digits = at
            for i in range(TIME_DIGITS):
                if buffer[at + i] < ZERO or buffer[at + i] > ZERO + 9:
                    digits = np.int64(-1)
        elif key == UTC_TIME_OFFSET_CODE * 4 + APPLICATION:
            value, sound = read_integer(buffer, at, at + length)
            if sound:
                code = value
        at += length
    return digits, code


@njit(cache=True, nogil=True)
def _two(buffer: Any, at: Any) -> Any:
    return (np.int64(buffer[at]) - ZERO) * 10 + np.int64(buffer[at + 1]) - ZERO


@njit(cache=True, nogil=True)
def clock_seconds(buffer: Any, at: Any) -> Any:
    """Return the seconds since 1970-01-01T00:00:00 of the fourteen digits at `at`, or NO_TIME when they are no time."""
    year = 100 * _two(buffer, at) + _two(buffer, at + 2)
    month = _two(buffer, at + 4)
    day = _two(buffer, at + 6)
    hour = _two(buffer, at + 8)
    minute = _two(buffer, at + 10)
    second = _two(buffer, at + 12)
    if month < 1 or month > 12 or day < 1 or hour > 23 or minute > 59 or second > 59:
        return NO_TIME
    first = np.int64(days_from_civil(year, month, 1))
    following = np.int64(days_from_civil(year + month // 12, month % 12 + 1, 1))
    if day > following - first:
        return NO_TIME
    return (first + day - 1) * DAY_S + hour * 3_600 + minute * 60 + second


@njit(cache=True, nogil=True)
def span_of_times(buffer: Any, rows: Any, cells: Any, start: Any, end: Any, codes: Any, offsets: Any) -> Any:
    """Return (earliest, latest) seconds since 1970 UTC at which events started; (2**62, -2**62) when none says when.

    Args:
        buffer: (b,) uint8; rows: how many; start, end: (k, n >= rows) int32 as of `walk_events`.
        cells: (c,) int64 the cells that may hold the start, the first that is there does.
        codes: (o,) int64 ascending; offsets: (o,) int64 seconds east of UTC of each code.
    """
    earliest = np.int64(1 << 62)
    latest = NO_TIME
    for row in range(rows):
        for cell in cells:
            if start[cell, row] == 0:
                continue
            digits, code = read_time(buffer, np.int64(start[cell, row]), np.int64(end[cell, row]))
            place = find_code(codes, code)
            if digits >= 0 and place >= 0:
                instant = clock_seconds(buffer, digits)
                if instant != NO_TIME:
                    instant -= offsets[place]
                    earliest = min(earliest, instant)
                    latest = max(latest, instant)
            break
    return earliest, latest


@njit(cache=True, nogil=True)
def put_time(buffer: Any, at: Any, end: Any, codes: Any, offsets: Any, text: Any, to: Any) -> Any:
    """Write a time element as `YYYY-MM-DDThh:mm:ss+hh:mm`, without the offset when its code is unknown; return the end.

    A time without fourteen digits gives no text.
    """
    digits, code = read_time(buffer, at, end)
    if digits < 0:
        return to
    for i in range(TIME_DIGITS):
        text[to] = buffer[digits + i]
        to += 1
        if i == 3 or i == 5:
            text[to] = 45
            to += 1
        elif i == 7:
            text[to] = 84
            to += 1
        elif i == 9 or i == 11:
            text[to] = 58
            to += 1
    place = find_code(codes, code)
    if place < 0:
        return to
    seconds = offsets[place]
    text[to] = 45 if seconds < 0 else 43
    minutes = abs(seconds) // 60
    for value in (minutes // 600, minutes // 60 % 10, -1, minutes % 60 // 10, minutes % 10):
        to += 1
        text[to] = 58 if value < 0 else ZERO + value
    return to + 1


@njit(cache=True, nogil=True)
def put_amount(text: Any, to: Any, value: Any, places: Any) -> Any:
    """Write an amount of `places` (0 to 12) decimals, as many as it has; return the end (at most 21 bytes later)."""
    if value < 0:
        text[to] = 45
        to += 1
    scale = np.int64(1)
    for _ in range(places):
        scale *= 10
    magnitude = abs(value)
    to = put_number(text, to, U(magnitude // scale))
    if places > 0:
        text[to] = 46
        to += 1
        part = magnitude % scale
        for _ in range(places):
            scale //= 10
            text[to] = ZERO + part // scale
            part %= scale
            to += 1
    return to


@njit(cache=True, nogil=True)
def render_events(
    buffer: Any,
    rows: Any,
    first: Any,
    last: Any,
    amounts: Any,
    present: Any,
    event: Any,
    how: Any,
    choices: Any,
    cell_kind: Any,
    constant: Any,
    event_name: Any,
    lookup_codes: Any,
    lookup_bounds: Any,
    lookup_span: Any,
    codes: Any,
    offsets: Any,
    places: Any,
    text: Any,
    to: Any,
    start: Any,
    end: Any,
) -> Any:
    """Write the fields of each event as text.

    Args:
        buffer, rows: as of `walk_events`; first, last, amounts, present, event: its start, end and the others.
        how: (f,) int64 FIRST, AMOUNT, LOOKED_UP, CONSTANT or EVENT.
        choices: (f, c) int64; FIRST and LOOKED_UP: cells in order of preference, -1 none; AMOUNT: the column in front;
            of LOOKED_UP the table in the last place.
        cell_kind: (k,) int64 how each cell's value reads.
        constant: (f, 2) int64 range of the file's text of a CONSTANT; event_name: (t, 2) int64 of each event's name.
        lookup_codes: (l,) int64 codes of all tables, ascending within each; lookup_bounds: (tables + 1,) int64;
            lookup_span: (l, 2) int64 the text of each.
        codes, offsets: of times, as of `span_of_times`; places: decimals of amounts.
        text: (t,) uint8; written from `to` on: `FIELD_TEXT_MAX` for each value, and four times the contents of those that
            are no time.
        start, end: (f, n >= rows) int32, written; equal where a field is absent or empty.

    Returns:
        The offset after the text.
    """
    width = choices.shape[1]
    for row in range(rows):
        for field in range(len(how)):
            start[field, row] = 0
            end[field, row] = 0
            kind = how[field]
            if kind == CONSTANT:
                start[field, row] = constant[field, 0]
                end[field, row] = constant[field, 1]
                continue
            if kind == EVENT:
                number = event[row] if event[row] < len(event_name) else 0
                start[field, row] = event_name[number, 0]
                end[field, row] = event_name[number, 1]
                continue
            begin = to
            if kind == AMOUNT:
                column = choices[field, 0]
                if (present[row] >> column) & 1 != 0:
                    to = put_amount(text, to, amounts[row, column], places)
                    start[field, row] = begin
                    end[field, row] = to
                continue
            for choice in range(width - 1):
                cell = choices[field, choice]
                if cell < 0:
                    break
                if first[cell, row] == 0:
                    continue
                at = np.int64(first[cell, row])
                stop = np.int64(last[cell, row])
                if kind == LOOKED_UP:
                    code, sound = read_integer(buffer, at, stop)
                    table = choices[field, width - 1]
                    low = lookup_bounds[table]
                    place = find_code(lookup_codes[low : lookup_bounds[table + 1]], code) if sound else -1
                    if place >= 0:
                        start[field, row] = lookup_span[low + place, 0]
                        end[field, row] = lookup_span[low + place, 1]
                    break
                if cell_kind[cell] == TIME:
                    to = np.int64(put_time(buffer, at, stop, codes, offsets, text, to))
                else:
                    to = np.int64(write_value(buffer, at, stop, cell_kind[cell], text, to))
                start[field, row] = begin
                end[field, row] = to
                break
    return to
