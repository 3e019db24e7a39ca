"""Delimited text with quotes (RFC 4180): fields may hold delimiters, newlines and doubled quotes."""

from __future__ import annotations

from typing import Any

from numba import njit

from pipelines.mediation.kernels.reasons import FIELD_COUNT, MALFORMED_RECORD
from pipelines.mediation.kernels.words import find, find_either, repeat

QUOTE = 34
CARRIAGE_RETURN = 13
NEWLINE = 10

FIELD_START = 0
UNQUOTED = 1
QUOTED = 2
QUOTE_SEEN = 3


@njit(cache=True, nogil=True)
def split_quoted(
    buffer: Any,
    size: Any,
    final: Any,
    delimiter: Any,
    columns_min: Any,
    slots: Any,
    start: Any,
    end: Any,
    raw_start: Any,
    raw_end: Any,
    reason: Any,
) -> Any:
    """Split complete records into fields; a quote opens a quoted field only at the field's first byte.

    Text between a closing quote and the next delimiter makes the record MALFORMED_RECORD, as does a quote that is
    still open at the end of the file.

    Args:
        buffer, size, delimiter, columns_min, slots, start, end, raw_start, raw_end: as for `split_plain`; offsets of a
            quoted field exclude its quotes and still hold doubled quotes (see `unescape_quotes`).
        final: nothing follows `size`; the caller has closed the last line with a newline.
        reason: (m,) uint16, written: 0, FIELD_COUNT or MALFORMED_RECORD.

    Returns:
        (rows, consumed, escapes): escapes counts the doubled quotes met.
    """
    base = buffer.ctypes.data
    columns = len(slots)
    fields = len(start)
    rows_max = len(reason)
    delimiters = repeat(delimiter)
    newlines = repeat(NEWLINE)
    quotes = repeat(QUOTE)
    row = 0
    column = 0
    record = 0
    at = 0
    escapes = 0
    malformed = False
    while at < size and row < rows_max:
        field = at
        if buffer[at] == QUOTE:
            field = at + 1
            at = field
            while True:
                at = find(base, at, size, quotes)
                if at + 1 < size and buffer[at + 1] == QUOTE:
                    escapes += 1
                    at += 2
                else:
                    break
            stop = at
            if at + 1 >= size:  # the closing quote, or what follows it, is not here yet
                if not final:
                    return row, record, escapes
                malformed = True
                at = size - 1
                stop = at
            else:
                at += 1
                byte = buffer[at]
                if byte == CARRIAGE_RETURN and at + 1 < size and buffer[at + 1] == NEWLINE:
                    at += 1
                elif byte == CARRIAGE_RETURN and at + 1 >= size:
                    return row, record, escapes
                elif byte != delimiter and byte != NEWLINE:
                    malformed = True
                    at = find_either(base, at, size, delimiters, newlines)
        else:
            at = find_either(base, at, size, delimiters, newlines)
            stop = at
            if at < size and buffer[at] == NEWLINE and stop > field and buffer[stop - 1] == CARRIAGE_RETURN:
                stop -= 1
        if at >= size:
            return row, record, escapes
        if column < columns and slots[column] >= 0:
            start[slots[column], row] = field
            end[slots[column], row] = stop
        column += 1
        if buffer[at] == NEWLINE:
            last = at
            if last > record and buffer[last - 1] == CARRIAGE_RETURN:
                last -= 1
            if last > record:
                reason[row] = 0
                if malformed or column < columns_min or column > columns:
                    reason[row] = MALFORMED_RECORD if malformed else FIELD_COUNT
                    for slot in range(fields):
                        start[slot, row] = 0
                        end[slot, row] = 0
                else:
                    for absent in range(column, columns):
                        if slots[absent] >= 0:
                            start[slots[absent], row] = 0
                            end[slots[absent], row] = 0
                raw_start[row] = record
                raw_end[row] = last
                row += 1
            record = at + 1
            column = 0
            malformed = False
        at += 1
    return row, record, escapes


@njit(cache=True, nogil=True)
def skip_record(buffer: Any, size: Any, delimiter: Any, state: Any) -> Any:
    """Find where a record ends that is too long to hold, chunk by chunk.

    Args:
        buffer: (b,) uint8; size: bytes of this chunk; delimiter: one byte.
        state: FIELD_START for the record's first chunk, then what the previous chunk returned.

    Returns:
        (end, state): the offset after the record's newline, or -1 when it goes on.
    """
    for at in range(size):
        byte = buffer[at]
        if state == QUOTED:
            if byte == QUOTE:
                state = QUOTE_SEEN
        elif byte == NEWLINE:
            return at + 1, FIELD_START
        elif byte == delimiter:
            state = FIELD_START
        elif byte == QUOTE and (state == FIELD_START or state == QUOTE_SEEN):
            state = QUOTED
        else:
            state = UNQUOTED
    return -1, state


@njit(cache=True, nogil=True)
def unescape_quotes(text: Any, start: Any, end: Any) -> None:
    """Replace doubled quotes by one in every quoted field, in place, and shorten the field.

    Args:
        text: (b,) uint8, a copy of the block that may be changed.
        start: (n,) int32 offsets of one field; a quoted one has its opening quote at `start` - 1.
        end: (n,) int32, changed.
    """
    for i in range(len(start)):
        at = start[i]
        if at == 0 or text[at - 1] != QUOTE:
            continue
        stop = end[i]
        out = at
        while at < stop:
            byte = text[at]
            text[out] = byte
            out += 1
            at += 2 if byte == QUOTE else 1
        end[i] = out
