"""Records inside a JSON document: the elements of arrays, or the documents themselves, found by brackets and strings alone.

What an element holds is not looked at: a broken one is still one record, as long as its brackets close in the order in
which they open. Where they do not, nobody can say where the next element begins, and the file is broken.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.mediation.kernels.vectors import WIDTH, brackets, lowest, string_stops
from pipelines.mediation.kernels.words import byte_at

U = np.uint64

TOP = 0
"""Between documents: the only place where a file may end."""
NAME = 1
FIRST_NAME = 2
"""In an object on the way to the records: a name, or, the first time, the object's end."""
COLON = 3
TARGET = 4
"""After the name of the next step: what the path needs."""
OTHER = 5
"""After another name: any value."""
NEXT = 6
"""After a value of such an object: a comma, or the object's end."""
ITEMS = 7
"""In the array of records, between elements."""
ELEMENT = 8
"""In an element."""
IN_NAME = 9
SKIPPING = 10
"""In a value that is skipped."""

PHASE = 0
LEVEL = 1
"""How many objects on the way to the records are open."""
FOUND = 2
"""Bit i: the name of step i was met in the object of level i + 1."""
DEPTH = 3
"""Brackets open in the value at hand."""
KINDS = 4
"""Bit i: the i-th innermost of them is a brace; of the outermost KINDS_KEPT."""
QUOTED = 5
"""1 inside a string, 2 after a backslash in it."""
MATCHED = 6
"""In a name: how many bytes of the next step's name were read, -1 when it is another one; after it: whether it is that name."""
SCALAR = 7
"""1 inside a value without brackets."""
WORDS = 8
KINDS_KEPT = 62
"""How many brackets are known by their kind: deeper ones, which no record may have, are only counted."""

NO_PROBLEM = 0
UNBALANCED = 1
NOT_JSON = 2
TWICE = 3
NO_RECORDS = 4
NO_ARRAY = 5


@njit(cache=True, nogil=True)
def _is_blank(byte: Any) -> Any:
    return byte == 32 or byte == 10 or byte == 13 or byte == 9


@njit(cache=True, nogil=True)
def scan_value(base: Any, at: Any, size: Any, depth: Any, kinds: Any, quoted: Any) -> Any:
    """Read on in a value until its outermost bracket closes, or the bytes end; a value outside brackets and strings is left.

    Args:
        base: address; at, size: offsets; 32 bytes after `size` are readable.
        depth, kinds, quoted: the state, see above.

    Returns:
        (at, depth, kinds, quoted, closed, problem): closed is 1 after the outermost bracket.
    """
    while at < size:
        if quoted == 2:
            quoted = 1
            at += 1
            continue
        if quoted == 1:
            stops = string_stops(base + at)
            if stops == U(0):
                at += WIDTH
                continue
            at += lowest(stops)
            if at >= size:
                break
            byte = byte_at(base + at)
            at += 1
            if byte == 34:
                quoted = 0
                if depth == 0:
                    return at, depth, kinds, quoted, 1, NO_PROBLEM
            elif byte == 92:
                quoted = 2
            continue
        if depth == 0:
            byte = byte_at(base + at)
            if byte != 34 and byte != 123 and byte != 91:
                return at, depth, kinds, quoted, 0, NO_PROBLEM
        else:
            found = brackets(base + at)
            if found == U(0):
                at += WIDTH
                continue
            at += lowest(found)
            if at >= size:
                break
            byte = byte_at(base + at)
        at += 1
        if byte == 34:
            quoted = 1
        elif byte == 123 or byte == 91:
            depth += 1
            if depth <= KINDS_KEPT:
                kinds = (kinds << U(1)) | U(1 if byte == 123 else 0)
        else:
            if depth <= KINDS_KEPT:
                if (kinds & U(1)) != U(1 if byte == 125 else 0):
                    return at - 1, depth, kinds, quoted, 0, UNBALANCED
                kinds >>= U(1)
            depth -= 1
            if depth == 0:
                return at, depth, kinds, quoted, 1, NO_PROBLEM
    return min(at, size), depth, kinds, quoted, 0, NO_PROBLEM


@njit(cache=True, nogil=True)
def scan_frame(
    text: Any, size: Any, array: Any, path: Any, path_ptr: Any, hold: Any, state: Any, raw_start: Any, raw_end: Any
) -> Any:
    """Find the records in the next bytes of a file.

    Args:
        text: (b,) uint8 with 64 readable bytes after `size`; size: bytes to read.
        array: bool; false: documents are records, and `path` is empty. True: the elements of the array that `path` leads to
            from each document.
        path: (k,) uint8 names, one after the other; path_ptr: (p + 1,) int32. Names with escapes are not recognised.
        hold: bool; true: bytes of an element that is not complete are not consumed.
        state: (WORDS,) int64 where the file stands, all 0 at first; changed.
        raw_start, raw_end: (m,) int64, written: an element without blanks around it.

    Returns:
        (rows, consumed, problem): at most m rows; the offset after the last one, or of the problem.
    """
    base = text.ctypes.data
    rows_max = len(raw_start)
    steps = len(path_ptr) - 1
    row = 0
    at = np.int64(0)
    begin = np.int64(0)
    phase = state[PHASE]
    level = state[LEVEL]
    found = state[FOUND]
    depth = state[DEPTH]
    kinds = U(state[KINDS])
    quoted = state[QUOTED]
    matched = state[MATCHED]
    scalar = state[SCALAR]
    problem = NO_PROBLEM
    while at < size and row < rows_max and problem == NO_PROBLEM:
        if phase == ELEMENT or phase == SKIPPING:
            at, depth, kinds, quoted, closed, problem = scan_value(base, at, size, depth, kinds, quoted)
            if problem != NO_PROBLEM:
                continue
            if closed == 1:
                if phase == SKIPPING:
                    phase = NEXT
                elif not array:
                    raw_start[row] = begin
                    raw_end[row] = at
                    row += 1
                    phase = TOP
                continue
            if at >= size:
                continue
            byte = byte_at(base + at)  # outside of brackets and strings
            if phase == SKIPPING:
                if byte == 44 or byte == 125 or byte == 93:
                    if scalar == 0:
                        problem = NOT_JSON
                    phase = NEXT
                    scalar = 0
                elif _is_blank(byte):
                    at += 1
                else:
                    scalar = 1
                    at += 1
                continue
            if array:
                if byte == 44 or byte == 93:
                    last = at
                    while last > begin and _is_blank(text[last - 1]):
                        last -= 1
                    raw_start[row] = begin
                    raw_end[row] = last
                    row += 1
                    phase = ITEMS
                elif byte == 125:
                    problem = UNBALANCED
                else:
                    at += 1
            elif byte == 93 or byte == 125:
                problem = UNBALANCED
            elif _is_blank(byte):
                raw_start[row] = begin
                raw_end[row] = at
                row += 1
                phase = TOP
            else:
                at += 1
            continue
        byte = byte_at(base + at)
        if phase == IN_NAME:
            if quoted == 2:
                quoted = 1
            elif byte == 92:
                quoted = 2
                matched = -1
            elif byte == 34:
                quoted = 0
                phase = COLON
                length = path_ptr[level] - path_ptr[level - 1]
                if matched == length:
                    matched = 1
                else:
                    matched = 0
            elif matched >= 0:
                length = path_ptr[level] - path_ptr[level - 1]
                if matched < length and path[path_ptr[level - 1] + matched] == byte:
                    matched += 1
                else:
                    matched = -1
            at += 1
            continue
        if _is_blank(byte):
            at += 1
            continue
        if phase == TOP:
            if not array:
                phase = ELEMENT
                begin = at
                depth = 0
                kinds = U(0)
            elif steps == 0:
                if byte == 91:
                    phase = ITEMS
                    at += 1
                else:
                    problem = NO_ARRAY
            elif byte == 123:
                phase = FIRST_NAME
                level = 1
                found = 0
                at += 1
            else:
                problem = NO_RECORDS
        elif phase == NAME or phase == FIRST_NAME:
            if byte == 34:
                phase = IN_NAME
                quoted = 1
                matched = 0
                at += 1
            elif byte == 125 and phase == FIRST_NAME:
                phase = NEXT
            else:
                problem = NOT_JSON
        elif phase == COLON:
            if byte != 58:
                problem = NOT_JSON
            else:
                phase = TARGET if matched == 1 else OTHER
                at += 1
        elif phase == TARGET:
            bit = np.int64(1) << (level - 1)
            if found & bit != 0:
                problem = TWICE
            elif level == steps:
                found |= bit
                if byte == 91:
                    phase = ITEMS
                    at += 1
                else:
                    problem = NO_ARRAY
            elif byte == 123:
                found |= bit
                level += 1
                found &= ~(np.int64(1) << (level - 1))
                phase = FIRST_NAME
                at += 1
            else:
                problem = NO_RECORDS
        elif phase == OTHER:
            phase = SKIPPING
            depth = 0
            kinds = U(0)
            scalar = 0
        elif phase == NEXT:
            if byte == 44:
                phase = NAME
                at += 1
            elif byte == 125:
                if found & (np.int64(1) << (level - 1)) == 0:
                    problem = NO_RECORDS
                else:
                    level -= 1
                    phase = NEXT if level > 0 else TOP
                    at += 1
            else:
                problem = NOT_JSON
        elif byte == 44:  # ITEMS; nothing between two commas is no record, as an empty line is none
            at += 1
        elif byte == 93:
            phase = NEXT if level > 0 else TOP
            at += 1
        elif byte == 125:
            problem = UNBALANCED
        else:
            phase = ELEMENT
            begin = at
            depth = 0
            kinds = U(0)
    consumed = at
    if problem == NO_PROBLEM and hold and phase == ELEMENT:
        consumed = begin
        phase = ITEMS if array else TOP
        depth = 0
        kinds = U(0)
        quoted = 0
    state[PHASE] = phase
    state[LEVEL] = level
    state[FOUND] = found
    state[DEPTH] = depth
    state[KINDS] = np.int64(kinds)
    state[QUOTED] = quoted
    state[MATCHED] = matched
    state[SCALAR] = scalar
    return row, consumed, problem
