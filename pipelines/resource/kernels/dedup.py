"""Exact deduplication: a log of 128-bit keys, each with a 64-bit content hash, and an index that grows without a stop.

The *log* holds entries of three words (hi, lo, content) block after block, in chunks of 2^`bits`; an entry is written once
and never moves. The *index* is open addressing over lines of eight words, one cache line each, so that a search is mostly
one miss and one comparison of eight words at once. The high half of a word is the *tag*, the highest 32 bits of the key's
order; the low half is the number of the entry + 1. 0 is an empty slot, and a low half of all ones a *void* one, whose
record was refused after all. Both are many arrays, which kernels reach by their addresses.

A key's home is its tag scaled to the capacity, a line. A line fills from its first word on; what finds its home full goes to
the next line, without a wrap: spare lines follow the capacity. So lines are in the order of tags, and the index widens by a
*sweep*: lines below a border are in the wide layout already, the others still in the old one, and every block moves the
border by as much as its rows need. The line before the border was not full when the sweep reached it: nothing has
gone across, and a home below the border means "moved".

Twin: `tests/support/resource_world.py`, a dictionary.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.resource.kernels.index import EMPTY, ENTRY_BYTES, FAR, LOW, VOID, U, home_of, line_at, order_of
from pipelines.resource.kernels.words import LINE, first_bit, line_masks, store64
from rating.kernels.hashing import load64, prefetch

NEAR = 8  # rows between the prefetch of an entry that may be the same key and its use
DAY_US = 86_400_000_000
_PART = 2048  # rows that are set apart by layout before they are decided

UNSEEN = 0
NEW = 1
DUPLICATE = 2
CONFLICT = 3
UNUSABLE = 4


@njit(inline="always")
def entry_at(bases: Any, bits: Any, entry: Any) -> Any:
    """Return the address of an entry of the log; `bases` is the address of the addresses of its chunks."""
    return np.int64(load64(bases + ((entry >> bits) << 3))) + ENTRY_BYTES * (entry & ((np.int64(1) << bits) - 1))


@njit(inline="always")
def _seek(pages: Any, line: Any, total: Any, tag: Any, hi: Any, lo: Any, bases: Any, bits: Any) -> Any:
    """Return (slot, entry): of the key, or of the slot to take and -1; slot -1 when the layout ends before a free one.

    `pages` hold a layout of `total` lines; the search begins at `line`. A slot is a word's number in the layout.
    """
    free = np.int64(-1)
    while line < total:
        at = line_at(pages, line)
        masks = line_masks(at, tag)
        empty = masks & EMPTY
        same = (masks >> U(LINE)) & ~empty
        while same != U(0):
            place = first_bit(same)
            low = load64(at + (place << 3)) & LOW
            if low == VOID:
                if free < 0:
                    free = line * LINE + place
            else:
                entry = np.int64(low) - 1
                held = entry_at(bases, bits, entry)
                if load64(held) == hi and load64(held + 8) == lo:
                    return line * LINE + place, entry
            same &= same - U(1)
        if empty != U(0):
            if free < 0:
                free = line * LINE + first_bit(empty)
            break
        line += 1
    return free, np.int64(-1)


@njit(cache=True, nogil=True)
def _decide_part(
    pages: Any,
    total: Any,
    capacity: Any,
    moved: Any,
    bases: Any,
    bits: Any,
    count: Any,
    used: Any,
    part: Any,
    rows: Any,
    key_hi: Any,
    key_lo: Any,
    content: Any,
    usable: Any,
    verdict: Any,
    place: Any,
) -> Any:
    """Decide rows whose keys are all in one layout (arguments as for `decide`).

    Args:
        part: (m,) uint64: tag and row of each. rows: (m,) int64, written: the rows. moved: 1 for the wide layout, else 0.
    """
    m = len(part)
    for j in range(m):
        rows[j] = np.int64(part[j] & LOW)
    for j in range(min(FAR, m)):
        prefetch(line_at(pages, home_of(part[j] >> U(32), capacity)))
    for j in range(m):
        if j + FAR < m:
            prefetch(line_at(pages, home_of(part[j + FAR] >> U(32), capacity)))
        if j + NEAR < m:
            tag = part[j + NEAR] >> U(32)
            at = line_at(pages, home_of(tag, capacity))
            masks = line_masks(at, tag)
            same = (masks >> U(LINE)) & ~masks
            if same != U(0):
                low = load64(at + (first_bit(same) << 3)) & LOW
                if low != VOID:
                    prefetch(entry_at(bases, bits, np.int64(low) - 1))
        tag = part[j] >> U(32)
        i = np.int64(part[j] & LOW)
        hi = key_hi[i]
        lo = key_lo[i]
        slot, entry = _seek(pages, home_of(tag, capacity), total, tag, hi, lo, bases, bits)
        if slot < 0:
            return j, count, used
        if entry >= 0:
            held = load64(entry_at(bases, bits, entry) + 16)
            verdict[i] = DUPLICATE if held == content[i] else CONFLICT
            place[i] = 2 * slot + moved
        elif usable[i]:
            at = entry_at(bases, bits, count)
            store64(at, hi)
            store64(at + 8, lo)
            store64(at + 16, content[i])
            count += 1
            at = line_at(pages, slot >> 3) + ((slot & 7) << 3)
            used += load64(at) == U(0)
            store64(at, (tag << U(32)) | U(count))
            verdict[i] = NEW
            place[i] = 2 * slot + moved
        else:
            verdict[i] = UNUSABLE
    return m, count, used


@njit(cache=True, nogil=True)
def decide(
    old: Any,
    old_total: Any,
    old_capacity: Any,
    border: Any,
    wide: Any,
    wide_total: Any,
    wide_capacity: Any,
    bases: Any,
    bits: Any,
    count: Any,
    used: Any,
    rows: Any,
    begin: Any,
    key_hi: Any,
    key_lo: Any,
    content: Any,
    usable: Any,
    verdict: Any,
    place: Any,
) -> Any:
    """Decide rows and take the keys of those that are new and usable: of rows with the same key in their order.

    Args:
        old, wide: (pages,) int64 addresses of each layout's pages; …_total: lines there are; …_capacity: homes.
        border: lines of the old layout that have moved; lines of both layouts up to it are there.
        bases: (chunks,) int64 addresses; bits: log2 of the entries of a chunk. The caller guarantees room for m entries.
        count: entries of the log. used: slots of the index that are not empty.
        rows: (m,) int64 rows of the block that belong to this bucket, below 2^32; begin: the first of them to decide.
            Written: the rows in the order in which they were decided, and new ones are in the log.
        key_hi, key_lo, content: (n,) uint64 columns; `content` is never 0. usable: (n,) bool, rows that may take a key.
        verdict: (n,) uint8, written: a row that is not usable is UNUSABLE unless its key is known.
        place: (n,) int64, written for NEW rows and known keys: 2 * slot, + 1 in the wide layout.

    Returns:
        (index into rows where it stopped, count, used). It stops before m when a layout has no free word left behind.
    """
    m = len(rows)
    old_at, wide_at, bases_at = old.ctypes.data, wide.ctypes.data, bases.ctypes.data
    size = min(m, _PART)
    there = np.empty(size, np.uint64)
    here = np.empty(size, np.uint64)
    while begin < m:
        # rows of one layout first and then those of the other: which one it is would be guessed wrong for every second row
        end = min(begin + _PART, m)
        k = 0
        n = 0
        for j in range(begin, end):
            i = rows[j]
            tag = order_of(key_hi[i], key_lo[i]) >> U(32)
            word = (tag << U(32)) | U(i)
            moved = home_of(tag, old_capacity) < border
            there[k] = word
            here[n] = word
            k += moved
            n += not moved
        done, count, used = _decide_part(
            wide_at,
            wide_total,
            wide_capacity,
            1,
            bases_at,
            bits,
            count,
            used,
            there[:k],
            rows[begin : begin + k],
            key_hi,
            key_lo,
            content,
            usable,
            verdict,
            place,
        )
        if done == k:
            more, count, used = _decide_part(
                old_at,
                old_total,
                old_capacity,
                0,
                bases_at,
                bits,
                count,
                used,
                here[:n],
                rows[begin + k : end],
                key_hi,
                key_lo,
                content,
                usable,
                verdict,
                place,
            )
            done += more
        else:
            for j in range(n):
                rows[begin + k + j] = np.int64(here[j] & LOW)
        begin += done
        if done < k + n:
            break
    return begin, count, used


@njit(cache=True, nogil=True)
def settle(old: Any, wide: Any, bases: Any, bits: Any, count: Any, took: Any, place: Any, held: Any) -> Any:
    """Write down which content holds each new key of the latest block; a content of 0 takes the key back.

    Args:
        old, wide, bases, bits: as for `decide`, unchanged since. count: entries of the log after it.
        took: (k,) int64 NEW rows in order: the latest k entries. place: (n,) int64 of `decide`. held: (n,) uint64.

    Returns:
        The entries of the log without those taken back.
    """
    old_at, wide_at, bases_at = old.ctypes.data, wide.ctypes.data, bases.ctypes.data
    entry = count - len(took)
    kept = entry
    for i in took:
        at = entry_at(bases_at, bits, entry)
        slot = place[i] >> 1
        spot = line_at(wide_at, slot >> 3) if place[i] & 1 else line_at(old_at, slot >> 3)
        spot += (slot & 7) << 3
        word = load64(spot)
        if held[i] == U(0):
            store64(spot, word | VOID)
        else:
            to = entry_at(bases_at, bits, kept)
            store64(to, load64(at))
            store64(to + 8, load64(at + 8))
            store64(to + 16, held[i])
            kept += 1
            store64(spot, (word & ~LOW) | U(kept))
        entry += 1
    return kept


@njit(cache=True, nogil=True)
def span(event_at: Any, candidate: Any) -> Any:
    """Return (rows, earliest, latest) of the candidates.

    Args:
        event_at: (n,) int64 microseconds; candidate: (n,) bool.
    """
    count = np.int64(0)
    first = np.int64(2**63 - 1)
    last = np.int64(-(2**63))
    for i in range(len(event_at)):
        count += candidate[i]
        first = min(first, event_at[i] if candidate[i] else np.int64(2**63 - 1))
        last = max(last, event_at[i] if candidate[i] else np.int64(-(2**63)))
    return count, first, last


@njit(cache=True, nogil=True)
def bucket_rows(event_at: Any, candidate: Any, first_day: Any, counts: Any, order: Any) -> None:
    """Group candidate rows by event day, keeping their order: a counting sort.

    Args:
        event_at: (n,) int64 microseconds; candidate: (n,) bool. first_day: smallest day among the candidates.
        counts: (days + 1,) int64 zeros; on return counts[d] .. counts[d + 1] delimits day d in `order`.
        order: (k,) int64, written: rows by day.
    """
    n = len(event_at)
    for i in range(n):
        if candidate[i]:
            counts[event_at[i] // DAY_US - first_day + 1] += 1
    for d in range(1, len(counts)):
        counts[d] += counts[d - 1]
    cursor = counts.copy()
    for i in range(n):
        if candidate[i]:
            d = event_at[i] // DAY_US - first_day
            order[cursor[d]] = i
            cursor[d] += 1
