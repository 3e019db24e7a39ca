"""Load curves of Enedis in their usual form: R50 in XML, the points of R63 in JSON. What is unusual is left to full parsers.

Layouts: Enedis.SGE.GUI.0316 Flux R50 v1.1.0; Enedis.SGE.JSON.0510 Flux R63 v1.2.0. The twin of both are the walks of
`pipelines.mediation.enedis.xml_curves` and `json_series`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.mediation.kernels.timestamps import days_from_civil, month_days, two_digits
from pipelines.mediation.kernels.words import find, repeat
from rating.kernels.hashing import load64

U = np.uint64
NO_POWER = -(2**62)
UNUSUAL = -1
CUT = -2
YEAR_MIN, YEAR_MAX = 1996, 2199
"""The rule of summer time of Paris has been the same since the first."""
DIGITS_MAX = 9
HOUR_S, DAY_S = 3600, 86_400
FIELDS = 4
"""Rows of the table of numbers: instant (s), power, line, and codes."""
AT, POWER, LINE, CODES = 0, 1, 2, 3


@njit(cache=True, nogil=True)
def _local_seconds(buffer: Any, at: Any) -> Any:
    """Return seconds since 1970 of `YYYY-MM-DDThh:mm:ss` read without an offset, or UNUSUAL."""
    century, of_century = two_digits(buffer, at), two_digits(buffer, at + 2)
    year = 100 * century + of_century
    month, day = two_digits(buffer, at + 5), two_digits(buffer, at + 8)
    hour, minute, second = two_digits(buffer, at + 11), two_digits(buffer, at + 14), two_digits(buffer, at + 17)
    if of_century < 0:  # -1 of no digits would make 20x5 the year 1999
        return UNUSUAL
    if year < YEAR_MIN or year > YEAR_MAX or month < 1 or month > 12 or day < 1 or day > month_days(year, month):
        return UNUSUAL
    if hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 59:
        return UNUSUAL
    if buffer[at + 4] != 45 or buffer[at + 7] != 45 or buffer[at + 13] != 58 or buffer[at + 16] != 58:
        return UNUSUAL
    if buffer[at + 10] != 84 and buffer[at + 10] != 32:
        return UNUSUAL
    return days_from_civil(year, month, day) * DAY_S + hour * HOUR_S + minute * 60 + second


@njit(cache=True, nogil=True)
def last_sunday(year: Any, month: Any) -> Any:
    """Return the day since 1970 of the last Sunday of a month of 31 days."""
    last = days_from_civil(year, month, 31)
    return last - (last + 4) % 7


@njit(cache=True, nogil=True)
def paris_to_utc(buffer: Any, at: Any, before: Any) -> Any:
    """Return the instant (s) of a text of Paris time that stands behind `before`, or UNUSUAL.

    Of the hour that comes twice the first is meant, unless that is not behind `before` and the second is.
    """
    local = _local_seconds(buffer, at)
    if local == UNUSUAL:
        return UNUSUAL
    year = 100 * two_digits(buffer, at) + two_digits(buffer, at + 2)
    begins = last_sunday(year, 3) * DAY_S + 3 * HOUR_S
    ends = last_sunday(year, 10) * DAY_S + 3 * HOUR_S
    found = local - (2 * HOUR_S if begins <= local < ends else HOUR_S)
    if found <= before and ends - HOUR_S <= local < ends and found + HOUR_S > before:
        return found + HOUR_S
    return found


@njit(cache=True, nogil=True)
def _offset_instant(buffer: Any, at: Any, end: Any) -> Any:
    """Return the instant (s) of `YYYY-MM-DDThh:mm:ss` and an offset `Z` or `+hh:mm` that ends at `end`, or UNUSUAL."""
    length = end - at
    if length != 20 and length != 25:
        return UNUSUAL
    local = _local_seconds(buffer, at)
    if local == UNUSUAL:
        return UNUSUAL
    sign = buffer[at + 19]
    if length == 20:
        return local if sign == 90 else UNUSUAL
    hours, minutes = two_digits(buffer, at + 20), two_digits(buffer, at + 23)
    if hours < 0 or hours > 14 or minutes < 0 or minutes > 59 or buffer[at + 22] != 58:
        return UNUSUAL
    if sign != 43 and sign != 45:
        return UNUSUAL
    offset = hours * HOUR_S + minutes * 60
    return local + offset if sign == 45 else local - offset


@njit(cache=True, nogil=True)
def _whole(buffer: Any, at: Any, end: Any) -> Any:
    """Return a whole number as it is usually written; NO_POWER for none; UNUSUAL + NO_POWER for another text."""
    if at == end:
        return NO_POWER
    begin = at + 1 if buffer[at] == 45 else at
    length = end - begin
    if length < 1 or length > DIGITS_MAX or (buffer[begin] == 48 and end - at > 1):
        return NO_POWER + UNUSUAL
    value = np.int64(0)
    for i in range(begin, end):
        digit = np.int64(buffer[i]) - 48
        if digit < 0 or digit > 9:
            return NO_POWER + UNUSUAL
        value = 10 * value + digit
    return -value if begin > at else value


@njit(cache=True, nogil=True)
def _is(base: Any, at: Any, word: Any, length: Any) -> Any:
    """Return whether the `length` <= 8 bytes at an offset are those of a word."""
    return (load64(base + at) ^ word) << U(8 * (8 - length)) == U(0)


@njit(cache=True, nogil=True)
def _name_at(base: Any, at: Any, words: Any, name: Any) -> Any:
    """Return the offset behind a tag of `TAGS` at an offset, or UNUSUAL when another one stands there."""
    length = words[name, 3]
    if not _is(base, at, words[name, 0], min(U(8), length)):
        return UNUSUAL
    if length > U(8) and not _is(base, at + 8, words[name, 1], min(U(8), length - U(8))):
        return UNUSUAL
    if length > U(16) and not _is(base, at + 16, words[name, 2], length - U(16)):
        return UNUSUAL
    return at + np.int64(length)


TAGS = (b"<PRM>", b"</PRM>", b"<Id_PRM>", b"</Id_PRM>", b"<Donnees_Releve>", b"</Donnees_Releve>", b"<Date_Releve>",
        b"</Date_Releve>", b"<Id_Affaire>", b"</Id_Affaire>", b"<PDC>", b"</PDC>", b"<H>", b"</H>", b"<V>", b"</V>",
        b"<V/>", b"<IV>", b"</IV>")  # fmt: skip
(PRM, PRM_END, ID, ID_END, DAY, DAY_END, DATE, DATE_END, AFFAIR, AFFAIR_END, PDC, PDC_END, H, H_END, V, V_END, V_NONE,
 IV, IV_END) = range(len(TAGS))  # fmt: skip
WORDS = np.array(
    [[*(int.from_bytes(tag[i : i + 8].ljust(8, b"\0"), "little") for i in (0, 8, 16)), len(tag)] for tag in TAGS],
    np.uint64,
)
"""(t, 4) uint64: each tag in three words, and its length."""
POINT_BYTES_MIN = 30
"""Of a point in either form."""


@njit(cache=True, nogil=True)
def _white(buffer: Any, at: Any, size: Any, lines: Any) -> Any:
    """Pass white space; count lines in lines[0]."""
    while at < size and buffer[at] <= 32:
        if buffer[at] == 10:
            lines[0] += 1
        at += 1
    return at


@njit(cache=True, nogil=True)
def _leaf(base: Any, buffer: Any, at: Any, size: Any, words: Any, closing: Any, span: Any) -> Any:
    """Pass the text of an element that holds letters, digits and dashes only, and its end; span[:] = where it is."""
    end = find(base, at, size, repeat(60))
    span[0], span[1] = at, end
    for i in range(at, end):
        byte = buffer[i]
        if byte <= 32 or byte == 38 or byte >= 127:
            return UNUSUAL
    return _name_at(base, end, words, closing)


@njit(cache=True, nogil=True)
def scan_r50(buffer: Any, size: Any, words: Any, lines: Any, span: Any, numbers: Any, points: Any, held: Any) -> Any:
    """Read whole PRM elements of R50.

    Args:
        buffer: (b,) uint8 with 32 readable bytes behind `size`; size: bytes to read, the last of them the end of a PRM.
        words: WORDS. lines: (1,) int64: the line that the first byte is on; updated. span: (2,) int64 working space.
        numbers: (FIELDS, m) int64, written: of each point its end (s UTC), power or NO_POWER, line, 1 + IV or 0.
        points: (k, 2) int64, written: where the identifier of each PRM is. held: (k,) int64, written: its points.

    Returns:
        (points, PRMs); (UNUSUAL, UNUSUAL) where something needs a full parser.
    """
    base = buffer.ctypes.data
    row, prm, at = np.int64(0), np.int64(0), np.int64(0)
    bad = (np.int64(UNUSUAL), np.int64(UNUSUAL))
    while True:
        at = _white(buffer, at, size, lines)
        if at >= size:
            return row, prm
        at = _name_at(base, at, words, PRM)
        if at < 0:
            return bad
        at = _name_at(base, _white(buffer, at, size, lines), words, ID)
        if at < 0:
            return bad
        at = _leaf(base, buffer, at, size, words, ID_END, span)
        if at < 0:
            return bad
        points[prm, 0], points[prm, 1] = span[0], span[1]
        begun, days = row, 0
        while True:
            at = _white(buffer, at, size, lines)
            end = _name_at(base, at, words, PRM_END)
            if end >= 0:
                at = end
                break
            at = _name_at(base, at, words, DAY)
            if at < 0:
                return bad
            days += 1
            for name in (DATE, AFFAIR):
                at = _white(buffer, at, size, lines)
                end = _name_at(base, at, words, name)
                if end >= 0:
                    at = _leaf(base, buffer, end, size, words, name + 1, span)
                    if at < 0:
                        return bad
            while True:
                at = _white(buffer, at, size, lines)
                end = _name_at(base, at, words, PDC)
                if end < 0:
                    break
                line = lines[0]
                at = _name_at(base, _white(buffer, end, size, lines), words, H)
                if at < 0:
                    return bad
                end = find(base, at, size, repeat(60))
                instant = _offset_instant(buffer, at, end)
                at = _name_at(base, end, words, H_END)
                if instant == UNUSUAL or at < 0:
                    return bad
                power, code = np.int64(NO_POWER), 0
                at = _white(buffer, at, size, lines)
                end = _name_at(base, at, words, V)
                if end >= 0:
                    at = find(base, end, size, repeat(60))
                    power = _whole(buffer, end, at)
                    at = _name_at(base, at, words, V_END)
                    if at < 0 or power == NO_POWER + UNUSUAL:
                        return bad
                else:
                    end = _name_at(base, at, words, V_NONE)
                    at = end if end >= 0 else at
                at = _white(buffer, at, size, lines)
                end = _name_at(base, at, words, IV)
                if end >= 0:
                    code = np.int64(buffer[end]) - 47
                    at = _name_at(base, end + 1, words, IV_END)
                    if at < 0 or code < 1 or code > 10:
                        return bad
                at = _name_at(base, _white(buffer, at, size, lines), words, PDC_END)
                if at < 0:
                    return bad
                numbers[AT, row], numbers[POWER, row] = instant, power
                numbers[LINE, row], numbers[CODES, row] = line, code
                row += 1
            at = _name_at(base, at, words, DAY_END)
            if at < 0:
                return bad
        if days == 0:
            return bad
        held[prm] = row - begun
        prm += 1


@njit(cache=True, nogil=True)
def _is_blank(byte: Any) -> Any:
    """Return whether a byte is white space of JSON."""
    return byte == 32 or byte == 10 or byte == 13 or byte == 9


@njit(cache=True, nogil=True)
def _is_null(buffer: Any, at: Any) -> Any:
    return buffer[at] == 110 and buffer[at + 1] == 117 and buffer[at + 2] == 108 and buffer[at + 3] == 108


@njit(cache=True, nogil=True)
def scan_points(buffer: Any, at: Any, size: Any, line: Any, span: Any, numbers: Any, steps: Any) -> Any:
    """Read an array of points of R63 from behind its `[`.

    Args:
        buffer: (b,) uint8 with 32 readable bytes behind `size`. at: where to begin; size: bytes that there are.
        line: that `at` is on. span: (3,) int64, written: line feeds that were passed; 1 when points say that they are of a
            small point, 0 that they are not, -1 when they say nothing; the first step in s.
        numbers: (FIELDS, m) int64, written: of each point its instant (s UTC), power or NO_POWER, line, and
            n + 256 tc + 65536 (iv + 1) + 2**24 (ec + 1), with 0 for what is not there. steps: (m,) int64, written: s.

    Returns:
        (points, offset behind the `]`); an offset of CUT when the array goes on behind `size`, of UNUSUAL when it needs a
        full parser.
    """
    row, before, lines, kind = np.int64(0), np.int64(NO_POWER), np.int64(0), np.int64(-1)
    opened = False
    while True:
        while at < size and _is_blank(buffer[at]):
            lines += buffer[at] == 10
            at += 1
        if at >= size:
            return row, np.int64(CUT)
        byte = buffer[at]
        if byte == 93 and (row == 0 or not opened):
            span[0], span[1] = lines, kind
            span[2] = steps[0] if row > 0 else 0
            return row, at + 1
        if row > 0 and not opened:
            if byte != 44:
                return row, np.int64(UNUSUAL)
            opened = True
            at += 1
            continue
        if byte != 123:
            return row, np.int64(UNUSUAL)
        at += 1
        if row >= len(steps):
            return row, np.int64(CUT)
        begun = line + lines
        instant_at, step = np.int64(-1), np.int64(0)
        power, state, completed, doubt, more = np.int64(NO_POWER), 0, 0, 0, 0
        while True:
            while at < size and _is_blank(buffer[at]):
                lines += buffer[at] == 10
                at += 1
            if at + 8 >= size:
                return row, np.int64(CUT)
            if buffer[at] != 34:
                return row, np.int64(UNUSUAL)
            key = np.int64(buffer[at + 1])
            if buffer[at + 2] == 34:
                at += 3
            elif buffer[at + 3] == 34:
                key = key * 256 + np.int64(buffer[at + 2])
                at += 4
            else:
                return row, np.int64(UNUSUAL)
            colons = 0
            while at < size and (_is_blank(buffer[at]) or (buffer[at] == 58 and colons == 0)):
                lines += buffer[at] == 10
                colons += buffer[at] == 58
                at += 1
            if at < size and colons == 0:
                return row, np.int64(UNUSUAL)
            begin, quoted = at, at < size and buffer[at] == 34
            if quoted:
                begin = at + 1
                at = begin
                while at < size and buffer[at] != 34 and buffer[at] != 92 and 32 <= buffer[at] < 127:
                    at += 1
            else:
                while at < size and (48 <= buffer[at] <= 57 or 97 <= buffer[at] <= 122 or buffer[at] == 45):
                    at += 1
            if at >= size:
                return row, np.int64(CUT)
            end = at
            if quoted:
                if buffer[at] != 34:
                    return row, np.int64(UNUSUAL)
                at += 1
            elif end - begin == 4 and _is_null(buffer, begin):
                end = begin
            elif end == begin or (buffer[begin] != 45 and (buffer[begin] < 48 or buffer[begin] > 57)):
                return row, np.int64(UNUSUAL)
            length = end - begin
            if key == 118:
                power = _whole(buffer, begin, end)
                if power == NO_POWER + UNUSUAL:
                    return row, np.int64(UNUSUAL)
            elif key == 100:
                if length != 19 or not quoted:
                    return row, np.int64(UNUSUAL)
                instant_at = begin
            elif key == 112:
                step = _step(buffer, begin, end)
                if step == 0:
                    return row, np.int64(UNUSUAL)
            elif key == 110 or key == 29795:  # n, tc
                if length > 1 or (length == 1 and not quoted):
                    return row, np.int64(UNUSUAL)
                code = np.int64(buffer[begin]) if length else 0
                if key == 110:
                    state = code
                else:
                    completed = code
            elif key == 26998 or key == 25955:  # iv, ec
                number = _whole(buffer, begin, end)
                if number != NO_POWER and (number < 0 or number > 99):
                    return row, np.int64(UNUSUAL)
                if key == 26998:
                    doubt = 0 if number == NO_POWER else number + 1
                else:
                    more = 0 if number == NO_POWER else number + 1
            else:
                return row, np.int64(UNUSUAL)
            while at < size and _is_blank(buffer[at]):
                lines += buffer[at] == 10
                at += 1
            if at >= size:
                return row, np.int64(CUT)
            if buffer[at] == 125:
                at += 1
                break
            if buffer[at] != 44:
                return row, np.int64(UNUSUAL)
            at += 1
        if instant_at < 0 or step == 0:
            return row, np.int64(UNUSUAL)
        instant = paris_to_utc(buffer, instant_at, before)
        if instant == UNUSUAL:
            return row, np.int64(UNUSUAL)
        before = instant
        if kind < 0:
            if state == 66 or doubt > 0 or more > 0:
                kind = 1
            elif state == 82 or completed > 0:
                kind = 0
        numbers[AT, row], numbers[POWER, row], numbers[LINE, row] = instant, power, begun
        numbers[CODES, row] = state + 256 * completed + 65536 * doubt + 16_777_216 * more
        steps[row] = step
        row += 1
        opened = False


@njit(cache=True, nogil=True)
def _step(buffer: Any, begin: Any, end: Any) -> Any:
    """Return the seconds of a step such as PT30M, 0 for another text."""
    length = end - begin
    if length < 4 or length > 5 or buffer[begin] != 80 or buffer[begin + 1] != 84:
        return 0
    number = np.int64(0)
    for i in range(begin + 2, end - 1):
        digit = np.int64(buffer[i]) - 48
        if digit < 0 or digit > 9:
            return 0
        number = 10 * number + digit
    unit = buffer[end - 1]
    return number * 60 if unit == 77 else number * HOUR_S if unit == 72 else 0
