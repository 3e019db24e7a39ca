"""fact_rejection_event: what happened to rejections afterwards. Append-only; a rejection without event is open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from sinks.clickhouse.table import NAME, TIMESTAMP, Column, Table
from sinks.clickhouse.tables.place import as_date, ingest_day, instant

FACT_REJECTION_EVENT = Table(
    "fact_rejection_event",
    "One row per change of a rejection's status.",
    (
        Column("claim", "UInt32", "the rejection's claim"),
        Column("record", "UInt32", "the rejection's record"),
        Column("branch", "UInt8", "the rejection's branch"),
        Column("event", NAME, "discarded, replayed, marked, reopened or cancelled"),
        Column("reason", "String", "the reason somebody gave", "ZSTD(1)"),
        Column("at", TIMESTAMP, "when it was journaled"),
        Column("by_claim", "UInt32", "the journal entry that did it"),
        Column("day", "Date", "ingest day: UTC date of at"),
    ),
    order_by="claim, record, by_claim",
)


@dataclass(frozen=True, slots=True)
class RejectionEvent:
    """Something happened to one rejection by the journal entry `by_claim`, journaled at `at` (microseconds UTC)."""

    claim: int
    record: int
    event: Literal["discarded", "replayed", "marked", "reopened", "cancelled"]
    reason: str
    at: int
    by_claim: int
    branch: int = 0


CORRECTED_AS = "corrected as "


def corrected_as(claim: int, record: int) -> str:
    """Return the reason of the event that says which record took a rejection's place."""
    return f"{CORRECTED_AS}{claim}-{record}"


def rejection_event_table(events: Sequence[RejectionEvent]) -> pa.Table:
    """Return the rows of `events`."""
    rows = [
        {
            "claim": event.claim,
            "record": event.record,
            "branch": event.branch,
            "event": event.event,
            "reason": event.reason,
            "at": instant(event.at),
            "by_claim": event.by_claim,
            "day": as_date(ingest_day(event.at)),
        }
        for event in events
    ]
    return pa.Table.from_pylist(rows, FACT_REJECTION_EVENT.schema)
