"""`detail` files of FreeRADIUS: a line that says when, then a line for each attribute, then a blank line.

Numbers, names and times are brought into the form in which packets give them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.mediation.kernels.radius import CAUSE, STATUS, TIME, add_counts, check_text, put_word
from pipelines.mediation.kernels.radius_text import put_instant, put_number
from pipelines.mediation.kernels.reasons import MALFORMED_RECORD
from pipelines.mediation.kernels.timestamps import days_from_civil

U = np.uint64
NEWLINE = 10
BLANK = 32
TAB = 9
RETURN = 13
QUOTE = 34
BACKSLASH = 92
EQUALS = 61
NONE = np.int64(-1)
UNREADABLE = np.int64(-2)
NUMBER_MAX = 1 << 62
SECONDS_MAX = 253_402_300_800
"""The year 10000."""
DAY_S = 86_400
ZONE_BYTES_MAX = 6
MONTHS = np.frombuffer(b"JanFebMarAprMayJunJulAugSepOctNovDec", np.uint8)
ALIVE = np.frombuffer(b"Alive", np.uint8)
INTERIM = 3

INPUT_OCTETS, OUTPUT_OCTETS, INPUT_GIGAWORDS, OUTPUT_GIGAWORDS, DELAY, HAPPENED, RECEIVED = range(7)
"""The attributes that computed fields are made of."""
INPUTS = 7
ABSENT, COUNTED = -2, -1
"""States of a total; of two the larger one holds for their sum."""
TEXT_PER_RECORD = 192
"""Room for the text of times, names and computed fields; unescaped texts are no longer than the record."""


@njit(cache=True, nogil=True)
def _line_end(buffer: Any, at: Any, size: Any) -> Any:
    while at < size and buffer[at] != NEWLINE:
        at += 1
    return at


@njit(cache=True, nogil=True)
def _trim(buffer: Any, at: Any, end: Any) -> Any:
    """Return `end` without blanks, tabs and carriage returns before it."""
    while end > at and (buffer[end - 1] == BLANK or buffer[end - 1] == TAB or buffer[end - 1] == RETURN):
        end -= 1
    return end


@njit(cache=True, nogil=True)
def split_details(buffer: Any, size: Any, final: Any, raw_start: Any, raw_end: Any, reason: Any) -> Any:
    """Split records: a line that does not begin with a blank or tab begins one, a blank line ends it.

    Args:
        buffer: (b >= size,) uint8; final: nothing follows the buffer.
        raw_start, raw_end: (m,) int64 first line .. end of the last attribute's line, reason: (m > 0,) uint16: written.

    Returns:
        (rows, consumed): the offset after the last record taken.
    """
    row = 0
    begin = NONE
    last = np.int64(0)
    at = np.int64(0)
    while at < size:
        stop = _line_end(buffer, at, size)
        if stop == size and not final:
            break
        end = _trim(buffer, at, stop)
        indented = buffer[at] == BLANK or buffer[at] == TAB
        if begin >= 0 and (end == at or not indented):
            raw_start[row] = begin
            raw_end[row] = last
            reason[row] = 0
            row += 1
            begin = NONE
            if row == len(reason):
                return row, at
        if end > at:
            if begin < 0:
                begin = at
            last = end
        at = min(stop + 1, size)
    if begin < 0:
        return row, at
    if not final:
        return row, begin
    raw_start[row] = begin
    raw_end[row] = last
    reason[row] = 0
    return row + 1, size


@njit(cache=True, nogil=True)
def _digits(text: Any, at: Any, end: Any) -> Any:
    """Return the number that text[at:end] writes in digits, below `NUMBER_MAX`, or UNREADABLE."""
    if at == end:
        return UNREADABLE
    value = np.int64(0)
    while at < end:
        digit = np.int64(text[at]) - 48
        if digit < 0 or digit > 9 or value > NUMBER_MAX // 10:
            return UNREADABLE
        value = 10 * value + digit
        at += 1
    return value if value < NUMBER_MAX else UNREADABLE


@njit(cache=True, nogil=True)
def _word_end(text: Any, at: Any, end: Any) -> Any:
    while at < end and text[at] != BLANK:
        at += 1
    return at


@njit(cache=True, nogil=True)
def _skip_blanks(text: Any, at: Any, end: Any) -> Any:
    while at < end and (text[at] == BLANK or text[at] == TAB):
        at += 1
    return at


@njit(cache=True, nogil=True)
def _month(text: Any, at: Any, end: Any) -> Any:
    if end - at != 3:
        return 0
    for month in range(12):
        same = True
        for i in range(3):
            same &= text[at + i] == MONTHS[3 * month + i]
        if same:
            return month + 1
    return 0


@njit(cache=True, nogil=True)
def _clock(text: Any, at: Any, end: Any) -> Any:
    """Return the seconds of `hh:mm:ss`, or UNREADABLE."""
    if end - at != 8 or text[at + 2] != 58 or text[at + 5] != 58:
        return UNREADABLE
    hour = _digits(text, at, at + 2)
    minute = _digits(text, at + 3, at + 5)
    second = _digits(text, at + 6, at + 8)
    if hour < 0 or minute < 0 or second < 0 or hour > 23 or minute > 59 or second > 59:
        return UNREADABLE
    return 3600 * hour + 60 * minute + second


@njit(cache=True, nogil=True)
def _civil(text: Any, at: Any, end: Any, year_last: Any) -> Any:
    """Read `Jan 15 2026 20:00:00`, or `Jan 15 20:00:00 2026`.

    Returns:
        (seconds, at): local seconds since 1970-01-01T00:00:00, or UNREADABLE; the offset after what was read.
    """
    stop = _word_end(text, at, end)
    month = _month(text, at, stop)
    at = _skip_blanks(text, stop, end)
    stop = _word_end(text, at, end)
    day = _digits(text, at, stop)
    at = _skip_blanks(text, stop, end)
    stop = _word_end(text, at, end)
    if year_last:
        clock = _clock(text, at, stop)
    else:
        year = _digits(text, at, stop)
    at = _skip_blanks(text, stop, end)
    stop = _word_end(text, at, end)
    if year_last:
        year = _digits(text, at, stop)
    else:
        clock = _clock(text, at, stop)
    if month == 0 or day < 1 or day > 31 or year < 1970 or year > 9_999 or clock < 0:
        return UNREADABLE, stop
    first = days_from_civil(year, np.int64(month), np.int64(1))
    following = days_from_civil(year + month // 12, np.int64(month % 12 + 1), np.int64(1))
    if day > following - first:
        return UNREADABLE, stop
    return (first + day - 1) * DAY_S + clock, stop


@njit(cache=True, nogil=True)
def _put_time(text: Any, out: Any, at: Any, end: Any) -> Any:
    """Write a time as ISO 8601: of seconds since 1970, or of `Jan 15 2026 20:00:00 CET`, whose zone only UTC and GMT tell.

    Returns:
        The offset after it, or `out` when text[at:end] is no such time.
    """
    seconds = _digits(text, at, end)
    if seconds >= 0:
        if seconds >= SECONDS_MAX:
            return out
        out = put_instant(text, out, seconds)
        text[out] = 90
        return out + 1
    seconds, at = _civil(text, at, end, False)
    at = _skip_blanks(text, at, end)
    length = end - at
    if seconds < 0 or length > ZONE_BYTES_MAX:
        return out
    out = put_instant(text, out, seconds)
    if length == 3 and (
        (text[at] == 85 and text[at + 1] == 84 and text[at + 2] == 67)
        or (text[at] == 71 and text[at + 1] == 77 and text[at + 2] == 84)
    ):
        text[out] = 90
        return out + 1
    if length == 5 and (text[at] == 43 or text[at] == 45):
        for i in range(5):
            text[out + i] = text[at + i]
        return out + 5
    return out


@njit(cache=True, nogil=True)
def _unescape(text: Any, out: Any, at: Any, end: Any) -> Any:
    """Copy text[at:end] to text[out:] without its backslashes: n, r and t, three octal digits, else the byte itself."""
    while at < end:
        byte = text[at]
        at += 1
        if byte == BACKSLASH and at < end:
            byte = text[at]
            at += 1
            if byte == 110:
                byte = np.uint8(10)
            elif byte == 114:
                byte = np.uint8(13)
            elif byte == 116:
                byte = np.uint8(9)
            elif 48 <= byte <= 51 and at + 2 <= end and 48 <= text[at] <= 55 and 48 <= text[at + 1] <= 55:
                value = (np.int64(byte) - 48) * 64 + (np.int64(text[at]) - 48) * 8 + np.int64(text[at + 1]) - 48
                byte = np.uint8(value)
                at += 2
        text[out] = byte
        out += 1
    return out


@njit(cache=True, nogil=True)
def _find_name(text: Any, at: Any, end: Any, names: Any, bounds: Any) -> Any:
    length = end - at
    for i in range(len(bounds) - 1):
        begin = bounds[i]
        if bounds[i + 1] - begin != length:
            continue
        same = True
        for j in range(length):
            if text[at + j] != names[begin + j]:
                same = False
                break
        if same:
            return i
    return -1


@njit(cache=True, nogil=True)
def _is_alive(text: Any, at: Any, end: Any) -> Any:
    """Return whether the text is `Alive`, as old dictionaries call Interim-Update."""
    if end - at != len(ALIVE):
        return False
    for i in range(len(ALIVE)):
        if text[at + i] != ALIVE[i]:
            return False
    return True


@njit(cache=True, nogil=True)
def _attribute(text: Any, at: Any, stop: Any, out: Any) -> Any:
    """Read the line `name = value` at text[at:stop].

    Returns:
        (name_end, value, value_end, out, reason): the name is text[at:name_end]; an escaped value was written from `out` on.
    """
    equals = at
    while equals < stop and text[equals] != EQUALS:
        equals += 1
    name_end = _trim(text, at, equals)
    if name_end > at and (text[name_end - 1] == 58 or text[name_end - 1] == 43):  # := and +=
        name_end = _trim(text, at, name_end - 1)
    value = _skip_blanks(text, min(equals + 1, stop), stop)
    if equals == stop or name_end == at or _word_end(text, at, name_end) != name_end:
        return name_end, value, value, out, MALFORMED_RECORD
    if value == stop or text[value] != QUOTE:
        return name_end, value, stop, out, 0
    if stop - value < 2 or text[stop - 1] != QUOTE:
        return name_end, value, value, out, MALFORMED_RECORD
    value += 1
    stop -= 1
    escaped = False
    for i in range(value, stop):
        escaped |= text[i] == BACKSLASH
    if not escaped:
        return name_end, value, stop, out, 0
    after = _unescape(text, out, value, stop)
    return name_end, out, after, after, check_text(text, out, after)


@njit(cache=True, nogil=True)
def _total(octets: Any, gigawords: Any, i: Any) -> Any:
    """Return (state, value): octets + gigawords * 2**32, or what is no number of 32 bits.

    State: COUNTED, ABSENT, or the input that is no such number.
    """
    if octets == NONE:
        return ABSENT, U(0)
    if octets == UNREADABLE or octets >= 1 << 32:
        return INPUT_OCTETS + i, U(0)
    if gigawords == UNREADABLE or gigawords >= 1 << 32:
        return INPUT_GIGAWORDS + i, U(0)
    return COUNTED, (U(max(gigawords, 0)) << U(32)) + U(octets)


@njit(cache=True, nogil=True)
def _put_total(
    text: Any, out: Any, state: Any, value: Any, spans: Any, start: Any, end: Any, slot: Any, row: Any
) -> Any:
    """Write a total into a computed field; an input that is no number of 32 bits stands there itself."""
    if slot < 0 or state == ABSENT:
        return out
    if state != COUNTED:
        start[slot, row] = spans[state, 0]
        end[slot, row] = spans[state, 1]
        return out
    start[slot, row] = out
    out = put_number(text, out, value)
    end[slot, row] = out
    return out


@njit(cache=True, nogil=True)
def walk_details(
    text: Any,
    out: Any,
    raw_start: Any,
    raw_end: Any,
    names: Any,
    bounds: Any,
    named: Any,
    virtual: Any,
    start: Any,
    end: Any,
    reason: Any,
) -> Any:
    """Read the attributes of each record; of attributes that occur twice the first counts.

    A record without attributes, or with a line that is none, is MALFORMED_RECORD.

    Args:
        text: (t,) uint8, the block's bytes and from `out` on, written: room for them once more and `TEXT_PER_RECORD` * n.
        raw_start, raw_end: (n,) int64.
        names, bounds, named, virtual: see `pipelines.mediation.radius.attributes.FieldTable`.
        start, end: (f, m >= n) int32, written; equal where a field is absent, zero for a refused record.
        reason: (n,) uint16, changed where it was 0.

    Returns:
        The offset after the text.
    """
    numbers = np.empty(INPUTS, np.int64)
    spans = np.zeros((INPUTS, 2), np.int64)
    for row in range(len(reason)):
        for slot in range(len(start)):
            start[slot, row] = 0
            end[slot, row] = 0
        if reason[row] != 0:
            continue
        begin = out
        found = MALFORMED_RECORD
        local = NONE
        numbers[:] = NONE
        at = raw_start[row]
        if text[at] != BLANK and text[at] != TAB:
            stop = _line_end(text, at, raw_end[row])
            weekday = _skip_blanks(text, _word_end(text, at, stop), stop)
            local, _ = _civil(text, weekday, _trim(text, weekday, stop), True)
            at = stop + 1
        while at < raw_end[row]:
            stop = _line_end(text, at, raw_end[row])
            at = _skip_blanks(text, at, stop)
            name_end, value, value_end, out, found = _attribute(text, at, _trim(text, at, stop), out)
            if found != 0:
                break
            name = _find_name(text, at, name_end, names, bounds)
            at = stop + 1
            if name < 0:
                continue
            source = named[name, 2]
            if source >= 0 and numbers[source] == NONE:
                numbers[source] = _digits(text, value, value_end)
                spans[source, 0] = value
                spans[source, 1] = value_end
            slot = named[name, 1]
            if slot < 0 or end[slot, row] > 0:
                continue
            written = out
            if named[name, 0] == TIME:
                written = _put_time(text, out, value, value_end)
            elif named[name, 0] == STATUS and _is_alive(text, value, value_end):
                written = put_word(text, out, STATUS, U(INTERIM))
            elif named[name, 0] == STATUS or named[name, 0] == CAUSE:
                number = _digits(text, value, value_end)
                if number >= 0:
                    written = put_word(text, out, named[name, 0], U(number))
            start[slot, row] = value if written == out else out
            end[slot, row] = value_end if written == out else written
            out = written
        if found != 0:
            reason[row] = found
            out = begin
            for slot in range(len(start)):
                start[slot, row] = 0
                end[slot, row] = 0
            continue
        down, low = _total(numbers[INPUT_OCTETS], numbers[INPUT_GIGAWORDS], 0)
        up, high = _total(numbers[OUTPUT_OCTETS], numbers[OUTPUT_GIGAWORDS], 1)
        out = _put_total(text, out, down, low, spans, start, end, virtual[0], row)
        out = _put_total(text, out, up, high, spans, start, end, virtual[1], row)
        out = _put_total(text, out, max(down, up), add_counts(low, high), spans, start, end, virtual[3], row)
        slot = virtual[2]
        if slot < 0:
            continue
        if numbers[HAPPENED] != NONE:
            written = _put_time(text, out, spans[HAPPENED, 0], spans[HAPPENED, 1])
            start[slot, row] = spans[HAPPENED, 0] if written == out else out
            end[slot, row] = spans[HAPPENED, 1] if written == out else written
            out = written
            continue
        received = 0 <= numbers[RECEIVED] < SECONDS_MAX
        seconds = numbers[RECEIVED] if received else local
        delay = max(numbers[DELAY], 0)
        if seconds < delay or numbers[DELAY] == UNREADABLE:
            continue
        start[slot, row] = out
        out = put_instant(text, out, seconds - delay)
        if received:
            text[out] = 90
            out += 1
        end[slot, row] = out
    return out
