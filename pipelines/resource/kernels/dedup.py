"""Exact deduplication: a log of 128-bit keys, each with a 64-bit content hash, and an index that grows without a stop.

The *log* holds entries of three words (hi, lo, content) in order of arrival, in chunks of 2^`bits`; an entry is written once
and never moves. The *index* is open addressing over words: the high half is the *tag*, the highest 32 bits of the key's
order; the low half is the number of the entry + 1. 0 is an empty slot, and a low half of all ones a *void* one, whose
record was refused after all. Both are many arrays, which kernels reach by their addresses.

A key's home is its tag scaled to the capacity, and probing is linear without a wrap: spare slots follow the capacity. So
slots are in the order of tags, and the index widens by a *sweep*: words below a border are in the wide layout already, the
others still in the old one, and every block moves the border by as much as its rows need. The border is a slot of the
old layout that was empty when the sweep reached it: no run of occupied slots crosses it, and a home below it means "moved".

Twin: `tests/support/resource_world.py`, a dictionary.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, njit, types
from numba.extending import intrinsic

from rating.kernels.hashing import load64, prefetch

U = np.uint64
FAR = 16  # rows between the prefetch of an index slot and its use: about one memory latency
NEAR = 8  # rows between the prefetch of an entry that may be the same key and its use
ENTRY_BYTES = 24
PAGE_BITS = 18
"""Words of a page of the index: 2^18, 2 MiB."""
_WORD_MASK = (1 << PAGE_BITS) - 1
_BATCH = 256  # words that a sweep gathers before it places them

UNSEEN = 0
NEW = 1
DUPLICATE = 2
CONFLICT = 3
UNUSABLE = 4

LOW = U(0xFFFFFFFF)
VOID = LOW
_GOLDEN = U(0x9E3779B97F4A7C15)

if config.DISABLE_JIT:  # kernels run as Python: same answers, no machine code

    def store64(address: int, value: Any) -> None:
        """Write a uint64 at `address`."""
        ctypes.memmove(int(address), int(value).to_bytes(8, "little"), 8)

    def order_of(hi: Any, lo: Any) -> Any:
        """Return the 64-bit order of a key: every bit of the key counts in the highest ones."""
        turned = int(hi) << 32 | int(hi) >> 32
        return U((int(lo) ^ turned) * int(_GOLDEN) & 0xFFFFFFFFFFFFFFFF)

else:

    @intrinsic
    def store64(typingctx: Any, address: Any, value: Any) -> Any:
        """Write a uint64 at `address` (int64)."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            builder.store(args[1], builder.inttoptr(args[0], ir.IntType(64).as_pointer()))
            return context.get_dummy_value()

        return types.void(types.int64, types.uint64), codegen

    @njit(inline="always")
    def order_of(hi: Any, lo: Any) -> Any:
        """Return the 64-bit order of a key: every bit of the key counts in the highest ones."""
        return (lo ^ ((hi << U(32)) | (hi >> U(32)))) * _GOLDEN


@njit(inline="always")
def home_of(tag: Any, capacity: Any) -> Any:
    """Return the slot in which the search for a tag begins, below `capacity` (at most 2^32): int64."""
    return np.int64((tag * U(capacity)) >> U(32))


@njit(inline="always")
def word_at(pages: Any, slot: Any) -> Any:
    """Return the address of a word of a layout."""
    return pages[slot >> PAGE_BITS] + ((slot & _WORD_MASK) << 3)


@njit(inline="always")
def entry_at(bases: Any, bits: Any, entry: Any) -> Any:
    """Return the address of an entry of the log."""
    return bases[entry >> bits] + ENTRY_BYTES * (entry & ((np.int64(1) << bits) - 1))


@njit(inline="always")
def _seek(pages: Any, slot: Any, total: Any, tag: Any, hi: Any, lo: Any, bases: Any, bits: Any) -> Any:
    """Return (slot, entry): of the key, or of the slot to take and -1; slot -1 when the layout ends before a free one.

    `pages` hold a layout of `total` words; the search begins at `slot`.
    """
    free = np.int64(-1)
    entry = np.int64(-1)
    while slot < total:
        word = load64(word_at(pages, slot))
        if word == U(0):
            break
        if word >> U(32) == tag:
            low = word & LOW
            if low == VOID:
                if free < 0:
                    free = slot
            else:
                at = entry_at(bases, bits, np.int64(low) - 1)
                if load64(at) == hi and load64(at + 8) == lo:
                    entry = np.int64(low) - 1
                    break
        slot += 1
    if slot == total:
        slot = np.int64(-1)
    if entry < 0 and free >= 0:
        slot = free
    return slot, entry


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
    """Decide rows in order and take the keys of those that are new and usable.

    Args:
        old, wide: (pages,) int64 addresses of each layout's pages; …_total: words there are; …_capacity: homes.
        border: slots of the old layout that have moved; words of both layouts up to it are there.
        bases: (chunks,) int64 addresses; bits: log2 of the entries of a chunk. The caller guarantees room for m entries.
        count: entries of the log. used: slots of the index that are not empty.
        rows: (m,) int64 rows of the block that belong to this bucket; begin: the first of them to decide.
        key_hi, key_lo, content: (n,) uint64 columns; `content` is never 0. usable: (n,) bool, rows that may take a key.
        verdict: (n,) uint8, written: a row that is not usable is UNUSABLE unless its key is known.
        place: (n,) int64, written for NEW rows and known keys: 2 * slot, + 1 in the wide layout.

    Returns:
        (index into rows where it stopped, count, used). It stops before m when a layout has no free word left behind.
    """
    m = len(rows)
    for j in range(begin, m):
        if j + FAR < m:
            ahead = rows[j + FAR]
            tag = order_of(key_hi[ahead], key_lo[ahead]) >> U(32)
            slot = home_of(tag, old_capacity)
            if slot < border:
                prefetch(word_at(wide, home_of(tag, wide_capacity)))
            else:
                prefetch(word_at(old, slot))
        if j + NEAR < m:
            ahead = rows[j + NEAR]
            tag = order_of(key_hi[ahead], key_lo[ahead]) >> U(32)
            slot = home_of(tag, old_capacity)
            if slot < border:
                word = load64(word_at(wide, home_of(tag, wide_capacity)))
            else:
                word = load64(word_at(old, slot))
            if word >> U(32) == tag and U(0) < word & LOW < VOID:
                prefetch(entry_at(bases, bits, np.int64(word & LOW) - 1))
        i = rows[j]
        hi = key_hi[i]
        lo = key_lo[i]
        tag = order_of(hi, lo) >> U(32)
        home = home_of(tag, old_capacity)
        moved = home < border
        if moved:
            slot, entry = _seek(wide, home_of(tag, wide_capacity), wide_total, tag, hi, lo, bases, bits)
        else:
            slot, entry = _seek(old, home, old_total, tag, hi, lo, bases, bits)
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
            at = word_at(wide, slot) if moved else word_at(old, slot)
            used += load64(at) == U(0)
            store64(at, (tag << U(32)) | U(count))
            verdict[i] = NEW
            place[i] = 2 * slot + moved
        else:
            verdict[i] = UNUSABLE
    return m, count, used


@njit(cache=True, nogil=True)
def sweep(old: Any, old_total: Any, border: Any, least: Any, wide: Any, wide_total: Any, wide_capacity: Any) -> Any:
    """Move words from the old layout into the wide one until the border is an empty slot at or behind `least`.

    Void words are dropped.

    Args:
        old, wide, …_total, wide_capacity: as for `decide`.
        border: where the sweep stands. least: slot to reach; the words of the old layout are its end.

    Returns:
        (border, words dropped, words left): some are left, which are in neither layout, when it stopped because the wide
        one has no free word left behind.
    """
    dropped = 0
    batch = np.empty(_BATCH, np.uint64)
    while border < old_total:
        # gather first: the words then go to places that follow each other
        n = 0
        while n < _BATCH and border < old_total:
            word = load64(word_at(old, border))
            if word == U(0) and border >= least:
                old_total = border
                break
            batch[n] = word
            low = word & LOW
            dropped += low == VOID
            n += (low != U(0)) & (low != VOID)
            border += 1
        placed = put(batch, n, wide, wide_total, wide_capacity)
        if placed < n:
            return border, dropped, batch[placed:n].copy()
    return border, dropped, batch[:0].copy()


@njit(cache=True, nogil=True)
def put(words: Any, n: Any, pages: Any, total: Any, capacity: Any) -> int:
    """Place the first `n` words of (k,) `words` in a layout (as for `decide`); return how many found a free slot."""
    for i in range(n):
        slot = home_of(words[i] >> U(32), capacity)
        while slot < total and load64(word_at(pages, slot)) != U(0):
            slot += 1
        if slot >= total:
            return i
        store64(word_at(pages, slot), words[i])
    return n


@njit(cache=True, nogil=True)
def settle(old: Any, wide: Any, bases: Any, bits: Any, count: Any, took: Any, place: Any, held: Any) -> Any:
    """Write down which content holds each new key of the latest block; a content of 0 takes the key back.

    Args:
        old, wide, bases, bits: as for `decide`, unchanged since. count: entries of the log after it.
        took: (k,) int64 NEW rows in order: the latest k entries. place: (n,) int64 of `decide`. held: (n,) uint64.

    Returns:
        The entries of the log without those taken back.
    """
    entry = count - len(took)
    kept = entry
    for i in took:
        at = entry_at(bases, bits, entry)
        slot = place[i] >> 1
        spot = word_at(wide, slot) if place[i] & 1 else word_at(old, slot)
        word = load64(spot)
        if held[i] == U(0):
            store64(spot, word | VOID)
        else:
            to = entry_at(bases, bits, kept)
            store64(to, load64(at))
            store64(to + 8, load64(at + 8))
            store64(to + 16, held[i])
            kept += 1
            store64(spot, (word & ~LOW) | U(kept))
        entry += 1
    return kept


@njit(cache=True, nogil=True)
def insert(entries: Any, first: Any, begin: Any, pages: Any, total: Any, capacity: Any) -> int:
    """Index entries of the log that are in no index yet and differ from each other.

    Args:
        entries: (k, 3) uint64, entries `first`, `first` + 1, … of the log. begin: the first of them to insert.
        pages, total, capacity: a layout, as for `decide`.

    Returns:
        Where it stopped: before k when the layout has no free word left behind.
    """
    k = len(entries)
    for j in range(begin, k):
        if j + FAR < k:
            tag = order_of(entries[j + FAR, 0], entries[j + FAR, 1]) >> U(32)
            prefetch(word_at(pages, home_of(tag, capacity)))
        tag = order_of(entries[j, 0], entries[j, 1]) >> U(32)
        slot = home_of(tag, capacity)
        while slot < total and load64(word_at(pages, slot)) != U(0):
            slot += 1
        if slot >= total:
            return j
        store64(word_at(pages, slot), (tag << U(32)) | U(first + j + 1))
    return k


@njit(cache=True, nogil=True)
def bucket_rows(event_at: Any, candidate: Any, day_us: Any, first_day: Any, counts: Any, order: Any) -> None:
    """Group candidate rows by event day, keeping their order: a counting sort.

    Args:
        event_at: (n,) int64 microseconds; candidate: (n,) bool; day_us: microseconds per bucket.
        first_day: smallest day among the candidates.
        counts: (days + 1,) int64 zeros; on return counts[d] .. counts[d + 1] delimits day d in `order`.
        order: (k,) int64, written: rows by day.
    """
    n = len(event_at)
    for i in range(n):
        if candidate[i]:
            counts[event_at[i] // day_us - first_day + 1] += 1
    for d in range(1, len(counts)):
        counts[d] += counts[d - 1]
    cursor = counts.copy()
    for i in range(n):
        if candidate[i]:
            d = event_at[i] // day_us - first_day
            order[cursor[d]] = i
            cursor[d] += 1
