"""Which record holds an identity, and the highest version seen of it: of sources whose newer records replace earlier ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipelines.resource.dedup import DAY_US, Decision
from pipelines.resource.kernels import dedup as verdicts
from pipelines.resource.kernels import versions as kernels
from pipelines.resource.moving import LOAD_MAX, Keep, Mover
from schemas.arrays import BoolArray, Int32Array, Int64Array, UInt8Array, UInt64Array
from schemas.cdr import CdrBlock

CAPACITY_MIN = 64
ARRIVAL_BITS = 32
"""Without a version field the later record is the newer one: its version is its file's claim, then its number in the file."""


class UnableToOrder(OverflowError):
    """The log has so many entries that the order of arrival no longer fits 63 bits."""


def _u64() -> UInt64Array:
    return np.zeros(CAPACITY_MIN, np.uint64)


def _i64() -> Int64Array:
    return np.zeros(CAPACITY_MIN, np.int64)


def _none() -> Int64Array:
    return np.full(CAPACITY_MIN, -1, np.int64)


def _i32() -> Int32Array:
    return np.zeros(CAPACITY_MIN, np.int32)


def arrival(file_claim: int, record: Int64Array) -> Int64Array:
    """Return (n,) versions of the records of a file: the order in which they came.

    Raises:
        UnableToOrder: when the claim needs more than 31 bits.
    """
    if file_claim >= 1 << (63 - ARRIVAL_BITS):
        raise UnableToOrder(f"claim {file_claim} is beyond the order of arrival")
    return record + (file_claim << ARRIVAL_BITS)


@dataclass(slots=True)
class VersionTable:
    """Open-addressing table from identity and event day to the record that holds it; grows with the blocks.

    Attributes:
        key_hi, key_lo: (cap,) identity, (0, 0) empty; key_day: (cap,) its event day.
        holder_claim, holder_record: (cap,) who holds it; claim 0: nobody.
        held, highest: (cap,) version of the holder (-1: nobody), and of the newest record seen.
        count: identities.
        mover: what it needs to grow; until it is settled, columns lack what has not moved yet.
    """

    key_hi: UInt64Array = field(default_factory=_u64)
    key_lo: UInt64Array = field(default_factory=_u64)
    key_day: Int32Array = field(default_factory=_i32)
    holder_claim: Int64Array = field(default_factory=_i64)
    holder_record: Int64Array = field(default_factory=_i64)
    held: Int64Array = field(default_factory=_none)
    highest: Int64Array = field(default_factory=_none)
    count: int = 0
    mover: Mover = field(default_factory=lambda: Mover(dated=True, empty={5: -1, 6: -1}), init=False)

    def decide(
        self,
        cdrs: CdrBlock,
        version: Int64Array,
        decision: Decision,
        candidate: BoolArray,
        usable: BoolArray,
        *,
        first_day: int,
    ) -> UInt8Array:
        """Return (n,) answers of the versions kernel, 255 for rows that are no candidate; settles the dedup decision.

        Args:
            cdrs: the block. version: (n,). decision: of the dedup window. candidate, usable: (n,).
            first_day: the window's; identities of earlier days are forgotten when the table grows.
        """
        n = len(cdrs)
        first = decision.first_rows()
        rows = np.flatnonzero(candidate).astype(np.int64)
        # a row that may take no key and knows none is nothing to decide
        rows = rows[(first[rows] >= 0) | np.isin(decision.verdict[rows], (verdicts.DUPLICATE, verdicts.CONFLICT))]
        answer = np.full(n, 255, np.uint8)
        answer[candidate] = kernels.UNUSABLE
        day = (cdrs.event_at // DAY_US).astype(np.int32)
        self._make_room(len(rows), first_day)
        self.mover.bring(self._columns(), cdrs.key_hi[rows], cdrs.key_lo[rows], day[rows])
        holds = np.zeros(n, np.uint64)
        decide: Any = kernels.decide_versions
        self.count += decide(
            *self._columns(),
            rows,
            cdrs.key_hi,
            cdrs.key_lo,
            day,
            cdrs.content,
            version,
            cdrs.position.claim,
            cdrs.record,
            first,
            decision.verdict,
            usable,
            holds,
            answer,
        )
        decision.settle(holds)
        return answer

    def holder(self, hi: int, lo: int, event_at: int) -> tuple[int, int] | None:
        """Return claim and record of whoever holds an identity, None when nobody does."""
        slot = self._slot(hi, lo, event_at)
        if slot < 0 or self.holder_claim[slot] == 0:
            return None
        return int(self.holder_claim[slot]), int(self.holder_record[slot])

    def vacate(self, hi: UInt64Array, lo: UInt64Array, event_at: Int64Array, *, forget: bool) -> None:
        """Let nobody hold identities (k,) any more; with `forget` any version of them may come again."""
        day = (event_at // DAY_US).astype(np.int32)
        self.mover.bring(self._columns(), hi, lo, day)
        vacate: Any = kernels.vacate
        vacate(*self._columns(), hi, lo, day, forget)

    def unsee(self, keys: Iterable[tuple[int, int, int]]) -> None:
        """Let the newest version that was seen of identities be the one that holds them: newer ones were taken out.

        Args:
            keys: identity high, low and event time (microseconds UTC) of each.
        """
        for hi, lo, event_at in keys:
            slot = self._slot(hi, lo, event_at)
            if slot >= 0:
                self.highest[slot] = self.held[slot]

    def _slot(self, hi: int, lo: int, event_at: int) -> int:
        day = np.int32(event_at // DAY_US)
        if self.mover.is_moving:
            key = np.array([hi], np.uint64), np.array([lo], np.uint64), np.array([day], np.int32)
            self.mover.bring(self._columns(), *key)
        return int(kernels.find_version(self.key_hi, self.key_lo, self.key_day, np.uint64(hi), np.uint64(lo), day))

    def _columns(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in COLUMNS)

    def move_on(self) -> None:
        """Move a piece of it, if it is on its way into a wider table."""
        self.mover.step(self._columns(), 0)

    def settle(self) -> None:
        """Have everything in the columns."""
        self.mover.finish(self._columns())

    def _make_room(self, rows: int, first_day: int) -> None:
        if self.count + rows > len(self.key_hi) * LOAD_MAX:
            self.settle()
            count: Any = kernels.count_from
            self.count = count(self.key_hi, self.key_lo, self.key_day, first_day)
            wide = self.mover.begin(self._columns(), _capacity(self.count, rows), _kept_from(first_day))
            for name, column in zip(COLUMNS, wide, strict=True):
                setattr(self, name, column)
        else:
            self.mover.prepare(self._columns(), self.count, rows, _capacity(int(len(self.key_hi) * LOAD_MAX), 1))
        self.mover.step(self._columns(), rows)


def _capacity(held: int, rows: int) -> int:
    return 1 << (int((held + rows) * 2 / LOAD_MAX) - 1).bit_length()


def _kept_from(first_day: int) -> Keep:
    """Return which identities are of a day or later, of rows of the columns."""

    def kept(rows: Any) -> BoolArray:
        of_then: BoolArray = rows[2] >= first_day
        return of_then

    return kept


COLUMNS = ("key_hi", "key_lo", "key_day", "holder_claim", "holder_record", "held", "highest")
"""The arrays of a `VersionTable`, in the order that kernels take them; a snapshot keeps them by these names."""
