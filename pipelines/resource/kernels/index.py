"""The index of deduplication: lines of words, how they widen, and how they are filled from a log (see `dedup`).

Lines are reached by addresses: `pages` is an array of the addresses of pages of 2^PAGE_BITS lines each, or the address of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import config, njit

from pipelines.resource.kernels.words import LINE, first_bit, line_masks, store64
from rating.kernels.hashing import load64, prefetch

U = np.uint64
FAR = 32  # rows between the prefetch of a line of the index and its use: more than one memory latency
ENTRY_BYTES = 24
PAGE_BITS = 15
"""Lines of a page of the index: 2^15, 2 MiB."""
_LINE_MASK = (1 << PAGE_BITS) - 1
_BATCH = 256  # words that a sweep gathers before it places them
_WINDOW = 1024  # lines of the wide layout that they may be spread over
_BEHIND = 8  # lines behind the last home of them, for what runs over
_GATHERED = 2048  # words that are gathered from the log before they are placed

LOW = U(0xFFFFFFFF)
VOID = LOW
EMPTY = U(0xFF)
"""The bits of `line_masks` that say which words are 0."""
_GOLDEN = U(0x9E3779B97F4A7C15)

if config.DISABLE_JIT:  # kernels run as Python: same answers, no machine code

    def order_of(hi: Any, lo: Any) -> Any:
        """Return the 64-bit order of a key: every bit of the key counts in the highest ones."""
        turned = int(hi) << 32 | int(hi) >> 32
        return U((int(lo) ^ turned) * int(_GOLDEN) & 0xFFFFFFFFFFFFFFFF)

else:

    @njit(inline="always")
    def order_of(hi: Any, lo: Any) -> Any:
        """Return the 64-bit order of a key: every bit of the key counts in the highest ones."""
        return (lo ^ ((hi << U(32)) | (hi >> U(32)))) * _GOLDEN


@njit(inline="always")
def home_of(tag: Any, capacity: Any) -> Any:
    """Return the line in which the search for a tag begins, below `capacity` (at most 2^32): int64."""
    return np.int64((tag * U(capacity)) >> U(32))


@njit(inline="always")
def line_at(pages: Any, line: Any) -> Any:
    """Return the address of a line of a layout; `pages` is the address of the addresses of its pages.

    Addresses, not arrays: an array that a function is given inside a loop is counted, twice per row.
    """
    return np.int64(load64(pages + ((line >> PAGE_BITS) << 3))) + ((line & _LINE_MASK) << 6)


@njit(cache=True, nogil=True)
def sweep(old: Any, old_total: Any, border: Any, least: Any, wide: Any, wide_total: Any, wide_capacity: Any) -> Any:
    """Move lines from the old layout into the wide one until the border is at or behind `least`, after one that is not full.

    Void words are dropped.

    Args:
        old, wide, …_total, wide_capacity: as for `decide`.
        border: where the sweep stands. least: line to reach; the lines of the old layout are its end.

    Returns:
        (border, words dropped, words left): some are left, which are in neither layout, when it stopped because the wide
        one has no free word left behind.
    """
    dropped = 0
    old_at, wide_at = old.ctypes.data, wide.ctypes.data
    batch = np.empty(_BATCH, np.uint64)
    over = np.empty(_BATCH, np.uint64)
    homes = np.empty(_BATCH, np.int64)
    filled = np.empty(_WINDOW, np.int64)
    going = border < old_total
    while going:
        # gather first: the words then go to lines that follow each other
        n = 0
        while going and n <= _BATCH - LINE:
            at = line_at(old_at, border)
            for place in range(LINE):
                word = load64(at + 8 * place)
                batch[n] = word
                low = word & LOW
                dropped += low == VOID
                n += (low != U(0)) & (low != VOID)
            border += 1
            going = border < old_total and (border < least or load64(at + 8 * (LINE - 1)) != U(0))
        left = _place(batch, n, wide_at, wide_total, wide_capacity, homes, filled, over)
        if left:
            return border, dropped, over[:left].copy()
    return border, dropped, over[:0].copy()


@njit(cache=True, nogil=True)
def _place(words: Any, n: Any, pages: Any, total: Any, capacity: Any, homes: Any, filled: Any, over: Any) -> int:
    """Place the first `n` of (k,) words whose homes are near each other in a layout (as for `decide`).

    It is counted how far each line is filled, for a line that has just been written to is slow to compare.

    Args:
        pages: address of the addresses of its pages. homes: (n,) int64, filled: (w,) int64, scratch.
        over: (n,) uint64, written: the words that found no room.

    Returns:
        How many are in `over`.
    """
    first = total
    last = np.int64(0)
    for i in range(n):
        home = home_of(words[i] >> U(32), capacity)
        homes[i] = home
        first = min(first, home)
        last = max(last, home)
    lines = min(last + _BEHIND, total) - first
    late = 0
    if lines > len(filled):
        lines = 0
    for line in range(lines):
        filled[line] = first_bit((line_masks(line_at(pages, first + line), U(0)) & EMPTY) | U(1 << LINE))
    for i in range(n):
        line = homes[i] - first
        while line < lines and filled[line] == LINE:
            line += 1
        if line < lines:
            store64(line_at(pages, first + line) + (filled[line] << 3), words[i])
            filled[line] += 1
        else:
            words[late] = words[i]
            late += 1
    return _put(words, late, pages, 0, total, capacity, over)


@njit(cache=True, nogil=True)
def put(words: Any, pages: Any, total: Any, capacity: Any, over: Any) -> int:
    """Place (n,) words in a layout (as for `decide`); return how many found no room and are in `over`, (n,) uint64."""
    return _put(words, len(words), pages.ctypes.data, 0, total, capacity, over)


@njit(cache=True, nogil=True)
def _put(words: Any, n: Any, pages: Any, begin: Any, end: Any, capacity: Any, over: Any) -> int:
    """Place the first `n` of (k,) `words` in lines `begin` to `end` of a layout, where their homes are.

    Args:
        pages: address of the addresses of its pages. capacity: as for `decide`.
        over: (n,) uint64, written: the words that found no free slot before `end`.

    Returns:
        How many are in `over`.
    """
    left = 0
    for i in range(min(n, FAR)):
        prefetch(line_at(pages, home_of(words[i] >> U(32), capacity)))
    for i in range(n):
        if i + FAR < n:
            prefetch(line_at(pages, home_of(words[i + FAR] >> U(32), capacity)))
        line = home_of(words[i] >> U(32), capacity)
        free = U(0)
        while line < end:
            at = line_at(pages, line)
            free = line_masks(at, U(0)) & EMPTY
            if free != U(0):
                store64(at + (first_bit(free) << 3), words[i])
                break
            line += 1
        if free == U(0):
            over[left] = words[i]
            left += 1
    return left


@njit(cache=True, nogil=True)
def insert(entries: Any, k: Any, first: Any, pages: Any, begin: Any, end: Any, capacity: Any) -> Any:
    """Index entries of the log that are in no index yet and differ from each other, if their homes are among some lines.

    Args:
        entries: address of k entries: `first`, `first` + 1, … of the log. They may be read-only.
        pages, capacity: a layout, as for `decide`. begin, end: lines of it; no other ones are touched.

    Returns:
        (l,) uint64 words that found no free slot before `end`.
    """
    over = np.empty(k, np.uint64)
    left = 0
    pages_at = pages.ctypes.data
    batch = np.empty(min(k, _GATHERED), np.uint64)
    for start in range(0, k, _GATHERED):
        n = 0
        for j in range(start, min(start + _GATHERED, k)):
            at = entries + ENTRY_BYTES * j
            tag = order_of(load64(at), load64(at + 8)) >> U(32)
            batch[n] = (tag << U(32)) | U(first + j + 1)
            home = home_of(tag, capacity)
            n += (home >= begin) & (home < end)
        left += _put(batch, n, pages_at, begin, end, capacity, over[left:])
    return over[:left].copy()
