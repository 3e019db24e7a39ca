"""fact_billed: which rated items an invoice holds. Billing runs write it at validation; what is in it cannot be withdrawn."""

from __future__ import annotations

from sinks.clickhouse.table import TIMESTAMP, Column, Table

FACT_BILLED = Table(
    "fact_billed",
    "One row per rated item that a validated invoice holds.",
    (
        Column("claim", "UInt32", "the item's claim"),
        Column("record", "UInt32", "the item's record"),
        Column("branch", "UInt8", "the item's branch"),
        Column("invoice", "String", "the invoice's number", "ZSTD(1)"),
        Column("at", TIMESTAMP, "when the mark was journaled"),
        Column("by_claim", "UInt32", "the journal entry that set it"),
        Column("day", "Date", "ingest day: UTC date of at"),
    ),
    order_by="claim, record, branch",
)
