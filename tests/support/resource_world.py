"""CDR blocks and access points from plain Python rows, and the obvious twin of the resource stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from pipelines.resource.stage import ResourceState, process
from rating.image_access import SHARED
from rating.tariff_image import AccessIndex
from schemas.cdr import ATTRIBUTE_SLOTS, BlockPosition, CdrBlock, OnDecrease, ReadingMarks, ReadingRules
from schemas.edr import EdrBlock
from schemas.quantity import QUANTITY_MAX
from schemas.rejection import Reason

DAY_US = 86_400_000_000
FOREVER_US = 2**62
START_US = 1_775_001_600_000_000  # 2026-04-01T00:00:00Z, a whole day
LOW64 = 2**64 - 1

Window = tuple[int, int, int, int]
"""start, end (microseconds), subscription, access point."""


@dataclass(frozen=True)
class Row:
    """One decoded record: identity, access point and series are 128-bit numbers; series 0 is plain usage."""

    key: int
    access: int = 1
    at: int = START_US
    quantity: int = 1
    content: int = 1
    series: int = 0
    reason: int = 0
    event_type: int = 0
    begins: bool = False
    rolls_over_at: int = 0


Edr = tuple[int, int, int, int, int]
"""event_at, span_s, quantity, subscription, access_point."""


def _halves(values: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([v >> 64 for v in values], np.uint64), np.array([v & LOW64 for v in values], np.uint64)


def cdr_block(
    rows: Sequence[Row],
    position: BlockPosition | None = None,
    readings: ReadingRules | None = None,
    *,
    marked: bool = False,
) -> CdrBlock:
    """Return rows as a block; record i's bytes are "i|access;", its access point's number.

    With `marked`, or where any row begins its series anew or rolled over, its source is one whose readings may.
    """
    position = position or BlockPosition(1, 0, 0)
    count = len(rows)
    key_hi, key_lo = _halves([row.key for row in rows])
    access_hi, access_lo = _halves([row.access for row in rows])
    series_hi, series_lo = _halves([row.series for row in rows])
    records = range(position.first_record, position.first_record + count)
    raws = [f"{record}|{row.access};".encode() for record, row in zip(records, rows, strict=True)]
    ends = np.cumsum([len(raw) for raw in raws], dtype=np.int64)
    starts = ends - np.array([len(raw) for raw in raws], np.int64)
    names = np.array([len(f"{record}|") for record in records], np.int64)
    raw = np.frombuffer(b"".join(raws) + bytes(16), np.uint8).copy()
    return CdrBlock(
        position=position,
        record=np.arange(position.first_record, position.first_record + count, dtype=np.int64),
        raw=raw,
        raw_start=starts,
        raw_end=ends,
        reason=np.array([row.reason for row in rows], np.uint16),
        key_hi=key_hi,
        key_lo=key_lo,
        content=np.array([row.content for row in rows], np.uint64),
        access_hi=access_hi,
        access_lo=access_lo,
        access_start=starts + names,
        access_end=ends - 1,
        text=raw,
        event_at=np.array([row.at for row in rows], np.int64),
        quantity=np.array([row.quantity for row in rows], np.int64),
        event_type=np.array([row.event_type for row in rows], np.uint16),
        attributes=np.zeros((count, ATTRIBUTE_SLOTS), np.int32),
        series_hi=series_hi,
        series_lo=series_lo,
        readings=readings or ReadingRules(),
        marks=ReadingMarks(
            np.array([row.begins for row in rows], np.uint8), np.array([row.rolls_over_at for row in rows], np.int64)
        )
        if marked or any(row.begins or row.rolls_over_at for row in rows)
        else None,
    )


def access_index(windows: Mapping[int, Sequence[Window]]) -> AccessIndex:
    """Return the hash table of access points by number (never 0)."""
    capacity = 1 << (2 * len(windows) + 2).bit_length()
    slots: list[list[int]] = [[0] * 4] * capacity
    flat: list[Window] = []
    for number, found in windows.items():
        slot = number & (capacity - 1)
        while any(slots[slot]):
            slot = (slot + 1) % capacity
        ordered = sorted(found, key=lambda window: (window[0], window[2]))
        overlap = any(one[1] > other[0] for one, other in pairwise(ordered))
        slots[slot] = [number >> 64, number & (1 << 64) - 1, len(flat), len(ordered) + overlap * SHARED]
        flat += ordered
    return AccessIndex(np.array(slots, np.uint64), np.array(flat, np.int64).reshape(-1, 4))


ALWAYS: dict[int, list[Window]] = {1: [(0, FOREVER_US, 10, 100)]}
"""Access point 1 belongs to subscription 10 for ever."""


def openings(*readings: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return (series, instant, index) of opening readings as `RegisterTable.open` takes them."""
    hi, lo = _halves([series for series, _, _ in readings])
    return hi, lo, np.array([at for _, at, _ in readings], np.int64), np.array([i for _, _, i in readings], np.int64)


def edrs_of(block: EdrBlock) -> list[Edr]:
    """Return EDRs as plain tuples."""
    columns = (block.event_at, block.span_s, block.quantity, block.subscription, block.access_point)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@dataclass
class Stage:
    """The resource stage over rows."""

    windows: Mapping[int, Sequence[Window]] = field(default_factory=lambda: ALWAYS)
    state: ResourceState = field(default_factory=ResourceState)
    conflict_is_duplicate: bool = False
    readings: ReadingRules = field(default_factory=ReadingRules)
    marked: bool = False

    def take(self, rows: Sequence[Row], stage_time: int = START_US) -> list[Reason]:
        """Process one block and return every row's reason."""
        return [reason for reason, _ in self.answers(rows, stage_time)]

    def answers(self, rows: Sequence[Row], stage_time: int = START_US) -> list[tuple[Reason, Edr | None]]:
        """Process one block and return every row's reason and EDR."""
        found = process(
            cdr_block(rows, readings=self.readings, marked=self.marked),
            access_index(self.windows),
            self.state,
            stage_time=stage_time,
            conflict_is_duplicate=self.conflict_is_duplicate,
        )
        edrs = iter(edrs_of(found.edrs))
        assert found.edrs.record.tolist() == [row for row, reason in enumerate(found.reason.tolist()) if reason == 0]
        return [(Reason(code), None if code else next(edrs)) for code in found.reason.tolist()]


@dataclass
class Twin:
    """The resource stage, one record after the other, on dictionaries."""

    windows: Mapping[int, Sequence[Window]]
    window_days: int | None = None
    conflict_is_duplicate: bool = False
    readings: ReadingRules = field(default_factory=ReadingRules)
    first_day: int = 0
    seen: dict[tuple[int, int], int] = field(default_factory=dict)
    registers: dict[int, tuple[int, int]] = field(default_factory=dict)
    marked: bool = False

    def answers(self, rows: Sequence[Row], stage_time: int) -> list[tuple[Reason, Edr | None]]:
        """Process one block."""
        if self.window_days is not None:
            self.first_day = max(self.first_day, stage_time // DAY_US - self.window_days)
        self.seen = {key: content for key, content in self.seen.items() if key[0] >= self.first_day}
        return [self._answer(row) for row in rows]

    def _answer(self, row: Row) -> tuple[Reason, Edr | None]:
        if row.reason:
            return Reason(row.reason), None
        key = (row.at // DAY_US, row.key)
        if key[0] < self.first_day:
            return Reason.BEYOND_WINDOW, None
        if key in self.seen:
            same = self.seen[key] == row.content or self.conflict_is_duplicate
            return (Reason.DUPLICATE if same else Reason.SAME_KEY_OTHER_CONTENT), None
        if row.access not in self.windows:
            return Reason.UNKNOWN_ACCESS_POINT, None
        instant = row.at - 1 if row.series else row.at
        owners = [window for window in self.windows[row.access] if window[0] <= instant < window[1]]
        if not owners:
            return Reason.ACCESS_POINT_NOT_VALID_AT, None
        _, _, subscription, access_point = owners[0]
        edr: Edr | None = (row.at, 0, row.quantity, subscription, access_point)
        reason = Reason.NONE
        if row.series:
            reason, start, used = self._read(row)
            if reason not in (Reason.NONE, Reason.OPENING_READING, Reason.REPEATED_READING):
                return reason, None
            edr = None if reason else (start, (row.at - start) // 1_000_000, used, subscription, access_point)
        self.seen[key] = row.content
        return reason, edr

    def _read(self, row: Row) -> tuple[Reason, int, int]:
        """Return what a reading is, since when it measures, and how much was used."""
        rules, last = self.readings, self.registers.get(row.series)
        index = row.quantity % 2**64 if rules.on_decrease is OnDecrease.WRAP_64 else row.quantity
        if row.begins and (last is None or row.at >= last[0]):
            self.registers[row.series] = (row.at, row.quantity)
            return Reason.OPENING_READING, 0, 0
        if last is None:
            if rules.opens_at_zero and index > QUANTITY_MAX:
                return Reason.QUANTITY_OVERFLOW, 0, 0
            self.registers[row.series] = (row.at, row.quantity)
            return (Reason.NONE if rules.opens_at_zero else Reason.OPENING_READING), row.at, index
        before = last[1] % 2**64 if rules.on_decrease is OnDecrease.WRAP_64 else last[1]
        if row.at <= last[0]:
            goes_back = rules.on_decrease is not OnDecrease.REJECT or self.marked
            same = index == before and (row.at == last[0] or not goes_back)
            harmless = rules.absorbs_repeats and same
            return (Reason.REPEATED_READING if harmless else Reason.READING_OUT_OF_ORDER), 0, 0
        used = index - before
        if used < 0 and rules.on_decrease is OnDecrease.RESET:
            used = index
        if used < 0 and rules.on_decrease is OnDecrease.WRAP_32:
            used = used + rules.modulus if before < rules.modulus else -1
        if used < 0 and rules.on_decrease is OnDecrease.WRAP_64:
            used += 2**64
        if used < 0 < row.rolls_over_at and row.rolls_over_at > max(last[1], row.quantity):
            used = row.rolls_over_at - last[1] + row.quantity
        if not 0 <= used <= QUANTITY_MAX:
            return Reason.INDEX_DECREASED, 0, 0
        self.registers[row.series] = (row.at, row.quantity)
        return Reason.NONE, last[0], used


def held_keys(state: ResourceState) -> dict[tuple[int, int], int]:
    """Return (day, key) -> content of every key that is held; asserts that no key is held twice."""
    found: dict[tuple[int, int], int] = {}
    for day, bucket in state.dedup.buckets.items():
        for entries in bucket.log.entries():
            for hi, lo, content in entries.tolist():
                key = hi << 64 | lo
                assert (day, key) not in found, "a key is held twice"
                assert content != 0, "a void key is held"
                found[day, key] = content
    return found


def held_registers(state: ResourceState) -> dict[int, tuple[int, int]]:
    """Return series -> (instant, index) of every register; asserts that the count is theirs."""
    table = state.registers
    used = np.flatnonzero((table.key_hi != 0) | (table.key_lo != 0)).tolist()
    assert len(used) == table.count
    return {
        (int(table.key_hi[slot]) << 64) | int(table.key_lo[slot]): (
            int(table.last_at[slot]),
            int(table.last_index[slot]),
        )
        for slot in used
    }
