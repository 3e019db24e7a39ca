"""CDRs: decoded usage records, still in the source's words, as columns."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from enum import IntEnum
from typing import Any

import numpy as np

from schemas.arrays import Int32Array, Int64Array, UInt8Array, UInt16Array, UInt64Array

ATTRIBUTE_SLOTS = 4
"""How many attributes a catalog may filter charges on; each event type's attributes take a slot by name."""
ATTRIBUTE_UNREAD = -1
"""In every slot of usage whose record could not be read again under the catalog in force: it is not to be priced."""
EVENT_TYPE_NONE = 0xFFFF
TIMESTAMP_MIN_US = 946_684_800_000_000
"""2000-01-01T00:00:00Z in microseconds."""
TIMESTAMP_MAX_US = 4_102_444_800_000_000
"""2100-01-01T00:00:00Z in microseconds, exclusive."""


@dataclass(frozen=True, slots=True)
class BlockPosition:
    """Where a block stands in the log: records `first_record` .. of claim `claim`, as its block number `block`."""

    claim: int
    block: int
    first_record: int


SERIES_MAX = 20_000_000


class OnDecrease(IntEnum):
    """What a reading lower than the one before means: see `schemas.source_flow.Cumulative`."""

    REJECT = 0
    RESET = 1
    WRAP_32 = 2
    WRAP_64 = 3


@dataclass(frozen=True, slots=True)
class ReadingRules:
    """What the readings of a source mean.

    Attributes:
        opens_at_zero: the first reading of a series is usage since the counter began at 0.
        on_decrease: what a lower reading means.
        modulus: base steps at which a counter that wraps at 32 bits begins again, 0 for others. One that wraps at 64 bits has
            indexes of 64 bits, unsigned, whose unit is one base step.
        absorbs_repeats: a reading that says what the latest one says, and so that nothing was used, is absorbed rather than
            parked as out of order.
        idle_days: a series of which nothing came for so many days of stage time is over, 0: never. Older readings are parked.
        space: of a source with `idle_days`, 32 bits of a hash of its identity space: what sources of another space forgot is
            nothing to it.
        series_max: with so many series, of whatever source, no further one begins.
        by_time: the readings of a block are taken in the order of their instants, not of their records.
    """

    opens_at_zero: bool = False
    on_decrease: OnDecrease = OnDecrease.REJECT
    modulus: int = 0
    absorbs_repeats: bool = False
    idle_days: int = 0
    series_max: int = SERIES_MAX
    by_time: bool = False
    space: int = 0


@dataclass(frozen=True, slots=True)
class ReadingMarks:
    """What n readings say of their counter besides its index.

    Attributes:
        begins: (n,) 1 where the series begins anew with the reading, 0 elsewhere.
        rolls_over_at: (n,) base steps at which the counter began again at 0 since the reading before, 0 where it did not.
    """

    begins: UInt8Array
    rolls_over_at: Int64Array

    def __getitem__(self, rows: Int64Array) -> ReadingMarks:
        """Return the readings at `rows`."""
        return ReadingMarks(self.begins[rows], self.rolls_over_at[rows])


class Part(IntEnum):
    """Which part of a session a record is: see `schemas.source_flow.PartRule`."""

    SINGLE = 0
    FIRST = 1
    MIDDLE = 2
    LAST = 3


class Late(IntEnum):
    """What a part is whose session has ended: see `schemas.source_flow.Assembly`."""

    REJECT = 0
    SEPARATE = 1
    REOPEN = 2


ELAPSED = 8
"""Mode of sessions whose quantity is the time from their first to their last part."""
STRICT = 16
"""Mode of sessions that are nothing to be rated unless they are complete."""
OPEN_MAX = 2_000_000


@dataclass(frozen=True, slots=True)
class PartColumns:
    """Which session each of n records belongs to.

    Attributes:
        key_hi, key_lo: (n,) 128-bit hash of the session's fields.
        part: (n,) `Part`. sequence: (n,) number of the part in its session, -1 where the source has none.
        time_out_us: after how much stage time without a part a session ends.
        mode: ELAPSED and STRICT, or neither. late: what a part is that comes after its session ended.
        open_max: with so many open sessions, of whatever source, no further one begins.
    """

    key_hi: UInt64Array
    key_lo: UInt64Array
    part: UInt8Array
    sequence: Int64Array
    time_out_us: int
    mode: int = 0
    late: Late = Late.REJECT
    open_max: int = OPEN_MAX

    def __getitem__(self, rows: Int64Array) -> PartColumns:
        """Return the records at `rows`."""
        return replace(
            self, key_hi=self.key_hi[rows], key_lo=self.key_lo[rows], part=self.part[rows], sequence=self.sequence[rows]
        )


@dataclass(frozen=True, slots=True)
class SequenceRuns:
    """Which numbers a block brought, as k runs without a gap, by stream and number; no two of a stream touch.

    Attributes:
        stream: (k,) names. first, last: (k,) numbers, >= 0.
    """

    stream: list[str]
    first: Int64Array
    last: Int64Array

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(self.stream)


@dataclass(frozen=True, slots=True)
class CdrBlock:
    """The n records of one block as columns of equal length, in file order.

    Attributes:
        position: the block's place in the log; record i has id (claim, record[i]).
        record: (n,) record number within its claim, ascending.
        raw: (b,) the block's original bytes.
        raw_start, raw_end: (n,) each record's bytes within `raw` (what a rejection keeps).
        reason: (n,) `schemas.rejection.Reason` found by the decoder; 0 where every column below is usable.
        key_hi, key_lo: (n,) 128-bit hash of tenant, source and identity fields; never (0, 0).
        content: (n,) 64-bit hash over every mapped field: same key and other content is a conflict.
        access_hi, access_lo: (n,) 128-bit hash of the access point's identifier (`schemas.hashing`).
        access_start, access_end: (n,) the identifier's bytes within `text`.
        text: (t,) buffer that field offsets point into (the same object as `raw` when nothing was unescaped).
        event_at: (n,) microseconds UTC. For a reading: the instant at which the index was read.
        quantity: (n,) scaled by the unit of the event type (`schemas.quantity`). For a reading: the index itself.
        event_type: (n,) code in `Vocabulary.event_types`, EVENT_TYPE_NONE when unknown.
        attributes: (n, ATTRIBUTE_SLOTS) codes in `Vocabulary.attribute_values`; 0 = absent or a value no charge names.
        series_hi, series_lo: (n,) 128-bit identity of the register for cumulative readings, (0, 0) for plain usage.
        readings: what the readings mean. marks: what each says besides; None where the source's say nothing.
        values: (n, VALUE_SLOTS) `schemas.values`, VALUE_ABSENT where a record has none; None where the source maps none.
        version: (n,) which statement about its identity a record is, >= 0; None where the order of arrival says it.
        parts: of a source whose records may be parts of sessions; None for others.
        runs: of a source that counts its records; None for others, and for records that are tried again.
    """

    position: BlockPosition
    record: Int64Array
    raw: UInt8Array
    raw_start: Int64Array
    raw_end: Int64Array
    reason: UInt16Array
    key_hi: UInt64Array
    key_lo: UInt64Array
    content: UInt64Array
    access_hi: UInt64Array
    access_lo: UInt64Array
    access_start: Int64Array
    access_end: Int64Array
    text: UInt8Array
    event_at: Int64Array
    quantity: Int64Array
    event_type: UInt16Array
    attributes: Int32Array
    series_hi: UInt64Array
    series_lo: UInt64Array
    readings: ReadingRules = field(default=ReadingRules(), kw_only=True)
    marks: ReadingMarks | None = field(default=None, kw_only=True)
    version: Int64Array | None = field(default=None, kw_only=True)
    values: Int64Array | None = field(default=None, kw_only=True)
    parts: PartColumns | None = field(default=None, kw_only=True)
    runs: SequenceRuns | None = field(default=None, kw_only=True)

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.record)


def select_records(cdrs: CdrBlock, rows: Int64Array) -> CdrBlock:
    """Return the block with only the records at `rows` (ascending); buffers are shared."""
    columns: dict[str, Any] = {
        item.name: _rows_of(getattr(cdrs, item.name), rows)
        for item in fields(cdrs)
        if item.name not in ("position", "raw", "text", "readings", "runs") and getattr(cdrs, item.name) is not None
    }
    return replace(cdrs, **columns, runs=None)


def _rows_of(column: Any, rows: Int64Array) -> Any:
    """Return some rows of a column, or of whatever else a decoder keeps beside its columns, row by row."""
    if column is None:
        return None
    found = column[rows]
    return np.ascontiguousarray(found) if isinstance(found, np.ndarray) else found
