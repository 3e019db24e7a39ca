"""The registers of cumulative readings: the latest index of every series."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipelines.resource.kernels.series import DAY_US, difference, open_registers, survey
from pipelines.resource.moving import LOAD_MAX, Keep, Mover
from schemas.arrays import BoolArray, Int64Array, UInt8Array, UInt16Array, UInt32Array, UInt64Array
from schemas.cdr import CdrBlock, ReadingMarks

CAPACITY_MIN = 1024
SPACES = 16
"""Spaces of registers that are over at once, usually at most."""
NO_MARKS = ReadingMarks(np.zeros(0, np.uint8), np.zeros(0, np.int64))


def _zeros_u64() -> UInt64Array:
    return np.zeros(CAPACITY_MIN, np.uint64)


def _zeros_i64() -> Int64Array:
    return np.zeros(CAPACITY_MIN, np.int64)


def _zeros_u32() -> UInt32Array:
    return np.zeros(CAPACITY_MIN, np.uint32)


def _zeros_u16() -> UInt16Array:
    return np.zeros(CAPACITY_MIN, np.uint16)


@dataclass(frozen=True, slots=True)
class Differences:
    """Answers of the series kernel, each (n,): see `pipelines.resource.kernels.series.difference`."""

    held: UInt64Array
    start_at: Int64Array
    consumed: Int64Array
    answer: UInt8Array


@dataclass(slots=True)
class RegisterTable:
    """Open-addressing table from series identity to its latest reading; grows with the blocks (`pipelines.resource.moving`).

    A register takes 76 to 304 bytes, and up to 76 more while the table moves. It is kept for ever, because what it counted
    before must not be billed again, unless its source says after how many days without a reading it is over: then it goes
    when the table grows.

    Attributes:
        key_hi, key_lo: (cap,) identity of each register, (0, 0) empty.
        last_at: (cap,) microseconds UTC. last_index: (cap,) base steps, or the bits of a counter of 64.
        keep_days: (cap,) days of stage time after which it is over, 0: never. space: (cap,) whose rule that is, as in
            `ReadingRules`, 0 where it is not known: then it is everybody's.
        count: registers held. forgotten: space -> latest reading of any register that went, microseconds UTC.
        mover: what it needs to grow; until it is settled, columns lack what has not moved yet.
    """

    key_hi: UInt64Array = field(default_factory=_zeros_u64)
    key_lo: UInt64Array = field(default_factory=_zeros_u64)
    last_at: Int64Array = field(default_factory=_zeros_i64)
    last_index: Int64Array = field(default_factory=_zeros_i64)
    keep_days: UInt16Array = field(default_factory=_zeros_u16)
    space: UInt32Array = field(default_factory=_zeros_u32)
    count: int = 0
    forgotten: dict[int, int] = field(default_factory=dict)
    mover: Mover = field(default_factory=Mover, init=False)

    def forgotten_until(self, space: int) -> int:
        """Return the latest reading of any register that went and may have been of a space, microseconds UTC."""
        return max(self.forgotten.get(space, 0), self.forgotten.get(0, 0))

    def move_on(self) -> None:
        """Move a piece of it, if it is on its way into a wider table."""
        self.mover.step(self._columns, 0)

    def settle(self) -> None:
        """Have everything in the columns."""
        self.mover.finish(self._columns)

    def _make_room(self, rows: int, stage_time: int, hi: UInt64Array, lo: UInt64Array) -> None:
        """Have room for `rows` more registers, and in the columns those that are asked for."""
        if self.count + rows > len(self.key_hi) * LOAD_MAX:
            self._widen(rows, stage_time)
        else:
            self.mover.prepare(self._columns, self.count, rows, _capacity(int(len(self.key_hi) * LOAD_MAX), 1))
        self.mover.step(self._columns, rows)
        self.mover.bring(self._columns, hi, lo)

    def _widen(self, rows: int, stage_time: int) -> None:
        self.settle()
        judge: Any = survey
        known, room = -1, SPACES
        while known < 0:
            spaces, latest = np.zeros(room, np.uint32), np.zeros(room, np.int64)
            over, known = judge(*(getattr(self, name) for name in SURVEYED), stage_time, spaces, latest)
            room *= 16
        for space, at in zip(spaces[:known].tolist(), latest[:known].tolist(), strict=True):
            self.forgotten[space] = max(self.forgotten.get(space, 0), at)
        self.count -= over
        wide = self.mover.begin(self._columns, _capacity(self.count, rows), _lives_at(stage_time))
        for name, column in zip(COLUMNS, wide, strict=True):
            setattr(self, name, column)

    @property
    def _columns(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in COLUMNS)

    def read(
        self, cdrs: CdrBlock, rows: Int64Array, first: Int64Array, usable: BoolArray, stage_time: int
    ) -> Differences:
        """Take the rows `rows` of a block in order (arguments and answers of the series kernel)."""
        hi, lo = cdrs.series_hi[rows], cdrs.series_lo[rows]
        self._make_room(int(np.count_nonzero(hi | lo)), stage_time, hi, lo)
        n = len(cdrs)
        marks = cdrs.marks or NO_MARKS
        if cdrs.readings.by_time:  # of one instant, what begins anew comes after what ended
            anew = marks.begins[rows] if len(marks.begins) else np.zeros(len(rows), np.uint8)
            rows = rows[np.lexsort((anew, cdrs.event_at[rows]))]
        found = Differences(np.zeros(n, np.uint64), np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.uint8))
        measure: Any = difference
        self.count += measure(
            *self._columns,
            rows,
            cdrs.series_hi,
            cdrs.series_lo,
            cdrs.event_at,
            cdrs.quantity,
            first,
            usable,
            cdrs.content,
            marks.begins,
            marks.rolls_over_at,
            cdrs.readings.opens_at_zero,
            int(cdrs.readings.on_decrease),
            cdrs.readings.modulus,
            cdrs.readings.absorbs_repeats,
            cdrs.readings.idle_days,
            np.uint32(cdrs.readings.space),
            stage_time,
            self.forgotten_until(cdrs.readings.space),
            cdrs.readings.series_max - self.count,
            found.held,
            found.start_at,
            found.consumed,
            found.answer,
        )
        return found

    def open(self, hi: UInt64Array, lo: UInt64Array, at: Int64Array, index: Int64Array) -> None:
        """Open the registers not yet known with their opening readings (columns of equal length)."""
        self._make_room(len(hi), 0, hi, lo)
        begin: Any = open_registers
        nothing = np.zeros(len(hi), np.uint16), np.zeros(len(hi), np.uint32)
        self.count += begin(*self._columns, hi, lo, at, index, *nothing)


COLUMNS = ("key_hi", "key_lo", "last_at", "last_index", "keep_days", "space")
"""The arrays of a `RegisterTable`, in the order that kernels take them; a snapshot keeps them by these names."""
SURVEYED = ("key_hi", "key_lo", "last_at", "keep_days", "space")


def _capacity(held: int, rows: int) -> int:
    return max(CAPACITY_MIN, 1 << (int((held + rows) * 2 / LOAD_MAX) - 1).bit_length())


def _lives_at(stage_time: int) -> Keep:
    """Return which registers are not over at a stage time, of rows of the columns."""

    def lives(rows: Any) -> BoolArray:
        keep_us = rows[4].astype(np.int64) * DAY_US
        kept: BoolArray = ~((keep_us > 0) & (rows[2] + keep_us < stage_time))
        return kept

    return lives
