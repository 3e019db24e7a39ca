"""fact_rejection: refused records and unrated EDRs, with their bytes, so that they can be explained and retried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from schemas.output import OutputBlock
from sinks.clickhouse.table import TIMESTAMP, Column, Table
from sinks.clickhouse.tables.place import Places

FACT_REJECTION = Table(
    "fact_rejection",
    "One row per refused record and per unrated EDR.",
    (
        Column("tenant", "UInt16", "id in dim_tenant"),
        Column("source", "UInt16", "id in dim_source"),
        Column("claim", "UInt32", "journal entry that brought the record"),
        Column("record", "UInt32", "record number within the claim"),
        Column("branch", "UInt8", "which of the record's EDRs is unrated, from 0; 0 for a refused record"),
        Column("block", "UInt32", "block number within the claim"),
        Column("stage", "UInt8", "0 decode, 1 resource, 2 account"),
        Column("reason", "UInt16", "stable reason code"),
        Column("outcome", "UInt8", "what the record sheet counts it as"),
        Column("event_at", TIMESTAMP, "start of the usage; 1970-01-01 when unknown"),
        Column("access_point", "String", "the identifier in the record", "ZSTD(1)"),
        Column("detail", "String", "the reason's parameters", "ZSTD(1)"),
        Column("raw", "String", "the record's bytes", "ZSTD(1)", binary=True),
        Column("raw_truncated", "Bool", "whether the record has more bytes than are kept here"),
        Column("edr", "String", "the packed EDR of an unrated one", "ZSTD(1)", binary=True),
        Column("retry_count", "UInt16", "how often it was tried before"),
        Column("day", "Date", "ingest day: UTC date at which the claim was journaled"),
    ),
    order_by="tenant, source, reason, claim, record",
    by_claim=True,
)


def rejection_table(blocks: Sequence[OutputBlock], tenants: Mapping[str, int]) -> pa.Table:
    """Return the rows of `blocks`, one chunk per block."""
    return pa.Table.from_batches([_batch(block, tenants) for block in blocks], FACT_REJECTION.schema)


def _batch(block: OutputBlock, tenants: Mapping[str, int]) -> pa.RecordBatch:
    given = block.rejections
    place = Places.of(block.header, tenants).columns(given.num_rows)
    if block.sources is not None:
        place["source"] = block.sources[block.rated.reason != 0].astype(np.uint16)
    columns = []
    for field in FACT_REJECTION.schema:
        if field.name in given.schema.names:
            values = given.column(field.name)
            columns.append(values.view(field.type) if field.name == "event_at" else values)
        elif field.name == "day":
            columns.append(pa.array(place["day"].astype("int32")).view(field.type))
        else:
            columns.append(pa.array(place[field.name]))
    return pa.RecordBatch.from_arrays(columns, schema=FACT_REJECTION.schema)
