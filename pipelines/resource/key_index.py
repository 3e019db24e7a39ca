"""Where the index of a day's keys lies: pages of lines, and the two layouts between which it widens."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from pipelines.resource.kernels import index as kernels
from pipelines.resource.kernels.words import LINE
from schemas.arrays import Int64Array, UInt64Array

FILL = 0.48
"""Part of the slots that is used: 8 / 0.48 bytes a key, beside the 24 of its entry."""
WIDER = 1.85
"""How much wider the next layout is. When its last words move, the old one is FILL * WIDER full."""
CAPACITY_MIN = 4
"""Homes of the smallest index: lines."""
SPARE = 512
"""Lines behind the homes, at most: hashes need a few at 85 %."""
PAGE_LINES = 1 << kernels.PAGE_BITS
PAGE_WORDS = PAGE_LINES * LINE
HUGE_BYTES = 2 << 20
BUILDERS = 2
"""Threads that build the index of a log that is read back, each a part of the lines."""
BUILD_ALONE = 1 << 18
"""Keys from which on there is more than one of them."""


def allocate(words: int) -> UInt64Array:
    """Return that many words of 0; many of them in large pages, which come into being as they are written."""
    if 8 * words < HUGE_BYTES:
        block = np.zeros(words + LINE - 1, np.uint64)
        skipped = -(block.ctypes.data >> 3) % LINE  # a line is to be one line of the cache
        return block[skipped : skipped + words]
    memory = mmap.mmap(-1, 8 * words, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, np.uint64)


def _no_pages() -> list[UInt64Array]:
    return []


@dataclass(slots=True)
class Addresses:
    """Where arrays are, for kernels: grows by one address at a time, for looking all of them up costs more than a block.

    Attributes:
        known: addresses, 0 for what is not there. count: of them, those that are.
    """

    known: Int64Array = field(default_factory=lambda: np.zeros(1, np.int64))
    count: int = 0

    def put(self, number: int, array: UInt64Array) -> None:
        """Know the address of an array: of the next one, or again of one that is known."""
        if number == len(self.known):
            self.known = np.concatenate([self.known, np.zeros(number, np.int64)])
        self.known[number] = array.ctypes.data
        self.count = max(self.count, number + 1)


@dataclass(slots=True)
class Layout:
    """One layout of the index.

    Attributes:
        capacity: homes, which are lines; more lines follow them.
        pages: the words, PAGE_WORDS each, or one page that is smaller. Those that moved on are empty arrays.
        addresses: of the pages. total: lines there are, counted from the first home. released: pages that moved on.
    """

    capacity: int
    pages: list[UInt64Array] = field(default_factory=_no_pages)
    addresses: Addresses = field(default_factory=Addresses)
    total: int = 0
    released: int = 0

    @classmethod
    def empty(cls, capacity: int) -> Layout:
        """Return a layout without words, which has all of its lines."""
        layout = cls(capacity)
        layout.reach(capacity + min(capacity, SPARE), [])
        return layout

    @classmethod
    def of(cls, capacity: int, words: UInt64Array) -> Layout:
        """Return a layout of given words."""
        layout = cls(capacity)
        for at in range(0, len(words), PAGE_WORDS):
            layout._add(words[at : at + PAGE_WORDS])
        return layout

    def reach(self, lines: int, pool: list[UInt64Array]) -> None:
        """Have at least that many lines; whole pages are taken out of `pool` first."""
        if self.total >= lines:
            return
        if self.total < PAGE_LINES:  # none, or one small page: it is replaced
            page = allocate(LINE * lines if lines <= PAGE_LINES // 2 else PAGE_WORDS)
            if self.pages:
                page[: LINE * self.total] = self.pages.pop()
                self.total = 0
            self._add(page)
        while self.total < lines:
            if pool:
                pool[-1].fill(0)
            self._add(pool.pop() if pool else allocate(PAGE_WORDS))

    def _add(self, page: UInt64Array) -> None:
        self.addresses.put(len(self.pages), page)
        self.pages.append(page)
        self.total += len(page) // LINE

    def release(self, lines: int, pool: list[UInt64Array]) -> None:
        """Put the pages of the first `lines` lines into `pool`: nothing reads them any more."""
        for number in range(self.released, min(lines // PAGE_LINES, len(self.pages) - 1)):
            pool.append(self.pages[number])
            self.pages[number] = _NOTHING
            self.released = number + 1


_NOTHING = np.zeros(0, np.uint64)


@dataclass(slots=True)
class KeyIndex:
    """The index over a log of keys.

    Attributes:
        used: slots that are not empty.
        old, wide, border: see `pipelines.resource.kernels.dedup`; with border 0 there is only the old layout.
        pool: pages that a sweep left behind, for the next lines of the wide layout.
    """

    old: Layout = field(default_factory=lambda: Layout.empty(CAPACITY_MIN))
    wide: Layout = field(default_factory=lambda: Layout(1))
    border: int = 0
    used: int = 0
    pool: list[UInt64Array] = field(default_factory=_no_pages)

    @property
    def nbytes(self) -> int:
        """Bytes of all pages."""
        return 8 * sum(len(page) for page in [*self.old.pages, *self.wide.pages, *self.pool])

    @property
    def slots(self) -> float:
        """Slots of the homes in use: of the old layout behind the border, of the wide one before it."""
        moved = min(self.border, self.old.capacity)
        homes = self.old.capacity + (moved * (self.wide.capacity / self.old.capacity - 1) if moved else 0)
        return LINE * homes

    def make_room(self, rows: int) -> None:
        """Widen by as much as `rows` more keys need: the work is in proportion to them, whatever is held."""
        while (self.used + rows) / FILL > self.slots:
            wanted = (self.used + rows) / FILL / LINE
            if self.border == 0:
                self.wide = Layout(max(int(self.old.capacity * WIDER) + 1, int(wanted) + 1))
            ratio = self.wide.capacity / self.old.capacity
            least = int((wanted - self.old.capacity) / (ratio - 1)) + 1
            if least + SPARE > self.old.capacity:
                least = self.old.total
            self._sweep(least, ratio)

    def _sweep(self, least: int, ratio: float) -> None:
        old, wide = self.old, self.wide
        wide.reach(min(int(least * ratio), wide.capacity) + SPARE, self.pool)
        while True:
            self.border, dropped, left = kernels.sweep(
                old.addresses.known,
                old.total,
                self.border,
                least,
                wide.addresses.known,
                wide.total,
                wide.capacity,
            )
            self.used -= dropped
            if not len(left):
                break
            self._put(wide, left)
        if self.border >= old.total:
            self.old, self.wide, self.border = wide, Layout(1), 0
            self.old.reach(self.old.capacity + min(self.old.capacity, SPARE), self.pool)
            self.pool += [page for page in old.pages if len(page) == PAGE_WORDS]
            del self.pool[len(self.old.pages) // 8 :]  # of a small index none: there are many of them
        else:
            wide.reach(min(int(self.border * ratio), wide.capacity) + 2, self.pool)
            old.release(self.border, self.pool)

    def _put(self, layout: Layout, words: UInt64Array) -> None:
        """Place words that found no room in a layout, or in a part of it, making it longer if they need it."""
        left = len(words)
        while left:
            over = np.empty(left, np.uint64)
            left = kernels.put(words, layout.addresses.known, layout.total, layout.capacity, over)
            words = over[:left]
            if left:
                layout.reach(layout.total + SPARE, self.pool)

    def lengthen(self) -> None:
        """Make both layouts longer: keys crowd at the end of one, which hashes do not."""
        for layout in (self.old, self.wide) if self.border else (self.old,):
            layout.reach(layout.total + SPARE, self.pool)

    @classmethod
    def sized(cls, keys: int) -> KeyIndex:
        """Return an empty index in which that many keys find room at once."""
        return cls(Layout.empty(max(CAPACITY_MIN, int(keys / FILL / LINE) + 1)))

    @classmethod
    def build(cls, parts: Sequence[UInt64Array], room: int) -> KeyIndex:
        """Return the index of a whole log, with room for at least `room` keys.

        Args:
            parts: the log's entries, (k, 3) at a time; they may be read-only.
        """
        keys = sum(len(entries) for entries in parts)
        index = cls.sized(max(keys, room))
        layout = index.old
        builders = BUILDERS if keys >= BUILD_ALONE else 1
        borders = [number * layout.capacity // builders for number in range(builders)] + [layout.total]

        def build_part(number: int) -> list[UInt64Array]:
            first, over = 0, []
            for entries in parts:
                over.append(index._insert(entries, first, borders[number], borders[number + 1]))
                first += len(entries)
            return over

        if builders == 1:
            found = [build_part(0)]
        else:
            with ThreadPoolExecutor(builders) as pool:
                found = list(pool.map(build_part, range(builders)))
        # what runs over from a part's last line waits until the next part is done
        for over in found:
            for words in over:
                index._put(layout, words)
        index.used = keys
        return index

    def insert(self, entries: UInt64Array, first: int) -> None:
        """Index (k, 3) entries of the log from number `first` on that are not in it yet; they may be read-only."""
        self.make_room(len(entries))
        if self.border:  # finish the sweep: the kernel knows one layout
            self._sweep(self.old.total, self.wide.capacity / self.old.capacity)
        self._put(self.old, self._insert(entries, first, 0, self.old.total))
        self.used += len(entries)

    def _insert(self, entries: UInt64Array, first: int, begin: int, end: int) -> UInt64Array:
        """Index those entries that belong to some lines of the old layout; return the words that found no room there."""
        old = self.old
        assert entries.flags.c_contiguous
        left: UInt64Array = kernels.insert(
            entries.ctypes.data, len(entries), first, old.addresses.known, begin, end, old.capacity
        )
        return left
