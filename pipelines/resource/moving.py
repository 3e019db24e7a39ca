"""How tables of open addressing grow without a pause: into a wider one that lies ready, some slots with each block.

What a table knows does not depend on where its move stands. The block that finds it full says what is forgotten, and how wide
the next one is, as if everything moved at once; then whatever a block asks for moves before it is looked at, and a piece of the
rest with each block. So kernels know one table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipelines.resource.kernels import moving as kernels
from rating.lines import give_back, touch, zeros
from schemas.arrays import BoolArray, Int32Array, Int64Array, UInt8Array, UInt64Array

LOAD_MAX = 0.5
AT_ONCE_BELOW = 1 << 16
"""Slots of tables that move at once: it takes a millisecond."""
SLOTS_A_BLOCK = 1 << 16
"""Slots that move with a block, at least."""
SLOTS_A_ROW = 8
"""Slots that move for each row of a block, at least: all have moved long before the wider table is full."""
PIECE = 1 << 14
"""Slots that are looked at together."""
AHEAD_FROM, AHEAD_TO = 0.6, 0.97
"""Of the rows that a table has room for: from where to where the memory of the next one comes into being."""
AHEAD_BYTES, AHEAD_BYTES_A_ROW = 8 << 20, 3 << 10
"""Bytes of it that come into being with a block, or for each of its rows, at most: about 0.4 ms a megabyte."""
NO_DAYS: Int32Array = np.zeros(0, np.int32)
AnyArray = np.ndarray[Any, Any]
Columns = tuple[AnyArray, ...]
"""Of a table, each (cap,): the upper and the lower half of its keys, their event day if it is a part of them, and more."""
Keep = Callable[[Sequence[AnyArray]], BoolArray]
"""Says of some rows of the columns which are kept."""


@dataclass(slots=True)
class _Leaving:
    """The table that is left.

    Attributes:
        columns: its own. gone: (cap / 8,) a bit for each slot that moved because somebody asked for its key. border: slots
            before it moved.
    """

    columns: Columns
    keep: Keep
    gone: UInt8Array
    border: int = 0

    @property
    def capacity(self) -> int:
        return len(self.columns[0])


@dataclass(slots=True)
class Mover:
    """What one table needs to grow. The columns are its owner's.

    Attributes:
        dated: the event day is a part of the keys. empty: what an empty slot has in each column, if not 0.
        ahead: columns of the next table, whose memory is coming into being: of the first `touched` bytes, column after column.
    """

    dated: bool = False
    empty: dict[int, int] = field(default_factory=dict[int, int])
    ahead: Columns = ()
    touched: int = 0
    _leaving: _Leaving | None = None

    @property
    def is_moving(self) -> bool:
        """Whether a part of the keys is still in the table before."""
        return self._leaving is not None

    def prepare(self, columns: Columns, held: int, rows: int, capacity: int) -> None:
        """Have memory for the next table, a little more with each block.

        Args:
            columns: of the table. held: rows in it; rows: of the block. capacity: slots of the next one.
        """
        room = len(columns[0]) * LOAD_MAX
        share = ((held + rows) / room - AHEAD_FROM) / (AHEAD_TO - AHEAD_FROM)
        if share <= 0 or len(columns[0]) < AT_ONCE_BELOW or self.is_moving:
            return
        if not self.ahead:
            self.ahead = tuple(zeros((capacity, *column.shape[1:]), column.dtype) for column in columns)
        size = sum(column.nbytes for column in self.ahead)
        last = min(int(size * min(share, 1)), self.touched + max(AHEAD_BYTES, AHEAD_BYTES_A_ROW * rows))
        last = max(last, self.touched)
        for place, column in enumerate(
            self.ahead
        ):  # one after the other: all at once come to new pages with the same block
            first, until = (min(max(at, 0), column.nbytes) for at in (self.touched, last))
            if place in self.empty:
                width = column.nbytes // len(column)
                column[first // width : until // width] = self.empty[place]
            elif until > first:
                touch(column, first, until)
            self.touched, last = self.touched - column.nbytes, last - column.nbytes
        self.touched = last + size

    def begin(self, columns: Columns, capacity: int, keep: Keep) -> Columns:
        """Leave a table for one of so many slots, and return its columns; nothing has moved yet.

        The caller has finished the move before, says how many rows are kept, and brings what it asks for.
        """
        fresh, touched = self.ahead, self.touched
        self.ahead, self.touched = (), 0
        if not fresh or len(fresh[0]) < capacity:
            fresh, touched = tuple(zeros((capacity, *column.shape[1:]), column.dtype) for column in columns), 0
        for place, column in enumerate(fresh):
            if place in self.empty:
                width = column.nbytes // len(column)
                column[min(max(touched, 0), column.nbytes) // width : capacity] = self.empty[place]
            touched -= column.nbytes
        for column in fresh if len(fresh[0]) > capacity else ():
            give_back(column, capacity, len(column))
        self._leaving = _Leaving(columns, keep, np.zeros(-(-len(columns[0]) // 8), np.uint8))
        return tuple(column[:capacity] for column in fresh)

    def bring(self, into: Columns, hi: UInt64Array, lo: UInt64Array, day: Int32Array = NO_DAYS) -> None:
        """Move keys (k,) of which some may still be in the table before: they are about to be asked for."""
        leaving = self._leaving
        if leaving is None:
            return
        slots = np.empty(len(hi), np.int64)
        take_out: Any = kernels.take_out
        found = take_out(
            *leaving.columns[:2], self._days(leaving.columns), leaving.gone, leaving.border, hi, lo, day, slots
        )
        self._put(into, slots[:found])

    def rest(self) -> list[tuple[Columns, UInt8Array, int]]:
        """Return what is still in the table before, if anything is: its columns, bits of slots that are gone, the border."""
        leaving = self._leaving
        return [] if leaving is None else [(leaving.columns, leaving.gone, leaving.border)]

    def bring_slots(self, into: Columns, slots: Int64Array) -> None:
        """Move some slots (k,) of the table before, which `rest` has told of and which are not gone."""
        assert self._leaving is not None
        kernels.mark_gone(self._leaving.gone, slots)
        self._put(into, slots)

    def step(self, into: Columns, rows: int) -> None:
        """Move a piece of the rest, with a block of so many rows."""
        leaving = self._leaving
        if leaving is None:
            return
        least = capacity = leaving.capacity
        if capacity >= AT_ONCE_BELOW:
            least = min(leaving.border + max(SLOTS_A_BLOCK, SLOTS_A_ROW * rows), capacity)
        hi, lo = leaving.columns[:2]
        self._sweep(leaving, into, int(kernels.next_border(hi, lo, least)))

    def finish(self, into: Columns) -> None:
        """Move all of the rest."""
        if self._leaving is not None:
            self._sweep(self._leaving, into, self._leaving.capacity)

    def _sweep(self, leaving: _Leaving, into: Columns, end: int) -> None:
        hi, lo = leaving.columns[:2]
        while leaving.border < end:
            piece = int(kernels.next_border(hi, lo, min(leaving.border + PIECE, end)))
            slots = np.empty(piece - leaving.border, np.int64)
            found = kernels.take_piece(hi, lo, leaving.gone, leaving.border, piece, slots)
            self._put(into, slots[:found])
            for column in leaving.columns:
                give_back(column, leaving.border, piece)
            leaving.border = piece
        if end == leaving.capacity:
            self._leaving = None

    def _put(self, into: Columns, slots: Int64Array) -> None:
        assert self._leaving is not None
        rows = [np.take(column, slots, axis=0) for column in self._leaving.columns]
        kept = self._leaving.keep(rows)
        if not kept.all():
            rows = [row[kept] for row in rows]
        place = np.empty(len(rows[0]), np.int64)
        put_in: Any = kernels.put_in
        put_in(*into[:2], self._days(into), *rows[:2], self._days(rows), place)
        for column, values in zip(into[2 + self.dated :], rows[2 + self.dated :], strict=True):
            column[place] = values

    def _days(self, columns: Sequence[AnyArray]) -> Int32Array:
        return columns[2] if self.dated else NO_DAYS
