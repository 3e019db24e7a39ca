"""Credit-Control-Requests (RFC 8506 §3.1) to columns: those of sessions that say nothing unusual.

A request is *plain* when the grammar finds no fault in it and it says all that there is in columns here; the others are for
`apps.diameter.credit.read_credit`, which is the twin. Whoever sends something odd costs more, and nothing else.

Everything read is hostile: every AVP is checked against the innermost enclosing length, nesting is bounded by an explicit
stack, and each byte is looked at a bounded number of times.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.mediation.kernels.diameter import word_at
from rating.kernels.compiled import kernel

NEAR = 4096
"""AVPs of the RFCs and of 3GPP are found by number; one of theirs that has a larger number is not plain."""
THREE_GPP = 10415
HEADER_BYTES, AVP_BYTES, VENDOR_AVP_BYTES = 20, 8, 12
UNKNOWN, LEAF, GROUP, OPAQUE = range(4)
"""What the dictionary knows of an AVP; nobody looks into an opaque one."""
DEPTH_MAX = 8
AVPS_MAX = 4096
PARTS_MAX = 128
AMOUNT_MAX = 1 << 52
"""Larger amounts are not plain: sums of all in a part stay within 63 bits."""
USED_MAX = 512

MESSAGE = (
    "session_start", "session_end", "sub", "type", "number", "context_start", "context_end", "at", "realm_start", "realm_end",
    "host_start", "host_end", "id0_start", "id0_end", "id1_start", "id1_end", "id2_start", "id2_end", "id3_start", "id3_end",
    "id4_start", "id4_end", "first", "count", "origin_start", "origin_end", "origin_realm_start", "origin_realm_end",
)  # fmt: skip
"""Columns of a request: where texts are, values, and its rows of parts; -1 is absent."""
SESSION, SUB, TYPE, NUMBER, CONTEXT, AT, REALM, HOST, IDS, FIRST, COUNT = 0, 2, 3, 4, 5, 7, 8, 10, 12, 22, 23
ORIGIN, ORIGIN_REALM = 24, 26
PART = (
    "rating_group",
    "identifier",
    "is_asking",
    *(f"asked_{n}" for n in range(5)),
    "reports",
    *(f"used_{n}" for n in range(5)),
)
"""Columns of a part: amounts are total, input and output octets, time, service units; -1 is absent. `used`: summed up."""
RATING_GROUP, IDENTIFIER, IS_ASKING, ASKED, REPORTS, USED = 0, 1, 2, 3, 8, 9

IN_MESSAGE, IN_PART, IN_ASKED, IN_USED, IN_SUBSCRIPTION, IN_OTHER = range(6)


@kernel
def _is_identity(text: Any, at: Any, end: Any) -> Any:
    plain = end > at
    for i in range(at, end):
        plain = plain and text[i] < 128
    return plain


@kernel
def _amount(text: Any, at: Any, length: Any) -> Any:
    """Return a number of 8 bytes, or of 4; -1 when it is none, or too large."""
    if length == 4:
        return word_at(text, at)
    if length != 8 or word_at(text, at) >= AMOUNT_MAX >> 32:
        return np.int64(-1)
    return (word_at(text, at) << 32) | word_at(text, at + 4)


@kernel
def _close_units(row: Any, came: Any, first: Any, is_used: Any) -> Any:
    """Put amounts of one group of units, (5,), to those of its part: octets together are those of both directions if unsaid."""
    if came[0] < 0 and (came[1] >= 0 or came[2] >= 0):
        came[0] = max(came[1], 0) + max(came[2], 0)
    for i in range(5):
        if came[i] >= 0:
            row[first + i] = max(row[first + i], 0) + came[i] if is_used else came[i]
        came[i] = -1


@kernel
def _read(
    text: Any, begin: Any, stop: Any, known: Any, once: Any, row: Any, parts: Any, part: Any, frames: Any, units: Any
) -> Any:
    """Read one request to `row` and to rows of `parts` from `part` on; return how many, -1 when it is not plain."""
    for i in range(len(row)):
        row[i] = -1
    seen = np.int64(0)
    depth = 0
    place = IN_MESSAGE
    at = begin + HEADER_BYTES
    closes = stop
    count = 0
    mine = part - 1
    who = 0
    kind = np.int64(-1)
    data = data_end = np.int64(-1)
    while True:
        if at >= closes:
            if depth == 0:
                break
            if place == IN_ASKED:
                _close_units(parts[mine], units, ASKED, False)
            elif place == IN_USED:
                _close_units(parts[mine], units, USED, True)
            elif place == IN_SUBSCRIPTION:
                if kind < 0 or kind > 4 or data < 0 or row[IDS + 2 * kind] >= 0:
                    return -1
                row[IDS + 2 * kind] = data
                row[IDS + 2 * kind + 1] = data_end
            depth -= 1
            place = frames[depth, 0]
            closes = frames[depth, 1]
            at = frames[depth, 2]
            continue
        count += 1
        if closes - at < AVP_BYTES or count > AVPS_MAX:
            return -1
        code = word_at(text, at)
        word = word_at(text, at + 4)
        length = word & 0xFFFFFF
        head = np.int64(AVP_BYTES)
        vendor = np.int64(0)
        side = 0
        if word >> 31 != 0:
            head = np.int64(VENDOR_AVP_BYTES)
        if length < head or at + length > closes:
            return -1
        if word >> 31 != 0:
            vendor = word_at(text, at + AVP_BYTES)
            side = 1 if vendor == THREE_GPP else 0 if vendor == 0 else -1
        value = at + head
        value_end = at + length
        size = length - head
        at += (length + 3) & ~3
        what = UNKNOWN
        if side >= 0:
            if code >= NEAR:
                return -1
            what = known[side, code]
        if what == UNKNOWN:
            if word >> 30 & 1 != 0:
                return -1
            continue
        if place == IN_MESSAGE and once[side, code] >= 0:
            bit = np.int64(1) << once[side, code]
            if seen & bit != 0:
                return -1
            seen |= bit
        inside = IN_OTHER
        if side == 0:
            if place == IN_MESSAGE:
                if code == 263:
                    row[SESSION] = value
                    row[SESSION + 1] = value_end
                elif code == 264 or code == 296:
                    if not _is_identity(text, value, value_end):
                        return -1
                    who |= 1 if code == 264 else 2
                    first = ORIGIN if code == 264 else ORIGIN_REALM
                    row[first] = value
                    row[first + 1] = value_end
                elif code == 283 or code == 293:
                    if not _is_identity(text, value, value_end):
                        return -1
                    first = REALM if code == 283 else HOST
                    row[first] = value
                    row[first + 1] = value_end
                elif code == 258:
                    if size != 4:
                        return -1
                    who |= 4
                elif code == 461:
                    row[CONTEXT] = value
                    row[CONTEXT + 1] = value_end
                elif code == 416:
                    if size != 4:
                        return -1
                    row[TYPE] = word_at(text, value)
                elif code == 415:
                    if size != 4:
                        return -1
                    row[NUMBER] = word_at(text, value)
                elif code == 419:
                    row[SUB] = _amount(text, value, size)
                    if size != 8 or row[SUB] < 0:
                        return -1
                elif code == 55:
                    if size != 4:
                        return -1
                    row[AT] = word_at(text, value)
                elif code == 282 or code == 284 or code == 436 or code == 437 or code == 446:
                    return -1  # it went through others, or it asks without a group of services
                elif code == 443:
                    inside = IN_SUBSCRIPTION
                    kind = data = np.int64(-1)
                elif code == 456:
                    inside = IN_PART
                    mine += 1
                    if mine - part == PARTS_MAX or mine == len(parts):
                        return -1
                    for i in range(parts.shape[1]):
                        parts[mine, i] = -1
                    parts[mine, IS_ASKING] = 0
                    parts[mine, REPORTS] = 0
            elif place == IN_PART:
                if code == 432 or code == 439:
                    column = RATING_GROUP if code == 432 else IDENTIFIER
                    if size != 4 or parts[mine, column] >= 0:
                        return -1
                    parts[mine, column] = word_at(text, value)
                elif code == 437:
                    if parts[mine, IS_ASKING] != 0:
                        return -1
                    parts[mine, IS_ASKING] = 1
                    inside = IN_ASKED
                elif code == 446:
                    parts[mine, REPORTS] += 1
                    if parts[mine, REPORTS] > USED_MAX:
                        return -1
                    inside = IN_USED
            elif place == IN_ASKED or place == IN_USED:
                unit = -1
                if code == 421:
                    unit = 0
                elif code == 412:
                    unit = 1
                elif code == 414:
                    unit = 2
                elif code == 420:
                    unit = 3
                elif code == 417:
                    unit = 4
                if unit >= 0:
                    if size != (4 if unit == 3 else 8) or units[unit] >= 0:
                        return -1
                    units[unit] = _amount(text, value, size)
                    if units[unit] < 0:
                        return -1
            elif place == IN_SUBSCRIPTION:
                if code == 450:
                    if size != 4 or kind >= 0:
                        return -1
                    kind = word_at(text, value)
                elif code == 444:
                    if data >= 0:
                        return -1
                    data = value
                    data_end = value_end
        if what == GROUP:
            if depth == DEPTH_MAX:
                return -1
            frames[depth, 0] = place
            frames[depth, 1] = closes
            frames[depth, 2] = at
            depth += 1
            place = inside
            closes = value_end
            at = value
    if row[SESSION] < 0 or who != 7 or row[REALM] < 0 or row[CONTEXT] < 0 or row[NUMBER] < 0:
        return -1
    if row[TYPE] < 1 or row[TYPE] > 3:
        return -1
    return mine + 1 - part


@kernel
def read_requests(
    text: Any,
    bounds: Any,
    bytes_max: Any,
    known: Any,
    once: Any,
    frames: Any,
    units: Any,
    rows: Any,
    parts: Any,
) -> Any:
    """Read requests that lie one after another.

    Args:
        text: (>= bounds[-1],) uint8. bounds: (n + 1,) int64, where each begins and the last one ends: whole messages, by their
            own lengths. bytes_max: of one.
        known: (2, NEAR) uint8 of what AVPs are, those of the RFCs and those of 3GPP. once: (2, NEAR) int8, a number below 63 of
            those that a request may have once, else -1.
        frames: (DEPTH_MAX, 3) int64, units: (5,) int64, all -1: working space.
        rows: (n, len(MESSAGE)) int64, written; FIRST and COUNT are rows of `parts`, COUNT is -1 of what is not plain.
        parts: (p, len(PART)) int64, written; a request with more than are left is not plain.

    Returns:
        How many parts there are.
    """
    used = np.int64(0)
    for n in range(len(bounds) - 1):
        begin = bounds[n]
        stop = bounds[n + 1]
        count = np.int64(-1)
        word = word_at(text, begin + 4)
        # a request without the E bit, of credit control
        if stop - begin <= bytes_max and word & 0xA0FFFFFF == 0x80000110 and word_at(text, begin + 8) == 4:
            count = _read(text, begin, stop, known, once, rows[n], parts, used, frames, units)
            for i in range(5):
                units[i] = -1
        rows[n, FIRST] = used
        rows[n, COUNT] = count
        if count > 0:
            used += count
    return used
