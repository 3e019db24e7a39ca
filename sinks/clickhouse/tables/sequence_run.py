"""fact_sequence_run: which numbers of which streams were seen, as runs without a gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from schemas.output import OutputBlock
from sinks.clickhouse.table import Column, Table
from sinks.clickhouse.tables.place import Places

FACT_SEQUENCE_RUN = Table(
    "fact_sequence_run",
    "One row per run of consecutive numbers that a block brought of one stream.",
    (
        Column("tenant", "UInt16", "id in dim_tenant"),
        Column("source", "UInt16", "id in dim_source"),
        Column("claim", "UInt32", "journal entry that brought the records"),
        Column("block", "UInt32", "block number within the claim"),
        Column("stream", "String", "what counts: the texts of the fields that tell streams apart, joined by /"),
        Column("first", "UInt64", "the run's first number"),
        Column("last", "UInt64", "the run's last number"),
        Column("day", "Date", "ingest day: UTC date at which the claim was journaled"),
    ),
    order_by="tenant, source, stream, first, last",
    by_claim=True,
)


def run_rows(block: OutputBlock) -> int:
    """Return how many rows `block` puts into the table."""
    return 0 if block.runs is None else len(block.runs)


def run_table(blocks: Sequence[OutputBlock], tenants: Mapping[str, int]) -> pa.Table:
    """Return the rows of `blocks`, one chunk per block."""
    return pa.Table.from_batches([_batch(block, tenants) for block in blocks], FACT_SEQUENCE_RUN.schema)


def _batch(block: OutputBlock, tenants: Mapping[str, int]) -> pa.RecordBatch:
    given = block.runs
    assert given is not None
    place = Places.of(block.header, tenants).columns(len(given))
    columns = {
        **{name: pa.array(values) for name, values in place.items() if name != "day"},
        "stream": pa.array(given.stream, pa.string()),
        "first": pa.array(given.first.astype(np.uint64)),
        "last": pa.array(given.last.astype(np.uint64)),
        "day": pa.array(place["day"].astype(np.int32)).view(pa.date32()),
    }
    return pa.RecordBatch.from_arrays(
        [columns[field.name] for field in FACT_SEQUENCE_RUN.schema], schema=FACT_SEQUENCE_RUN.schema
    )
