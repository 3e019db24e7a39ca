"""What a worker did and how far it is behind: what probes and metrics say."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field

from pipelines.agents.source import Fetched

AGES_KEPT = 1000
AGES_S = 10.0
"""Blocks are recent for so long."""


@dataclass(slots=True)
class Progress:
    """Counts of one stage of this process.

    Attributes:
        blocks, records: taken. at: when the last block was taken, seconds of the monotonic clock.
        offsets: partition -> offset that comes next. rejects: records and EDRs refused, by code. state_bytes: by partition.
        ages_us: when blocks were done, and how old they were then.
    """

    stage: str
    topic: str
    blocks: int = 0
    records: int = 0
    snapshots: int = 0
    at: float = field(default_factory=time.monotonic)
    saved_at: float = field(default_factory=time.monotonic)
    offsets: dict[int, int] = field(default_factory=dict)
    owned: set[int] = field(default_factory=set)
    rejects: Counter[str] = field(default_factory=Counter)
    state_bytes: dict[int, int] = field(default_factory=dict)
    ages_us: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=AGES_KEPT))

    def took(self, block: Fetched, records: int) -> None:
        """Count a block."""
        self.blocks += 1
        self.records += records
        self.at = time.monotonic()
        self.offsets[block.partition] = block.offset + 1
        self.aged(time.time_ns() // 1000 - block.appended_at)

    def assigned(self, partition: int) -> None:
        """Take note of a partition."""
        self.owned.add(partition)

    def revoked(self, partition: int) -> None:
        """Take note that a partition is gone."""
        self.owned.discard(partition)
        self.offsets.pop(partition, None)
        self.state_bytes.pop(partition, None)

    def saved(self) -> None:
        """Count a snapshot."""
        self.snapshots += 1
        self.saved_at = time.monotonic()

    def aged(self, age_us: int) -> None:
        """Take note of how old a block was when it was done."""
        self.ages_us.append((time.monotonic(), age_us))

    def quantiles(self) -> dict[str, float]:
        """Return the ages of recent blocks in seconds, at 0.5 and at 0.99; nothing where there is none."""
        since = time.monotonic() - AGES_S
        ages = sorted(age for at, age in list(self.ages_us) if at >= since)
        return {} if not ages else {str(q): ages[min(int(q * len(ages)), len(ages) - 1)] / 1e6 for q in (0.5, 0.99)}
