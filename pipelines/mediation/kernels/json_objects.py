"""JSON objects: where the values of configured paths are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.mediation.kernels.json_text import literal_end, number_end, string_end, unescape
from pipelines.mediation.kernels.reasons import MALFORMED_RECORD
from pipelines.mediation.kernels.vectors import lowest, string_stops
from pipelines.mediation.kernels.words import byte_at
from rating.kernels.hashing import load64, mix64

U = np.uint64
DEPTH_MAX = 64
KEY_BYTES_MAX = 2048
"""Longest escaped key that can match a configured name (128 characters of at most 12 bytes)."""
SCRATCH_BYTES = KEY_BYTES_MAX + 64
GUESSES = 128
"""How many keys of a record are expected where the record before had them."""
GUESS_BYTES = 32
"""Longest key that is expected."""

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
        keys, mask, names: addresses of the tables of `walk_objects`, and the number of places less one.
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
        if same and _same(key, names + np.int64(load64(entry + 32)), length, 8):
            return node
        place = (place + 1) & np.int64(mask)


@njit(cache=True, nogil=True)
def _same(a: Any, b: Any, length: Any, done: Any) -> Any:
    """Return whether `length` bytes at two addresses are equal, given that the first `done` of them are."""
    while done + 8 <= length:
        if load64(a + done) != load64(b + done):
            return False
        done += 8
    if done >= length:
        return True
    return (load64(a + done) ^ load64(b + done)) << U(8 * (done + 8 - length)) == U(0)


@njit(cache=True, nogil=True)
def _is_blank(byte: Any) -> Any:
    return byte == 32 or byte == 10 or byte == 13 or byte == 9


@njit(cache=True, nogil=True)
def walk_objects(
    text: Any,
    raw_start: Any,
    raw_end: Any,
    keys: Any,
    names: Any,
    node_slot: Any,
    covers: Any,
    item_ptr: Any,
    item_node: Any,
    scratch: Any,
    start: Any,
    end: Any,
    reason: Any,
) -> Any:
    """Read one JSON object per record and note where the values of configured paths are; the last duplicate wins.

    Records of one feed have the same keys in the same order, more often than not. So the next key is compared with the
    one that stood there in the record before, and only looked up where it is another one.

    Args:
        text: (b,) uint8 with 64 readable bytes after it. A record is a line, followed by its end; or it begins with a
            brace and holds as many closing brackets as opening ones outside strings.
        raw_start, raw_end: (n,) int64 the records.
        keys: (cap, 5) int64, open-addressing table by `key_place`: the first 8 bytes of a key, its length, the node it is
            below, the node it leads to (-1: empty place) and where its name begins in `names`; node 0 is the record.
        names: (k,) uint8, padded.
        node_slot: (k,) int32 slot of a node that is a configured path, else -1.
        covers: (k, f) bool: slot f is at or below node k.
        item_ptr: (k + 1,) int32, item_node: (i,) int32: the node of each item of an array at a node, -1 for none.
        scratch: (SCRATCH_BYTES,) uint8, working space.
        start, end: (f, m >= n) int32, written; a null or a composite value is empty; zero in refused records.
        reason: (n,) uint16, written: 0, NUL_BYTE or MALFORMED_RECORD.

    Returns:
        The number of escapes in configured values.
    """
    base = text.ctypes.data
    keys_base = keys.ctypes.data
    names_base = names.ctypes.data
    mask = U(len(keys) - 1)
    slots = len(start)
    # stack_node[d]: node of the object or array at depth d, -1 when no path leads there; stack_item[d]: -1 for an object
    stack_node = np.zeros(DEPTH_MAX + 2, np.int64)
    stack_item = np.zeros(DEPTH_MAX + 2, np.int64)
    seen = np.full(len(node_slot), -1, np.int64)
    # of the k-th key of the record before: address, length (-1: unknown), node above, node
    guess = np.full((GUESSES, 4), -1, np.int64)
    total = 0
    for row in range(len(raw_start)):
        for slot in range(slots):
            start[slot, row] = 0
            end[slot, row] = 0
        at = base + raw_start[row]
        stop = base + raw_end[row]
        depth = 0
        state = VALUE
        node = 0
        worst = 0
        escaped = 0
        ordinal = 0
        while True:
            byte = byte_at(at)
            if byte <= 32:
                while at < stop and _is_blank(byte):
                    at += 1
                    byte = byte_at(at)
            if at >= stop:
                if depth > 0 or state != AFTER:
                    worst = MALFORMED_RECORD
                break
            if state == AFTER:
                if depth == 0:
                    worst = MALFORMED_RECORD
                    break
                item = stack_item[depth]
                if byte == 44:
                    at += 1
                    if item < 0:
                        state = KEY
                        byte = byte_at(at)
                        if byte != 34:
                            continue
                    else:
                        state = VALUE
                        item += 1
                        stack_item[depth] = item
                        node = stack_node[depth]
                        if node >= 0:
                            place = item_ptr[node] + item
                            node = item_node[place] if place < item_ptr[node + 1] else -1
                        continue
                elif byte == (125 if item < 0 else 93):
                    depth -= 1
                    at += 1
                    continue
                else:
                    worst = MALFORMED_RECORD
                    break
            if state == FIRST_KEY or state == KEY:
                if byte == 125 and state == FIRST_KEY:
                    depth -= 1
                    state = AFTER
                    at += 1
                    continue
                if byte != 34:
                    worst = MALFORMED_RECORD
                    break
                key = at + 1
                above = stack_node[depth]
                length = np.int64(-1)
                if ordinal < GUESSES:
                    length = guess[ordinal, 1]
                if (
                    length >= 0
                    and guess[ordinal, 2] == above
                    and byte_at(key + length) == 34
                    and _same(key, guess[ordinal, 0], length, 0)
                ):
                    node = guess[ordinal, 3]
                    at = key + length + 1
                else:
                    close, escapes, problem = string_end(key, stop)
                    if problem == MALFORMED_RECORD:
                        worst = MALFORMED_RECORD
                        break
                    worst = max(worst, problem)
                    length = close - key
                    node = np.int64(-1)
                    if above >= 0 and length <= KEY_BYTES_MAX:
                        if escapes > 0:
                            size = unescape(text, key - base, close - base, scratch, 0)
                            node = _child(scratch.ctypes.data, size, above, keys_base, mask, names_base)
                        else:
                            node = _child(key, length, above, keys_base, mask, names_base)
                    if ordinal < GUESSES:
                        guess[ordinal, 0] = key
                        guess[ordinal, 1] = length if escapes == 0 and length <= GUESS_BYTES else -1
                        guess[ordinal, 2] = above
                        guess[ordinal, 3] = node
                    at = close + 1
                ordinal += 1
                if node >= 0:
                    if seen[node] == row:
                        for slot in range(slots):
                            if covers[node, slot]:
                                start[slot, row] = 0
                                end[slot, row] = 0
                    seen[node] = row
                byte = byte_at(at)
                if byte != 58:
                    while at < stop and _is_blank(byte):
                        at += 1
                        byte = byte_at(at)
                    if at >= stop or byte != 58:
                        worst = MALFORMED_RECORD
                        break
                at += 1
                state = VALUE
                byte = byte_at(at)
                if byte <= 32:
                    continue
            if byte == 34 and depth > 0:
                first = at + 1
                escapes = 0
                stops = string_stops(first)
                if stops != U(0) and byte_at(first + lowest(stops)) == 34:
                    close = first + lowest(stops)
                else:
                    close, escapes, problem = string_end(first, stop)
                    if problem == MALFORMED_RECORD:
                        worst = MALFORMED_RECORD
                        break
                    worst = max(worst, problem)
                at = close + 1
            else:
                if state == FIRST_ITEM and byte == 93:
                    depth -= 1
                    state = AFTER
                    at += 1
                    continue
                if byte == 123 or byte == 91:
                    if depth == DEPTH_MAX or (depth == 0 and byte == 91):
                        worst = MALFORMED_RECORD
                        break
                    depth += 1
                    stack_node[depth] = node
                    at += 1
                    if byte == 123:
                        stack_item[depth] = -1
                        state = FIRST_KEY
                        node = np.int64(-1)
                    else:
                        stack_item[depth] = 0
                        state = FIRST_ITEM
                        if node >= 0:
                            place = item_ptr[node]
                            node = np.int64(item_node[place]) if place < item_ptr[node + 1] else np.int64(-1)
                    continue
                if depth == 0:
                    worst = MALFORMED_RECORD
                    break
                escapes = 0
                first = at
                if byte == 45 or 48 <= byte <= 57:
                    at = number_end(at)
                    close = at
                else:
                    at = literal_end(at)
                    close = first if byte == 110 else at
                if at < 0:
                    worst = MALFORMED_RECORD
                    break
            if node >= 0 and node_slot[node] >= 0:
                start[node_slot[node], row] = first - base
                end[node_slot[node], row] = close - base
                escaped += escapes
            state = AFTER
        reason[row] = worst
        if worst != 0:
            for slot in range(slots):
                start[slot, row] = 0
                end[slot, row] = 0
        else:
            total += escaped
    return total
