"""JSON objects, one per line: where the values of configured paths are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.mediation.kernels.json_text import literal_end, number_end, string_end, unescape
from pipelines.mediation.kernels.reasons import FIELD_MISSING, MALFORMED_RECORD
from pipelines.mediation.kernels.words import find, repeat
from rating.kernels.hashing import hash128

U = np.uint64
DEPTH_MAX = 64
KEY_BYTES_MAX = 2048
"""Longest escaped key that can match a configured name (128 characters of at most 12 bytes)."""
SCRATCH_BYTES = KEY_BYTES_MAX + 64

FIRST_KEY = 0
KEY = 1
VALUE = 2
FIRST_ITEM = 3
AFTER = 4


@njit(cache=True, nogil=True)
def _child(text: Any, at: Any, end: Any, escapes: Any, parent: Any, hi: Any, lo: Any, nodes: Any, scratch: Any) -> Any:
    """Return the path node that the key text[at:end] leads to from `parent`, or -1."""
    if parent < 0:
        return -1
    address = text.ctypes.data + at
    length = end - at
    if escapes > 0:
        if length > KEY_BYTES_MAX:
            return -1
        length = unescape(text, at, end, scratch, 0)
        address = scratch.ctypes.data
    a, b = hash128(address, length, U(parent), U(0))
    mask = U(len(nodes) - 1)
    place = b & mask
    while hi[place] != U(0) or lo[place] != U(0):
        if hi[place] == a and lo[place] == b:
            return np.int64(nodes[place])
        place = (place + U(1)) & mask
    return -1


@njit(cache=True, nogil=True)
def walk_object(
    text: Any,
    at: Any,
    stop: Any,
    row: Any,
    hi: Any,
    lo: Any,
    nodes: Any,
    node_slot: Any,
    covers: Any,
    seen: Any,
    scratch: Any,
    stack: Any,
    start: Any,
    end: Any,
) -> Any:
    """Read the one object in text[at:stop] and note where the values of configured paths are; the last duplicate wins.

    Args:
        text: (b,) uint8; the byte at `stop` is a line feed or carriage return.
        at, stop, row: the line and its row in `start`/`end`.
        hi, lo, nodes: (cap,) table from hash128(key, seed (parent node, 0)) to a node of the path tree; node 0 is the root.
        node_slot: (k,) int32 slot of a node that is a configured path, else -1.
        covers: (k, f) bool: slot f is at or below node k.
        seen: (k,) int64 row in which a node was last met, -1 at first; changed.
        scratch: (SCRATCH_BYTES,) uint8; stack: (DEPTH_MAX + 1,) int64, working space.
        start, end: (f, m) int32, written at `row` for paths met; a null or a composite value is empty.

    Returns:
        (reason, escapes): reason 0, NUL_BYTE or MALFORMED_RECORD; escapes counts those in configured values.
    """
    depth = 0  # stack[d] is the node of an object at depth d, -1 when no path leads there, -2 for an array
    state = VALUE
    node = 0
    worst = 0
    escaped = 0
    while True:
        byte = text[at]
        while at < stop and (byte == 32 or byte == 9 or byte == 13 or byte == 10):
            at += 1
            byte = text[at]
        if at >= stop:
            return MALFORMED_RECORD if depth > 0 or state != AFTER else worst, escaped
        if state == AFTER:
            if depth == 0:
                return MALFORMED_RECORD, 0
            array = stack[depth] == -2
            if byte == 44:
                state = VALUE if array else KEY
                node = -1
            elif byte == (93 if array else 125):
                depth -= 1
            else:
                return MALFORMED_RECORD, 0
            at += 1
            continue
        if state == FIRST_KEY or state == KEY:
            if byte == 125 and state == FIRST_KEY:
                depth -= 1
                state = AFTER
                at += 1
                continue
            if byte != 34:
                return MALFORMED_RECORD, 0
            close, escapes, problem = string_end(text, at + 1, stop)
            if problem == MALFORMED_RECORD:
                return MALFORMED_RECORD, 0
            worst = max(worst, problem)
            node = _child(text, at + 1, close, escapes, stack[depth], hi, lo, nodes, scratch)
            if node >= 0:
                if seen[node] == row:
                    for slot in range(len(start)):
                        if covers[node, slot]:
                            start[slot, row] = 0
                            end[slot, row] = 0
                seen[node] = row
            at = close + 1
            while at < stop and (text[at] == 32 or text[at] == 9 or text[at] == 13):
                at += 1
            if at >= stop or text[at] != 58:
                return MALFORMED_RECORD, 0
            at += 1
            state = VALUE
            continue
        if state == FIRST_ITEM and byte == 93:
            depth -= 1
            state = AFTER
            at += 1
            continue
        if byte == 123 or byte == 91:
            if depth == DEPTH_MAX:
                return MALFORMED_RECORD, 0
            if depth == 0 and byte == 91:
                return MALFORMED_RECORD, 0
            depth += 1
            stack[depth] = node if byte == 123 else -2
            state = FIRST_KEY if byte == 123 else FIRST_ITEM
            node = -1
            at += 1
            continue
        if depth == 0:
            return MALFORMED_RECORD, 0
        first = at
        escapes = 0
        if byte == 34:
            first = at + 1
            close, escapes, problem = string_end(text, first, stop)
            if problem == MALFORMED_RECORD:
                return MALFORMED_RECORD, 0
            worst = max(worst, problem)
            at = close + 1
        elif byte == 45 or 48 <= byte <= 57:
            at = number_end(text, at)
            close = at
        else:
            at = literal_end(text, at)
            close = first if byte == 110 else at
        if at < 0:
            return MALFORMED_RECORD, 0
        if node >= 0 and node_slot[node] >= 0:
            start[node_slot[node], row] = first
            end[node_slot[node], row] = close
            escaped += escapes
        state = AFTER


@njit(cache=True, nogil=True)
def walk_lines(
    text: Any,
    size: Any,
    hi: Any,
    lo: Any,
    nodes: Any,
    node_slot: Any,
    covers: Any,
    scratch: Any,
    seen: Any,
    stack: Any,
    start: Any,
    end: Any,
    raw_start: Any,
    raw_end: Any,
    reason: Any,
) -> Any:
    """Read complete lines, each one JSON object; blank lines are no records.

    Args:
        text: (b,) uint8 with at least 16 readable bytes after `size`; size: bytes to read.
        hi, lo, nodes, node_slot, covers, scratch, seen, stack: as for `walk_object`.
        start, end: (f, m) int32, written; zero where a path is absent and in refused records.
        raw_start, raw_end: (m,) int64 the line without its end, written.
        reason: (m,) uint16, written: 0, NUL_BYTE or MALFORMED_RECORD.

    Returns:
        (rows, consumed, escapes): at most m rows; the offset after the last line taken; escapes met in configured values.
    """
    base = text.ctypes.data
    newlines = repeat(10)
    rows_max = len(reason)
    row = 0
    at = np.int64(0)
    escapes = 0
    while row < rows_max:
        line_end = find(base, at, size, newlines)
        if line_end >= size:
            break
        stop = line_end
        if stop > at and text[stop - 1] == 13:
            stop -= 1
        if stop > at:
            for slot in range(len(start)):
                start[slot, row] = 0
                end[slot, row] = 0
            found, more = walk_object(
                text, at, stop, row, hi, lo, nodes, node_slot, covers, seen, scratch, stack, start, end
            )
            escapes += more
            if found != 0:
                for slot in range(len(start)):
                    start[slot, row] = 0
                    end[slot, row] = 0
            reason[row] = found
            raw_start[row] = at
            raw_end[row] = stop
            row += 1
        at = line_end + 1
    return row, at, escapes


@njit(cache=True, nogil=True)
def check_envelope(
    raw: Any, text: Any, start: Any, end: Any, version: Any, strings: Any, reason: Any
) -> None:
    """Check the context attributes that CloudEvents 1.0 requires.

    An absent or empty one is FIELD_MISSING; one that is no string, or another specversion than "1.0", MALFORMED_RECORD.

    Args:
        raw: (b,) uint8 the block as received: a string has a quote before its first byte.
        text: (t,) uint8 unescaped; start, end: (f, m) int32.
        version: slot of `specversion`; strings: (k,) int32 slots of all required attributes.
        reason: (n,) uint16, changed where it was 0.
    """
    for i in range(len(reason)):
        if reason[i] != 0:
            continue
        missing = False
        wrong = False
        for j in range(len(strings)):
            at = start[strings[j], i]
            if end[strings[j], i] == at:
                missing = True
            elif raw[at - 1] != 34:
                wrong = True
        at = start[version, i]
        size = end[version, i] - at
        if size > 0 and (size != 3 or text[at] != 49 or text[at + 1] != 46 or text[at + 2] != 48):
            wrong = True
        if wrong:
            reason[i] = MALFORMED_RECORD
        elif missing:
            reason[i] = FIELD_MISSING
