"""The registers of cumulative readings: the latest index of every series."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pipelines.resource.kernels.series import difference, open_registers
from schemas.arrays import Int64Array, UInt8Array, UInt64Array

LOAD_MAX = 0.5
CAPACITY_MIN = 1024


def _zeros_u64() -> UInt64Array:
    return np.zeros(CAPACITY_MIN, np.uint64)


def _zeros_i64() -> Int64Array:
    return np.zeros(CAPACITY_MIN, np.int64)


@dataclass(slots=True)
class RegisterTable:
    """Open-addressing table from series identity to its latest reading; grows between blocks.

    Attributes:
        key_hi, key_lo: (cap,) identity of each register, (0, 0) empty.
        last_at: (cap,) microseconds UTC. last_index: (cap,) base steps.
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
        self.count = 0
        self._read(np.arange(len(held), dtype=np.int64), *old)

    def _read(
        self, rows: Int64Array, hi: UInt64Array, lo: UInt64Array, at: Int64Array, index: Int64Array
    ) -> tuple[UInt8Array, Int64Array, Int64Array]:
        n = len(hi)
        answer, start_at, consumed = np.zeros(n, np.uint8), np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.count += difference(
            self.key_hi, self.key_lo, self.last_at, self.last_index, rows, hi, lo, at, index, start_at, consumed, answer
        )
        return answer, start_at, consumed

    def read(
        self, rows: Int64Array, hi: UInt64Array, lo: UInt64Array, at: Int64Array, index: Int64Array
    ) -> tuple[UInt8Array, Int64Array, Int64Array]:
        """Take the readings `rows` of a block in order; return (answer, start_at, consumed) of the series kernel."""
        self._make_room(len(rows))
        return self._read(rows, hi, lo, at, index)

    def open(self, hi: UInt64Array, lo: UInt64Array, at: Int64Array, index: Int64Array) -> None:
        """Open the registers not yet known with their opening readings (columns of equal length)."""
        self._make_room(len(hi))
        self.count += open_registers(self.key_hi, self.key_lo, self.last_at, self.last_index, hi, lo, at, index)
