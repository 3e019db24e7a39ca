"""fact_reversal: which rated item a row of fact_usage takes back. Nothing that was stored is changed or deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from schemas.cancellation import CounterFate
from schemas.output import OutputBlock
from sinks.clickhouse.table import NAME, Column, Table
from sinks.clickhouse.tables.place import Places

FACT_REVERSAL = Table(
    "fact_reversal",
    "One row per row of fact_usage that takes a rated item back: its quantities and its amount are negative.",
    (
        Column("tenant", "UInt16", "id in dim_tenant"),
        Column("source", "UInt16", "id in dim_source"),
        Column("claim", "UInt32", "journal entry that took it back"),
        Column("record", "UInt32", "number of the reversal within that entry"),
        Column("block", "UInt32", "block number within that entry"),
        Column("reversed_claim", "UInt32", "claim of the item that was taken back"),
        Column("reversed_record", "UInt32", "its record"),
        Column("reversed_branch", "UInt8", "its branch"),
        Column("reversed_item", "UInt8", "which of the EDR's rated items it is"),
        Column("cause", NAME, "back_out, superseded, reopened or rerated"),
        Column("counter", NAME, "none, lowered, or left: its period was no longer kept"),
        Column("replaced_by", "UInt32", "one more than the record within that entry that took its place; 0: none did"),
        Column("day", "Date", "ingest day: UTC date at which the entry was journaled"),
    ),
    order_by="reversed_claim, reversed_record, reversed_branch",
    by_claim=True,
)

_FATES = np.array([fate.name.lower() for fate in CounterFate])


def reversal_rows(block: OutputBlock) -> int:
    """Return how many rows `block` puts into the table."""
    return 0 if block.reversals is None else len(block.reversals.record)


def reversal_table(blocks: Sequence[OutputBlock], tenants: Mapping[str, int]) -> pa.Table:
    """Return the rows of `blocks`, one chunk per block."""
    return pa.Table.from_batches([_batch(block, tenants) for block in blocks], FACT_REVERSAL.schema)


def _batch(block: OutputBlock, tenants: Mapping[str, int]) -> pa.RecordBatch:
    given = block.reversals
    assert given is not None
    rows = len(given.record)
    place = Places.of(block.header, tenants).columns(rows)
    place["day"] = place["day"].astype("int32")
    columns = {
        **place,
        "record": block.edrs.record,
        "reversed_claim": given.claim,
        "reversed_record": given.record,
        "reversed_branch": given.branch,
        "reversed_item": given.item,
        "cause": np.full(rows, given.cause),
        "counter": _FATES[given.counter],
        "replaced_by": np.zeros(rows, np.uint32) if given.replaced_by is None else given.replaced_by + 1,
    }
    return pa.RecordBatch.from_arrays(
        [
            pa.array(columns[field.name]).view(field.type)
            if field.name == "day"
            else pa.array(columns[field.name]).cast(field.type)
            for field in FACT_REVERSAL.schema
        ],
        schema=FACT_REVERSAL.schema,
    )
