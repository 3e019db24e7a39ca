"""Where the index of a day's keys lies: pages of words, and the two layouts between which it widens."""

from __future__ import annotations

import mmap
from dataclasses import dataclass, field

import numpy as np

from pipelines.resource.kernels import dedup as kernels
from schemas.arrays import Int64Array, UInt64Array

FILL = 0.5
"""Part of the slots that is used: 8 / 0.5 bytes a key, beside the 24 of its entry."""
WIDER = 1.7
"""How much wider the next layout is. When its last words move, the old one is FILL * WIDER full."""
CAPACITY_MIN = 32
SPARE = 4096
"""Slots behind the capacity, at most: hashes need a few hundred at 85 %."""
PAGE_WORDS = 1 << kernels.PAGE_BITS
HUGE_BYTES = 2 << 20


def allocate(words: int) -> UInt64Array:
    """Return that many words of 0; many of them in large pages, which come into being as they are written."""
    if 8 * words < HUGE_BYTES:
        return np.zeros(words, np.uint64)
    memory = mmap.mmap(-1, 8 * words, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, np.uint64)


def _no_pages() -> list[UInt64Array]:
    return []


@dataclass(slots=True)
class Layout:
    """One layout of the index.

    Attributes:
        capacity: homes; more words follow them.
        pages: the words, PAGE_WORDS each, or one page that is smaller. Those that moved on are empty arrays.
        addresses: (pages,) of the pages, for kernels. total: words there are, counted from slot 0.
    """

    capacity: int
    pages: list[UInt64Array] = field(default_factory=_no_pages)
    addresses: Int64Array = field(default_factory=lambda: np.zeros(0, np.int64))
    total: int = 0

    @classmethod
    def empty(cls, capacity: int) -> Layout:
        """Return a layout without words, which has all of its slots."""
        layout = cls(capacity)
        layout.reach(capacity + min(capacity, SPARE), [])
        return layout

    def reach(self, slots: int, pool: list[UInt64Array]) -> None:
        """Have at least that many words; whole pages are taken out of `pool` first."""
        if self.total >= slots:
            return
        if self.total < PAGE_WORDS:  # none, or one small page: it is replaced
            page = allocate(slots if slots <= PAGE_WORDS // 2 else PAGE_WORDS)
            if self.pages:
                page[: self.total] = self.pages[0]
            self.pages = [page]
        while len(self.pages) * PAGE_WORDS < slots and len(self.pages[0]) in (0, PAGE_WORDS):
            if pool:
                self.pages.append(pool.pop())
                self.pages[-1].fill(0)
            else:
                self.pages.append(allocate(PAGE_WORDS))
        self.take(self.pages)

    def take(self, pages: list[UInt64Array]) -> None:
        """Have these pages."""
        self.pages = pages
        self.addresses = np.array([page.ctypes.data for page in pages], np.int64)
        self.total = (len(pages) - 1) * PAGE_WORDS + len(pages[-1])

    def release(self, slots: int, pool: list[UInt64Array]) -> None:
        """Put the pages of the first `slots` words into `pool`: nothing reads them any more."""
        for number in range(min(slots // PAGE_WORDS, len(self.pages) - 1)):
            if len(self.pages[number]):
                pool.append(self.pages[number])
                self.pages[number] = _NOTHING


_NOTHING = np.zeros(0, np.uint64)


@dataclass(slots=True)
class KeyIndex:
    """The index over a log of keys.

    Attributes:
        used: slots that are not empty.
        old, wide, border: see `pipelines.resource.kernels.dedup`; with border 0 there is only the old layout.
        pool: pages that a sweep left behind, for the next words of the wide layout.
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
        """Homes in use: of the old layout behind the border, of the wide one before it."""
        moved = min(self.border, self.old.capacity)
        return self.old.capacity + moved * (self.wide.capacity / self.old.capacity - 1) if moved else self.old.capacity

    def make_room(self, rows: int) -> None:
        """Widen by as much as `rows` more keys need: the work is in proportion to them, whatever is held."""
        wanted = (self.used + rows) / FILL
        while wanted > self.slots:
            if self.border == 0:
                self.wide = Layout(max(int(self.old.capacity * WIDER) + 1, int(wanted) + 1))
            ratio = self.wide.capacity / self.old.capacity
            least = int((wanted - self.old.capacity) / (ratio - 1)) + 1
            if least + SPARE > self.old.capacity:
                least = self.old.total
            self._sweep(least, ratio)
            wanted = (self.used + rows) / FILL

    def _sweep(self, least: int, ratio: float) -> None:
        old, wide = self.old, self.wide
        wide.reach(min(int(least * ratio), wide.capacity) + SPARE, self.pool)
        while True:
            self.border, dropped, left = kernels.sweep(
                old.addresses,
                old.total,
                self.border,
                least,
                wide.addresses,
                wide.total,
                wide.capacity,
            )
            self.used -= dropped
            if not len(left):
                break
            self.put(left)
        if self.border >= old.total:
            self.old, self.wide, self.border = wide, Layout(1), 0
            self.old.reach(self.old.capacity + min(self.old.capacity, SPARE), self.pool)
            self.pool += [page for page in old.pages if len(page) == PAGE_WORDS]
            del self.pool[len(self.old.pages) // 8 + 1 :]
        else:
            wide.reach(min(int(self.border * ratio), wide.capacity) + 2, self.pool)
            old.release(self.border, self.pool)

    def put(self, words: UInt64Array) -> None:
        """Place words in the wide layout, making it longer as they need."""
        while len(words):
            self.wide.reach(self.wide.total + SPARE, self.pool)
            done = kernels.put(words, len(words), self.wide.addresses, self.wide.total, self.wide.capacity)
            words = words[done:]

    def lengthen(self) -> None:
        """Make both layouts longer: keys crowd at the end of one, which hashes do not."""
        for layout in (self.old, self.wide) if self.border else (self.old,):
            layout.reach(layout.total + SPARE, self.pool)

    @classmethod
    def sized(cls, keys: int) -> KeyIndex:
        """Return an empty index in which that many keys, and a tenth more, find room at once."""
        return cls(Layout.empty(max(CAPACITY_MIN, int(1.1 * keys / FILL) + 1)))

    def insert(self, entries: UInt64Array, first: int) -> None:
        """Index (k, 3) entries of the log from number `first` on that are not in it yet."""
        self.make_room(len(entries))
        if self.border:  # finish the sweep: the kernel knows one layout
            self._sweep(self.old.total, self.wide.capacity / self.old.capacity)
        done = 0
        while done < len(entries):
            done = kernels.insert(entries, first, done, self.old.addresses, self.old.total, self.old.capacity)
            if done < len(entries):
                self.lengthen()
        self.used += len(entries)
