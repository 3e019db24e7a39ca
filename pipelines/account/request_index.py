"""Where requests are kept, by the 128-bit digests of their ids. It grows a little with each request, never all at once."""

from __future__ import annotations

import numpy as np

from pipelines.account.kernels import index as kernels
from schemas.arrays import Int64Array, UInt64Array

CAPACITY_MIN = 1 << 10
ROOM = 4
"""How many slots a new table has for each key that lives: a table is left when half of it is taken."""
MOVED_PER_KEY = 8
"""Slots that move for each key that is put: all have moved long before the new table is half full."""


class RequestIndex:
    """Open addressing in two tables: keys move from the old one to the new one as others come.

    Memory: at most 24 * 4 bytes a key in the new table, and 24 * 2 in the old one while it lasts.
    """

    __slots__ = ("dead", "live", "old", "swept", "table", "used")

    def __init__(self) -> None:
        """Hold nothing."""
        self.table: UInt64Array = _empty(CAPACITY_MIN)
        self.old: UInt64Array = _empty(1)
        self.swept = 1
        self.used = 0
        self.live = 0
        self.dead = 0

    def __len__(self) -> int:
        """Return how many keys there are."""
        return self.live

    @property
    def nbytes(self) -> int:
        """Return how much memory it takes."""
        return self.table.nbytes + self.old.nbytes

    def find(self, hi: UInt64Array, lo: UInt64Array) -> Int64Array:
        """Return (n,) the places of keys (n,), -1 for those that are not there."""
        place = np.empty(len(hi), np.int64)
        kernels.find(self.table, self.old, hi, lo, self.dead, place)
        return place

    def put(self, hi: UInt64Array, lo: UInt64Array, place: Int64Array) -> None:
        """Put keys (n,) that are not there, at places (n,) that nothing has had."""
        self._make_room(len(hi))
        kernels.put(self.table, hi, lo, place)
        self.used += len(hi)
        self.live += len(hi)

    def forget(self, dead: int, count: int) -> None:
        """Forget the keys at places below `dead`, which are `count` more than before."""
        self.dead = dead
        self.live -= count

    def _make_room(self, count: int) -> None:
        self._sweep(MOVED_PER_KEY * count)
        if 2 * (self.used + count) <= len(self.table):
            return
        self._sweep(len(self.old))  # only a burst of new keys finds any of it left
        self.old, self.swept = self.table, 0
        # at least half as long as the old one, or that would not have moved in time
        wanted = max(CAPACITY_MIN, ROOM * (self.live + count), len(self.old) // 2)
        self.table = _empty(1 << (wanted - 1).bit_length())
        self.used = 0
        self._sweep(MOVED_PER_KEY * count)

    def _sweep(self, slots: int) -> None:
        if self.swept >= len(self.old):
            return
        end = min(self.swept + slots, len(self.old))
        self.used += kernels.move(self.old, self.swept, end, self.dead, self.table)
        self.swept = end
        if end == len(self.old):
            self.old, self.swept = _empty(1), 1


def _empty(capacity: int) -> UInt64Array:
    # pages of zeros come into being as they are written
    return np.zeros((capacity, 3), np.uint64)
