"""Diameter messages (RFC 6733 §3, §4): where the values of configured AVPs are, row by row, and their text.

Everything read is hostile: every AVP is checked against the innermost enclosing length, nesting is bounded by an explicit
stack, and each byte of a message is looked at a bounded number of times.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.mediation.kernels.encoding import RAW_KEPT, is_utf8
from pipelines.mediation.kernels.radius_text import number_of, put_instant, put_ipv4, put_ipv6, put_number, put_octets
from pipelines.mediation.kernels.reasons import FILTERED_BY_SOURCE, MALFORMED_RECORD, RECORD_TOO_LONG
from rating.kernels.compiled import kernel

U = np.uint64
HEADER_BYTES = 20
AVP_BYTES = 8
VENDOR_AVP_BYTES = 12
REQUEST = 0x80
VENDOR = 0x80
DEPTH_MAX = 12
"""How deep groups with fields in them may lie in groups."""
LEVELS_MAX = 4
"""How many groups on the way may give rows of their own; level 0 is the message."""
ELEMENTS_MAX = 4_096
"""Most rows of one message."""
ROOM_MAX = 1 << 30
"""Bytes of text from which on a block takes no further message: offsets into it are int32."""
NEAR = 4096
"""Numbers of AVPs of the RFCs and of 3GPP that are found by index; others are looked for one by one."""
THREE_GPP = 10415
NTP_UNIX_S = 2_208_988_800
ERA_S = 1 << 32

GROUP, VALUE, SUBSCRIPTION = 0, 1, 2
"""What a node is; of a Subscription-Id, a group, the data counts by type."""
ABSENT, TEXT, U32, U64, I32, I64, TIME, ADDRESS, OCTETS, IPV4, IPV6, INTEGER = range(12)
"""How a value reads; what it cannot be is `0x` and its octets."""
SUBSCRIPTION_TYPE, SUBSCRIPTION_DATA = 450, 444
TEXT_PER_BYTE, TEXT_PER_VALUE = 3, 24
"""Room for text: hexadecimal digits with their sign, and the longest number, instant or address of few octets."""

WHOLE, BROKEN = 0, -1


@kernel
def word_at(text: Any, at: Any) -> Any:
    """Return the number of four octets from `at` on, most significant first."""
    return (
        (np.int64(text[at]) << 24)
        | (np.int64(text[at + 1]) << 16)
        | (np.int64(text[at + 2]) << 8)
        | np.int64(text[at + 3])
    )


@kernel
def pass_messages(buffer: Any, size: Any) -> Any:
    """Look over messages that follow each other by the lengths in their headers.

    Returns:
        (consumed, status, length): WHOLE, or BROKEN when the message at `consumed` has a version or length that none may
        have; length: what it says, 0 when that is not there yet.
    """
    at = np.int64(0)
    while at + 4 <= size:
        word = word_at(buffer, at)
        length = word & 0xFFFFFF
        if word >> 24 != 1 or length < HEADER_BYTES or length % 4 != 0:
            return at, BROKEN, length
        if at + length > size:
            return at, WHOLE, length
        at += length
    return at, WHOLE, np.int64(0)


@kernel
def _atom(vendor: Any, code: Any, near: Any, far: Any) -> Any:
    """Return the number under which the tree knows an AVP, -1 when it does not."""
    if code < NEAR:
        if vendor == 0:
            return np.int64(near[0, code])
        if vendor == THREE_GPP:
            return np.int64(near[1, code])
    for i in range(len(far)):
        if far[i, 0] == vendor and far[i, 1] == code:
            return far[i, 2]
    return np.int64(-1)


@kernel
def _subscription(text: Any, at: Any, stop: Any) -> Any:
    """Return (type, where the data is, where it ends) of a Subscription-Id; type -1 when either is missing or broken."""
    found = np.int64(-1)
    begin = end = np.int64(-1)
    while at + AVP_BYTES <= stop:
        code = word_at(text, at)
        word = word_at(text, at + 4)
        length = word & 0xFFFFFF
        head = VENDOR_AVP_BYTES if word >> 31 != 0 else AVP_BYTES
        if length < head or at + length > stop:
            return np.int64(-1), at, at
        if word >> 31 == 0:
            if code == SUBSCRIPTION_TYPE and length == head + 4 and found < 0:
                found = word_at(text, at + head)
            elif code == SUBSCRIPTION_DATA and begin < 0:
                begin = at + head
                end = at + length
        at += (length + 3) & ~3
    return (found, begin, end) if begin >= 0 else (np.int64(-1), at, at)


@kernel
def walk_messages(
    text: Any,
    size: Any,
    bytes_max: Any,
    wanted: Any,
    near: Any,
    far: Any,
    child: Any,
    role: Any,
    level: Any,
    output: Any,
    out_slot: Any,
    out_kind: Any,
    out_type: Any,
    slot_level: Any,
    frames: Any,
    first_row: Any,
    used: Any,
    start: Any,
    end: Any,
    kind: Any,
    origin: Any,
    choice: Any,
    raw_start: Any,
    raw_end: Any,
    reason: Any,
) -> Any:
    """Read messages back to back; each gives one row, or one for every time that a group that opens rows comes.

    Of values that occur twice in one row the first counts. A refused message is one row without values.

    Args:
        text: (>= size,) uint8; size: bytes to read; bytes_max: longest message accepted.
        wanted: (w,) int64 commands that are read; requests of others, and answers, are FILTERED_BY_SOURCE.
        near: (2, NEAR) int16, far: (k, 3) int64 vendor, code, atom: the atom of an AVP, see `_atom`.
        child: (nodes, atoms) int16: node n leads by an atom to another, -1: nowhere. Node 0 is the message.
        role: (nodes,) uint8; level: (nodes,) int8: l > 0: each occurrence of this group opens a row of level l; else 0.
        output: (nodes + 1,) int32: node n's value belongs to the slots out_slot[output[n]:output[n + 1]], as out_kind says;
            of a Subscription-Id to those whose out_type it has.
        slot_level: (f,) int8 the level of the rows that a slot's value describes.
        frames: (DEPTH_MAX, 3) int64, first_row: (LEVELS_MAX,) int64, used: (LEVELS_MAX,) bool: working space.
        start, end: (f, m) int32 and kind: (f, m) uint8, written: a value's octets and how it reads, ABSENT where there is none.
            Only in the row that origin names; rows below share it.
        origin: (LEVELS_MAX, m) int32, written: the row that holds the values of each level.
        choice: (m,) int32, written: which of `wanted` the message is, -1: none.
        raw_start, raw_end: (m,) int64, written: the whole message, the first 64 KiB of one that is too long.
        reason: (m,) uint16, written.
            m must be more than ELEMENTS_MAX: then a full matrix holds at least one whole message.

    Returns:
        (rows, consumed, room, status): the offset after the last message taken; bytes that the text of its values may take;
        WHOLE, or BROKEN when the message at `consumed` has a version or length that none may have.
    """
    rows_max = len(reason)
    fields = len(slot_level)
    row = 0
    room = np.int64(0)
    begin = np.int64(0)
    while begin + 4 <= size:
        word = word_at(text, begin)
        length = word & 0xFFFFFF
        if word >> 24 != 1 or length < HEADER_BYTES or length % 4 != 0:
            return row, begin, room, BROKEN
        stop = begin + length
        if stop > size or row == rows_max or room > ROOM_MAX:
            break
        first = row
        needed = np.int64(0)
        full = False
        problem = 0
        for k in range(LEVELS_MAX):
            origin[k, row] = row
            first_row[k] = row
            used[k] = False
        for slot in range(fields):
            kind[slot, row] = ABSENT
        command = word_at(text, begin + 4)
        choice[row] = -1
        if command >> 31 != 0:
            for i in range(len(wanted)):
                if command & 0xFFFFFF == wanted[i]:
                    choice[row] = i
        depth = 0
        node = np.int64(0)
        at = begin + HEADER_BYTES
        closes = stop
        if length > bytes_max:
            problem = RECORD_TOO_LONG
        elif choice[row] < 0:
            problem = FILTERED_BY_SOURCE
        while problem == 0 and not full:
            if at >= closes:
                if depth == 0:
                    break
                depth -= 1
                node = frames[depth, 0]
                closes = frames[depth, 1]
                at = frames[depth, 2]
                continue
            if closes - at < AVP_BYTES:
                problem = MALFORMED_RECORD
                break
            code = word_at(text, at)
            word = word_at(text, at + 4)
            size_of = word & 0xFFFFFF
            head = np.int64(AVP_BYTES)
            vendor = np.int64(0)
            if word >> 31 != 0:
                head = np.int64(VENDOR_AVP_BYTES)
            if size_of < head or at + size_of > closes:
                problem = MALFORMED_RECORD
                break
            if word >> 31 != 0:
                vendor = word_at(text, at + AVP_BYTES)
            value = at + head
            value_end = at + size_of
            at += (size_of + 3) & ~3
            atom = _atom(vendor, code, near, far)
            found = np.int64(child[node, atom]) if atom >= 0 else np.int64(-1)
            if found < 0:
                continue
            rank = level[found]
            if rank > 0:
                if used[rank - 1]:
                    row += 1
                    if row - first == ELEMENTS_MAX:
                        problem = MALFORMED_RECORD
                        break
                    if row == rows_max:
                        full = True
                        break
                    for k in range(LEVELS_MAX):
                        origin[k, row] = first_row[k] if k < rank else row
                    for slot in range(fields):
                        kind[slot, row] = ABSENT
                used[rank - 1] = True
                for k in range(rank, LEVELS_MAX):
                    first_row[k] = row
                    used[k] = False
            if role[found] == VALUE:
                for k in range(output[found], output[found + 1]):
                    slot = out_slot[k]
                    target = first_row[slot_level[slot]]
                    if kind[slot, target] == ABSENT:
                        start[slot, target] = value
                        end[slot, target] = value_end
                        kind[slot, target] = out_kind[k]
                        needed += TEXT_PER_BYTE * (value_end - value) + TEXT_PER_VALUE
                continue
            if role[found] == SUBSCRIPTION:
                which, data, data_end = _subscription(text, value, value_end)
                for k in range(output[found], output[found + 1]):
                    slot = out_slot[k]
                    target = first_row[slot_level[slot]]
                    if which == out_type[k] and kind[slot, target] == ABSENT:
                        start[slot, target] = data
                        end[slot, target] = data_end
                        kind[slot, target] = out_kind[k]
                        needed += TEXT_PER_BYTE * (data_end - data) + TEXT_PER_VALUE
            if depth == DEPTH_MAX:
                problem = MALFORMED_RECORD
                break
            frames[depth, 0] = node
            frames[depth, 1] = closes
            frames[depth, 2] = at
            depth += 1
            node = found
            closes = value_end
            at = value
        if full:
            return first, begin, room, WHOLE
        if problem != 0:
            row = first
            needed = np.int64(0)
            for slot in range(fields):
                kind[slot, row] = ABSENT
        for k in range(first, row + 1):
            raw_start[k] = begin
            raw_end[k] = min(stop, begin + RAW_KEPT) if problem == RECORD_TOO_LONG else stop
            reason[k] = problem
            choice[k] = choice[first]
        room += needed
        row += 1
        begin = stop
    return row, begin, room, WHOLE


@kernel
def put_value(text: Any, out: Any, kind: Any, source: Any, at: Any, end: Any) -> Any:
    """Write one value source[at:end] as its kind reads, and return the offset after it.

    At most `TEXT_PER_BYTE` times its octets and `TEXT_PER_VALUE` more.
    """
    length = end - at
    if kind == TEXT:
        readable = is_utf8(source, at, end)
        for i in range(at, end):
            if source[i] == 0:
                readable = False
        if not readable:
            return put_octets(text, out, source, at, end)
        for i in range(at, end):
            text[out] = source[i]
            out += 1
        return out
    if (
        (kind == U32 and length == 4)
        or (kind == U64 and length == 8)
        or (kind == INTEGER and length >= 1 and length <= 8)
    ):
        return put_number(text, out, number_of(source, at, end))
    if (kind == I32 and length == 4) or (kind == I64 and length == 8):
        value = number_of(source, at, end)
        if source[at] >= 128:
            text[out] = 45
            out += 1
            value = (U(0) - value) & (U(0xFFFFFFFF) if length == 4 else U(0xFFFFFFFFFFFFFFFF))
        return put_number(text, out, value)
    if kind == TIME and length == 4:
        seconds = np.int64(number_of(source, at, end)) - NTP_UNIX_S
        if source[at] < 128:
            seconds += ERA_S  # after 2036-02-07T06:28:16Z (RFC 6733 §4.3.1)
        out = put_instant(text, out, seconds)
        text[out] = 90
        return out + 1
    if kind == ADDRESS and length >= 2:
        family = (np.int64(source[at]) << 8) | np.int64(source[at + 1])
        if family == 1 and length == 6:
            return put_ipv4(text, out, source, at + 2)
        if family == 2 and length == 18:
            return put_ipv6(text, out, source, at + 2, end)
        if family == 8 and length > 2:
            digits = True
            for i in range(at + 2, end):
                digits = digits and source[i] >= 48 and source[i] <= 57
            if digits:
                text[out] = 43
                out += 1
                for i in range(at + 2, end):
                    text[out] = source[i]
                    out += 1
                return out
    if kind == IPV4 and length == 4:
        return put_ipv4(text, out, source, at)
    if kind == IPV6 and length == 16:
        return put_ipv6(text, out, source, at, end)
    return put_octets(text, out, source, at, end)


@kernel
def render_messages(
    source: Any,
    rows: Any,
    slot_level: Any,
    slot_choice: Any,
    kind: Any,
    origin: Any,
    choice: Any,
    reason: Any,
    name_bounds: Any,
    text: Any,
    out: Any,
    start: Any,
    end: Any,
) -> Any:
    """Write the text of all values; rows that share a value share its text.

    Args:
        source: (>= b,) uint8 what `walk_messages` read; rows: how many rows it found.
        reason: (n,) uint16. slot_choice: (f,) bool: the slot is what the message is, whose names lie in
            text[name_bounds[c]:name_bounds[c + 1]].
        text: (t,) uint8, written from `out` on, `out` > 0. start, end: (f, m) int32, changed: from octets to text; equal and
            zero where there is no value.

    Returns:
        The offset after the text.
    """
    for row in range(rows):
        for slot in range(len(slot_level)):
            if slot_choice[slot]:
                there = reason[row] == 0
                start[slot, row] = name_bounds[choice[row]] if there else 0
                end[slot, row] = name_bounds[choice[row] + 1] if there else 0
                continue
            holder = origin[slot_level[slot], row]
            if kind[slot, holder] == ABSENT:
                start[slot, row] = 0
                end[slot, row] = 0
            elif holder != row:
                start[slot, row] = start[slot, holder]
                end[slot, row] = end[slot, holder]
            else:
                at = start[slot, row]
                stop = end[slot, row]
                start[slot, row] = out
                out = put_value(text, out, kind[slot, row], source, at, stop)
                end[slot, row] = out
    return out
