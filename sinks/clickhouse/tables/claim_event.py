"""fact_claim_event: what happened to whole claims afterwards. Append-only; a claim without event stands as it was finished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from sinks.clickhouse.table import NAME, TIMESTAMP, Column, Table
from sinks.clickhouse.tables.place import as_date, ingest_day, instant

FACT_CLAIM_EVENT = Table(
    "fact_claim_event",
    "One row per claim that was withdrawn.",
    (
        Column("claim", "UInt32", "the claim: a file, or a retry of its records"),
        Column("event", NAME, "backed_out"),
        Column("reason", "String", "the reason somebody gave", "ZSTD(1)"),
        Column("at", TIMESTAMP, "when it was journaled"),
        Column("by_claim", "UInt32", "the journal entry that did it"),
        Column("day", "Date", "ingest day: UTC date of at"),
    ),
    order_by="claim, by_claim",
)


@dataclass(frozen=True, slots=True)
class ClaimEvent:
    """One claim was backed out by the journal entry `by_claim`, journaled at `at` (microseconds UTC)."""

    claim: int
    event: Literal["backed_out"]
    reason: str
    at: int
    by_claim: int


def claim_event_table(events: Sequence[ClaimEvent]) -> pa.Table:
    """Return the rows of `events`."""
    rows = [
        {
            "claim": event.claim,
            "event": event.event,
            "reason": event.reason,
            "at": instant(event.at),
            "by_claim": event.by_claim,
            "day": as_date(ingest_day(event.at)),
        }
        for event in events
    ]
    return pa.Table.from_pylist(rows, FACT_CLAIM_EVENT.schema)
