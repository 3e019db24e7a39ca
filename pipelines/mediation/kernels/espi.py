"""Readings of Green Button in the bytes of a feed: runs of usual `IntervalReading` elements as numbers.

The twin is `pipelines.mediation.espi.parser` without runs. What is unusual in any way is left to it: attributes, entities, text
beyond ASCII, numbers that are no plain whole ones, a quality that is a doubt, elements that come twice or lie deeper.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

FIELDS = 5
START, STEP, VALUE, QUALITY, LINE = range(FIELDS)
"""Columns of the table of readings; QUALITY is `NONE` where there is none."""
RUN_FIELDS = 4
BEGIN, END, FIRST, COUNT = range(RUN_FIELDS)
"""Columns of the table of runs: their bytes, and which readings they are."""
UNUSUAL, MORE, NONE = -1, -2, -1
READING_BYTES_MAX = 4096
NAME_BYTES_MAX = 64
DIGITS_MAX = 15
START_MAX, STEP_MAX, QUALITY_MAX, QUESTIONABLE = 4_102_444_800, 34_560_000, 99, 10
LESS, MORE_THAN, SLASH, BANG, ASK, AMPERSAND, COLON, MINUS, ZERO, NEWLINE, RETURN = (
    60,
    62,
    47,
    33,
    63,
    38,
    58,
    45,
    48,
    10,
    13,
)

READING_NAME = np.frombuffer(b"IntervalReading", np.uint8).copy()
START_NAME = np.frombuffer(b"start", np.uint8).copy()
STEP_NAME = np.frombuffer(b"duration", np.uint8).copy()
VALUE_NAME = np.frombuffer(b"value", np.uint8).copy()
QUALITY_NAME = np.frombuffer(b"quality", np.uint8).copy()
COMMENT_END = np.frombuffer(b"-->", np.uint8).copy()
SECTION_END = np.frombuffer(b"]]>", np.uint8).copy()
INSTRUCTION_END = np.frombuffer(b"?>", np.uint8).copy()
SECTION_BEGIN = np.frombuffer(b"<![CDATA[", np.uint8).copy()


@njit(cache=True, nogil=True)
def _is_blank(buffer: Any, at: Any) -> Any:
    """Return whether a byte is a blank; a carriage return is one where a newline follows: expat counts any other as a line."""
    byte = buffer[at]
    return byte == 32 or byte == 9 or byte == NEWLINE or (byte == RETURN and buffer[at + 1] == NEWLINE)


@njit(cache=True, nogil=True)
def _behind_blanks(buffer: Any, at: Any, size: Any) -> Any:
    while at < size and _is_blank(buffer, at):
        at += 1
    return at


@njit(cache=True, nogil=True)
def _name(buffer: Any, at: Any, size: Any) -> Any:
    """Return the offset of the `>` behind a name that begins there, or UNUSUAL, or MORE."""
    begin = at
    while at < size:
        byte = buffer[at]
        letter = (97 <= (byte | 32) <= 122) or byte == 95
        other = (48 <= byte <= 57) or byte == 45 or byte == 46 or byte == COLON
        if byte == MORE_THAN:
            return at if at > begin else UNUSUAL
        if not letter and (not other or at == begin):
            return UNUSUAL
        at += 1
        if at - begin > NAME_BYTES_MAX:
            return UNUSUAL
    return MORE


@njit(cache=True, nogil=True)
def _local(buffer: Any, begin: Any, end: Any) -> Any:
    """Return where the local part of a name begins."""
    at = end
    while at > begin and buffer[at - 1] != COLON:
        at -= 1
    return at


@njit(cache=True, nogil=True)
def _same(buffer: Any, begin: Any, end: Any, name: Any) -> Any:
    if end - begin != len(name):
        return False
    for n in range(len(name)):
        if buffer[begin + n] != name[n]:
            return False
    return True


@njit(cache=True, nogil=True)
def _closed(buffer: Any, at: Any, size: Any, begin: Any, end: Any) -> Any:
    """Return the offset behind the end tag at `at` of the name at begin to end, or UNUSUAL, or MORE."""
    length = end - begin
    if at + 3 + length > size:
        return MORE
    if buffer[at] != LESS or buffer[at + 1] != SLASH or buffer[at + 2 + length] != MORE_THAN:
        return UNUSUAL
    for n in range(length):
        if buffer[at + 2 + n] != buffer[begin + n]:
            return UNUSUAL
    return at + 3 + length


@njit(cache=True, nogil=True)
def _number(buffer: Any, begin: Any, end: Any) -> Any:
    """Return (whether it is one, the whole number) that a text is, blanks around it left out."""
    while begin < end and _is_blank(buffer, begin):
        begin += 1
    while end > begin and (
        buffer[end - 1] == 32 or buffer[end - 1] == 9 or buffer[end - 1] == NEWLINE or buffer[end - 1] == RETURN
    ):
        end -= 1
    sign = np.int64(1)
    if begin < end and buffer[begin] == MINUS:
        sign = np.int64(-1)
        begin += 1
    count = end - begin
    if count < 1 or count > DIGITS_MAX or (buffer[begin] == ZERO and (count > 1 or sign < 0)):
        return False, np.int64(0)
    found = np.int64(0)
    for at in range(begin, end):
        digit = np.int64(buffer[at]) - ZERO
        if digit < 0 or digit > 9:
            return False, np.int64(0)
        found = 10 * found + digit
    return True, sign * found


@njit(cache=True, nogil=True)
def _field(buffer: Any, begin: Any, end: Any) -> Any:
    """Return which column of the table a local name fills, UNUSUAL for none."""
    if _same(buffer, begin, end, START_NAME):
        return START
    if _same(buffer, begin, end, STEP_NAME):
        return STEP
    if _same(buffer, begin, end, VALUE_NAME):
        return VALUE
    if _same(buffer, begin, end, QUALITY_NAME):
        return QUALITY
    return UNUSUAL


@njit(cache=True, nogil=True)
def _reading(buffer: Any, at: Any, size: Any, row: Any, seen: Any) -> Any:
    """Read the element that begins at `at` into a row; return the offset behind it, or UNUSUAL, or MORE.

    Args:
        seen: (FIELDS,) uint8, written.
    """
    limit = min(size, at + READING_BYTES_MAX)
    beyond = UNUSUAL if limit < size else MORE
    root = at + 1
    root_end = _name(buffer, root, limit)
    if root_end < 0:
        return beyond if root_end == MORE else UNUSUAL
    if not _same(buffer, _local(buffer, root, root_end), root_end, READING_NAME):
        return UNUSUAL
    seen[:] = 0
    row[QUALITY] = NONE
    at = root_end + 1
    holder, holder_end = np.int64(0), np.int64(0)  # the element within the reading that is open, 0 for none
    while True:
        at = _behind_blanks(buffer, at, limit)
        if at + 1 >= limit:
            return beyond
        if buffer[at] != LESS:
            return UNUSUAL
        if buffer[at + 1] == SLASH:
            if holder:
                at = _closed(buffer, at, limit, holder, holder_end)
                if at < 0:
                    return beyond if at == MORE else UNUSUAL
                holder = np.int64(0)
                continue
            at = _closed(buffer, at, limit, root, root_end)
            if at < 0:
                return beyond if at == MORE else UNUSUAL
            return at if seen[START] and seen[STEP] and seen[VALUE] else UNUSUAL
        name = at + 1
        name_end = _name(buffer, name, limit)
        if name_end < 0:
            return beyond if name_end == MORE else UNUSUAL
        local = _local(buffer, name, name_end)
        field = _field(buffer, local, name_end)
        text = name_end + 1
        at = _behind_blanks(buffer, text, limit)
        if at + 1 >= limit:
            return beyond
        if buffer[at] == LESS and buffer[at + 1] != SLASH:
            if holder or field != UNUSUAL or _same(buffer, local, name_end, READING_NAME):
                return UNUSUAL
            holder, holder_end = np.int64(name), np.int64(name_end)
            continue
        while at < limit and buffer[at] != LESS:
            byte = buffer[at]
            if byte >= 127 or byte == AMPERSAND or byte == MORE_THAN or (byte < 32 and not _is_blank(buffer, at)):
                return UNUSUAL
            at += 1
        text_end = at
        if at >= limit:
            return beyond
        at = _closed(buffer, at, limit, name, name_end)
        if at < 0:
            return beyond if at == MORE else UNUSUAL
        if field == UNUSUAL:
            if _same(buffer, local, name_end, READING_NAME):
                return UNUSUAL
            continue
        good, found = _number(buffer, text, text_end)
        if not good or seen[field]:
            return UNUSUAL
        if field == START and (found < 0 or found >= START_MAX):
            return UNUSUAL
        if field == STEP and (found < 1 or found > STEP_MAX):
            return UNUSUAL
        if field == QUALITY and (found < 0 or found > QUALITY_MAX or found == QUESTIONABLE):
            return UNUSUAL
        seen[field] = 1
        row[field] = found


@njit(cache=True, nogil=True)
def _skipped(buffer: Any, at: Any, size: Any) -> Any:
    """Return the offset behind the comment, section or instruction at `at`, MORE where it does not end, UNUSUAL for another."""
    if buffer[at + 1] == ASK:
        end, begin = INSTRUCTION_END, at + 2
    elif at + 4 > size:
        return MORE
    elif buffer[at + 2] == MINUS and buffer[at + 3] == MINUS:
        end, begin = COMMENT_END, at + 4
    elif at + 9 > size:
        return MORE
    elif _same(buffer, at, at + 9, SECTION_BEGIN):
        end, begin = SECTION_END, at + 9
    else:
        return UNUSUAL
    while begin + len(end) <= size:
        if _same(buffer, begin, begin + len(end), end):
            return begin + len(end)
        begin += 1
    return MORE


@njit(cache=True, nogil=True)
def scan_readings(buffer: Any, size: Any, table: Any, runs: Any) -> Any:
    """Find the usual readings in a part of a feed.

    Args:
        buffer: (b,) uint8 with 16 readable bytes behind `size`; size: bytes to read.
        table: (m, FIELDS) int64, written: START in s since 1970, STEP in s, VALUE, QUALITY, and LINE: how many lines the bytes
            have before the reading. runs: (r, RUN_FIELDS) int64, written: readings with nothing but blanks between them.
            Both are large enough for a reading of the fewest bytes that there can be.

    Returns:
        (runs, readings, offset up to which all is decided, whether what follows cannot be told by bytes). What lies behind the
        offset has to come again with what follows it.
    """
    at, line, count, held = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    end = np.int64(-1)  # of the run that is open
    seen = np.zeros(FIELDS, np.uint8)
    while at < size:
        byte = buffer[at]
        if byte == NEWLINE:
            line += 1
        if byte != LESS:
            if end >= 0 and not _is_blank(buffer, at):
                end = np.int64(-1)
            at += 1
            continue
        if at + 1 >= size:
            return count, held, at, False
        if buffer[at + 1] == BANG or buffer[at + 1] == ASK:
            behind = _skipped(buffer, at, size)
            if behind == UNUSUAL:
                return count, held, at, True
        else:
            behind = _reading(buffer, at, size, table[held], seen)
        if behind == MORE:
            return count, held, at, False
        if behind == UNUSUAL:
            end = np.int64(-1)
            at += 1
            continue
        if buffer[at + 1] == BANG or buffer[at + 1] == ASK:
            end = np.int64(-1)
        else:
            table[held, LINE] = line
            if end < 0:
                runs[count, BEGIN], runs[count, FIRST], runs[count, COUNT] = at, held, 0
                count += 1
            end = behind
            runs[count - 1, END] = end
            runs[count - 1, COUNT] += 1
            held += 1
        while at < behind:
            if buffer[at] == NEWLINE:
                line += 1
            at += 1
    return count, held, at, False
