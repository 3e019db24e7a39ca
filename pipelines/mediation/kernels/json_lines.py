"""JSON objects, one per line: where the values of configured paths are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.mediation.kernels.json_text import literal_end, number_end, string_end, unescape
from pipelines.mediation.kernels.reasons import MALFORMED_RECORD
from pipelines.mediation.kernels.words import find, repeat
from rating.kernels.hashing import load64, mix64

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
def key_place(word: Any, length: Any, parent: Any) -> Any:
    """Return the hash of a key below a node: of its first 8 bytes (padded with NULs), its length and the node."""
    return mix64(word ^ (U(length) << U(52)) ^ (U(parent) << U(44)))


@njit(cache=True, nogil=True)
def _child(key: Any, length: Any, parent: Any, keys: Any, mask: Any, names: Any) -> Any:
    """Return the path node that a key leads to from `parent`, or -1.

    Args:
        key, length: address and bytes of the key; parent: the node it is below.
        keys, mask, names: addresses of the tables of `walk_object`, and the number of places less one.
    """
    word = load64(key)
    if length < 8:
        word &= (U(1) << U(8 * length)) - U(1)
    place = np.int64(key_place(word, length, parent) & mask)
    while True:
        entry = keys + 40 * place
        node = np.int64(load64(entry + 24))
        if node < 0:
            return node
        same = load64(entry) == word and load64(entry + 8) == U(length) and load64(entry + 16) == U(parent)
        if same and _same(key, names + np.int64(load64(entry + 32)), length):
            return node
        place = (place + 1) & np.int64(mask)


@njit(cache=True, nogil=True)
def _same(a: Any, b: Any, length: Any) -> Any:
    """Return whether `length` bytes at two addresses are equal, given that the first 8 of them are."""
    done = 8
    while done + 8 <= length:
        if load64(a + done) != load64(b + done):
            return False
        done += 8
    if done >= length:
        return True
    return (load64(a + done) ^ load64(b + done)) << U(8 * (done + 8 - length)) == U(0)


@njit(cache=True, nogil=True)
def walk_object(
    text: Any,
    at: Any,
    stop: Any,
    row: Any,
    keys: Any,
    names: Any,
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
        keys: (cap, 5) int64, open-addressing table by `key_place`: the first 8 bytes of a key, its length, the node it is
            below, the node it leads to (-1: empty place) and where its name begins in `names`; node 0 is the event.
        names: (k,) uint8, padded.
        node_slot: (k,) int32 slot of a node that is a configured path, else -1.
        covers: (k, f) bool: slot f is at or below node k.
        seen: (k,) int64 row in which a node was last met, -1 at first; changed.
        scratch: (SCRATCH_BYTES,) uint8; stack: (DEPTH_MAX + 1,) int64, working space.
        start, end: (f, m) int32, written at `row` for paths met; a null or a composite value is empty.

    Returns:
        (reason, escapes): reason 0, NUL_BYTE or MALFORMED_RECORD; escapes counts those in configured values.
    """
    base = text.ctypes.data
    keys_base = keys.ctypes.data
    names_base = names.ctypes.data
    mask = U(len(keys) - 1)
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
            close, escapes, problem = string_end(base + at + 1, base + stop)
            if problem == MALFORMED_RECORD:
                return MALFORMED_RECORD, 0
            worst = max(worst, problem)
            key = base + at + 1
            length = close - key
            node = -1
            if stack[depth] >= 0 and length <= KEY_BYTES_MAX:
                if escapes > 0:
                    length = unescape(text, at + 1, close - base, scratch, 0)
                    key = scratch.ctypes.data
                node = _child(key, length, stack[depth], keys_base, mask, names_base)
            if node >= 0:
                if seen[node] == row:
                    for slot in range(len(start)):
                        if covers[node, slot]:
                            start[slot, row] = 0
                            end[slot, row] = 0
                seen[node] = row
            at = close - base + 1
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
            close, escapes, problem = string_end(base + first, base + stop)
            if problem == MALFORMED_RECORD:
                return MALFORMED_RECORD, 0
            worst = max(worst, problem)
            close -= base
            at = close + 1
        elif byte == 45 or 48 <= byte <= 57:
            at = number_end(base + at) - base
            close = at
        else:
            at = literal_end(base + at) - base
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
    keys: Any,
    names: Any,
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
        keys, names, node_slot, covers, scratch, seen, stack: as for `walk_object`.
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
                text,
                at,
                stop,
                row,
                keys,
                names,
                node_slot,
                covers,
                seen,
                scratch,
                stack,
                start,
                end,
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
def check_envelope(raw: Any, text: Any, start: Any, end: Any, version: Any, strings: Any, reason: Any) -> None:
    """Refuse events whose context attributes have no form that CloudEvents 1.0 allows (MALFORMED_RECORD).

    A required attribute that is there must be a string, and `specversion` must be "1.0".

    Args:
        raw: (b,) uint8 the block as received: a string has a quote before its first byte.
        text: (t,) uint8 unescaped; start, end: (f, m) int32.
        version: slot of `specversion`; strings: (k,) int32 slots of all required attributes.
        reason: (n,) uint16, changed where it was 0.
    """
    for i in range(len(reason)):
        if reason[i] != 0:
            continue
        for j in range(len(strings)):
            at = start[strings[j], i]
            if end[strings[j], i] != at and raw[at - 1] != 34:
                reason[i] = MALFORMED_RECORD
        at = start[version, i]
        size = end[version, i] - at
        if size > 0 and (size != 3 or text[at] != 49 or text[at + 1] != 46 or text[at + 2] != 48):
            reason[i] = MALFORMED_RECORD
