"""The deduplication window: exact, bucketed by event day.

Identity is tenant, source, identity fields and event day: each day has its own bucket, so that a window moves by dropping
whole buckets. A bucket that has been quiet for days *sleeps*: its keys are in the files of the latest snapshot only, and it
wakes when a record of its day comes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from pipelines.resource.kernels import dedup as kernels
from pipelines.resource.key_log import KeyLog
from schemas.arrays import BoolArray, Int64Array, UInt8Array, UInt64Array

DAY_US = kernels.DAY_US
CLOSED_DAYS = 62
"""How long usage of closed billing periods is still recognised: two months."""


def open_period_days(stage_time: int) -> int:
    """Return the days of a window that holds the open billing period, a civil month in UTC, and CLOSED_DAYS before it.

    Args:
        stage_time: microseconds UTC.
    """
    return CLOSED_DAYS + datetime.fromtimestamp(stage_time // 1_000_000, UTC).day - 1


@dataclass(frozen=True, slots=True)
class StoredIndex:
    """An index in a file, over the first `count` keys: its checksum, its homes (lines) and its words."""

    sha256: str
    count: int
    capacity: int
    words: int


@dataclass(frozen=True, slots=True)
class StoredKeys:
    """What a snapshot holds of a bucket.

    Attributes:
        directory: of the snapshot. count: keys. chunks: checksum of each chunk's file.
        asleep: whether the bucket sleeps. index: of one that sleeps; None if it is to be built as it wakes.
        verified: whether this process has read or written all of it.
    """

    directory: Path
    count: int
    chunks: tuple[str, ...]
    asleep: bool = False
    index: StoredIndex | None = None
    verified: bool = False


class Bucket:
    """The keys of one event day, awake or asleep.

    Attributes:
        stored: what the latest snapshot holds of them, None while they are few or in none.
    """

    def __init__(self, log: KeyLog | None = None) -> None:
        """Begin awake, with these keys or none."""
        self.stored: StoredKeys | None = None
        self._log: KeyLog | None = KeyLog() if log is None else log
        self._asleep = 0
        self._wake: Callable[[], KeyLog] | None = None

    @property
    def is_awake(self) -> bool:
        """Whether the keys are in memory."""
        return self._log is not None

    @property
    def count(self) -> int:
        """How many keys are held."""
        return self._asleep if self._log is None else self._log.count

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return 0 if self._log is None else self._log.nbytes

    @property
    def log(self) -> KeyLog:
        """The keys; a sleeping bucket wakes.

        Raises:
            Exception: what the function given to `sleep` raises.
        """
        if self._log is None:
            assert self._wake is not None
            self._log = self._wake()
        return self._log

    def sleep(self, count: int, wake: Callable[[], KeyLog]) -> None:
        """Let go of the keys: `wake` brings back all `count` of them."""
        self._log, self._asleep, self._wake = None, count, wake


@dataclass(slots=True)
class DedupWindow:
    """Every key accepted in the window.

    Attributes:
        window_days: how many days before stage time are kept; None keeps everything.
        first_day: the first day (since 1970-01-01 UTC) whose keys are all remembered. It never goes back, so that a window
            that is widened later does not reach days that were forgotten.
        buckets: event day -> keys.
        stage_day: the latest day of stage time.
    """

    window_days: int | None = None
    first_day: int = 0
    buckets: dict[int, Bucket] = field(default_factory=dict)
    stage_day: int = 0

    @property
    def key_count(self) -> int:
        """How many keys are held."""
        return sum(bucket.count for bucket in self.buckets.values())

    @property
    def nbytes(self) -> int:
        """Bytes of the keys that are in memory."""
        return sum(bucket.nbytes for bucket in self.buckets.values())

    def take_terms(self, window_days: int | None, *, again: bool) -> None:
        """Have the window that a file was claimed with; what is tried `again` never makes it narrower than it is by now."""
        kept = self.window_days is None or (window_days is not None and window_days < self.window_days)
        if not (again and kept):
            self.window_days = window_days

    def move_to(self, stage_time: int) -> int:
        """Forget the days that `stage_time` leaves behind; return the instant (microseconds UTC) where the window starts."""
        self.stage_day = stage_time // DAY_US
        if self.window_days is not None:
            self.first_day = max(self.first_day, self.stage_day - self.window_days)
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
        count, earliest, latest = kernels.span(event_at, candidate)
        if not count:
            return decision
        first, last = earliest // DAY_US, latest // DAY_US
        if first == last:
            order = np.arange(n) if count == n else np.flatnonzero(candidate)
            counts = np.array([0, count], np.int64)
        else:
            order = np.empty(count, np.int64)
            counts = np.zeros(last - first + 2, np.int64)
            kernels.bucket_rows(event_at, candidate, first, counts, order)
        for index in np.flatnonzero(np.diff(counts)):
            rows = order[counts[index] : counts[index + 1]]
            log = self.buckets.setdefault(first + int(index), Bucket()).log
            decided = log.decide(rows, key_hi, key_lo, content, usable, decision.verdict, decision.place)
            decision.taken.append((log, decided))
        return decision


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of each row.

    Attributes:
        verdict: (n,) of the dedup kernels. place: (n,) where the row's key is in the index of its day, else -1.
        taken: the days' logs, each with the rows that were decided there, new ones in the order of the log.
    """

    verdict: UInt8Array
    place: Int64Array
    taken: list[tuple[KeyLog, Int64Array]]

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
        """Write down which content holds the key that each new row took, held (n,): 0 leaves it free to come again.

        At most once, and before the next block is decided.
        """
        for log, rows in self.taken:
            log.settle(rows[self.verdict[rows] == kernels.NEW], self.place, held)
