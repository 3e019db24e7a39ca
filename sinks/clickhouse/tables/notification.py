"""fact_notification: levels that counters and wallets crossed, of which somebody is to be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from schemas.notification import NO_BLOCK
from schemas.output import OutputBlock
from sinks.clickhouse.table import NAME, TIMESTAMP, Column, Table
from sinks.clickhouse.tables.place import Places, ingest_day

_WIDE = "Decimal(38, 0)"

FACT_NOTIFICATION = Table(
    "fact_notification",
    "One row per level that a counter or a wallet crossed.",
    (
        Column("tenant", "UInt16", "id in dim_tenant"),
        Column("account", "UInt32", "id in dim_account: who pays for the usage that crossed"),
        Column(
            "subscription",
            "UInt32",
            "id in dim_subscription: whose usage that is; 4294967295 of a movement",
        ),
        Column("event_at", TIMESTAMP, "start of that usage"),
        Column("counter", NAME, "the counter; empty of a wallet"),
        Column("holder", "String", "whose it is: a subscription, account/ACCOUNT or group/GROUP", "ZSTD(1)"),
        Column("period", NAME, "its day, month or year; empty of a counter that has none"),
        Column("zone", NAME, "the zone of the period"),
        Column("wallet", "Int32", "id in dim_wallet; -1 of a counter"),
        Column("written", NAME, "the level as the catalog writes it; empty of a wallet"),
        Column("unit", NAME, "unit or currency of the values"),
        Column("unit_steps", "UInt64", "how many base steps, or billionths, one of it is"),
        Column("level", _WIDE, "the level, in base steps or billionths"),
        Column("before", _WIDE, "the counter or balance before the item"),
        Column("after", _WIDE, "and after it"),
        Column("claim", "UInt32", "journal entry that brought the usage"),
        Column("record", "UInt32", "record number within the claim"),
        Column(
            "branch",
            "UInt8",
            "which of the record's EDRs, from 0; 255 of a requested movement, 254 of an expiry",
        ),
        Column("part", "UInt32", "which of the crossings of the EDR, from 0"),
        Column("block", "UInt32", "block number within the claim; 4294967295 of a movement"),
        Column("image", "UInt16", "id in dim_image: the tariff image whose level it is"),
        Column("received_at", TIMESTAMP, "when the claim was journaled"),
        Column("day", "Date", "ingest day: UTC date of received_at"),
    ),
    order_by="tenant, account, event_at",
    by_claim=True,
)


def notification_rows(block: OutputBlock) -> int:
    """Return how many rows `block` puts into the table."""
    return 0 if block.notifications is None else block.notifications.num_rows


def notification_table(blocks: Sequence[OutputBlock], tenants: Mapping[str, int]) -> pa.Table:
    """Return the rows of `blocks`, one chunk per block."""
    return pa.Table.from_batches([_batch(block, tenants) for block in blocks], FACT_NOTIFICATION.schema)


def notice_table(given: pa.RecordBatch, claim: int, at: int, image: int, tenant: int) -> pa.Table:
    """Return the rows of notifications, of NOTIFICATION_SCHEMA, that movements of an entry caused, by an image."""
    place = Places(tenant, 0, claim, NO_BLOCK, ingest_day(at))
    return pa.Table.from_batches([_placed(given, place, image, at)], FACT_NOTIFICATION.schema)


def _batch(block: OutputBlock, tenants: Mapping[str, int]) -> pa.RecordBatch:
    given, header = block.notifications, block.header
    assert given is not None
    return _placed(given, Places.of(header, tenants), header.image, header.received_at)


def _placed(given: pa.RecordBatch, of: Places, image: int, received_at: int) -> pa.RecordBatch:
    rows = given.num_rows
    place = of.columns(rows)
    place |= {"image": np.full(rows, image), "received_at": np.full(rows, received_at)}
    columns = []
    for field in FACT_NOTIFICATION.schema:
        if field.name == "day":
            columns.append(pa.array(place["day"].astype(np.int32)).view(field.type))
        elif field.name in place:
            columns.append(pa.array(place[field.name]).cast(field.type))
        else:
            # of a movement, the subscription -1 becomes one that nothing has
            columns.append(given.column(field.name).cast(field.type, safe=False))
    return pa.RecordBatch.from_arrays(columns, schema=FACT_NOTIFICATION.schema)
