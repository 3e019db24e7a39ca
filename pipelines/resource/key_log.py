"""The keys of one event day: an append-only log of entries, and an index over it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pipelines.resource.kernels import dedup as kernels
from pipelines.resource.kernels.index import ENTRY_BYTES
from pipelines.resource.key_index import Addresses, KeyIndex, allocate
from schemas.arrays import BoolArray, Int64Array, UInt8Array, UInt64Array

CHUNK_BITS = 18
"""Entries of a chunk of the log: 2^18, 6.3 MB. A full chunk never changes."""
ENTRIES_MIN = 16


def _no_chunks() -> list[UInt64Array]:
    return []


@dataclass(slots=True)
class KeyLog:
    """Every key of one day.

    Attributes:
        chunks: (2^CHUNK_BITS, 3) uint64 each, the last one shorter while it is small; full ones may be read-only.
        count: entries. index: of all of them.
    """

    chunks: list[UInt64Array] = field(default_factory=_no_chunks)
    count: int = 0
    index: KeyIndex = field(default_factory=KeyIndex)
    _bases: Addresses = field(default_factory=Addresses)

    @property
    def nbytes(self) -> int:
        """Bytes of the entries and of the index."""
        return self.count * ENTRY_BYTES + self.index.nbytes

    @classmethod
    def of(cls, chunks: Sequence[UInt64Array], count: int, index: KeyIndex, indexed: int = 0) -> KeyLog:
        """Return a log of given chunks; `index` knows the first `indexed` entries, and learns the others."""
        log = cls(list(chunks), count, index)
        first = 0
        for entries in log.entries():
            fresh = max(indexed - first, 0)
            if fresh < len(entries):
                index.insert(entries[fresh:], first + fresh)
            first += len(entries)
        return log

    @classmethod
    def from_entries(cls, entries: UInt64Array) -> KeyLog:
        """Return a log of (k, 3) entries, copied."""
        chunks = []
        for first in range(0, len(entries), 1 << CHUNK_BITS):
            part = entries[first : first + (1 << CHUNK_BITS)]
            chunks.append(new_chunk(len(part)))
            chunks[-1][: len(part)] = part
        return cls(chunks, len(entries), KeyIndex.build([entries], len(entries)))

    def decide(
        self,
        rows: Int64Array,
        key_hi: UInt64Array,
        key_lo: UInt64Array,
        content: UInt64Array,
        usable: BoolArray,
        verdict: UInt8Array,
        place: Int64Array,
    ) -> Int64Array:
        """Decide rows of a block (arguments of the kernel) and take the keys of the new, usable ones.

        Returns:
            (m,) the rows in the order in which new ones are in the log.
        """
        rows = rows.copy()  # the kernel puts them into another order
        index = self.index
        index.make_room(len(rows))
        self._make_entries(len(rows))
        done = 0
        while True:
            done, self.count, index.used = kernels.decide(
                index.old.addresses.known,
                index.old.total,
                index.old.capacity,
                index.border,
                index.wide.addresses.known,
                index.wide.total,
                index.wide.capacity,
                self._bases.known,
                CHUNK_BITS,
                self.count,
                index.used,
                rows,
                done,
                key_hi,
                key_lo,
                content,
                usable,
                verdict,
                place,
            )
            if done == len(rows):
                return rows
            index.lengthen()

    def settle(self, took: Int64Array, place: Int64Array, held: UInt64Array) -> None:
        """Write down the contents of the entries that rows `took` have just taken (arguments of the kernel)."""
        index = self.index
        self.count = kernels.settle(
            index.old.addresses.known,
            index.wide.addresses.known,
            self._bases.known,
            CHUNK_BITS,
            self.count,
            took,
            place,
            held,
        )

    def entries(self, first_chunk: int = 0) -> Iterator[UInt64Array]:
        """Yield the entries, (k, 3) at a time, in order, from the beginning of a chunk on."""
        for number in range(first_chunk, len(self.chunks)):
            held = self.count - (number << CHUNK_BITS)
            if held > 0:
                yield self.chunks[number][: min(held, 1 << CHUNK_BITS)]

    def replace(self, number: int, chunk: UInt64Array) -> None:
        """Take another array of the same entries for a full chunk: one that is mapped leaves the memory to others."""
        self.chunks[number] = chunk
        if number < self._bases.count:
            self._bases.put(number, chunk)

    def _make_entries(self, rows: int) -> None:
        """Make the log long enough for `rows` more."""
        size = 1 << CHUNK_BITS
        wanted = self.count + rows
        if self.chunks and len(self.chunks[-1]) < size:
            start = (len(self.chunks) - 1) * size
            if wanted > start + len(self.chunks[-1]):
                longer = new_chunk(wanted - start)
                held = max(self.count - start, 0)  # none when the rows that it was made for were known
                longer[:held] = self.chunks[-1][:held]
                self.chunks[-1] = longer
        while (not self.chunks or len(self.chunks[-1]) == size) and len(self.chunks) * size < wanted:
            self.chunks.append(new_chunk(wanted - len(self.chunks) * size))
        for number in range(max(self._bases.count - 1, 0), len(self.chunks)):
            self._bases.put(number, self.chunks[number])


def new_chunk(wanted: int) -> UInt64Array:
    """Return a chunk that holds `wanted` entries: a few, or a whole one, whose pages come into being as it fills."""
    size = 1 << CHUNK_BITS
    grown = max(ENTRIES_MIN, 1 << (max(wanted, 1) - 1).bit_length())
    entries = min(grown, size) if 8 * grown < size else size
    return allocate(3 * entries).reshape(entries, 3)
