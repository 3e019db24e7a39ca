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
CAPACITY_MIN = 1024
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
        buckets: event day (days since 1970-01-01 UTC) -> keys.
    """

    window_days: int | None = None
    buckets: dict[int, Bucket] = field(default_factory=dict)

    @property
    def key_count(self) -> int:
        """How many keys are held."""
        return sum(segment.count for bucket in self.buckets.values() for segment in bucket.segments)

    def oldest_day(self, stage_time: int) -> int | None:
        """Return the first day inside the window at `stage_time` (microseconds UTC), None when unlimited."""
        return None if self.window_days is None else stage_time // DAY_US - self.window_days

    def drop_before(self, day: int | None) -> None:
        """Forget whole days before `day`."""
        for old in [d for d in self.buckets if day is not None and d < day]:
            del self.buckets[old]

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
    """What became of each row: verdict (n,), and where new keys were placed so that they can be given back."""

    verdict: UInt8Array
    place: Int64Array
    taken: list[tuple[Segment, Int64Array]]

    def give_back(self, refused: BoolArray) -> None:
        """Void the keys of rows that were refused after all, so that they may come again."""
        if refused.any():
            for segment, rows in self.taken:
                kernels.void(segment.contents, rows, refused, self.verdict, self.place)
