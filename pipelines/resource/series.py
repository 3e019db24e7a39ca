"""The registers of cumulative readings: the latest index of every series."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pipelines.resource.kernels.series import difference, open_registers
from schemas.arrays import BoolArray, Int64Array, UInt8Array, UInt64Array
from schemas.cdr import CdrBlock

LOAD_MAX = 0.5
CAPACITY_MIN = 1024


def _zeros_u64() -> UInt64Array:
    return np.zeros(CAPACITY_MIN, np.uint64)


def _zeros_i64() -> Int64Array:
    return np.zeros(CAPACITY_MIN, np.int64)


@dataclass(frozen=True, slots=True)
class Differences:
    """Answers of the series kernel, each (n,): see `pipelines.resource.kernels.series.difference`."""

    held: UInt64Array
    start_at: Int64Array
    consumed: Int64Array
    answer: UInt8Array


@dataclass(slots=True)
class RegisterTable:
    """Open-addressing table from series identity to its latest reading; grows between blocks.

    A register takes 64 to 256 bytes and is kept for ever: what it counted before must not be billed again.

    Attributes:
        key_hi, key_lo: (cap,) identity of each register, (0, 0) empty.
        last_at: (cap,) microseconds UTC. last_index: (cap,) base steps, or the bits of a counter of 64.
        count: registers held.
    """

    key_hi: UInt64Array = field(default_factory=_zeros_u64)
    key_lo: UInt64Array = field(default_factory=_zeros_u64)
    last_at: Int64Array = field(default_factory=_zeros_i64)
    last_index: Int64Array = field(default_factory=_zeros_i64)
    count: int = 0

    def _make_room(self, rows: int) -> None:
        capacity = len(self.key_hi)
        if self.count + rows <= capacity * LOAD_MAX:
            return
        held = np.flatnonzero((self.key_hi != 0) | (self.key_lo != 0))
        old = (self.key_hi[held], self.key_lo[held], self.last_at[held], self.last_index[held])
        capacity = 1 << (int((self.count + rows) * 2 / LOAD_MAX) - 1).bit_length()
        self.key_hi, self.key_lo = np.zeros(capacity, np.uint64), np.zeros(capacity, np.uint64)
        self.last_at, self.last_index = np.zeros(capacity, np.int64), np.zeros(capacity, np.int64)
        self.count = open_registers(self.key_hi, self.key_lo, self.last_at, self.last_index, *old)

    def read(self, cdrs: CdrBlock, rows: Int64Array, first: Int64Array, usable: BoolArray) -> Differences:
        """Take the rows `rows` of a block in order (arguments and answers of the series kernel)."""
        self._make_room(int(np.count_nonzero(cdrs.series_hi[rows] | cdrs.series_lo[rows])))
        n = len(cdrs)
        found = Differences(np.zeros(n, np.uint64), np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.uint8))
        self.count += difference(
            self.key_hi,
            self.key_lo,
            self.last_at,
            self.last_index,
            rows,
            cdrs.series_hi,
            cdrs.series_lo,
            cdrs.event_at,
            cdrs.quantity,
            first,
            usable,
            cdrs.content,
            cdrs.readings.opens_at_zero,
            int(cdrs.readings.on_decrease),
            cdrs.readings.modulus,
            cdrs.readings.absorbs_repeats,
            found.held,
            found.start_at,
            found.consumed,
            found.answer,
        )
        return found

    def open(self, hi: UInt64Array, lo: UInt64Array, at: Int64Array, index: Int64Array) -> None:
        """Open the registers not yet known with their opening readings (columns of equal length)."""
        self._make_room(len(hi))
        self.count += open_registers(self.key_hi, self.key_lo, self.last_at, self.last_index, hi, lo, at, index)
