"""BER (ITU-T X.690) records: where the values of configured tags are, row by row.

Everything read is hostile: every access is checked against the innermost enclosing length, nesting is bounded by an explicit
stack, and each byte of a record is looked at a bounded number of times.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.mediation.kernels.encoding import RAW_KEPT
from pipelines.mediation.kernels.reasons import FILTERED_BY_SOURCE, MALFORMED_RECORD, RECORD_TOO_LONG

DEPTH_MAX = 32
"""Deepest nesting of tags in a record, and of indefinite lengths in a file."""
LEVELS_MAX = 4
"""How many lists within lists may give rows of their own; level 0 is the record."""
ELEMENTS_MAX = 4_096
"""Most rows of one record."""
ROOM_MAX = 1 << 30
"""Bytes of rendered text from which on a block takes no further record: offsets into it are int32."""

INCOMPLETE = -1
BROKEN = -2
OTHER_FORMAT = -3
LENGTH_MAX = 1 << 48
INDEFINITE = -1
CONSTRUCTED = 0x20

CDR_HEADER_BYTES = 4
RELEASE_EXTENDED = 7
FORMAT_BER = 1

STRUCTURE = 0
VALUE = 1
SKIPPED = 2


@njit(cache=True, nogil=True)
def read_header(text: Any, at: Any, limit: Any) -> Any:
    """Read the identifier and length octets at text[at] (X.690 §8.1.2, §8.1.3); nothing at or after `limit` is read.

    Returns:
        (key, constructed, start, length): key = tag number * 4 + class (0 universal, 1 application, 2 context, 3 private),
        or INCOMPLETE (octets are missing) or BROKEN; constructed: bool; start: where the contents begin; length: their
        octets or INDEFINITE. Tag numbers have at most 28 bits; lengths are not checked against `limit`.
    """
    if at >= limit:
        return np.int64(INCOMPLETE), False, at, np.int64(0)
    byte = np.int64(text[at])
    at += 1
    constructed = (byte & CONSTRUCTED) != 0
    group = byte >> 6
    number = byte & 31
    if number == 31:
        number = np.int64(0)
        octets = 0
        more = True
        while more:
            if at >= limit:
                return np.int64(INCOMPLETE), False, at, np.int64(0)
            if octets == 4:
                return np.int64(BROKEN), False, at, np.int64(0)
            byte = np.int64(text[at])
            at += 1
            octets += 1
            number = (number << 7) | (byte & 127)
            more = byte >= 128
    if at >= limit:
        return np.int64(INCOMPLETE), False, at, np.int64(0)
    length = np.int64(text[at])
    at += 1
    if length == 128:
        if not constructed:
            return np.int64(BROKEN), False, at, np.int64(0)
        length = np.int64(INDEFINITE)
    elif length > 128:
        octets = length & 127
        if octets > 8:
            return np.int64(BROKEN), False, at, np.int64(0)
        if at + octets > limit:
            return np.int64(INCOMPLETE), False, at, np.int64(0)
        length = np.int64(0)
        for _ in range(octets):
            if length > LENGTH_MAX:
                return np.int64(BROKEN), False, at, np.int64(0)
            length = (length << 8) | np.int64(text[at])
            at += 1
        if length > LENGTH_MAX:
            return np.int64(BROKEN), False, at, np.int64(0)
    return number * 4 + group, constructed, at, length


@njit(cache=True, nogil=True)
def record_end(text: Any, at: Any, size: Any) -> Any:
    """Return where the tag-length-value at text[at] ends, or INCOMPLETE (bytes are missing before `size`), or BROKEN.

    Contents of definite length are stepped over unseen; indefinite lengths are followed to their end-of-contents octets.
    """
    key, _, at, length = read_header(text, at, size)
    if key <= 0:  # universal 0 is the tag of end-of-contents, never a record's
        return np.int64(BROKEN) if key == 0 else key
    if length >= 0:
        return at + length if at + length <= size else np.int64(INCOMPLETE)
    depth = 1
    while depth > 0:
        if at + 2 > size:
            return np.int64(INCOMPLETE)
        if text[at] == 0 and text[at + 1] == 0:
            depth -= 1
            at += 2
            continue
        key, _, at, length = read_header(text, at, size)
        if key <= 0:
            return np.int64(BROKEN) if key == 0 else key
        if length >= 0:
            at += length
            if at > size:
                return np.int64(INCOMPLETE)
        else:
            if depth == DEPTH_MAX:
                return np.int64(BROKEN)
            depth += 1
    return at


@njit(cache=True, nogil=True)
def cdr_frame(text: Any, at: Any, size: Any) -> Any:
    """Read the CDR header at text[at] (3GPP TS 32.297 §6.1.2).

    Two octets of length without the header, three bits of release and five of version, three bits of format and five of the
    specification, and one more octet of release where its bits are all set.

    Returns:
        (begin, stop) of the CDR; stop may be INCOMPLETE (bytes are missing before `size`) or OTHER_FORMAT: it is not in BER.
    """
    if at + CDR_HEADER_BYTES > size:
        return at, np.int64(INCOMPLETE)
    begin = at + CDR_HEADER_BYTES
    if text[at + 2] >> 5 == RELEASE_EXTENDED:
        begin += 1
    if text[at + 3] >> 5 != FORMAT_BER:
        return begin, np.int64(OTHER_FORMAT)
    stop = begin + ((np.int64(text[at]) << 8) | np.int64(text[at + 1]))
    return begin, stop if stop <= size else np.int64(INCOMPLETE)


@njit(cache=True, nogil=True)
def count_records(text: Any, size: Any, bytes_max: Any, framed: Any) -> Any:
    """Count whole records in text[:size]; octets 0x00 and 0xFF between records are padding.

    Args:
        text: (>= size,) uint8; bytes_max: longest record of indefinite length.
        framed: bool; each record has a CDR header, which alone says where it ends.

    Returns:
        (records, consumed, status): status 0 (all bytes taken), INCOMPLETE (the record at `consumed` needs more bytes),
        BROKEN, OTHER_FORMAT, or RECORD_TOO_LONG: it has an indefinite length and more than `bytes_max` octets.
    """
    at = np.int64(0)
    records = 0
    while at < size:
        if framed:
            _, stop = cdr_frame(text, at, size)
            if stop < 0:
                return records, at, stop
            records += 1
            at = stop
            continue
        if text[at] == 0 or text[at] == 255:
            at += 1
            continue
        stop = record_end(text, at, size)
        if stop < 0:
            return records, at, stop
        if stop - at > bytes_max and read_header(text, at, size)[3] < 0:
            return records, at, np.int64(RECORD_TOO_LONG)
        records += 1
        at = stop
    return records, at, np.int64(0)


@njit(cache=True, nogil=True)
def walk_records(
    text: Any,
    size: Any,
    bytes_max: Any,
    framed: Any,
    base: Any,
    span: Any,
    table: Any,
    role: Any,
    level: Any,
    output: Any,
    out_slot: Any,
    out_kind: Any,
    slot_level: Any,
    frames: Any,
    start: Any,
    end: Any,
    kind: Any,
    origin: Any,
    choice: Any,
    raw_start: Any,
    raw_end: Any,
    reason: Any,
) -> Any:
    """Read records back to back; each gives one row, or one for every element of the lists that open rows.

    Of values that occur twice in one row the first counts. A refused record is one row without values.

    Args:
        text: (>= size,) uint8; size: bytes to read; bytes_max: longest record accepted.
        framed: bool; each record has a CDR header (`cdr_frame`). Otherwise octets 0x00 and 0xFF between records are padding.
        base, span: (k,) int32, table: (t,) int32: node n leads by tag key q < span[n] to table[base[n] + q], -1: nowhere.
            Node 0 is the file; below it stand the kinds of records.
        role: (k,) uint8: STRUCTURE, VALUE, or SKIPPED: a record that the source leaves out (FILTERED_BY_SOURCE).
        level: (k,) int8: l > 0: each occurrence of this node opens a row of level l; else 0.
        output: (k + 1,) int32: node n's value belongs to the slots out_slot[output[n]:output[n + 1]], as out_kind says.
        slot_level: (f,) int8 the level of the rows that a slot's value describes.
        frames: (DEPTH_MAX + 1, 3) int64 working space: node, end or INDEFINITE, and bound of what is around the current value.
        start, end: (f, m) int32 and kind: (f, m) uint8, written: a value's octets and how it reads, kind 0 where absent.
            Only in the row that origin names; rows below share it.
        origin: (LEVELS_MAX, m) int32, written: the row that holds the values of each level.
        choice: (m,) int32, written: the node of the record's kind, -1 when it is unknown.
        raw_start, raw_end: (m,) int64 the whole record, the first 64 KiB of one that is too long; reason: (m,) uint16; written.
            m must be more than size // 2 or ELEMENTS_MAX: then a full matrix holds at least one whole record.

    Returns:
        (rows, records, consumed, room, status): the offset after the last record taken; bytes that rendering its values may
        take; status: 0, INCOMPLETE, BROKEN or OTHER_FORMAT of the record at `consumed`; 0 as well when the matrix is full.
    """
    rows_max = len(reason)
    first_row = np.zeros(LEVELS_MAX, np.int64)
    used = np.zeros(LEVELS_MAX, np.bool_)
    fields = len(slot_level)
    row = 0
    records = 0
    room = np.int64(0)
    at = np.int64(0)
    while at < size:
        taken = at
        if framed:
            begin, stop = cdr_frame(text, at, size)
        elif text[at] == 0 or text[at] == 255:
            at += 1
            continue
        else:
            begin, stop = at, record_end(text, at, size)
        if stop < 0:
            return row, records, taken, room, stop
        if row == rows_max or room > ROOM_MAX:
            break
        first = row
        problem = 0
        full = False
        needed = np.int64(0)
        for k in range(LEVELS_MAX):
            origin[k, row] = row
            first_row[k] = row
            used[k] = False
        for slot in range(fields):
            kind[slot, row] = 0
        key, constructed, at, length = read_header(text, begin, stop)
        node = np.int64(table[base[0] + key]) if 0 < key < span[0] else np.int64(-1)
        choice[row] = node
        depth = -1
        parent, closes, bound = np.int64(-1), stop, stop
        if stop - begin > bytes_max:
            problem = RECORD_TOO_LONG
        elif node < 0 or not constructed or (framed and record_end(text, begin, stop) != stop):
            problem = MALFORMED_RECORD
        elif role[node] == SKIPPED:
            problem = FILTERED_BY_SOURCE
        else:
            depth = 0
            parent, closes, bound = node, stop if length >= 0 else np.int64(INDEFINITE), stop
        while depth >= 0:
            ended = at == closes
            if closes < 0 and at + 2 <= bound and text[at] == 0 and text[at + 1] == 0:
                at += 2
                ended = True
            if ended:
                depth -= 1
                if depth >= 0:
                    parent, closes, bound = frames[depth, 0], frames[depth, 1], frames[depth, 2]
                continue
            short = at + 2 <= bound and text[at] & 31 != 31 and text[at + 1] < 128
            if short:  # one octet of tag, one of length: most are
                byte = np.int64(text[at])
                key = (byte & 31) * 4 + (byte >> 6)
                constructed = (byte & CONSTRUCTED) != 0
                length = np.int64(text[at + 1])
                at += 2
            else:
                key, constructed, at, length = read_header(text, at, bound)
            if key <= 0 or at + max(length, 0) > bound:
                problem = MALFORMED_RECORD
                break
            node = np.int64(-1)
            if parent >= 0 and key < span[parent]:
                node = np.int64(table[base[parent] + key])
            if node < 0 and length >= 0:
                at += length
                continue
            if node >= 0:
                if constructed == (role[node] == VALUE):
                    problem = MALFORMED_RECORD
                    break
                rank = level[node]
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
                            kind[slot, row] = 0
                    used[rank - 1] = True
                    for k in range(rank, LEVELS_MAX):
                        first_row[k] = row
                        used[k] = False
                if role[node] == VALUE:
                    for k in range(output[node], output[node + 1]):
                        slot = out_slot[k]
                        target = first_row[slot_level[slot]]
                        if kind[slot, target] == 0:
                            start[slot, target] = at
                            end[slot, target] = at + length
                            kind[slot, target] = out_kind[k]
                            needed += 4 * length + 8
                    at += length
                    continue
            if depth == DEPTH_MAX:
                problem = MALFORMED_RECORD
                break
            frames[depth, 0], frames[depth, 1], frames[depth, 2] = parent, closes, bound
            depth += 1
            parent, closes = node, np.int64(INDEFINITE)
            if length >= 0:
                closes = bound = at + length
        if full:
            return first, records, taken, room, np.int64(0)
        if problem != 0:
            row = first
            needed = np.int64(0)
            for slot in range(fields):
                kind[slot, row] = 0
        for k in range(first, row + 1):
            raw_start[k] = begin
            raw_end[k] = min(stop, begin + RAW_KEPT) if problem == RECORD_TOO_LONG else stop
            reason[k] = problem
            choice[k] = choice[first]
        room += needed
        records += 1
        row += 1
        at = stop
    return row, records, at, room, np.int64(0)
