"""fact_block: the header of every stored block. A block whose header is stored is complete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from schemas.money import AMOUNT_DECIMALS, from_scaled
from schemas.output import BlockHeader
from sinks.clickhouse.table import BALANCE, TIMESTAMP, Column, Table
from sinks.clickhouse.tables.place import as_date, ingest_day, instant

OUTCOME_COLUMNS = ("accepted", "absorbed", "duplicate", "superseded", "filtered", "rejected", "parked")
"""The record sheet: received = the sum of these."""
_COUNTERS = {
    "received": "records that entered",
    "accepted": "records that became an EDR",
    "absorbed": "records merged into an EDR or a series",
    "duplicate": "records processed before",
    "superseded": "records replaced by a later version",
    "filtered": "records excluded by the source's filters",
    "rejected": "records refused",
    "parked": "records set aside until somebody decides",
    "edrs": "EDRs, the sum of the next three",
    "rated": "EDRs with a rated item",
    "unrated": "EDRs that the account stage refused",
    "cancelled": "EDRs withdrawn",
    "usage_rows": "rows in fact_usage",
    "operation_rows": "rows in fact_wallet_operation",
    "rejection_rows": "rows in fact_rejection",
    "reversal_rows": "rows in fact_reversal",
}

FACT_BLOCK = Table(
    "fact_block",
    "One row per complete block: its two sheets and what it put into the other facts.",
    (
        Column("claim", "UInt32", "journal entry"),
        Column("block", "UInt32", "block number within the claim"),
        Column("first_record", "UInt32", "its first record's number within the claim"),
        Column("tenant", "UInt16", "id in dim_tenant"),
        Column("source", "UInt16", "id in dim_source"),
        Column("image", "UInt16", "id in dim_image"),
        Column("received_at", TIMESTAMP, "when the claim was journaled"),
        Column("retry", "Bool", "whether it retries records that were received before"),
        *(Column(name, "UInt32", comment) for name, comment in _COUNTERS.items()),
        Column("quantity", "Decimal(38, 0)", "sum of rated EDR quantities, in base steps"),
        Column("amounts", f"Map(UInt16, {BALANCE})", "sum of rated amounts per currency id"),
        Column("part_rows", "UInt32", "rows in fact_assembled_part"),
        Column("run_rows", "UInt32", "rows in fact_sequence_run"),
        Column("notification_rows", "UInt32", "rows in fact_notification"),
        Column("day", "Date", "ingest day: UTC date of received_at"),
    ),
    order_by="claim, block",
)


def block_table(headers: Sequence[BlockHeader], tenants: Mapping[str, int]) -> pa.Table:
    """Return the rows of `headers`."""
    return pa.Table.from_pylist([_row(header, tenants) for header in headers], FACT_BLOCK.schema)


def _row(header: BlockHeader, tenants: Mapping[str, int]) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(header, name) for name in FACT_BLOCK.names if name != "day"}
    row["tenant"] = tenants[header.tenant]
    row["received_at"] = instant(header.received_at)
    row["quantity"] = Decimal(header.quantity)
    row["amounts"] = [(code, from_scaled(amount, AMOUNT_DECIMALS)) for code, amount in sorted(header.amounts.items())]
    row["day"] = as_date(ingest_day(header.received_at))
    return row
