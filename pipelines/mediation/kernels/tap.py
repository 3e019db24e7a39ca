"""TAP call events: where the values of needed elements are, and the money of each event, row by row.

Every element is read against the end of the one around it, nesting is bounded, and each byte is looked at a bounded number of
times; a file in which anything cannot be read is broken as a whole.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.mediation.kernels.ber import BROKEN, CONSTRUCTED, DEPTH_MAX, INCOMPLETE, read_header, record_end

STRUCTURE = 1
VALUE = 2
TIME = 64
"""How a value reads that is no single element: a local time and the code of its offset from UTC."""
APPLICATION = 1
DONE = 1
"""The list of events has ended."""
OVERFLOW = -3
"""An amount, or a sum of an event's amounts, is larger than `AMOUNT_MAX`."""

CHARGE_DETAIL = 63
CHARGE = 62
CHARGEABLE_UNITS = 65
CHARGED_UNITS = 68
CHARGE_TYPE = 71
CHARGE_REFUND_INDICATOR = 344
CONTENT_SERVICE_USED = 352
TAX_VALUE = 397
DISCOUNT = 412
CAMEL_INVOCATION_FEE = 422

CHARGES, TAXES, DISCOUNTS, CHARGE_REFUNDS, TAX_REFUNDS, DISCOUNT_REFUNDS = range(6)
"""Columns of an event's amounts."""
AMOUNTS = 6
REFUND = 3
AMOUNT_MAX = 1 << 62
INTEGER_BYTES_MAX = 8

NO_DETAIL, OTHER_DETAIL, TOTAL_DETAIL = range(3)
"""Whether an amount is part of a charge detail, and if so whether of the total (charge type 00)."""
ZERO = 48
SHORT_OCTETS = 4
"""Octets of the header of an element with a tag of up to three octets and a length of one."""


@njit(cache=True, nogil=True)
def read_integer(text: Any, at: Any, end: Any) -> Any:
    """Return (value, sound): the two's complement integer text[at:end] of 1 to 8 octets (X.690 §8.3)."""
    if end <= at or end - at > INTEGER_BYTES_MAX:
        return np.int64(0), False
    value = np.int64(text[at])
    if value >= 128:
        value -= 256
    for i in range(at + 1, end):
        value = (value << 8) | np.int64(text[i])
    return value, True


@njit(cache=True, nogil=True)
def _amount_of(number: Any, detail: Any) -> Any:
    """Return the column of amounts that the element counts in, or -1."""
    if number == CHARGE:
        return CHARGES if detail != OTHER_DETAIL else -1
    if number == CAMEL_INVOCATION_FEE:
        return CHARGES
    if number == TAX_VALUE:
        return TAXES
    if number == DISCOUNT:
        return DISCOUNTS
    return -1


@njit(cache=True, nogil=True)
def _walk_event(
    buffer: Any,
    at: Any,
    stop: Any,
    shapes: Any,
    cells: Any,
    frames: Any,
    start: Any,
    end: Any,
    amounts: Any,
    present: Any,
    row: Any,
) -> Any:
    """Read the one event buffer[at:stop]; return 0, BROKEN or OVERFLOW, and where. Arguments as of `walk_events`."""
    depth = -1
    detail = NO_DETAIL
    refund = 0
    while True:
        if depth >= 0:
            closes = frames[depth, 0]
            bound = frames[depth, 1]
            ended = False
            if closes >= 0:
                ended = at == closes
            elif at + 2 <= bound and buffer[at] == 0 and buffer[at + 1] == 0:
                at += 2
                ended = True
            if ended:
                if frames[depth, 2] == CHARGE_DETAIL:
                    detail = NO_DETAIL
                elif frames[depth, 2] == CONTENT_SERVICE_USED:
                    refund = 0
                depth -= 1
                if depth < 0:
                    return np.int64(0) if at == stop else np.int64(BROKEN), at
                continue
        else:
            bound = stop
        here = at
        short = False
        if at + SHORT_OCTETS <= bound:
            # up to three octets of tag, one of length: nearly all are, and a call with an array counts references
            byte = np.int64(buffer[at])
            group = byte >> 6
            constructed = (byte & CONSTRUCTED) != 0
            tag = byte & 31
            place = at + 1
            if tag == 31:
                byte = np.int64(buffer[place])
                tag = byte & 127
                place += 1
                if byte >= 128:
                    byte = np.int64(buffer[place])
                    tag = (tag << 7) | (byte & 127)
                    place += 1
            else:
                byte = np.int64(0)
            length = np.int64(buffer[place])
            key = tag * 4 + group
            short = byte < 128 and length < 128
        if short:
            at = place + 1
        else:
            key, constructed, at, length = read_header(buffer, at, bound)
        if key <= 0 or at + max(length, 0) > bound:
            return np.int64(BROKEN), here
        number = key >> 2
        if key & 3 != APPLICATION or number >= len(shapes):
            number = 0
        shape = shapes[number]
        if (shape == VALUE and constructed) or (shape == STRUCTURE and not constructed):
            return np.int64(BROKEN), here
        after = at + length if length >= 0 else bound
        cell = cells[number]
        if (number == CHARGEABLE_UNITS or number == CHARGED_UNITS) and detail != TOTAL_DETAIL:
            cell = -1
        if cell >= 0 and start[cell, row] == 0:
            start[cell, row] = at
            end[cell, row] = after
        if constructed:
            if depth == DEPTH_MAX - 1:
                return np.int64(BROKEN), here
            depth += 1
            frames[depth, 0] = after if length >= 0 else -1
            frames[depth, 1] = after
            frames[depth, 2] = number
            if number == CHARGE_DETAIL:
                detail = OTHER_DETAIL
            elif number == CONTENT_SERVICE_USED:
                refund = 0
            continue
        if depth < 0:
            return np.int64(BROKEN), here
        if number == CHARGE_TYPE and detail != NO_DETAIL:
            total = length == 2 and buffer[at] == ZERO and buffer[at + 1] == ZERO
            detail = TOTAL_DETAIL if total else OTHER_DETAIL
        elif number == CHARGE_REFUND_INDICATOR:
            value, sound = read_integer(buffer, at, after)
            if not sound:
                return np.int64(BROKEN), here
            refund = REFUND if value == 1 else 0
        else:
            column = _amount_of(number, detail)
            if column >= 0:
                value, sound = read_integer(buffer, at, after)
                if not sound:
                    return np.int64(OVERFLOW) if length > INTEGER_BYTES_MAX else np.int64(BROKEN), here
                column += refund
                total = amounts[row, column]
                if value > AMOUNT_MAX or value < -AMOUNT_MAX:
                    return np.int64(OVERFLOW), here
                total += value  # both are within 2**62: no overflow
                if total > AMOUNT_MAX or total < -AMOUNT_MAX:
                    return np.int64(OVERFLOW), here
                amounts[row, column] = total
                present[row] |= 1 << column
        at = after


@njit(cache=True, nogil=True)
def walk_events(
    buffer: Any,
    size: Any,
    closed: Any,
    shapes: Any,
    cells: Any,
    frames: Any,
    start: Any,
    end: Any,
    amounts: Any,
    present: Any,
    event: Any,
    raw_start: Any,
    raw_end: Any,
) -> Any:
    """Read call events back to back, one row each.

    Args:
        buffer: (b >= size,) uint8; size: bytes to read; closed: the list ends with end-of-contents octets.
        shapes: (t,) uint8 by tag: 0 unknown, STRUCTURE or VALUE.
        cells: (t,) int32 by tag: row of `start` and `end` that keeps the element's contents, the first's of an event; -1: none.
            Chargeable and charged units count only in a charge detail of type 00.
        frames: (DEPTH_MAX, 3) int64 working space.
        start, end: (k, m) int32, written: contents of each cell's element, 0 where it is absent.
        amounts: (m, AMOUNTS) int64, written: charges (of type 00, or outside charge details, and CAMEL fees), taxes and
            discounts of each event, then the same of refunds; present: (m,) uint8, written: bit i: amount i occurs.
        event: (m,) int32 the tag of each event; raw_start, raw_end: (m,) int64: written.

    Returns:
        (rows, consumed, status, place): 0: the matrix is full, or all bytes are read; DONE: the list's end was read;
        INCOMPLETE: the event at `consumed` needs more bytes; BROKEN or OVERFLOW at `place`.
    """
    at = np.int64(0)
    row = 0
    while at < size and row < len(event):
        if closed and buffer[at] == 0:
            if at + 2 > size:
                return row, at, np.int64(INCOMPLETE), at
            if buffer[at + 1] != 0:
                return row, at, np.int64(BROKEN), at
            return row, at + 2, np.int64(DONE), at
        stop = np.int64(record_end(buffer, at, size))
        if stop < 0:
            return row, at, stop, at
        key, constructed, _, _ = read_header(buffer, at, size)
        if key & 3 != APPLICATION or not constructed:
            return row, at, np.int64(BROKEN), at
        for cell in range(len(start)):
            start[cell, row] = 0
            end[cell, row] = 0
        for column in range(AMOUNTS):
            amounts[row, column] = 0
        present[row] = 0
        status, place = _walk_event(buffer, at, stop, shapes, cells, frames, start, end, amounts, present, row)
        if status < 0:
            return row, at, status, place
        event[row] = key >> 2
        raw_start[row] = at
        raw_end[row] = stop
        row += 1
        at = stop
    return row, at, np.int64(0), at
