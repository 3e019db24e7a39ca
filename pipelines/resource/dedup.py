"""The deduplication window: exact, in memory, bucketed by event day.

Identity is tenant, source, identity fields and event day: each day has its own bucket, so that a window moves by dropping
whole buckets. A bucket grows by adding a larger segment, never by rehashing; full segments are sealed and immutable.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pipelines.resource.kernels import dedup as kernels
from schemas.arrays import BoolArray, Int64Array, UInt8Array, UInt64Array

DAY_US = 86_400_000_000
LOAD_MAX = 0.7
CAPACITY_MIN = 64
"""A day with one record takes 1.5 KB, so that records strewn over a century stay bounded."""
GROWTH = 4


@dataclass(slots=True)
class Segment:
    """One open-addressing table: `table` (2 * cap,) interleaved keys, `contents` (cap,), `count` occupied slots."""

    table: UInt64Array
    contents: UInt64Array
    count: int = 0

    @classmethod
    def empty(cls, capacity: int) -> Segment:
        """Return a segment with room for LOAD_MAX * capacity keys."""
        return cls(np.zeros(2 * capacity, np.uint64), np.zeros(capacity, np.uint64))

    @property
    def room(self) -> int:
        """How many more keys fit."""
        return int(len(self.contents) * LOAD_MAX) - self.count


@dataclass(slots=True)
class Bucket:
    """The keys of one event day: sealed segments, then the open one."""

    segments: list[Segment] = field(default_factory=list)

    def open_for(self, rows: int) -> Segment:
        """Return a segment with room for `rows` more keys, sealing the full one."""
        if self.segments and self.segments[-1].room >= rows:
            return self.segments[-1]
        last = len(self.segments[-1].contents) if self.segments else 0
        wanted = max(CAPACITY_MIN, int(rows * 2 / LOAD_MAX), last * GROWTH)
        self.segments.append(Segment.empty(1 << (wanted - 1).bit_length()))
        return self.segments[-1]


@dataclass(slots=True)
class DedupWindow:
    """Every key accepted in the window.

    Attributes:
        window_days: how many days before stage time are kept; None keeps everything.
        first_day: the first day (since 1970-01-01 UTC) whose keys are all remembered. It never goes back, so that a window
            that is widened later does not reach days that were forgotten.
        buckets: event day -> keys.
    """

    window_days: int | None = None
    first_day: int = 0
    buckets: dict[int, Bucket] = field(default_factory=dict)

    @property
    def key_count(self) -> int:
        """How many keys are held."""
        return sum(segment.count for bucket in self.buckets.values() for segment in bucket.segments)

    def move_to(self, stage_time: int) -> int:
        """Forget the days that `stage_time` leaves behind; return the instant (microseconds UTC) where the window starts."""
        if self.window_days is not None:
            self.first_day = max(self.first_day, stage_time // DAY_US - self.window_days)
        for old in [day for day in self.buckets if day < self.first_day]:
            del self.buckets[old]
        return self.first_day * DAY_US

    def decide(
        self,
        key_hi: UInt64Array,
        key_lo: UInt64Array,
        content: UInt64Array,
        event_at: Int64Array,
        candidate: BoolArray,
        usable: BoolArray,
    ) -> Decision:
        """Decide n rows in order and take the keys of those that are new and usable.

        Args:
            key_hi, key_lo, content, event_at: (n,) columns of a CdrBlock; `content` is never 0.
            candidate: (n,) rows to look at. usable: (n,) rows that may take a key.
        """
        n = len(key_hi)
        decision = Decision(np.zeros(n, np.uint8), np.full(n, -1, np.int64), [])
        if not candidate.any():
            return decision
        days = event_at[candidate]
        first, last = int(days.min()) // DAY_US, int(days.max()) // DAY_US
        counts = np.zeros(last - first + 2, np.int64)
        order = np.empty(int(candidate.sum()), np.int64)
        kernels.bucket_rows(event_at, candidate, DAY_US, first, counts, order)
        for index in np.flatnonzero(np.diff(counts)):
            rows = order[counts[index] : counts[index + 1]]
            bucket = self.buckets.setdefault(first + int(index), Bucket())
            segment = bucket.open_for(len(rows))
            for sealed in bucket.segments[:-1]:
                kernels.probe(sealed.table, sealed.contents, rows, key_hi, key_lo, content, decision.verdict)
            segment.count += kernels.insert(
                segment.table, segment.contents, rows, key_hi, key_lo, content, usable, decision.verdict, decision.place
            )
            decision.taken.append((segment, rows))
        return decision


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of each row.

    Attributes:
        verdict: (n,) of the dedup kernels. place: (n,) slot of the row's key in the open segment of its day, else -1.
        taken: the open segments, each with the rows that were decided there.
    """

    verdict: UInt8Array
    place: Int64Array
    taken: list[tuple[Segment, Int64Array]]

    def first_rows(self) -> Int64Array:
        """Return (n,) the row that took the row's key in this block (itself for a new one), -1 when none did."""
        first = np.full(len(self.verdict), -1, np.int64)
        for _, rows in self.taken:
            took = rows[self.verdict[rows] == kernels.NEW]
            first[took] = took
            again = rows[(self.verdict[rows] != kernels.NEW) & (self.place[rows] >= 0)]
            if len(took) and len(again):
                took = took[np.argsort(self.place[took])]
                index = np.searchsorted(self.place[took], self.place[again])
                found = took[np.minimum(index, len(took) - 1)]
                same = self.place[found] == self.place[again]
                first[again[same]] = found[same]
        return first

    def settle(self, held: UInt64Array) -> None:
        """Write down which content holds the key that each new row took, held (n,): 0 leaves it free to come again."""
        for segment, rows in self.taken:
            took = rows[self.verdict[rows] == kernels.NEW]
            segment.contents[self.place[took]] = held[took]
