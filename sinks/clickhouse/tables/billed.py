"""fact_billed: which rated items an invoice holds. An entry of the log writes it; what takes such an item back is a refund."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from sinks.clickhouse.table import TIMESTAMP, Column, Table
from sinks.clickhouse.tables.place import as_date, ingest_day, instant

FACT_BILLED = Table(
    "fact_billed",
    "One row per rated item that a validated invoice holds.",
    (
        Column("claim", "UInt32", "the item's claim"),
        Column("record", "UInt32", "the item's record"),
        Column("branch", "UInt8", "the item's branch"),
        Column("item", "UInt8", "which of the EDR's rated items it is"),
        Column("invoice", "String", "the invoice's number", "ZSTD(1)"),
        Column("line", "UInt32", "the line of the invoice; 0 where that was not said"),
        Column("at", TIMESTAMP, "when the mark was journaled"),
        Column("by_claim", "UInt32", "the journal entry that set it"),
        Column("day", "Date", "ingest day: UTC date of at"),
    ),
    order_by="claim, record, branch",
)


@dataclass(frozen=True, slots=True)
class BilledItems:
    """The rows of `schemas.billed` that the journal entry `by_claim`, journaled at `at` (microseconds UTC), brought."""

    items: pa.Table
    at: int
    by_claim: int


def billed_table(billed: BilledItems) -> pa.Table:
    """Return the rows of one entry."""
    schema, count = FACT_BILLED.schema, billed.items.num_rows
    given: dict[str, object] = {} if "line" in billed.items.column_names else {"line": 0}
    given |= {"at": instant(billed.at), "by_claim": billed.by_claim, "day": as_date(ingest_day(billed.at))}
    columns = [
        pa.repeat(pa.scalar(given[field.name], field.type), count)
        if field.name in given
        else billed.items[field.name].cast(field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
