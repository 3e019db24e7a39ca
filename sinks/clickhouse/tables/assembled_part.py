"""fact_assembled_part: which records the EDR of a session was put together from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.output import OutputBlock
from sinks.clickhouse.table import Column, Table
from sinks.clickhouse.tables.place import Places

FACT_ASSEMBLED_PART = Table(
    "fact_assembled_part",
    "One row per record that became a part of the EDR of a session.",
    (
        Column("tenant", "UInt16", "id in dim_tenant"),
        Column("source", "UInt16", "id in dim_source"),
        Column("claim", "UInt32", "journal entry that made the EDR"),
        Column("record", "UInt32", "the EDR's record number within it"),
        Column("block", "UInt32", "block number within that entry"),
        Column("part_claim", "UInt32", "journal entry that brought the part"),
        Column("part_record", "UInt32", "its record number within it"),
        Column("late", "UInt8", "1: it came after its session had ended, and is an EDR of its own"),
        Column("day", "Date", "ingest day: UTC date at which the entry that made the EDR was journaled"),
    ),
    order_by="tenant, claim, record, part_claim, part_record",
    by_claim=True,
)


def part_rows(block: OutputBlock) -> int:
    """Return how many rows `block` puts into the table."""
    return 0 if block.assembled is None else len(block.assembled)


def part_columns(blocks: Sequence[OutputBlock], tenants: Mapping[str, int]) -> dict[str, list[NDArray[Any]]]:
    """Return the columns of the parts of `blocks`."""
    columns: dict[str, list[NDArray[Any]]] = {name: [] for name in FACT_ASSEMBLED_PART.names}
    for block in blocks:
        given = block.assembled
        assert given is not None
        found = Places.of(block.header, tenants).columns(len(given)) | {
            "record": given.record,
            "part_claim": given.part_claim,
            "part_record": given.part_record,
            "late": given.late.astype(np.uint8),
        }
        for name in FACT_ASSEMBLED_PART.names:
            columns[name].append(found[name])
    return columns
